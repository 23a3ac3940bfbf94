package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func id() string { return uuid.Must(uuid.NewV7()).String() }

func happened(action string) audit.Event {
	return audit.New(identity.System("test"), action, audit.Object{Kind: "account", ID: "a"})
}

// must fails the test on any error of a setting-up step.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// mapped stores a PostgreSQL account with one version, and a cluster with n Secrets whose key "password" is mapped to it.
func mapped(t *testing.T, s *store.Store, n int) inventory.Account {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	c := inventory.Cluster{ID: id(), Name: "c", Server: "https://127.0.0.1:1", UID: "u", State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now}
	ns := inventory.Resource{ID: id(), Name: "shop-c", Type: inventory.TypeKubernetes, ClusterID: c.ID, Namespace: "shop", CreatedAt: now}
	db := inventory.Resource{ID: id(), Name: "db", Type: "postgresql", Settings: map[string]string{"host": "127.0.0.1"}, CreatedAt: now}
	a := inventory.Account{ID: id(), ResourceID: db.ID, Name: "app", State: inventory.AccountUnverified, Current: 1, CreatedAt: now}
	v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now, Sealed: vault.Sealed("sealed 1")}
	must(t, s.AddCluster(ctx, c, nil, happened("cluster.create")), s.AddResource(ctx, ns, nil, happened("resource.create")),
		s.AddResource(ctx, db, nil, happened("resource.create")), s.AddAccount(ctx, a, &v, nil, happened("account.create")))
	var all []store.Imported
	for i := range n {
		sec := inventory.Secret{ID: id(), ClusterID: c.ID, ResourceID: ns.ID, Namespace: "shop", Name: fmt.Sprintf("s%03d", i), UID: "uid", State: inventory.InSync,
			Current: 1, CreatedAt: now, SeenAt: now, Keys: []inventory.Key{{Name: "password", Size: 8}}}
		all = append(all, store.Imported{Secret: sec, Version: inventory.Version{AccountID: sec.ID, Number: 1, Stage: inventory.Current, Source: inventory.Fetched, CreatedAt: now, Sealed: vault.Sealed("x")}})
	}
	must(t, s.AddSecrets(ctx, all, happened("cluster.fetch")))
	for _, x := range all {
		must(t, s.AddMapping(ctx, inventory.Mapping{ID: id(), AccountID: a.ID, SecretID: x.Secret.ID, Key: "password", State: inventory.InSync, Written: 1}, happened("mapping.create")))
	}
	return a
}

func newRun(a inventory.Account) rotation.Run {
	return rotation.Run{ID: id(), AccountID: a.ID, Strategy: rotation.Single, Old: a.Current, StartedBy: identity.Actor{ID: "u1", Name: "anna"}, CreatedAt: time.Now()}
}

func TestARunIsStoredStepByStep(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 3)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		if due, err := s.DueRuns(ctx, time.Now(), 10); err != nil || len(due) != 1 || due[0] != r.ID {
			t.Fatalf("due: %v, %v", due, err)
		}
		run, err := s.Claim(ctx, r.ID, "w1", time.Minute)
		must(t, err)
		if run.AccountName != a.Name {
			t.Errorf("the account is called %q", run.AccountName)
		}
		must(t, s.Begin(ctx, run, rotation.Minted))
		run.Step, run.Begun, run.New, run.Minted, run.Prepared = rotation.Minted, rotation.Minted, 2, 1, vault.Sealed("prepared")
		must(t, s.Mint(ctx, run, vault.Sealed("sealed 2"), happened("run.minted")))
		run.Prepared = vault.Sealed("as it was before it was sealed again") // which the worker does not hear of
		run.Step, run.Begun = rotation.Applied, rotation.Applied
		must(t, s.Advance(ctx, run, happened("run.applied")))
		run.Step, run.Begun, run.Proved = rotation.Verified, rotation.Verified, true
		must(t, s.Advance(ctx, run, happened("run.verified")), s.Advance(ctx, run, happened("run.verified")))

		writes, err := s.Writes(ctx, run)
		must(t, err)
		if len(writes) != 3 || writes[0].State != rotation.WriteToDo || writes[0].Key != "password" {
			t.Fatalf("writes: %+v", writes)
		}
		writes[0].State, writes[1].State, writes[1].Reason = rotation.WriteDone, rotation.WriteBlocked, "immutable"
		must(t, s.SaveWrites(ctx, run, writes[:2], []audit.Event{happened("secret.write"), happened("secret.write")}))
		if got, _ := s.Writes(ctx, run); got[0].State != rotation.WriteDone || got[1].Reason != "immutable" || got[2].State != rotation.WriteToDo {
			t.Errorf("writes: %+v", got)
		}
		run.State, run.Reason = rotation.NeedsAttention, "1 of 3"
		must(t, s.Advance(ctx, run, happened("run.needs_attention")))
		if _, err := s.Claim(ctx, r.ID, "w1", time.Minute); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a run that needs attention was claimed: %v", err)
		}
		must(t, s.Requeue(ctx, r.ID, happened("run.resume")))
		if got, _ := s.Writes(ctx, run); got[0].State != rotation.WriteDone || got[1].State != rotation.WriteToDo {
			t.Errorf("after requeue: %+v", got)
		}
		run, err = s.Claim(ctx, r.ID, "w2", time.Minute)
		must(t, err)
		for _, step := range []rotation.Step{rotation.Published, rotation.RolledOut, rotation.RetiredOld, rotation.Done} {
			if run.Step, run.Begun = step, step; step == rotation.Done {
				run.State = rotation.Finished
			}
			must(t, s.Advance(ctx, run, happened("run."+string(step))))
		}
		got, err := s.Run(ctx, r.ID)
		must(t, err)
		if got.State != rotation.Finished || got.New != 2 || string(got.Prepared) != "prepared" || got.EndedAt.IsZero() || got.StartedBy.Name != "anna" {
			t.Errorf("ended as %+v", got)
		}
		versions, err := s.Versions(ctx, a.ID)
		must(t, err)
		if len(versions) != 2 || versions[0].Stage != inventory.Current || versions[1].Stage != inventory.Retired || versions[1].RetiredAt.IsZero() {
			t.Errorf("versions %+v", versions)
		}
		if acc, _ := s.Account(ctx, a.ID); acc.Current != 2 || acc.State != inventory.AccountVerified || acc.VerifiedAt.IsZero() {
			t.Errorf("account %+v", acc)
		}
		if evs, _ := s.AuditEvents(ctx, store.AuditFilter{Action: "secret.write"}); len(evs) != 2 {
			t.Errorf("%d events of writes", len(evs))
		}
	})
}

