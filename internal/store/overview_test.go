package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestTheOverviewCountsAndNamesWhatWaits(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		empty, err := s.Overview(ctx, store.Viewer{All: true})
		must(t, err)
		if empty.NeedsTotal != 0 || len(empty.Needs) != 0 || empty.Clusters == nil || !empty.LastProof.IsZero() {
			t.Errorf("empty: %+v", empty)
		}
		a := mapped(t, s, 3)
		old, proof := time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond), time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
		far := inventory.Cluster{ID: id(), Name: "far", Server: "https://127.0.0.1:2", UID: "u2", State: inventory.ClusterUnreachable, Reason: "no answer",
			Since: old, CheckedAt: old, CreatedAt: old}
		must(t, s.AddCluster(ctx, far, nil, happened("cluster.create")))
		must(t, s.SetAccountState(ctx, a.ID, a.Current, inventory.AccountOutOfSync, "the login was refused", proof, happened("account.verify")))
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w", time.Minute)
		must(t, err)
		run.State, run.Reason = rotation.NeedsAttention, "look at it"
		must(t, s.Advance(ctx, run, happened("run.stopped")))

		o, err := s.Overview(ctx, store.Viewer{All: true})
		must(t, err)
		got := map[string]map[string]int64{"clusters": o.Clusters, "secrets": o.Secrets, "accounts": o.Accounts, "mappings": o.Mappings, "runs": o.Runs}
		want := map[string]map[string]int64{"clusters": {"connected": 1, "unreachable": 1}, "secrets": {"in_sync": 3}, "accounts": {"out_of_sync": 1},
			"mappings": {"in_sync": 3}, "runs": {"needs_attention": 1}}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if o.NeedsTotal != 3 || len(o.Needs) != 3 || !o.LastProof.Equal(proof) {
			t.Fatalf("%+v", o)
		}
		if d := cmp.Diff(store.Need{Kind: "cluster", ID: far.ID, Name: "far", State: "unreachable", Reason: "no answer", Since: old}, o.Needs[0]); d != "" {
			t.Error(d)
		}
		if o.Needs[1].Kind != "account" || o.Needs[1].Name != "db/app" || !o.Needs[1].Since.Equal(proof) || o.Needs[2].Kind != "run" || o.Needs[2].Name != "db/app" {
			t.Errorf("needs: %+v", o.Needs)
		}
	})
}

func TestTheOverviewHoldsOnlyWhatItsViewerMayKnowOf(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 2)
		must(t, s.SetAccountState(ctx, a.ID, a.Current, inventory.AccountOutOfSync, "refused", time.Time{}, happened("account.verify")))
		u := person(t, s, "anna", identity.PlainUser)
		nothing, err := s.Overview(ctx, store.Viewer{UserID: u.ID})
		must(t, err)
		for _, counts := range []map[string]int64{nothing.Clusters, nothing.Secrets, nothing.Accounts, nothing.Mappings, nothing.Runs} {
			if len(counts) != 0 {
				t.Errorf("without a grant: %+v", nothing)
			}
		}
		g := access.Grant{ID: id(), SubjectKind: access.User, SubjectID: u.ID, ObjectKind: access.Account, ObjectID: a.ID, Level: policy.View, CreatedAt: time.Now()}
		must(t, s.AddGrant(ctx, g, happened("grant.create")))
		o, err := s.Overview(ctx, store.Viewer{UserID: u.ID})
		must(t, err)
		if o.Accounts["out_of_sync"] != 1 || o.Mappings["in_sync"] != 2 || len(o.Clusters) != 0 || len(o.Secrets) != 0 || o.NeedsTotal != 1 || o.Needs[0].ID != a.ID {
			t.Errorf("with a grant on one account: %+v", o)
		}
	})
}

func TestAnOverviewNamesTwentyAtMost(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now()
		db := inventory.Resource{ID: id(), Name: "db", Type: "postgresql", CreatedAt: now}
		must(t, s.AddResource(ctx, db, nil, happened("resource.create")))
		for range 21 {
			a := inventory.Account{ID: id(), ResourceID: db.ID, State: inventory.AccountLockedOut, Current: 1, CreatedAt: now}
			a.Name = a.ID
			v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now, Sealed: vault.Sealed("x")}
			must(t, s.AddAccount(ctx, a, &v, nil, happened("account.create")))
		}
		o, err := s.Overview(ctx, store.Viewer{All: true})
		must(t, err)
		if o.NeedsTotal != 21 || len(o.Needs) != 20 {
			t.Errorf("%d of %d", len(o.Needs), o.NeedsTotal)
		}
	})
}

func TestOneAuditEventIsFoundByItsID(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ev := happened("account.reveal")
		must(t, s.Record(t.Context(), ev))
		got, err := s.AuditEvent(t.Context(), ev.ID)
		must(t, err)
		if d := cmp.Diff(store.AuditEntry{Event: ev, Seq: -1}, got); d != "" {
			t.Error(d)
		}
		if _, err := s.AuditEvent(t.Context(), "\x00no"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("unknown: %v", err)
		}
	})
}
