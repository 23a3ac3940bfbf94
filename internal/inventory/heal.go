package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Held is a Secret as it stands in its cluster, with who wrote what.
type Held struct {
	Seen
	Writers map[string]Writer // by key, of those that are there
	Others  Writer            // of any key that is not there
	Last    string            // the field manager that wrote the Secret last
}

// Writer is who wrote a key last.
type Writer struct {
	Name string
	// Keeps says that it would write its own value again; Advice what to do instead of writing.
	Keeps  bool
	Advice string
}

// Writable reads and writes Secrets of one cluster. All methods may be called by several goroutines at once.
type Writable interface {
	// Held reads a Secret. It fails with fault.NotFound when there is none.
	Held(ctx context.Context, namespace, name string) (Held, error)
	// Put sets the keys of set and takes away those of gone, if the Secret is still as at, and returns it as the API server
	// stored it. It fails as a run's write does: with fault.Stale when it changed.
	Put(ctx context.Context, at Seen, set map[string]vault.Value, gone []string) (Seen, error)
	// Create makes a Secret of the name, type, labels and data of x, and returns it as the API server stored it. It fails with fault.Conflict
	// when there is one of that name.
	Create(ctx context.Context, x Seen) (Seen, error)
	// Keeper says who would keep a Secret with these labels as it wants it.
	Keeper(labels map[string]string) Writer
	// MayWrite and MayMake are false when the connector has no right to.
	MayWrite() bool
	MayMake() bool
}

// ConflictStore keeps divergences. Methods that take one write only while its Fence is the stored one and fail with
// fault.Stale otherwise.
type ConflictStore interface {
	// ClaimConflict gives a divergence to owner for ttl under a new fence. It fails with fault.Conflict while another's lease
	// holds, and when there is nothing to do.
	ClaimConflict(ctx context.Context, secretID, owner string, ttl time.Duration) (Divergence, error)
	// SaveConflict stores all of d but its keys, and with keep its claim goes on; otherwise it ends. The events are recorded with it.
	SaveConflict(ctx context.Context, d Divergence, keep bool, evs ...audit.Event) error
	// ReleaseConflict gives a divergence back as it is stored. If it is still to be healed, that is tried again after rest.
	ReleaseConflict(ctx context.Context, d Divergence, rest time.Duration) error
	Account(ctx context.Context, id string) (Account, error)
	Sealed(ctx context.Context, accountID string, number int64) (vault.Sealed, error)
	// Login returns whose value a version is; empty for the account's name.
	Login(ctx context.Context, accountID string, number int64) (string, error)
}

// Healer finds out who changed Secrets, and writes the vault's values again where the policy or a person says so. All of its
// state is in the Store, so any number of them may work on one repository.
type Healer struct {
	Store ConflictStore
	Vault Sealer
	// Clusters gives the way into a cluster.
	Clusters interface {
		Writable(ctx context.Context, clusterID string) (Writable, error)
	}
	// Saw stores what the API server answered; see Fetcher.Saw.
	Saw func(ctx context.Context, clusterID string, seen []Seen) error
	// Expected, if set, is told of what is about to be written.
	Expected *Expected
	Owner    string
	Lease    time.Duration
}

const (
	// maxHealBackoff bounds how long a divergence waits whose cluster does not answer.
	maxHealBackoff = 5 * time.Minute
	// healRest is how long a Secret is left alone that was changed again while it was healed.
	healRest = 2 * time.Second
)

// Do works on the divergence of a Secret until it is settled, stopped or waits. It may be called at any time, by any process,
// any number of times.
func (h *Healer) Do(ctx context.Context, secretID string) error {
	d, err := h.Store.ClaimConflict(ctx, secretID, h.Owner, h.Lease)
	if err != nil {
		return err
	}
	next, err := h.work(ctx, d)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if codeOf(err) == CodeLeaseLost { // or it was changed meanwhile: the next look begins with that
		return h.Store.ReleaseConflict(ctx, d, 0)
	}
	d = next
	d.Tries++
	d.Reason, d.Cure = explain(err)
	d.NotBefore = time.Now().Add(min(time.Duration(1<<min(d.Tries, 10))*time.Second, maxHealBackoff))
	if d.State == ConflictHealing && !waits(err) {
		d = d.stopped(d.Reason, d.Cure)
		d.Looked = true
	}
	return h.Store.SaveConflict(ctx, d, false)
}

// waits reports whether a write that failed so may succeed later by itself.
func waits(err error) bool {
	return errors.Is(err, fault.Unavailable) || errors.Is(err, fault.Stale) || fault.KindOf(err) == ""
}

