package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// PushStore is what Pushes need of the repository.
type PushStore interface {
	// Secret returns a Secret with its keys, a deleted one too.
	Secret(ctx context.Context, id string) (Secret, error)
	Sealed(ctx context.Context, accountID string, number int64) (vault.Sealed, error)
	// MappedTo returns the accounts that keys of a Secret are mapped to, by key, each with the name of its resource.
	MappedTo(ctx context.Context, secretID string) (map[string]string, error)
	// BeginPush records ev. It fails with fault.Stale when rev is not the Secret's revision, and with the code
	// repository-restored while a restore of the repository is open.
	BeginPush(ctx context.Context, secretID string, rev int64, ev audit.Event) error
	Record(ctx context.Context, ev audit.Event) error
}

// Pushes write to Secrets in their clusters what people ask for. Each write is a compare-and-set on what the cluster had in that moment, and is
// recorded before it is sent. They may be used by several goroutines at once.
type Pushes struct {
	Store PushStore
	Vault Sealer
	// Clusters gives the way into a cluster.
	Clusters interface {
		Writable(ctx context.Context, clusterID string) (Writable, error)
	}
	// Saw stores what the API server answered; see Fetcher.Saw.
	Saw      func(ctx context.Context, clusterID string, seen []Seen) error
	Expected *Expected
}

// Restoration is what a Secret was brought back to.
type Restoration struct {
	Version int64
	Made    bool        // it was made again
	Keys    []KeyChange // what was written; none where it was so already
}

// Restore brings a Secret in its cluster back to what it was in a version: all keys, or those in only. A tombstone's Secret is made again. With version 0 that
// is the last state of a tombstone, and of any other Secret the version before the current one. It fails with the code
// mapped-keys where a mapped key would change, with secret-owned where somebody keeps a key as it is, with secret-immutable, with connector-read-only where
// the connector lacks the right, with fault.Stale when rev is not the Secret's revision or the Secret is changed in that moment, and writes nothing then.
func (p *Pushes) Restore(ctx context.Context, actor identity.Actor, secretID string, rev, version int64, only []string) (Restoration, error) {
	x, err := p.Store.Secret(ctx, secretID)
	if err != nil {
		return Restoration{}, err
	}
	if x.Rev != rev {
		return Restoration{}, fault.New(fault.Stale, "the Secret has changed since it was read").WithCure("read it again").WithUnchanged("nothing was changed")
	}
	if version, err = x.restorable(version); err != nil {
		return Restoration{}, err
	}
	want, err := p.data(ctx, x.ID, version)
	if err != nil {
		return Restoration{}, err
	}
	defer wipeAll(want)
	for _, key := range only {
		if _, has := want[key]; !has && !slices.ContainsFunc(x.Keys, func(k Key) bool { return k.Name == key }) {
			return Restoration{}, fault.New(fault.Invalid, "neither the Secret nor its version %d has such a key", version).WithField("keys").WithUnchanged("nothing was changed")
		}
	}
	cluster, err := p.Clusters.Writable(ctx, x.ClusterID)
	if err != nil {
		return Restoration{}, err
	}
	push := push{Pushes: p, by: actor, secret: x, cluster: cluster, source: Restored, only: only,
		event: audit.New(actor, "secret.restore", audit.Object{Kind: "secret", ID: x.ID, Name: x.Namespace + "/" + x.Name, Parent: x.ResourceID}).With("version", fmt.Sprint(version))}
	out := Restoration{Version: version, Made: x.State == Tombstone}
	if out.Made {
		out.Keys, err = push.make(ctx, want)
	} else {
		out.Keys, err = push.change(ctx, want)
	}
	return out, err
}

