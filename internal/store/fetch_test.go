package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func aCluster(t *testing.T, s *store.Store, name string) inventory.Cluster {
	t.Helper()
	c := inventory.Cluster{ID: id(), Name: name, Server: "https://127.0.0.1:1", UID: id(), State: inventory.ClusterUnreachable, CreatedAt: time.Now()}
	must(t, s.AddCluster(t.Context(), c, nil, happened("cluster.create")))
	return c
}

func newFetch(c inventory.Cluster, sel inventory.Selection) inventory.Fetch {
	return inventory.Fetch{ID: id(), ClusterID: c.ID, Kind: inventory.FetchChosen, Selection: sel, StartedBy: identity.Actor{ID: "u1", Name: "anna"}, CreatedAt: time.Now()}
}

// claimed opens a fetch and claims it.
func claimed(t *testing.T, s *store.Store, c inventory.Cluster) inventory.Fetch {
	t.Helper()
	f := newFetch(c, inventory.Selection{All: true})
	must(t, s.OpenFetch(t.Context(), f, happened("cluster.fetch")))
	f, err := s.ClaimFetch(t.Context(), f.ID, "w", time.Minute)
	must(t, err)
	return f
}

// imported is a Secret with one key, as a fetch would store it.
func imported(secret, namespace, name, uid string, base, version int64, value byte) inventory.Import {
	now := time.Now()
	return inventory.Import{Base: base, Secret: inventory.Secret{ID: secret, Namespace: namespace, Name: name, UID: uid, ResourceVersion: fmt.Sprint(version),
		Type: "Opaque", State: inventory.InSync, Current: version, CreatedAt: now, SeenAt: now, Keys: []inventory.Key{{Name: "password", Size: 1, Fingerprint: vault.Fingerprint{value}}}},
		Values: &inventory.Version{AccountID: secret, Number: version, Stage: inventory.Current, Source: inventory.Fetched, CreatedAt: now, Sealed: vault.Sealed{value}}}
}

func TestOneFetchOfAClusterAtATime(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, c := t.Context(), aCluster(t, s, "c")
		errs := make(chan error)
		for range 8 {
			go func() {
				errs <- s.OpenFetch(ctx, newFetch(c, inventory.Selection{Namespaces: []string{"b", "a"}}), happened("cluster.fetch"))
			}()
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
			t.Errorf("%d fetches were opened", opened)
		}
		have, err := s.Cluster(ctx, c.ID)
		must(t, err)
		if diff := cmp.Diff([]inventory.Selection{{Namespaces: []string{"a", "b"}}}, have.Selections); diff != "" {
			t.Error("selections:", diff)
		}
		other := aCluster(t, s, "other")
		must(t, s.OpenFetch(ctx, newFetch(other, inventory.Selection{All: true}), happened("cluster.fetch")))
	})
}

func TestAFetchIsStoredStepByStep(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, c := t.Context(), aCluster(t, s, "c")
		f := newFetch(c, inventory.Selection{Rule: &inventory.Rule{Names: []string{"db-*"}, Labels: "a=b"}})
		must(t, s.OpenFetch(ctx, f, happened("cluster.fetch")))
		if due, err := s.DueFetches(ctx, time.Now(), 10); err != nil || len(due) != 1 || due[0] != f.ID {
			t.Fatalf("due: %v, %v", due, err)
		}
		got, err := s.ClaimFetch(ctx, f.ID, "w", time.Minute)
		must(t, err)
		if diff := cmp.Diff(f.Selection, got.Selection); diff != "" || got.State != inventory.FetchRunning || got.StartedBy.Name != "anna" {
			t.Errorf("%+v %s", got, diff)
		}
		if due, _ := s.DueFetches(ctx, time.Now(), 10); len(due) != 0 {
			t.Errorf("a leased fetch is due")
		}
		got.State, got.Reason, got.NotBefore, got.Tries = inventory.FetchWaiting, "no answer", time.Now().Add(time.Minute), 1
		got.Problems = inventory.Problems{First: []inventory.Problem{{Namespace: "a", Reason: "no right"}}, More: 3}
		must(t, s.EndFetch(ctx, got, inventory.ClusterUnreachable, happened("fetch.waiting")))
		if due, _ := s.DueFetches(ctx, time.Now(), 10); len(due) != 0 {
			t.Errorf("a waiting fetch is due at once")
		}
		if due, _ := s.DueFetches(ctx, time.Now().Add(2*time.Minute), 10); len(due) != 1 {
			t.Errorf("a waiting fetch does not become due")
		}
		got, err = s.ClaimFetch(ctx, f.ID, "w2", time.Minute)
		must(t, err)
		got.State, got.Counts = inventory.FetchDone, inventory.Counts{Total: 6, Added: 1, Changed: 2, Unchanged: 3, Gone: 4}
		must(t, s.EndFetch(ctx, got, "", happened("fetch.done").With("total", "6")))
		stored, err := s.Fetch(ctx, f.ID)
		must(t, err)
		if stored.State != inventory.FetchDone || stored.Counts != got.Counts || stored.EndedAt.IsZero() || stored.Problems.More != 3 || stored.Tries != 1 {
			t.Errorf("%+v", stored)
		}
		if cl, _ := s.Cluster(ctx, c.ID); cl.SyncedAt.IsZero() || cl.State != inventory.ClusterConnected || cl.Rev != 1 {
			t.Errorf("cluster %+v", cl)
		}
		if all, err := s.Fetches(ctx, c.ID, 5); err != nil || len(all) != 1 {
			t.Errorf("%d fetches, %v", len(all), err)
		}
		if _, err := s.ClaimFetch(ctx, f.ID, "w", time.Minute); fault.KindOf(err) != fault.Conflict {
			t.Errorf("an ended fetch was claimed: %v", err)
		}
	})
}

