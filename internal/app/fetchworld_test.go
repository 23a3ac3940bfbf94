package app

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

// fetchWorld is a repository and a fetcher for a real cluster.
type fetchWorld struct {
	plane    *testbed.ControlPlane
	store    *store.Store
	ring     *vault.Ring
	clusters *Clusters
	fetcher  *inventory.Fetcher
	cluster  inventory.Cluster
}

func fetchID() string { return uuid.Must(uuid.NewV7()).String() }

func fetchHappened(action string) audit.Event {
	return audit.New(identity.Actor{ID: "u1", Name: "anna", Kind: identity.KindUser}, action, audit.Object{Kind: "test"})
}

// newFetchWorld makes a repository that is connected to plane with the rights of scope.
func newFetchWorld(t *testing.T, plane *testbed.ControlPlane, scope inventory.Scope) *fetchWorld {
	t.Helper()
	w := &fetchWorld{plane: plane, store: storetest.Open(t, storetest.SQLite(t))}
	b := make([]byte, vault.KeyLen)
	_, _ = rand.Read(b)
	root, err := vault.NewRootKey(b)
	w.do(t, err)
	ring, rows, err := vault.NewRing(root)
	w.do(t, err)
	w.do(t, w.store.SaveRing(t.Context(), 1, rows, fetchHappened("ring.create")))
	w.ring = ring
	token, err := kube.NormaliseToken(vault.NewValue([]byte(w.connect(t, scope))))
	w.do(t, err)
	now := time.Now()
	w.cluster = inventory.Cluster{ID: fetchID(), Name: "prod", Server: plane.URL, CAPEM: string(plane.CAPEM), UID: fetchID(), Scope: scope,
		State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now}
	w.cluster.Token, err = w.ring.Seal(inventory.TokenRecord(w.cluster.ID), token)
	w.do(t, err)
	w.do(t, w.store.AddCluster(t.Context(), w.cluster, nil, fetchHappened("cluster.create")))
	w.clusters = &Clusters{Store: w.store, Ring: w.ring, AllowLoopback: true}
	w.fetcher = &inventory.Fetcher{Store: w.store, Remotes: w.clusters, Ring: w.ring, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Owner: "test",
		Lease: time.Minute, MaxTries: 2, Backoff: time.Millisecond}
	return w
}

// connect gives the connector the rights of scope, as an administrator would, and returns its token. Rights of an earlier
// test are taken away.
func (w *fetchWorld) connect(t *testing.T, scope inventory.Scope) string {
	t.Helper()
	manifest, err := kube.Manifest(kube.Scope{WholeCluster: scope.WholeCluster, Namespaces: scope.Namespaces, ReadWrite: scope.ReadWrite, Restart: scope.Restart, Replace: scope.Replace})
	w.do(t, err)
	w.kubectl(t, "", "delete", "clusterrolebinding", "keyturn", "--ignore-not-found")
	w.kubectl(t, string(manifest), "apply", "-f", "-")
	w.kubectl(t, "", "-n", "keyturn", "wait", "secret/keyturn-token", "--for=jsonpath={.data.token}", "--timeout=2m")
	return w.kubectl(t, "", "-n", "keyturn", "get", "secrets/keyturn-token", "-o", "jsonpath={.data.token}")
}

func (w *fetchWorld) do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *fetchWorld) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := w.plane.Kubectl(t.Context(), stdin, args...)
	w.do(t, err)
	return out
}

// open stores a fetch of sel, or a sync if it is nil.
func (w *fetchWorld) open(t *testing.T, sel *inventory.Selection) string {
	t.Helper()
	f := inventory.Fetch{ID: fetchID(), ClusterID: w.cluster.ID, Kind: inventory.FetchSync, StartedBy: identity.Actor{ID: "u1", Name: "anna"}, CreatedAt: time.Now()}
	if sel != nil {
		f.Kind, f.Selection = inventory.FetchChosen, *sel
	}
	w.do(t, w.store.OpenFetch(t.Context(), f, fetchHappened("cluster.fetch")))
	return f.ID
}

// run opens a fetch of sel, or a sync if it is nil, and runs it.
func (w *fetchWorld) run(t *testing.T, sel *inventory.Selection) inventory.Fetch {
	t.Helper()
	id := w.open(t, sel)
	w.do(t, w.fetcher.Run(t.Context(), id))
	f, err := w.store.Fetch(t.Context(), id)
	w.do(t, err)
	return f
}

