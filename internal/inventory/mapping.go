package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Result is how a key compares with an account.
type Result string

// The results of a comparison.
const (
	Equal      Result = "equal"
	Differs    Result = "differs"
	NoValue    Result = "no_value"    // the account has none yet: the key's would become its first
	KeyMissing Result = "key_missing" // the Secret has no such key
	Mapped     Result = "mapped"      // the key is mapped already
)

// Comparison says how a key compares with an account, without showing either.
type Comparison struct {
	Result Result
	Reason string // for a person, where the result alone does not say it
	// Owner names the controller that owns the key, if it must not be written; Advice says what to do instead.
	Owner, Advice string
	// Equals are other keys that hold the same value as the account, at most 50. Who asks may not be allowed to see all
	// of them.
	Equals []KeyRef
}

// KeyRef names a key of a Secret.
type KeyRef struct{ SecretID, ResourceID, Cluster, Namespace, Secret, Key string }

// Keep says which side is right when a key and the account differ.
type Keep string

// The sides.
const (
	KeepNone    Keep = ""
	KeepVault   Keep = "vault"   // the key is behind until the next reset writes it
	KeepCluster Keep = "cluster" // the key's value becomes the account's current version
)

// MapStore keeps mappings. Each change commits its event in the same transaction.
type MapStore interface {
	Account(ctx context.Context, id string) (Account, error)
	Secret(ctx context.Context, id string) (Secret, error)
	Sealed(ctx context.Context, accountID string, number int64) (vault.Sealed, error)
	LastVersion(ctx context.Context, accountID string) (int64, error)
	// MappingOf returns the mapping of a key. It fails with fault.NotFound when there is none.
	MappingOf(ctx context.Context, secretID, key string) (Mapping, error)
	// Mapping fails with fault.NotFound.
	Mapping(ctx context.Context, id string) (Mapping, error)
	// MapKey stores a mapping, and with it adopted as the account's current version if it is not nil. It fails with
	// fault.Conflict when the key is mapped, its Secret is gone or a run of the account is open, and with fault.Stale
	// when the Secret is not as it was compared any more.
	MapKey(ctx context.Context, m Mapping, secretRev int64, adopted *Version, ev audit.Event) error
	DeleteMapping(ctx context.Context, id string, rev int64, ev audit.Event) error
	// KeysWith returns keys with that fingerprint that are not mapped, at most limit.
	KeysWith(ctx context.Context, fp vault.Fingerprint, limit int) ([]KeyRef, error)
}

// Owners tells who owns a key of a Secret in its cluster. It fails when the cluster does not answer.
type Owners interface {
	KeyOwner(ctx context.Context, clusterID, namespace, name, key string) (owner, advice string, err error)
}

// Mapper maps Secret keys to accounts. It may be used by several goroutines at once.
type Mapper struct {
	Store  MapStore
	Vault  Sealer
	Owners Owners
}

const mostEquals = 50

// Compare says how a key compares with an account. It opens both and shows neither.
func (s *Mapper) Compare(ctx context.Context, accountID, secretID, key string) (Comparison, error) {
	p, err := s.pair(ctx, accountID, secretID, key)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Result: p.result, Reason: p.reason}
	if p.result == KeyMissing || p.result == Mapped {
		return c, nil
	}
	owner, advice, err := s.Owners.KeyOwner(ctx, p.secret.ClusterID, p.secret.Namespace, p.secret.Name, key)
	if err != nil {
		c.Reason = "who owns the key could not be read: " + publicReason(err)
	}
	c.Owner, c.Advice = owner, advice
	fp := p.fingerprint // what the account holds, or would
	if p.result == NoValue {
		fp = p.key.Fingerprint
	}
	all, err := s.Store.KeysWith(ctx, fp, mostEquals+1)
	for _, k := range all {
		if k.SecretID != secretID || k.Key != key {
			c.Equals = append(c.Equals, k)
		}
	}
	return c, err
}

// pair is a key and an account, looked at.
type pair struct {
	account     Account
	secret      Secret
	key         Key
	fingerprint vault.Fingerprint // of the account's current value
	result      Result
	reason      string
}

func (s *Mapper) pair(ctx context.Context, accountID, secretID, key string) (p pair, err error) {
	if p.account, err = s.Store.Account(ctx, accountID); err != nil {
		return p, err
	}
	if p.secret, err = s.Store.Secret(ctx, secretID); err != nil {
		return p, err
	}
	if p.secret.State == Tombstone {
		return p, fault.New(fault.Conflict, "the Secret %s/%s was deleted in its cluster", p.secret.Namespace, p.secret.Name).WithCode("secret-gone").
			WithCure("create it again and sync the cluster")
	}
	found := false
	for _, k := range p.secret.Keys {
		if k.Name == key {
			p.key, found = k, true
		}
	}
	if !found {
		p.result, p.reason = KeyMissing, "the Secret has no such key; sync the cluster if it was added just now"
		return p, nil
	}
	switch have, err := s.Store.MappingOf(ctx, secretID, key); {
	case err == nil && have.AccountID == accountID:
		p.result, p.reason = Mapped, "the key is mapped to this account already"
		return p, nil
	case err == nil:
		p.result, p.reason = Mapped, "the key is mapped to another account"
		return p, nil
	case !errors.Is(err, fault.NotFound):
		return p, err
	}
	if p.account.Current == 0 {
		p.result = NoValue
		return p, nil
	}
	value, err := s.open(ctx, accountID, p.account.Current)
	if err != nil {
		return p, err
	}
	p.fingerprint = s.Vault.Fingerprint(value)
	p.result = Differs
	if p.fingerprint == p.key.Fingerprint {
		p.result = Equal
	}
	return p, nil
}