func TestALostFetchStoresNothing(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, c := t.Context(), aCluster(t, s, "c")
		old := claimed(t, s, c)
		if _, err := s.ClaimFetch(ctx, old.ID, "other", time.Minute); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a held lease was taken: %v", err)
		}
		_, err := s.ClaimFetch(ctx, old.ID, "w", time.Minute)
		must(t, err)
		before, _ := s.CountAuditEvents(ctx, store.AuditFilter{})
		_, lateImport := s.ImportSecrets(ctx, old, []inventory.Import{imported(id(), "a", "s", "u", 0, 1, 1)}, happened("secret.import"))
		_, lateGone := s.MarkGone(ctx, old, []string{id()}, time.Now(), happened("secret.gone"))
		for name, err := range map[string]error{"import": lateImport, "gone": lateGone, "renew": s.RenewFetch(ctx, old, time.Minute),
			"end": s.EndFetch(ctx, old, "", happened("fetch.done"))} {
			if fault.KindOf(err) != fault.Stale {
				t.Errorf("%s: got %v, want stale", name, err)
			}
		}
		after, _ := s.CountAuditEvents(ctx, store.AuditFilter{})
		if all, _ := s.StoredAll(ctx, c.ID, nil); len(all) != 0 || after != before {
			t.Errorf("%d Secrets and %d events were stored", len(all), after-before)
		}
	})
}

func TestImportAddsChangesAndKeepsVersions(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, c := t.Context(), aCluster(t, s, "c")
		f := claimed(t, s, c)
		taken := inventory.Resource{ID: id(), Name: "ns000-c", Type: "generic", CreatedAt: time.Now()}
		must(t, s.AddResource(ctx, taken, nil, happened("resource.create")))
		var batch []inventory.Import
		var places []inventory.Place
		for i := range inventory.MaxBatch {
			batch = append(batch, imported(id(), fmt.Sprintf("ns%03d", i%100), fmt.Sprintf("s%d", i), "u", 0, 1, 1))
			places = append(places, inventory.Place{Namespace: batch[i].Secret.Namespace, Name: batch[i].Secret.Name})
		}
		f.Counts.Added = 500
		if moved, err := s.ImportSecrets(ctx, f, batch, happened("secret.import")); err != nil || len(moved) != 0 {
			t.Fatal(moved, err)
		}
		have, err := s.Stored(ctx, c.ID, append(places, inventory.Place{Namespace: "ns000", Name: "s1"}))
		must(t, err)
		if len(have) != len(batch) {
			t.Fatalf("%d of %d are stored", len(have), len(batch))
		}
		x, err := s.Secret(ctx, batch[0].Secret.ID)
		must(t, err)
		if r, err := s.Resource(ctx, x.ResourceID); err != nil || r.Name != "ns000-c-2" || r.Namespace != "ns000" {
			t.Errorf("resource %+v, %v", r, err)
		}
		for v := int64(2); v <= 4; v++ {
			change := []inventory.Import{imported(x.ID, "ns000", "s0", "u", v-1, v, byte(v))}
			if moved, err := s.ImportSecrets(ctx, f, change, happened("secret.import")); err != nil || len(moved) != 0 {
				t.Fatal(moved, err)
			}
		}
		versions, err := s.Versions(ctx, x.ID)
		must(t, err)
		var stages []inventory.Stage
		for _, v := range versions {
			stages = append(stages, v.Stage)
		}
		if diff := cmp.Diff([]inventory.Stage{inventory.Current, inventory.Previous, inventory.Retired, inventory.Retired}, stages); diff != "" {
			t.Error(diff)
		}
		h, err := s.Histories(ctx, []string{x.ID, batch[1].Secret.ID})
		must(t, err)
		if h[x.ID].Current != 4 || h[x.ID].Last != 4 || h[x.ID].Keys["password"] != (vault.Fingerprint{4}) || h[batch[1].Secret.ID].Last != 1 {
			t.Errorf("%+v", h)
		}
		moved, err := s.ImportSecrets(ctx, f, []inventory.Import{imported(x.ID, "ns000", "s0", "u", 2, 5, 5), imported(id(), "new", "s", "u", 0, 1, 1)}, happened("secret.import"))
		if err != nil || len(moved) != 1 || moved[0] != x.ID {
			t.Errorf("moved %v, %v", moved, err)
		}
		if got, _ := s.Fetch(ctx, f.ID); got.Counts.Added != 500 {
			t.Errorf("counts %+v", got.Counts)
		}
	})
}

