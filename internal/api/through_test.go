package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
)

func TestAResourceIsReachedThroughAClusterThatOneManages(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	reaching := inventory.Cluster{ID: newID(), Name: "inside", Server: "https://10.0.0.2:6443", UID: newID(), State: inventory.ClusterConnected,
		Scope: inventory.Scope{Namespaces: []string{"data"}, PortForward: true}, Since: time.Now(), CreatedAt: time.Now(), Token: e.cluster.Token}
	ok(t, e.store.AddCluster(ctx, reaching, nil, audit.New(identity.System("test"), "cluster.create", audit.Object{Kind: "cluster", ID: reaching.ID})))
	olga, o := e.as(identity.Operator, "olga")
	settings := map[string]string{"host": "db", "port": "5432"}
	way := client.Through{Cluster: "inside", Place: "data/service/db"}
	_, err := olga.AddResource(ctx, client.NewResource{Name: "orders", Type: "postgresql", Settings: settings, Through: &way})
	refused(t, err, http.StatusNotFound, "not-found") // she does not even know of the cluster

	e.grant(o, access.Cluster, reaching.ID, policy.View)
	_, err = olga.AddResource(ctx, client.NewResource{Name: "orders", Type: "postgresql", Settings: settings, Through: &way})
	refused(t, err, http.StatusForbidden, "denied")

	admin, _ := e.as(identity.Administrator)
	for name, bad := range map[string]client.NewResource{
		"a type without a connection": {Type: "generic", Through: &way},
		"a place that is none":        {Type: "postgresql", Through: &client.Through{Cluster: "inside", Place: "data/db"}},
		"no cluster":                  {Type: "postgresql", Through: &client.Through{Place: "data/pod/db-0"}},
		"a namespace without rights":  {Type: "postgresql", Through: &client.Through{Cluster: "inside", Place: "shop/pod/db-0"}},
		"accounts of a database":      {Type: "postgresql", Through: &client.Through{Cluster: "inside", Place: "data/serviceaccounts"}},
		"tokens of nothing":           {Type: "kubernetes-token"},
		"tokens of a service":         {Type: "kubernetes-token", Through: &way},
		"tokens without rights":       {Type: "kubernetes-token", Through: &client.Through{Cluster: "inside", Place: "data/serviceaccounts"}},
		"a connector without rights":  {Type: "postgresql", Through: &client.Through{Cluster: "prod", Place: "data/pod/db-0"}},
	} {
		bad.Name, bad.Settings = name, settings
		_, err := admin.AddResource(ctx, bad)
		refused(t, err, http.StatusUnprocessableEntity, "invalid")
	}
	issuing := inventory.Cluster{ID: newID(), Name: "issuing", Server: "https://10.0.0.3:6443", UID: newID(), State: inventory.ClusterConnected,
		Scope: inventory.Scope{Namespaces: []string{"data"}, ReadWrite: true, Restart: true, Replace: true}, Since: time.Now(), CreatedAt: time.Now(), Token: e.cluster.Token}
	ok(t, e.store.AddCluster(ctx, issuing, nil, audit.New(identity.System("test"), "cluster.create", audit.Object{Kind: "cluster", ID: issuing.ID})))
	robots, err := admin.AddResource(ctx, client.NewResource{Name: "robots", Type: "kubernetes-token", Through: &client.Through{Cluster: "issuing", Place: "data/serviceaccounts"}})
	ok(t, err)
	if robots, err = admin.Resource(ctx, "robots"); err != nil || robots.Through == nil || robots.Through.Place != "data/serviceaccounts" {
		t.Errorf("robots: %+v, %v", robots.Through, err)
	}
	robot, err := admin.AddAccount(ctx, "robots", client.NewAccount{Name: "ci"})
	ok(t, err)
	single := "single"
	_, err = admin.UpdateAccount(ctx, robot.ID, robot.Rev, client.AccountChange{Strategy: &single})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	made, err := admin.AddResource(ctx, client.NewResource{Name: "orders", Type: "postgresql", Settings: settings, Through: &way})
	ok(t, err)
	if made.Through == nil || made.Through.ClusterName != "inside" || made.Through.Place != way.Place || made.Through.Cluster != reaching.ID {
		t.Errorf("through: %+v", made.Through)
	}

	// Whoever manages the resource alone may rename it, and neither choose another port there nor another place.
	e.grant(o, access.Resource, made.ID, policy.Manage)
	name, elsewhere := "orders-inside", map[string]string{"host": "db", "port": "22"}
	made, err = olga.UpdateResource(ctx, made.ID, made.Rev, client.ResourceChange{Name: &name})
	ok(t, err)
	for _, change := range []client.ResourceChange{{Settings: &elsewhere}, {Through: &client.Through{Cluster: "inside", Place: "data/pod/other"}}} {
		_, err = olga.UpdateResource(ctx, made.ID, made.Rev, change)
		refused(t, err, http.StatusForbidden, "denied")
	}
	vera, v := e.as(identity.PlainUser, "vera")
	e.grant(v, access.Resource, made.ID, policy.View)
	seen, err := vera.Resource(ctx, name)
	ok(t, err)
	if seen.Through == nil || seen.Through.Cluster != "" || seen.Through.ClusterName != "" {
		t.Errorf("who does not know of the cluster sees %+v", seen.Through)
	}
	made, err = olga.UpdateResource(ctx, made.ID, made.Rev, client.ResourceChange{Through: &client.Through{}})
	ok(t, err)
	if made.Through != nil {
		t.Errorf("after the way was taken away: %+v", made.Through)
	}
	e.quiet()
}
