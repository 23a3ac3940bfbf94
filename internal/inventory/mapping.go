package inventory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
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
	Unreadable Result = "unreadable"  // the key's value is not what the place says
	Mapped     Result = "mapped"      // the key is mapped already
)

// Comparison says how a key compares with an account, without showing either.
type Comparison struct {
	Result Result
	Reason string // for a person, where the result alone does not say it
	// Owner names the controller that owns the key, if it must not be written; Advice says what to do instead.
	Owner, Advice string
	// Places are what the key's value may be read as, by its form, the likeliest first; the whole value is always among them.
	Places []composite.Spec
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
	// Login returns whose value a version is; empty for the account's name.
	Login(ctx context.Context, accountID string, number int64) (string, error)
	LastVersion(ctx context.Context, accountID string) (int64, error)
	// MappingOf returns the mapping of a key. It fails with fault.NotFound when there is none.
	MappingOf(ctx context.Context, secretID, key string) (Mapping, error)
	// Mapping fails with fault.NotFound.
	Mapping(ctx context.Context, id string) (Mapping, error)
	// MapKey stores a mapping, and with it adopted as the account's current version if it is not nil. It fails with
	// fault.Conflict when the key is mapped, its Secret is gone or a run of the account is open, and with fault.Stale
	// when the Secret is not as it was compared any more. part is what stands at the mapping's place now; nil where that is
	// the whole value.
	MapKey(ctx context.Context, m Mapping, part *vault.Fingerprint, secretRev int64, adopted *Version, ev audit.Event) error
	DeleteMapping(ctx context.Context, id string, rev int64, ev audit.Event) error
	// SetOnWrite fails with fault.Stale when rev is not the stored one.
	SetOnWrite(ctx context.Context, id string, rev int64, onWrite string, ev audit.Event) error
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

// Entry is a Secret key, and where in its value a credential stands; the zero Place means that it is the value.
type Entry struct {
	SecretID, Key string
	Place         composite.Spec
	// OnWrite is what Map stores as [Mapping.OnWrite]; empty means restart.
	OnWrite string
}

// Compare says how a key compares with an account. It opens both and shows neither.
func (s *Mapper) Compare(ctx context.Context, accountID string, at Entry) (Comparison, error) {
	p, err := s.pair(ctx, accountID, at)
	if err != nil {
		return Comparison{}, err
	}
	defer p.wipe()
	c := Comparison{Result: p.result, Reason: p.reason}
	if p.result == KeyMissing || p.result == Mapped {
		return c, nil
	}
	c.Places = composite.Detect(p.value)
	owner, advice, err := s.Owners.KeyOwner(ctx, p.secret.ClusterID, p.secret.Namespace, p.secret.Name, at.Key)
	if err != nil {
		c.Reason = "who owns the key could not be read: " + publicReason(err)
	}
	c.Owner, c.Advice = owner, advice
	if at.Place.HasUser() {
		return c, nil
	}
	fp := p.fingerprint // what the account holds, or would
	if p.result == NoValue {
		fp = s.Vault.Fingerprint(p.part.Password)
	}
	if p.result == Unreadable || fp == (vault.Fingerprint{}) || p.part.Hashed && p.result == NoValue {
		return c, nil
	}
	all, err := s.Store.KeysWith(ctx, fp, mostEquals+1)
	for _, k := range all {
		if k.SecretID != at.SecretID || k.Key != at.Key {
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
	value       vault.Value       // the key's
	part        composite.Part    // of value, at the place that was asked for
	user        string            // the account's login that is in use
	fingerprint vault.Fingerprint // of the account's current value
	result      Result
	reason      string
	unreadable  error // why part is empty
}

func (p pair) wipe() {
	p.part.Password.Wipe()
	p.value.Wipe()
}

func (s *Mapper) pair(ctx context.Context, accountID string, at Entry) (p pair, err error) {
	if err = at.Place.Check(); err != nil {
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Field != "" {
			f.Field = "place." + f.Field
		}
		return p, err
	}
	if p.account, err = s.Store.Account(ctx, accountID); err != nil {
		return p, err
	}
	if p.secret, err = s.Store.Secret(ctx, at.SecretID); err != nil {
		return p, err
	}
	if p.secret.State == Tombstone {
		return p, fault.New(fault.Conflict, "the Secret %s/%s was deleted in its cluster", p.secret.Namespace, p.secret.Name).WithCode("secret-gone").
			WithCure("create it again and sync the cluster")
	}
	i := slices.IndexFunc(p.secret.Keys, func(k Key) bool { return k.Name == at.Key })
	if i < 0 {
		p.result, p.reason = KeyMissing, "the Secret has no such key; sync the cluster if it was added just now"
		return p, nil
	}
	p.key = p.secret.Keys[i]
	switch have, err := s.Store.MappingOf(ctx, at.SecretID, at.Key); {
	case err == nil && have.AccountID == accountID:
		p.result, p.reason = Mapped, "the key is mapped to this account already"
		return p, nil
	case err == nil:
		p.result, p.reason = Mapped, "the key is mapped to another account"
		return p, nil
	case !errors.Is(err, fault.NotFound):
		return p, err
	}
	if p.value, err = s.keyValue(ctx, p.secret, at.Key); err != nil {
		return p, err
	}
	return p, s.look(ctx, at.Place, &p)
}

// look compares what stands at place in p's value with what p's account has.
func (s *Mapper) look(ctx context.Context, place composite.Spec, p *pair) error {
	if p.part, p.unreadable = composite.Find(place, p.value); p.unreadable != nil {
		p.result, p.reason = Unreadable, publicReason(p.unreadable)
		return nil
	}
	var err error
	if p.user, err = s.login(ctx, p.account); err != nil {
		return err
	}
	var value vault.Value
	switch {
	case p.account.Current > 0:
		if value, err = s.open(ctx, p.account.ID, p.account.Current); err != nil {
			return err
		}
		defer value.Wipe()
	case place.Holds != composite.HoldsUser:
		p.result = NoValue
		return nil
	}
	switch place.Holds {
	case composite.HoldsUser:
		p.fingerprint = s.Vault.Fingerprint(vault.NewValue([]byte(p.user)))
	case composite.HoldsBoth:
		p.fingerprint = s.Vault.Fingerprint(composite.Both(p.user, value))
	default:
		p.fingerprint = s.Vault.Fingerprint(value)
	}
	p.result = Differs
	if p.part.Stands(p.user, value) {
		p.result = Equal
	}
	return nil
}

// login returns the login of an account that is in use.
func (s *Mapper) login(ctx context.Context, a Account) (string, error) {
	if a.Pair == "" || a.Current == 0 {
		return a.Name, nil
	}
	login, err := s.Store.Login(ctx, a.ID, a.Current)
	return cmp.Or(login, a.Name), err
}

// keyValue opens the stored value of one key.
func (s *Mapper) keyValue(ctx context.Context, secret Secret, key string) (vault.Value, error) {
	bundle, err := s.open(ctx, secret.ID, secret.Current)
	if err != nil {
		return vault.Value{}, err
	}
	defer bundle.Wipe()
	data, err := vault.Unbundle(bundle)
	if err != nil {
		return vault.Value{}, err
	}
	value, ok := data[key]
	if !ok {
		return vault.Value{}, fault.New(fault.Stale, "the Secret changed while it was looked at").WithCure("try again")
	}
	return value, nil
}

func (s *Mapper) open(ctx context.Context, accountID string, version int64) (vault.Value, error) {
	sealed, err := s.Store.Sealed(ctx, accountID, version)
	if err != nil {
		return vault.Value{}, err
	}
	return s.Vault.Open(VersionRecord(accountID, version), sealed)
}

// Map maps a key, or a part of its value, to an account. Where the values differ, keep says which is right; without it the
// call fails with the code differs. An account without a value gets the key's. A value that cannot be read at the place, or
// could not be written back, is not mapped.
func (s *Mapper) Map(ctx context.Context, actor identity.Actor, accountID string, at Entry, keep Keep) (Mapping, error) {
	p, err := s.pair(ctx, accountID, at)
	if err != nil {
		return Mapping{}, err
	}
	defer p.wipe()
	now := time.Now().UTC()
	m := Mapping{ID: uuid.Must(uuid.NewV7()).String(), AccountID: accountID, SecretID: at.SecretID, Key: at.Key, Place: at.Place, UID: p.secret.UID,
		OnWrite: cmp.Or(at.OnWrite, "restart"), CheckedAt: now, CreatedBy: actor.Name, CreatedAt: now}
	ev := audit.New(actor, "mapping.create", audit.Object{Kind: "mapping", ID: m.ID, Parent: accountID,
		Name: p.account.Name + " → " + p.secret.Namespace + "/" + p.secret.Name + ":" + at.Key})
	var stands *vault.Fingerprint // at a place that is a part of the value
	if !at.Place.IsWhole() {
		stands = partPrint(s.Vault, at.Place, p.value)
		ev = ev.With("format", string(cmp.Or(at.Place.Format, composite.Whole)))
	}
	if at.Place.HasUser() {
		ev = ev.With("holds", string(at.Place.Holds))
	}
	if m.OnWrite != "restart" {
		ev = ev.With("onWrite", m.OnWrite)
	}
	var adopted *Version
	switch {
	case p.result == KeyMissing:
		return Mapping{}, fault.New(fault.NotFound, "%s", p.reason).WithField("key")
	case p.result == Unreadable:
		return Mapping{}, p.unreadable
	case p.result == Mapped:
		return Mapping{}, fault.New(fault.Conflict, "%s", p.reason).WithCode("key-mapped").
			WithCure("delete that mapping first: a key belongs to one account at most")
	case p.account.Pair != "" && !at.Place.HasUser() && p.part.User != nil:
		return Mapping{}, fault.New(fault.Invalid, "the account is a pair of logins, and the user name that stands there has to change with the password").WithField("holds").
			WithCure("say that the key holds both").WithUnchanged("nothing was mapped")
	case p.result == Equal:
		m.Written, m.State, m.Fingerprint = p.account.Current, InSync, expected(p, stands)
	case p.result == NoValue && keep != KeepVault || p.result == Differs && keep == KeepCluster:
		if err = adoptable(p, at.Place); err != nil {
			return Mapping{}, err
		}
		if adopted, err = s.adopt(ctx, actor, p); err != nil {
			return Mapping{}, err
		}
		m.Written, m.State, m.Fingerprint = adopted.Number, InSync, expected(p, stands)
		ev = ev.With("keep", string(KeepCluster))
	case p.result == Differs && keep == KeepNone:
		return Mapping{}, fault.New(fault.Conflict, "the key holds another value than the account").WithCode("differs").
			WithCure("say which side is right: keep the vault's, or keep the cluster's").WithUnchanged("nothing was mapped")
	default:
		m.State, m.Reason, m.Fingerprint = Behind, "the key holds another value than the account; the next reset writes it", p.fingerprint
		ev = ev.With("keep", string(KeepVault))
	}
	if err := s.Store.MapKey(ctx, m, stands, p.secret.Rev, adopted, ev); err != nil {
		return Mapping{}, err
	}
	return s.Store.Mapping(ctx, m.ID)
}

// expected is what a key that holds the right credential is judged by.
func expected(p pair, stands *vault.Fingerprint) vault.Fingerprint {
	if stands != nil {
		return *stands
	}
	return p.key.Fingerprint
}

// adoptable fails with fault.Invalid when what stands at the place cannot become the account's value.
func adoptable(p pair, place composite.Spec) error {
	refused := func(msg, cure string) error {
		return fault.New(fault.Invalid, "%s", msg).WithField("keep").WithCure("%s", cure).WithUnchanged("nothing was mapped")
	}
	switch {
	case place.Holds == composite.HoldsUser:
		return refused("the key holds another user name than the account's", "keep the vault's: the next reset writes it; or rename the account")
	case place.Holds == composite.HoldsBoth && *p.part.User != p.user:
		return refused("the key holds the password of another user name", "keep the vault's: the next reset writes both; or map the account of that name")
	}
	return nil
}

// adopt returns what stands at the place as the account's next version.
func (s *Mapper) adopt(ctx context.Context, actor identity.Actor, p pair) (*Version, error) {
	if p.part.Hashed {
		return nil, fault.New(fault.Invalid, "only a hash of the password stands there, so it cannot become the account's value").
			WithCure("store the password with the account first, or keep the vault's").WithUnchanged("nothing was mapped")
	}
	last, err := s.Store.LastVersion(ctx, p.account.ID)
	if err != nil {
		return nil, err
	}
	return newVersion(s.Vault, actor, p.account.ID, last+1, Fetched, p.part.Password)
}

// newVersion seals value as the current version of an account.
func newVersion(v Sealer, actor identity.Actor, accountID string, number int64, source Source, value vault.Value) (*Version, error) {
	sealed, err := v.Seal(VersionRecord(accountID, number), value)
	if err != nil {
		return nil, err
	}
	return &Version{AccountID: accountID, Number: number, Stage: Current, Source: source, ActorID: actor.ID, ActorName: actor.Name,
		CreatedAt: time.Now().UTC(), Sealed: sealed, Mark: vault.MarkOf(v, value)}, nil
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

// EditMapping says what is done from now on with what reads a mapped key after it was written: "restart", "ask" or
// "nothing". A run that has looked who reads it already is not changed by that. It fails with fault.Stale when rev is not
// the stored one.
func (s *Mapper) EditMapping(ctx context.Context, actor identity.Actor, id string, rev int64, onWrite string) error {
	m, err := s.Store.Mapping(ctx, id)
	if err != nil {
		return err
	}
	ev := audit.New(actor, "mapping.update", audit.Object{Kind: "mapping", ID: id, Parent: m.AccountID}).With("secret", m.SecretID).With("key", m.Key).
		With("onWrite", onWrite)
	return s.Store.SetOnWrite(ctx, id, rev, onWrite, ev)
}

// publicReason is the message of a fault; of any other error only that there was one.
func publicReason(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Msg
	}
	return "an internal error"
}