// work looks at the Secret and heals it. It returns the divergence as far as it came.
func (h *Healer) work(ctx context.Context, d Divergence) (Divergence, error) {
	cluster, err := h.Clusters.Writable(ctx, d.Secret.ClusterID)
	if err != nil {
		return d, err
	}
	held, err := cluster.Held(ctx, d.Secret.Namespace, d.Secret.Name)
	if err != nil {
		if errors.Is(err, fault.NotFound) { // whoever follows the cluster finds that too, and makes a tombstone of it
			d.Looked, d.NotBefore = true, time.Now().Add(maxHealBackoff) // nor is it looked for again and again until then
			return d, h.Store.SaveConflict(ctx, d, false)
		}
		return d, err
	}
	defer wipe([]Seen{held.Seen})
	d.ChangedBy, d.Looked, d.Tries, d.NotBefore = held.changedBy(d.Keys), true, 0, time.Time{}
	if d.State != ConflictHealing {
		return d, h.Store.SaveConflict(ctx, d, false)
	}
	return h.heal(ctx, cluster, d, held)
}

func (h *Healer) heal(ctx context.Context, cluster Writable, d Divergence, held Held) (Divergence, error) {
	if stop, cure := held.refuses(d, cluster.MayWrite()); stop != "" {
		d = d.stopped(stop, cure)
		return d, h.Store.SaveConflict(ctx, d, false, h.event(d, "secret.heal").Refused(stop))
	}
	set, gone, written, err := h.wanted(ctx, d, held)
	defer func() {
		for _, v := range set {
			v.Wipe()
		}
	}()
	if err != nil {
		return d, err
	}
	if len(set)+len(gone) == 0 { // it is as it should be again; the repository learns of it with the Secret's state
		return d, h.seen(ctx, d, held.Seen, written)
	}
	now, may := d.healed(time.Now())
	if !may {
		d = d.stopped(fmt.Sprintf("%s wrote it again each time Keyturn had put the vault's values back, %d times within %d minutes", cmp.Or(d.ChangedBy, "somebody"), d.Heals, int(healsWithin.Minutes())),
			"find what else writes the Secret and end that; or keep the cluster's values")
		return d, h.Store.SaveConflict(ctx, d, false, h.event(d, "secret.heal").Refused("two writers fight over the Secret"))
	}
	// The event and the count come first: a crash after the write must not hide it.
	if err := h.Store.SaveConflict(ctx, now, true, h.event(now, "secret.heal").With("keys", keyNames(set, gone))); err != nil {
		return d, err
	}
	if h.Expected != nil {
		defer h.Expected.Expect(d.Secret.ClusterID, []Place{held.place()})()
	}
	reply, err := cluster.Put(ctx, held.Seen, set, gone)
	if err != nil {
		return now, err
	}
	defer wipe([]Seen{reply})
	if !stored(reply, set, gone) {
		return now, fault.New(fault.Conflict, "the API server stored other values than it was sent").WithCure("look for an admission webhook that changes Secrets")
	}
	return now, h.seen(ctx, now, reply, written)
}

// seen tells the repository what the cluster has, which settles what does not differ any more.
func (h *Healer) seen(ctx context.Context, d Divergence, s Seen, written []string) error {
	s.Written = written
	if err := h.Saw(ctx, d.Secret.ClusterID, []Seen{s}); err != nil {
		return err
	}
	return h.Store.ReleaseConflict(ctx, d, healRest) // storing that has settled it, unless somebody was faster
}

// stored reports whether a Secret is as it was written.
func stored(reply Seen, set map[string]vault.Value, gone []string) bool {
	for key, v := range set {
		if have, there := reply.Data[key]; !there || !have.Equal(v) {
			return false
		}
	}
	return !slices.ContainsFunc(gone, func(key string) bool { _, there := reply.Data[key]; return there })
}

// wanted returns what to write so that every key is as the vault has it: the keys to set and those to take away. written are the mapped keys that
// have their account's value then.
func (h *Healer) wanted(ctx context.Context, d Divergence, held Held) (set map[string]vault.Value, gone, written []string, err error) {
	set = map[string]vault.Value{}
	bundles := map[int64]map[string]vault.Value{}
	for _, k := range d.Keys {
		have, there := held.Data[k.Name]
		if k.AccountID != "" {
			next, differs, err := h.mapped(ctx, k, have, there)
			if err != nil {
				return set, nil, nil, err
			}
			written = append(written, k.Name)
			if differs {
				set[k.Name] = next
			}
			continue
		}
		if k.Fingerprint == nil {
			if there {
				gone = append(gone, k.Name)
			}
			continue
		}
		if there && h.Vault.Fingerprint(have) == *k.Fingerprint {
			continue
		}
		if bundles[k.Version] == nil {
			if bundles[k.Version], err = h.data(ctx, d.Secret.ID, k.Version); err != nil {
				return set, nil, nil, err
			}
		}
		value, ok := bundles[k.Version][k.Name]
		if !ok {
			return set, nil, nil, fault.New(fault.Conflict, "version %d of the Secret, which had the vault's value of the key %s, has it no more", k.Version, k.Name).WithCure("keep the cluster's values")
		}
		set[k.Name] = value
	}
	return set, gone, written, nil
}