func (w *fetchWorld) secret(t *testing.T, namespace, name string) inventory.Secret {
	t.Helper()
	at := w.stored(t, namespace, name)
	if len(at) != 1 {
		t.Fatalf("%s/%s is stored %d times", namespace, name, len(at))
	}
	x, err := w.store.Secret(t.Context(), at[0].ID)
	w.do(t, err)
	return x
}

func (w *fetchWorld) stored(t *testing.T, namespace, name string) []inventory.Stored {
	t.Helper()
	at, err := w.store.Stored(t.Context(), w.cluster.ID, []inventory.Place{{Namespace: namespace, Name: name}})
	w.do(t, err)
	return at
}

// data opens the current version of a Secret.
func (w *fetchWorld) data(t *testing.T, x inventory.Secret) map[string]vault.Value {
	t.Helper()
	sealed, err := w.store.Sealed(t.Context(), x.ID, x.Current)
	w.do(t, err)
	v, err := w.ring.Open(inventory.VersionRecord(x.ID, x.Current), sealed)
	w.do(t, err)
	data, err := vault.Unbundle(v)
	w.do(t, err)
	return data
}

func wantFetch(t *testing.T, f inventory.Fetch, state inventory.FetchState, counts inventory.Counts) {
	t.Helper()
	if diff := cmp.Diff(counts, f.Counts); diff != "" || f.State != state {
		t.Errorf("fetch is %s (%s), problems %v: %s", f.State, f.Reason, f.Problems, diff)
	}
}

// object is one Secret of the test cluster.
type object struct {
	namespace, name, typ string
	immutable            bool
	labels               map[string]string
	data                 map[string][]byte
}

func (o object) manifest() string {
	data := map[string]string{}
	for k, v := range o.data {
		data[k] = base64.StdEncoding.EncodeToString(v)
	}
	b, _ := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Secret", "type": o.typ, "immutable": o.immutable, "data": data,
		"metadata": map[string]any{"namespace": o.namespace, "name": o.name, "labels": o.labels}})
	return string(b)
}

func text(kv ...string) map[string][]byte {
	m := map[string][]byte{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = []byte(kv[i+1])
	}
	return m
}

// objects are 30 Secrets in each of 10 namespaces: every type, binary values, no keys, 1 MiB, immutable. The last two of
// each namespace are of types that are left out by default.
func objects() (all []object) {
	for n := range 10 {
		ns := fmt.Sprintf("team-%d", n)
		special := []object{
			{name: "basic", typ: "kubernetes.io/basic-auth", data: text("username", "u", "password", "p"+ns)},
			{name: "ssh", typ: "kubernetes.io/ssh-auth", data: text("ssh-privatekey", "key "+ns)},
			{name: "tls", typ: "kubernetes.io/tls", data: text("tls.crt", "", "tls.key", "")},
			{name: "docker", typ: "kubernetes.io/dockerconfigjson", data: text(".dockerconfigjson", `{"auths":{}}`)},
			{name: "dockercfg", typ: "kubernetes.io/dockercfg", data: text(".dockercfg", `{}`)},
			{name: "own", typ: "example.com/own", data: text("a", "1"), labels: map[string]string{"tier": "own"}},
			{name: "binary", typ: "Opaque", data: map[string][]byte{"b": {0, 255, 10, 13, 0}, "empty": {}}},
			{name: "none", typ: "Opaque"},
			{name: "fixed", typ: "Opaque", immutable: true, data: text("k", "v")},
			{name: "large", typ: "Opaque", data: map[string][]byte{"l": bytes.Repeat([]byte{byte(n), 'x'}, (1<<20-1000)/2)}},
		}
		for i := range 18 {
			special = append(special, object{name: fmt.Sprintf("s%d", i), typ: "Opaque", data: text("password", fmt.Sprint("v", n, i), "user", "app")})
		}
		special = append(special, object{name: "release", typ: "helm.sh/release.v1", data: text("release", "x")},
			object{name: "boot", typ: "bootstrap.kubernetes.io/token", data: text("token-id", "x")})
		for i := range special {
			special[i].namespace = ns
		}
		all = append(all, special...)
	}
	return all
}
