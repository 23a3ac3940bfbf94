package e2e

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// insideDatabase is a pod that a real PostgreSQL plays, and a service before it.
const insideDatabase = `
{apiVersion: v1, kind: Pod, metadata: {namespace: data, name: orders-0, labels: {app: orders}}, spec: {containers: [{name: db, image: none, ports: [{name: sql, containerPort: 5432}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: data, name: orders}, spec: {selector: {app: orders}, ports: [{port: 6432, targetPort: sql}]}}
`

// A PostgreSQL account is reset whose server only the cluster reaches: by its service, then by its pod. Once the cluster is
// removed it is not reached any more.
func TestAnAccountInsideAClusterIsReset(t *testing.T) {
	w := &pagesWorld{subject: newSubject(t, build(t), nil, "--allow-loopback-clusters"), clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts.Clusters, w.facts.IDs = map[string]pagesCluster{}, map[string]string{}
	w.admin = w.as(client.NewValue(w.setUp(rand.Text())))
	plane, err := testbed.StartControlPlane(t.Context(), testbed.Options{Name: "inside", Etcd: bed.clusters.Etcd, Nodes: 1,
		Ports: []testbed.PodPort{{Namespace: "data", Port: 5432, To: bed.postgres.Port}}})
	must(t, err)
	t.Cleanup(func() { must(t, plane.Stop()) })
	w.namespaces(plane, "data")
	w.kubectl(plane, insideDatabase, "create", "-f", "-")
	w.kubectl(plane, "", "-n", "data", "wait", "endpointslice", "-l", "kubernetes.io/service-name=orders", "--for=jsonpath={.endpoints[0].conditions.ready}=true", "--timeout=2m")
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{"data"}, Access: "read-only", PortForward: true, RenewToken: true})

	ca := filepath.Join(w.dir, "database-ca")
	must(t, os.WriteFile(ca, bed.postgres.CAPEM, 0o600))
	w.cli("resource", "create", "orders-db", "--type", "postgresql", "--set", "host=orders.data.svc.cluster.invalid", "--set", "port=6432",
		"--set", "tls_server_name=localhost", "--set-file", "tls_ca="+ca, "--through-cluster", "prod-eu", "--through", "data/service/orders")
	if text := w.cli("resource", "get", "orders-db"); !strings.Contains(text, "data/service/orders in prod-eu") {
		t.Errorf("the resource does not say how it is reached:\n%s", text)
	}
	w.role("inside_app")
	account := w.account("orders-db", "inside_app", w.values["inside_app"])
	for i, way := range [][]string{nil, {"--through", "data/pod/orders-0", "--set", "port=5432"}} {
		if way != nil {
			w.renewToken("prod-eu", plane)
			w.cli(append([]string{"resource", "edit", "orders-db"}, way...)...)
		}
		w.cli("account", "reset", "orders-db/inside_app", "--wait")
		v, err := w.admin.Reveal(t.Context(), account, client.Reveal{})
		must(t, err)
		if got, err := bed.postgres.Psql(t.Context(), "inside_app", v.Value.Text(), "SELECT session_user"); err != nil || got != "inside_app" {
			t.Errorf("reset %d: psql logs in as %q, %v", i, got, err)
		}
		if _, err := bed.postgres.Psql(t.Context(), "inside_app", w.values["inside_app"], "SELECT 1"); err == nil {
			t.Errorf("reset %d: the old password still logs in", i)
		}
		w.values["inside_app"] = v.Value.Text()
	}

	c, err := w.admin.Cluster(t.Context(), "prod-eu")
	must(t, err, w.admin.DeleteCluster(t.Context(), c.ID, c.Rev))
	if text := w.cli("resource", "get", "orders-db"); !strings.Contains(text, "in prod-eu (removed)") {
		t.Errorf("the resource does not say that its cluster is gone:\n%s", text)
	}
	out, err := w.keyturn("", "account", "reset", "orders-db/inside_app", "--wait")
	if err == nil || !strings.Contains(out+err.Error(), "cluster prod-eu was removed") {
		t.Errorf("a reset through a cluster that was removed: %v\n%s", err, out)
	}
}

// renewToken has a connector renew its token, of which the Secret before is gone then.
func (w *pagesWorld) renewToken(name string, p *testbed.ControlPlane) {
	w.t.Helper()
	w.cli("cluster", "renew-token", name)
	if got := w.kubectl(p, "", "-n", "keyturn", "get", "secrets", "-o", "name"); strings.TrimSpace(got) != "secret/keyturn-token-2" {
		w.t.Errorf("after the renewal there are:\n%s", got)
	}
	w.retest(name, "connected")
}

// cli runs a command that must not fail.
func (w *pagesWorld) cli(args ...string) string {
	w.t.Helper()
	out, err := w.keyturn("", args...)
	must(w.t, err)
	return out
}