// data opens a version of a Secret.
func (h *Healer) data(ctx context.Context, secretID string, version int64) (map[string]vault.Value, error) {
	bundle, err := h.open(ctx, secretID, version)
	if err != nil {
		return nil, err
	}
	defer bundle.Wipe()
	return vault.Unbundle(bundle)
}

func (h *Healer) open(ctx context.Context, id string, version int64) (vault.Value, error) {
	sealed, err := h.Store.Sealed(ctx, id, version)
	if err != nil {
		return vault.Value{}, err
	}
	return h.Vault.Open(VersionRecord(id, version), sealed)
}

// mapped returns what a mapped key has to hold so that its account's credential stands in it, and whether that differs from what
// it has.
func (h *Healer) mapped(ctx context.Context, k DivergentKey, have vault.Value, there bool) (next vault.Value, differs bool, err error) {
	account, err := h.Store.Account(ctx, k.AccountID)
	if err != nil {
		return next, false, err
	}
	if account.State == AccountOutOfSync || account.State == AccountLockedOut || account.Current == 0 {
		return next, false, fault.New(fault.Conflict, "the stored value of the account %s is not known to log in, so it is not written over another", account.Name).
			WithCure("verify the account, or reset it: that writes every Secret that is mapped to it")
	}
	login, err := h.Store.Login(ctx, account.ID, account.Current)
	if err != nil {
		return next, false, err
	}
	login = cmp.Or(login, account.Name)
	value, err := h.open(ctx, account.ID, account.Current)
	if err != nil {
		return next, false, err
	}
	if k.Place.IsWhole() {
		return value, !there || !have.Equal(value), nil
	}
	defer value.Wipe()
	if k.Place.Holds == composite.HoldsUser {
		next = vault.NewValue([]byte(login))
		return next, !there || !have.Equal(next), nil
	}
	if !there {
		return next, false, fault.New(fault.Invalid, "the key %s is gone, and what stood around the credential with it", k.Name).WithCure("put the key back into the Secret, or delete its mapping")
	}
	part, err := composite.Find(k.Place, have)
	if err != nil {
		return next, false, err
	}
	defer part.Password.Wipe()
	if part.Stands(login, value) {
		return next, false, nil
	}
	var user *string
	if k.Place.HasUser() || account.Pair != "" {
		user = &login
	}
	next, err = composite.Replace(k.Place, have, user, value)
	return next, true, err
}

// changedBy says who changed the keys, as far as the cluster tells: a key that is gone names nobody any more.
func (s Held) changedBy(keys []DivergentKey) string {
	var names []string
	for _, k := range keys {
		if w, there := s.Writers[k.Name]; there && w.Name != "" && !slices.Contains(names, w.Name) {
			names = append(names, w.Name)
		}
	}
	if len(names) == 0 {
		return s.Last
	}
	return strings.Join(names, ", ")
}

// refuses says why the vault's values must not be written over what the Secret holds; empty where they may.
func (s Held) refuses(d Divergence, mayWrite bool) (reason, cure string) {
	switch {
	case !mayWrite:
		return "the connector may only read", "download keyturn-config.yaml for read-write access, apply it and edit the cluster; or keep the cluster's values"
	case s.Immutable:
		return "the Secret is immutable", "keep the cluster's values, or replace the Secret by hand"
	}
	for _, k := range d.Keys {
		if w := s.Writers[k.Name]; w.Keeps {
			return "the key " + k.Name + " belongs to " + w.Name, w.Advice
		}
	}
	return "", ""
}

func keyNames(set map[string]vault.Value, gone []string) string {
	names := slices.Clone(gone)
	for key := range set {
		names = append(names, key)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// event is one about the divergence's Secret, by who wants it.
func (h *Healer) event(d Divergence, action string) audit.Event {
	by := clusterSync
	if d.WantedBy.ID != "" {
		by = d.WantedBy
	}
	ev := audit.New(by, action, audit.Object{Kind: "secret", ID: d.Secret.ID, Name: d.Secret.Namespace + "/" + d.Secret.Name, Parent: d.Secret.ResourceID})
	if d.ChangedBy != "" {
		ev = ev.With("changed_by", d.ChangedBy)
	}
	return ev
}