// restorable returns the number of the version that asked means.
func (x Secret) restorable(asked int64) (int64, error) {
	if x.Type == "kubernetes.io/service-account-token" {
		return 0, fault.New(fault.Conflict, "the cluster itself fills in the token of a ServiceAccount, and an older one is not valid again").WithCode("secret-owned").
			WithCure("map it to an account of type kubernetes-token: the cluster makes another token then").WithUnchanged("nothing was changed")
	}
	switch {
	case asked > x.Current || asked < 0:
		return 0, fault.New(fault.Invalid, "the Secret has no such version").WithField("version").WithCure("see \"keyturn secret history\"").WithUnchanged("nothing was changed")
	case asked > 0:
		return asked, nil
	case x.State == Tombstone:
		return x.Current, nil
	case x.Current < 2:
		return 0, fault.New(fault.Conflict, "the Secret has no version before the current one").WithCure("name the version").WithUnchanged("nothing was changed")
	}
	return x.Current - 1, nil
}

func (p *Pushes) data(ctx context.Context, secretID string, version int64) (map[string]vault.Value, error) {
	sealed, err := p.Store.Sealed(ctx, secretID, version)
	if err != nil {
		return nil, err
	}
	bundle, err := p.Vault.Open(VersionRecord(secretID, version), sealed)
	if err != nil {
		return nil, err
	}
	defer bundle.Wipe()
	return vault.Unbundle(bundle)
}

// push is one write to a Secret.
type push struct {
	*Pushes
	by      identity.Actor
	secret  Secret
	cluster Writable
	source  Source
	only    []string // empty: all keys
	event   audit.Event
}

// wants reports whether a key is among those that are to be written.
func (p push) wants(key string) bool { return len(p.only) == 0 || slices.Contains(p.only, key) }

// make makes the tombstone's Secret again.
func (p push) make(ctx context.Context, want map[string]vault.Value) ([]KeyChange, error) {
	set := map[string]vault.Value{}
	var changes []KeyChange
	for key, v := range want {
		if p.wants(key) {
			set[key] = v
			changes = append(changes, KeyChange{key, KeyAdded})
		}
	}
	slices.SortFunc(changes, byKey)
	mapped, err := p.Store.MappedTo(ctx, p.secret.ID)
	if err != nil {
		return nil, err
	}
	for _, k := range p.secret.Keys { // what a mapped key held last is for its account to say
		if v, has := set[k.Name]; has && mapped[k.Name] != "" && p.Vault.Fingerprint(v) != k.Fingerprint {
			return nil, p.refuse(ctx, isMapped(k.Name, mapped[k.Name]))
		}
	}
	if w := p.cluster.Keeper(p.secret.Labels); w.Keeps {
		return nil, p.refuse(ctx, isOwned("the Secret", w))
	}
	if !p.cluster.MayMake() {
		return nil, p.refuse(ctx, fault.New(fault.Conflict, "the connector may not make Secrets").WithCode("connector-read-only").
			WithCure("download keyturn-config.yaml for read-write access with restarts and replacing, apply it and edit the cluster; or download the Secret and apply it with kubectl"))
	}
	return changes, p.write(ctx, changes, mapped, func() (Seen, error) {
		return p.cluster.Create(ctx, Seen{Namespace: p.secret.Namespace, Name: p.secret.Name, Type: p.secret.Type, Immutable: p.secret.Immutable, Labels: p.secret.Labels, Data: set})
	}, set, nil)
}

// change gives the Secret that is there those keys which differ.
func (p push) change(ctx context.Context, want map[string]vault.Value) ([]KeyChange, error) {
	held, err := p.cluster.Held(ctx, p.secret.Namespace, p.secret.Name)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Stale, "the Secret was deleted in its cluster in this moment").WithCure("sync the cluster, then restore the tombstone").WithUnchanged("nothing was changed")
	}
	if err != nil {
		return nil, err
	}
	defer wipe([]Seen{held.Seen})
	set, gone, changes := differing(held.Data, want, p.wants)
	if len(changes) == 0 {
		return nil, nil
	}
	mapped, err := p.Store.MappedTo(ctx, p.secret.ID)
	if err != nil {
		return nil, err
	}
	if f := held.forbids(changes, mapped, p.cluster.MayWrite()); f != nil {
		return nil, p.refuse(ctx, f)
	}
	return changes, p.write(ctx, changes, mapped, func() (Seen, error) { return p.cluster.Put(ctx, held.Seen, set, gone) }, set, gone)
}

