package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

func eventsOf(t *testing.T, s *store.Store, action string) int64 {
	t.Helper()
	n, err := s.CountAuditEvents(t.Context(), store.AuditFilter{Action: action})
	must(t, err)
	return n
}

func TestAClusterIsChangedOnItsRevision(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 2)
		c := w.Clusters[0]
		c.Name, c.Server, c.Version, c.Token = "renamed", "https://127.0.0.1:2", "v1.36.3", vault.Sealed("other")
		c.Scope = inventory.Scope{Namespaces: []string{"shop"}, ReadWrite: true}
		must(t, s.UpdateCluster(ctx, c, 1, happened("cluster.update")))
		got, err := s.Cluster(ctx, c.ID)
		must(t, err)
		if got.Rev != 2 || got.Name != "renamed" || got.Server != c.Server || string(got.Token) != "other" || !cmp.Equal(got.Scope, c.Scope) {
			t.Errorf("%+v", got)
		}
		if err := s.UpdateCluster(ctx, c, 1, happened("cluster.update")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision: %v", err)
		}
		c.Name = "prod-1"
		if err := s.UpdateCluster(ctx, c, 2, happened("cluster.update")); fault.KindOf(err) != fault.Conflict || !strings.HasPrefix(err.Error(), "there is a cluster with this name already") {
			t.Errorf("another's name: %v", err)
		}
		if n := eventsOf(t, s, "cluster.update"); n != 1 {
			t.Errorf("%d events of one change", n)
		}
	})
}

func TestACheckIsRecordedWhenTheStateChanges(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		c := storetest.Seed(t, s, 1).Clusters[0]
		set := func(state inventory.ClusterState, reason string, at time.Time) {
			t.Helper()
			must(t, s.SetClusterState(ctx, c.ID, state, reason, at, "", happened("cluster.state")))
		}
		first := c.CheckedAt.Add(time.Minute)
		set(inventory.ClusterConnected, "", first)
		set(inventory.ClusterUnreachable, "no answer", first.Add(time.Minute))
		set(inventory.ClusterUnreachable, "no route", first.Add(2*time.Minute))
		got, err := s.Cluster(ctx, c.ID)
		must(t, err)
		if got.Rev != 1 || got.State != inventory.ClusterUnreachable || got.Reason != "no route" || !got.Since.Equal(first.Add(time.Minute)) || !got.CheckedAt.Equal(first.Add(2*time.Minute)) {
			t.Errorf("%+v", got)
		}
		if n := eventsOf(t, s, "cluster.state"); n != 1 {
			t.Errorf("%d events of one change of state", n)
		}
		must(t, s.RemoveCluster(ctx, c.ID, 1, happened("cluster.delete")))
		set(inventory.ClusterConnected, "", first.Add(time.Hour))
		if got, err = s.Cluster(ctx, c.ID); err != nil || got.State != inventory.ClusterRemoved {
			t.Errorf("a late check: %+v, %v", got, err)
		}
	})
}

func TestARemovedClusterLeavesWhatCameFromIt(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 40)
		who := people(t, s, "anna")
		c := w.Clusters[0]
		give(t, s, grant("user", who["anna"], "cluster", c.ID, policy.Manage))
		if _, err := s.RemovedClusterByUID(ctx, c.UID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("before: %v", err)
		}
		must(t, s.RemoveCluster(ctx, c.ID, 1, happened("cluster.delete")))
		if err := s.RemoveCluster(ctx, c.ID, 2, happened("cluster.delete")); fault.KindOf(err) != fault.Stale {
			t.Errorf("removed twice: %v", err)
		}
		p, err := s.Clusters(ctx, all, store.ClusterQuery{})
		if n := total(t, p, err); n != 1 || p.Counts["removed"] != 1 {
			t.Errorf("%+v", p)
		}
		if left, err := s.ConnectedClusters(ctx); err != nil || len(left) != 1 || left[0].ID != w.Clusters[1].ID || len(left[0].Token) == 0 {
			t.Errorf("%+v, %v", left, err)
		}
		for _, q := range []store.ClusterQuery{{Removed: true, State: nil}, {State: []string{"removed", "connected"}}} {
			if p, err = s.Clusters(ctx, all, q); err != nil || p.Total != 2 {
				t.Errorf("%+v: %+v, %v", q, p, err)
			}
		}
		secrets, err := s.Secrets(ctx, all, store.SecretQuery{ClusterID: c.ID})
		if n := total(t, secrets, err); n != 20 {
			t.Errorf("%d Secrets are left", n)
		}
		// Another cluster may take the name in the meantime.
		other := inventory.Cluster{ID: id(), Name: c.Name, Server: "https://127.0.0.1:9", UID: id(), State: inventory.ClusterConnected, CreatedAt: c.CreatedAt}
		must(t, s.AddCluster(ctx, other, nil, happened("cluster.create")))
		old, err := s.RemovedClusterByUID(ctx, c.UID)
		must(t, err)
		if old.ID != c.ID || old.Token != nil {
			t.Fatalf("%+v", old)
		}
		old.State, old.Token = inventory.ClusterConnected, vault.Sealed("new")
		if err := s.Reattach(ctx, old, happened("cluster.create")); fault.KindOf(err) != fault.Conflict {
			t.Errorf("with a name that is taken: %v", err)
		}
		old.Name = "prod-again"
		strange := old
		strange.UID = "another"
		if err := s.Reattach(ctx, strange, happened("cluster.create")); fault.KindOf(err) != fault.Conflict {
			t.Errorf("another cluster: %v", err)
		}
		must(t, s.Reattach(ctx, old, happened("cluster.create")))
		r, err := s.ResourceByName(ctx, "ns00-prod-0")
		must(t, err)
		level, err := s.Level(ctx, who["anna"], access.Resource, r.ID, time.Now())
		if err != nil || level != policy.Manage || r.ClusterID != c.ID {
			t.Errorf("%+v, %s, %v", r, level, err)
		}
	})
}

func TestTheOwnersGrantComesWithTheObject(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now()
		who := people(t, s, "anna")
		owner := func(kind, object string) *access.Grant {
			g := grant("user", who["anna"], kind, object, policy.Manage)
			return &g
		}
		c := inventory.Cluster{ID: id(), Name: "c", UID: id(), State: inventory.ClusterConnected, CreatedAt: now}
		r := inventory.Resource{ID: id(), Name: "r", Type: "generic", CreatedAt: now}
		a := inventory.Account{ID: id(), ResourceID: r.ID, Name: "a", State: inventory.AccountUnverified, CreatedAt: now}
		must(t, s.AddCluster(ctx, c, owner("cluster", c.ID), happened("cluster.create")), s.AddResource(ctx, r, owner("resource", r.ID), happened("resource.create")),
			s.AddAccount(ctx, a, nil, owner("account", a.ID), happened("account.create")))
		for kind, object := range map[string]string{"cluster": c.ID, "resource": r.ID, "account": a.ID} {
			if level, err := s.Level(ctx, who["anna"], kind, object, now); err != nil || level != policy.Manage {
				t.Errorf("%s: %s, %v", kind, level, err)
			}
		}
		gone := grant("user", "nobody", "resource", "x", policy.Manage)
		gone.ObjectID = id()
		lost := inventory.Resource{ID: gone.ObjectID, Name: "lost", Type: "generic", CreatedAt: now}
		if err := s.AddResource(ctx, lost, &gone, happened("resource.create")); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an owner that is gone: %v", err)
		}
		if _, err := s.Resource(ctx, lost.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("it was stored all the same: %v", err)
		}
	})
}
