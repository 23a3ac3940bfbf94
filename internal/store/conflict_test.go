package store_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
)

// changing is a Secret that a cluster changes.
type changing struct {
	t       *testing.T
	s       *store.Store
	cluster inventory.Cluster
	id      string
	version int64
}

func newChanging(t *testing.T, s *store.Store, c inventory.Cluster) *changing {
	t.Helper()
	x := &changing{t: t, s: s, cluster: c, id: id()}
	x.becomes(1)
	return x
}

// becomes stores the Secret as a list of the cluster showed it: with that value.
func (x *changing) becomes(value byte) {
	x.t.Helper()
	before := int64(0)
	if x.version > 0 {
		before = x.secret().Rev
	}
	x.version++
	in := imported(x.id, "shop", "s-"+x.id[len(x.id)-6:], "u", before, x.version, value)
	moved, err := x.s.SawSecrets(x.t.Context(), x.cluster.ID, []inventory.Import{in}, happened("secret.import"))
	if err != nil || len(moved) > 0 {
		x.t.Fatal(moved, err)
	}
}

func (x *changing) secret() inventory.Secret {
	x.t.Helper()
	now, err := x.s.Secret(x.t.Context(), x.id)
	must(x.t, err)
	return now
}

func (x *changing) is(state inventory.ConflictState, shown inventory.KeyState, keys int) inventory.Divergence {
	x.t.Helper()
	d, err := x.s.Conflict(x.t.Context(), x.id)
	must(x.t, err)
	if now := x.secret(); d.State != state || now.State != shown || len(d.Keys) != keys {
		x.t.Fatalf("the divergence is %s with %d keys and the Secret %s, want %s, %d and %s", d.State, len(d.Keys), now.State, state, keys, shown)
	}
	return d
}

func (x *changing) due() bool {
	x.t.Helper()
	due, err := x.s.DueConflicts(x.t.Context(), time.Now(), 10)
	must(x.t, err)
	return len(due) > 0
}

func TestADivergenceFromItsBeginningToItsEnd(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, c := t.Context(), aCluster(t, s, "c")
		x := newChanging(t, s, c)
		x.becomes(2)
		if _, err := s.Conflict(ctx, x.id); fault.KindOf(err) != fault.NotFound {
			t.Fatalf("where the cluster wins there is a conflict: %v", err)
		}
		must(t, s.SetDriftPolicy(ctx, "cluster", c.ID, 1, inventory.Ask, happened("cluster.update")))
		if err := s.SetDriftPolicy(ctx, "cluster", c.ID, 1, inventory.Ask, happened("cluster.update")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision was changed: %v", err)
		}
		x.becomes(3)
		d := x.is(inventory.ConflictOpen, inventory.Conflict, 1)
		if d.Keys[0].Version != 2 || !x.due() {
			t.Errorf("wanted is version %d", d.Keys[0].Version)
		}

		// Somebody looks, and meanwhile it changes again: what was found is not stored over that.
		held, err := s.ClaimConflict(ctx, x.id, "w", time.Minute)
		must(t, err)
		if _, err := s.ClaimConflict(ctx, x.id, "w2", time.Minute); fault.KindOf(err) != fault.Conflict || x.due() {
			t.Errorf("a held lease was taken: %v", err)
		}
		x.becomes(4)
		held.ChangedBy, held.Looked = "late", true
		must(t, s.SaveConflict(ctx, held, false))
		if d = x.is(inventory.ConflictOpen, inventory.Conflict, 1); d.ChangedBy != "" || d.Looked || d.Keys[0].Version != 2 || !x.due() {
			t.Errorf("%+v", d)
		}
		held, err = s.ClaimConflict(ctx, x.id, "w", time.Minute)
		must(t, err)
		held.ChangedBy, held.Looked = "kubectl", true
		must(t, s.SaveConflict(ctx, held, false))
		if d = x.is(inventory.ConflictOpen, inventory.Conflict, 1); d.ChangedBy != "kubectl" || x.due() {
			t.Errorf("%+v", d)
		}

		// A person keeps the vault's; then its value comes.
		by := identity.Actor{ID: "u1", Name: "anna"}
		if err := s.KeepVault(ctx, d, d.Rev-1, by, happened("conflict.resolve")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision was decided on: %v", err)
		}
		must(t, s.KeepVault(ctx, d, d.Rev, by, happened("conflict.resolve")))
		if d = x.is(inventory.ConflictHealing, inventory.Drift, 1); d.WantedBy.Name != "anna" || !x.due() {
			t.Errorf("%+v", d)
		}
		x.becomes(2)
		x.is(inventory.ConflictSettled, inventory.InSync, 0)
		if x.due() {
			t.Error("what is settled is due")
		}

		// The cluster's is kept, and the next change begins anew from there.
		x.becomes(5)
		d = x.is(inventory.ConflictOpen, inventory.Conflict, 1)
		must(t, s.KeepCluster(ctx, d, d.Rev, happened("conflict.resolve")))
		x.is(inventory.ConflictSettled, inventory.InSync, 0)
		x.becomes(6)
		if d = x.is(inventory.ConflictOpen, inventory.Conflict, 1); d.Keys[0].Version != x.version-1 {
			t.Errorf("wanted is version %d", d.Keys[0].Version)
		}

		// Another policy is another state.
		must(t, s.SetDriftPolicy(ctx, "cluster", c.ID, 2, inventory.VaultWins, happened("cluster.update")))
		x.is(inventory.ConflictHealing, inventory.Drift, 1)
		must(t, s.SetDriftPolicy(ctx, "secret", x.id, x.secret().Rev, inventory.Ask, happened("secret.update")))
		x.is(inventory.ConflictOpen, inventory.Conflict, 1)
		must(t, s.SetDriftPolicy(ctx, "resource", x.secret().ResourceID, 1, inventory.ClusterWins, happened("resource.update")))
		x.is(inventory.ConflictOpen, inventory.Conflict, 1) // the Secret's own is nearer
		must(t, s.SetDriftPolicy(ctx, "secret", x.id, x.secret().Rev, inventory.DriftInherit, happened("secret.update")))
		p, err := s.DriftPolicies(ctx, "secret", []string{x.id})
		if err != nil || p[x.id] != (inventory.DriftPolicies{InForce: inventory.ClusterWins}) {
			t.Errorf("the Secret's policies are %+v, %v", p, err)
		}
	})
}

func TestADeletedSecretHasNoDivergence(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, c := t.Context(), aCluster(t, s, "c")
		x := newChanging(t, s, c)
		must(t, s.SetDriftPolicy(ctx, "cluster", c.ID, 1, inventory.Ask, happened("cluster.update")))
		x.becomes(2)
		x.is(inventory.ConflictOpen, inventory.Conflict, 1)
		f := claimed(t, s, c)
		if n, err := s.MarkGone(ctx, f, []string{x.id}, time.Now().Add(time.Second), happened("secret.gone")); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		x.is(inventory.ConflictSettled, inventory.Tombstone, 0)
	})
}
