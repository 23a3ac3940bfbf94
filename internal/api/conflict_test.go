package api

import (
	"errors"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/vault"
)

// clusterChanges stores the estate's Secret as its cluster shows it with another value under a key.
func (e *estate) clusterChanges(t testing.TB, key, value string) {
	t.Helper()
	now, err := e.store.Secret(t.Context(), e.secret.ID)
	ok(t, err)
	x := inventory.Import{Base: now.Rev, Secret: now}
	x.Secret.ResourceVersion, x.Secret.Current, x.Secret.State = "8", now.Current+1, inventory.InSync
	for i, k := range x.Secret.Keys {
		if k.Name == key {
			x.Secret.Keys[i].Fingerprint = e.ring.Fingerprint(vault.NewValue([]byte(value)))
		}
	}
	data := secretData()
	data[key] = vault.NewValue([]byte(value))
	v := inventory.Version{AccountID: now.ID, Number: now.Current + 1, Stage: inventory.Current, Source: inventory.Fetched, CreatedAt: time.Now()}
	v.Sealed, err = e.ring.Seal(inventory.VersionRecord(now.ID, v.Number), vault.Bundle(data))
	ok(t, err)
	x.Values = &v
	moved, err := e.store.SawSecrets(t.Context(), e.cluster.ID, []inventory.Import{x}, audit.New(identity.System("test"), "secret.import", audit.Object{Kind: "cluster", ID: e.cluster.ID}))
	if ok(t, err); len(moved) > 0 {
		t.Fatal("the Secret moved")
	}
}

func TestAConflictIsDecidedByWhoManagesTheSecret(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	admin, _ := e.as(identity.Administrator)
	cluster, err := admin.Cluster(ctx, "prod")
	ok(t, err)
	if cluster.OnDrift == nil || *cluster.OnDrift != (client.Drift{Own: "cluster_wins", InForce: "cluster_wins"}) {
		t.Errorf("a cluster's drift policy is %+v", cluster.OnDrift)
	}
	set, err := admin.SetResourceDrift(ctx, "shop-prod", 1, "ask")
	if ok(t, err); set != (client.Drift{Own: "ask", InForce: "ask"}) {
		t.Errorf("a namespace's is %+v", set)
	}
	if _, err := admin.SetResourceDrift(ctx, "shop-prod", 3, "ask"); status(err) != 412 {
		t.Errorf("on an old revision: %v", err)
	}
	if _, err := admin.SetResourceDrift(ctx, "orders-db", 1, "ask"); status(err) != 422 {
		t.Errorf("of a database: %v", err)
	}
	if _, err := admin.SetClusterDrift(ctx, "prod", cluster.Rev, ""); status(err) != 422 {
		t.Errorf("a cluster inherits from nothing: %v", err)
	}
	e.clusterChanges(t, "password", "not the vault's")
	page, err := admin.Conflicts(ctx, client.ConflictFilter{Cluster: "prod"})
	ok(t, err)
	if len(page.Items) != 1 || page.Counts["open"] != 1 || page.Items[0].Name != "db" || len(page.Items[0].Keys) != 1 || page.Items[0].Keys[0] != (client.ConflictKey{Name: "password", Change: "changed", Version: 1}) {
		t.Fatalf("%+v", page)
	}
	x := page.Items[0]
	if secret, err := admin.Secret(ctx, x.ID); err != nil || secret.State != "conflict" || secret.OnDrift == nil || *secret.OnDrift != (client.Drift{InForce: "ask"}) {
		t.Errorf("the Secret is %+v, %v", secret, err)
	}

	// Who was granted nothing knows of none; who may look may not decide.
	stranger, _ := e.as(identity.PlainUser, "stranger")
	if page, err := stranger.Conflicts(ctx, client.ConflictFilter{}); err != nil || page.Total != 0 {
		t.Errorf("a stranger sees %+v, %v", page, err)
	}
	if _, err := stranger.Conflict(ctx, x.ID); status(err) != 404 {
		t.Errorf("a stranger reads it: %v", err)
	}
	auditor, _ := e.as(identity.Auditor, "auditor")
	if seen, err := auditor.Conflict(ctx, x.ID); err != nil || seen.Can["resolve"].Allowed {
		t.Errorf("an auditor sees %+v, %v", seen, err)
	}
	if _, err := auditor.ResolveConflict(ctx, x.ID, x.Rev, "cluster"); status(err) != 403 {
		t.Errorf("an auditor decides: %v", err)
	}

	if _, err := admin.ResolveConflict(ctx, x.ID, x.Rev+1, "cluster"); status(err) != 412 {
		t.Errorf("on an old revision: %v", err)
	}
	kept, err := admin.ResolveConflict(ctx, x.ID, x.Rev, "cluster")
	if ok(t, err); kept.State != "settled" || len(kept.Keys) != 0 {
		t.Errorf("%+v", kept)
	}
	if _, err := admin.ResolveConflict(ctx, x.ID, kept.Rev, "vault"); status(err) != 409 {
		t.Errorf("what is settled is decided again: %v", err)
	}
	if page, err := admin.Conflicts(ctx, client.ConflictFilter{State: []string{"settled"}}); err != nil || page.Total != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

// status is the HTTP status of the problem that err is; 0 for none.
func status(err error) int {
	if p, is := errors.AsType[*client.Problem](err); is {
		return p.Status
	}
	return 0
}