func TestOneRunOfAnAccountAtATime(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		a := mapped(t, s, 0)
		errs := make(chan error)
		for range 8 {
			go func() { errs <- s.OpenRun(t.Context(), newRun(a), "", nil, happened("account.reset")) }()
		}
		opened := 0
		for range 8 {
			if err := <-errs; err == nil {
				opened++
			} else if fault.KindOf(err) != fault.Conflict {
				t.Errorf("got %v, want a conflict", err)
			}
		}
		if opened != 1 {
			t.Errorf("%d runs were opened", opened)
		}
	})
}

func TestResumingByHandNamesTheAccount(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 0)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w", time.Minute)
		must(t, err)
		run.State = rotation.NeedsAttention
		must(t, s.Advance(ctx, run, happened("run.needs_attention")))
		woken := false
		resets := rotation.Resets{Store: s, Wake: func() { woken = true }}
		resumed, err := resets.Resume(ctx, r.StartedBy, r.ID)
		must(t, err)
		evs, err := s.AuditEvents(ctx, store.AuditFilter{Action: "run.resume"})
		must(t, err)
		if want := (audit.Object{Kind: "account", ID: a.ID, Name: a.Name, Parent: a.ResourceID}); len(evs) != 1 || evs[0].Object != want || evs[0].Run != r.ID {
			t.Errorf("%+v, want one about %+v", evs, want)
		}
		if !woken || resumed.State != rotation.Queued {
			t.Errorf("woken: %v, %+v", woken, resumed)
		}
	})
}

func TestALostLeaseStoresNothing(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		old, err := s.Claim(ctx, r.ID, "frozen", time.Millisecond)
		must(t, err)
		if _, err := s.Claim(ctx, r.ID, "other", time.Minute); err != nil {
			time.Sleep(2 * time.Millisecond) // the lease ends by the clock
			_, err = s.Claim(ctx, r.ID, "other", time.Minute)
			must(t, err)
		}
		if _, err := s.Claim(ctx, r.ID, "frozen", time.Minute); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a held lease was taken: %v", err)
		}
		before, _ := s.CountAuditEvents(ctx, store.AuditFilter{})
		minted := old
		minted.Step, minted.New = rotation.Minted, 2
		for name, err := range map[string]error{
			"renew":   s.Renew(ctx, old, time.Minute),
			"begin":   s.Begin(ctx, old, rotation.Minted),
			"mint":    s.Mint(ctx, minted, vault.Sealed("x"), happened("run.minted")),
			"advance": s.Advance(ctx, old, happened("run.applied")),
			"writes":  s.SaveWrites(ctx, old, nil, []audit.Event{happened("secret.write")}),
		} {
			if fault.KindOf(err) != fault.Stale {
				t.Errorf("%s: got %v, want stale", name, err)
			}
		}
		after, _ := s.CountAuditEvents(ctx, store.AuditFilter{})
		if versions, _ := s.Versions(ctx, a.ID); len(versions) != 1 || after != before {
			t.Errorf("stored %d versions and %d events", len(versions)-1, after-before)
		}
	})
}

func TestARolledBackRunRetiresItsValue(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 0)
		r := newRun(a)
		r.Typed, r.New = true, 2
		must(t, s.OpenRun(ctx, r, rotation.GivenTyped, vault.Sealed("typed"), happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w", time.Minute)
		must(t, err)
		run.State = rotation.RolledBack
		must(t, s.Advance(ctx, run, happened("run.rolled_back")))
		versions, err := s.Versions(ctx, a.ID)
		must(t, err)
		if versions[0].Stage != inventory.Retired || versions[1].Stage != inventory.Current {
			t.Errorf("%+v", versions)
		}
		if last, err := s.LastVersion(ctx, a.ID); err != nil || last != 2 {
			t.Errorf("last version %d, %v", last, err)
		}
		must(t, s.OpenRun(ctx, newRun(a), "", nil, happened("account.reset")))
	})
}

func TestAKeyIsMappedOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		a := mapped(t, s, 1)
		ms, err := s.Mappings(t.Context(), store.Viewer{All: true}, store.MappingQuery{AccountID: a.ID})
		must(t, err)
		again := ms.Items[0].Mapping
		again.ID = id()
		if err := s.AddMapping(t.Context(), again, happened("mapping.create")); fault.KindOf(err) != fault.Conflict {
			t.Errorf("got %v, want a conflict", err)
		}
	})
}