// write records the event, sends the write and stores what the API server answered.
func (p push) write(ctx context.Context, changes []KeyChange, mapped map[string]string, send func() (Seen, error), set map[string]vault.Value, gone []string) error {
	names := make([]string, len(changes))
	var ours []string // of which the drift policy has nothing to say
	for i, k := range changes {
		names[i] = k.Name
		if mapped[k.Name] == "" {
			ours = append(ours, k.Name)
		}
	}
	if err := p.Store.BeginPush(ctx, p.secret.ID, p.secret.Rev, p.event.With("keys", strings.Join(names, " "))); err != nil {
		return err
	}
	defer p.Expected.Expect(p.secret.ClusterID, []Place{{p.secret.Namespace, p.secret.Name}})()
	reply, err := send()
	if err != nil {
		return err
	}
	defer wipe([]Seen{reply})
	if !stored(reply, set, gone) {
		return fault.New(fault.Conflict, "the API server stored other values than it was sent").WithCure("look for an admission webhook that changes Secrets")
	}
	reply.Source, reply.By, reply.Written = p.source, p.by, ours
	return p.Saw(ctx, p.secret.ClusterID, []Seen{reply})
}

// refuse records that the write was refused, and returns why.
func (p push) refuse(ctx context.Context, f *fault.Error) error {
	if err := p.Store.Record(ctx, p.event.Refused(f.Msg)); err != nil {
		return err
	}
	return f.WithUnchanged("nothing was changed")
}

// differing returns what to write so that the wanted keys of have are as in want. It is pure.
func differing(have, want map[string]vault.Value, wanted func(key string) bool) (set map[string]vault.Value, gone []string, changes []KeyChange) {
	set = map[string]vault.Value{}
	for key, v := range want {
		now, there := have[key]
		switch {
		case !wanted(key) || there && now.Equal(v):
			continue
		case there:
			changes = append(changes, KeyChange{key, KeyChanged})
		default:
			changes = append(changes, KeyChange{key, KeyAdded})
		}
		set[key] = v
	}
	for key := range have {
		if _, stays := want[key]; !stays && wanted(key) {
			gone, changes = append(gone, key), append(changes, KeyChange{key, KeyRemoved})
		}
	}
	slices.Sort(gone)
	slices.SortFunc(changes, byKey)
	return set, gone, changes
}

func byKey(a, b KeyChange) int { return strings.Compare(a.Name, b.Name) }

// forbids says why changes must not be written over what the Secret holds; nil where they may.
func (s Held) forbids(changes []KeyChange, mapped map[string]string, mayWrite bool) *fault.Error {
	for _, k := range changes {
		if mapped[k.Name] != "" {
			return isMapped(k.Name, mapped[k.Name])
		}
	}
	for _, k := range changes {
		w, there := s.Writers[k.Name]
		if !there {
			w = s.Others
		}
		if w.Keeps {
			return isOwned("the key "+k.Name, w)
		}
	}
	switch {
	case s.Immutable:
		return fault.New(fault.Conflict, "the Secret is immutable").WithCode("secret-immutable").WithCure("download the version, delete the Secret and apply it with kubectl")
	case !mayWrite:
		return fault.New(fault.Conflict, "the connector may only read").WithCode("connector-read-only").
			WithCure("download keyturn-config.yaml for read-write access, apply it and edit the cluster")
	}
	return nil
}

func isMapped(key, account string) *fault.Error {
	return fault.New(fault.Conflict, "the key %s is mapped to the account %s, whose value is the one that the system accepts", key, account).WithCode("mapped-keys").
		WithCure("reset the account, with an older version if that is meant; or leave the key out by naming the others")
}

func isOwned(what string, w Writer) *fault.Error {
	return fault.New(fault.Conflict, "%s belongs to %s", what, w.Name).WithCode("secret-owned").WithCure("%s", w.Advice)
}

func wipeAll(data map[string]vault.Value) {
	for v := range maps.Values(data) {
		v.Wipe()
	}
}