func TestImportJudgesMappings(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		m := firstMapping(t, s, a)
		x, err := s.Secret(ctx, m.SecretID)
		must(t, err)
		saw := func(base, version int64, uid string, value byte, written ...string) {
			t.Helper()
			imp := imported(x.ID, x.Namespace, x.Name, uid, base, version, value)
			imp.Written = written
			if moved, err := s.SawSecrets(ctx, x.ClusterID, []inventory.Import{imp}, happened("secret.import")); err != nil || len(moved) != 0 {
				t.Fatal(moved, err)
			}
		}
		want := func(state inventory.KeyState, reason string) {
			t.Helper()
			if m := firstMapping(t, s, a); m.State != state || m.Reason != reason {
				t.Errorf("mapping is %s (%s), want %s (%s)", m.State, m.Reason, state, reason)
			}
		}
		saw(1, 2, "uid", 7)
		want(inventory.Drift, "the value was changed in the cluster")
		saw(2, 3, "uid", 0) // what it was when it was mapped
		want(inventory.InSync, "")
		saw(3, 4, "uid", 8, "password")
		want(inventory.InSync, "")
		saw(4, 5, "uid", 0)
		want(inventory.Drift, "the value was changed in the cluster")
		saw(5, 6, "uid", 8)
		want(inventory.InSync, "")
		f := claimed(t, s, inventory.Cluster{ID: x.ClusterID})
		if n, err := s.MarkGone(ctx, f, []string{x.ID}, time.Now().Add(-time.Hour), happened("secret.gone")); n != 0 || err != nil {
			t.Errorf("marked %d that were seen later, %v", n, err)
		}
		n, err := s.MarkGone(ctx, f, []string{x.ID}, time.Now().Add(time.Hour), happened("secret.gone"))
		if gone, _ := s.Secret(ctx, x.ID); n != 1 || err != nil || gone.State != inventory.Tombstone || gone.DeletedAt.IsZero() {
			t.Errorf("marked %d, %v: %+v", n, err, gone)
		}
		want(inventory.Tombstone, "the Secret was deleted in the cluster")
		if versions, _ := s.Versions(ctx, x.ID); len(versions) != 6 {
			t.Errorf("%d versions are left", len(versions))
		}
		saw(7, 7, "uid2", 8)
		want(inventory.Drift, "the Secret was deleted and made anew, with the same value")
		if back, _ := s.Secret(ctx, x.ID); back.State != inventory.InSync || !back.DeletedAt.IsZero() {
			t.Errorf("%+v", back)
		}
		if evs, _ := s.AuditEvents(ctx, store.AuditFilter{Action: "secret.gone", Outcome: audit.Allowed}); len(evs) != 1 {
			t.Errorf("%d events of tombstones", len(evs))
		}
	})
}

func firstMapping(t *testing.T, s *store.Store, a inventory.Account) inventory.Mapping {
	t.Helper()
	ms, err := s.Mappings(t.Context(), store.Viewer{All: true}, store.MappingQuery{AccountID: a.ID})
	must(t, err)
	return ms.Items[0].Mapping
}