func (s *Mapper) open(ctx context.Context, accountID string, version int64) (vault.Value, error) {
	sealed, err := s.Store.Sealed(ctx, accountID, version)
	if err != nil {
		return vault.Value{}, err
	}
	return s.Vault.Open(VersionRecord(accountID, version), sealed)
}

// Map maps a key to an account. Where the values differ, keep says which is right; without it the call fails with the code
// differs. An account without a value gets the key's.
func (s *Mapper) Map(ctx context.Context, actor identity.Actor, accountID, secretID, key string, keep Keep) (Mapping, error) {
	p, err := s.pair(ctx, accountID, secretID, key)
	if err != nil {
		return Mapping{}, err
	}
	now := time.Now().UTC()
	m := Mapping{ID: uuid.Must(uuid.NewV7()).String(), AccountID: accountID, SecretID: secretID, Key: key, UID: p.secret.UID,
		CheckedAt: now, CreatedBy: actor.Name, CreatedAt: now}
	ev := audit.New(actor, "mapping.create", audit.Object{Kind: "mapping", ID: m.ID, Parent: accountID,
		Name: p.account.Name + " → " + p.secret.Namespace + "/" + p.secret.Name + ":" + key})
	var adopted *Version
	switch {
	case p.result == KeyMissing:
		return Mapping{}, fault.New(fault.NotFound, "%s", p.reason).WithField("key")
	case p.result == Mapped:
		return Mapping{}, fault.New(fault.Conflict, "%s", p.reason).WithCode("key-mapped").
			WithCure("delete that mapping first: a key belongs to one account at most")
	case p.result == Equal:
		m.Written, m.State, m.Fingerprint = p.account.Current, InSync, p.fingerprint
	case p.result == NoValue && keep != KeepVault || p.result == Differs && keep == KeepCluster:
		if adopted, err = s.adopt(ctx, actor, p); err != nil {
			return Mapping{}, err
		}
		m.Written, m.State, m.Fingerprint = adopted.Number, InSync, p.key.Fingerprint
		ev = ev.With("keep", string(KeepCluster))
	case p.result == Differs && keep == KeepNone:
		return Mapping{}, fault.New(fault.Conflict, "the key holds another value than the account").WithCode("differs").
			WithCure("say which side is right: keep the vault's, or keep the cluster's").WithUnchanged("nothing was mapped")
	default:
		m.State, m.Reason, m.Fingerprint = Behind, "the key holds another value than the account; the next reset writes it", p.fingerprint
		ev = ev.With("keep", string(KeepVault))
	}
	if err := s.Store.MapKey(ctx, m, p.secret.Rev, adopted, ev); err != nil {
		return Mapping{}, err
	}
	return s.Store.Mapping(ctx, m.ID)
}

// adopt returns the key's value as the account's next version.
func (s *Mapper) adopt(ctx context.Context, actor identity.Actor, p pair) (*Version, error) {
	bundle, err := s.open(ctx, p.secret.ID, p.secret.Current)
	if err != nil {
		return nil, err
	}
	data, err := vault.Unbundle(bundle)
	if err != nil {
		return nil, err
	}
	value, ok := data[p.key.Name]
	if !ok {
		return nil, fault.New(fault.Stale, "the Secret changed while it was mapped").WithCure("try again")
	}
	last, err := s.Store.LastVersion(ctx, p.account.ID)
	if err != nil {
		return nil, err
	}
	return newVersion(s.Vault, actor, p.account.ID, last+1, Fetched, value)
}

// newVersion seals value as the current version of an account.
func newVersion(v Sealer, actor identity.Actor, accountID string, number int64, source Source, value vault.Value) (*Version, error) {
	sealed, err := v.Seal(VersionRecord(accountID, number), value)
	if err != nil {
		return nil, err
	}
	return &Version{AccountID: accountID, Number: number, Stage: Current, Source: source, ActorID: actor.ID, ActorName: actor.Name,
		CreatedAt: time.Now().UTC(), Sealed: sealed}, nil
}

// Unmap deletes a mapping. The Secret and the account stay as they are.
func (s *Mapper) Unmap(ctx context.Context, actor identity.Actor, id string, rev int64) error {
	m, err := s.Store.Mapping(ctx, id)
	if err != nil {
		return err
	}
	ev := audit.New(actor, "mapping.delete", audit.Object{Kind: "mapping", ID: id, Parent: m.AccountID}).With("secret", m.SecretID).With("key", m.Key)
	return s.Store.DeleteMapping(ctx, id, rev, ev)
}

// publicReason is the message of a fault; of any other error only that there was one.
func publicReason(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Msg
	}
	return "an internal error"
}
