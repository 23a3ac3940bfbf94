package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

func TestFetchFromARealCluster(t *testing.T) {
	plane, err := testbed.StartControlPlane(context.Background(), testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	var y strings.Builder
	for n := range 10 {
		fmt.Fprintf(&y, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team-%d}\n", n)
	}
	for _, o := range objects() {
		y.WriteString("---\n" + o.manifest() + "\n")
	}
	if _, err := plane.Kubectl(t.Context(), y.String(), "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	whole := newFetchWorld(t, plane, inventory.Scope{WholeCluster: true})
	t.Run("everything is brought", func(t *testing.T) { everything(t, whole) })
	t.Run("a sync brings what was added, changed and deleted", func(t *testing.T) { changes(t, whole) })
	t.Run("a rotation's write is no change", func(t *testing.T) { written(t, whole) })
	t.Run("a list that breaks off marks nothing", func(t *testing.T) { breaksOff(t, whole) })
	t.Run("a run that was cut off is begun again", func(t *testing.T) { cutOff(t, whole) })
	t.Run("single Secrets and rules", func(t *testing.T) { singles(t, newFetchWorld(t, plane, inventory.Scope{WholeCluster: true})) })
	t.Run("a namespace without rights", func(t *testing.T) {
		noRight(t, newFetchWorld(t, plane, inventory.Scope{Namespaces: []string{"team-1", "team-2"}}))
	})
}

func everything(t *testing.T, w *fetchWorld) {
	f := w.run(t, &inventory.Selection{All: true})
	if f.Counts.Skipped < 20 { // and some of the cluster's own
		t.Errorf("%d were left out", f.Counts.Skipped)
	}
	wantFetch(t, f, inventory.FetchDone, inventory.Counts{Total: 280 + f.Counts.Skipped, Added: 280, Skipped: f.Counts.Skipped})
	for _, o := range objects() {
		if strings.Contains(o.typ, "helm") || strings.Contains(o.typ, "bootstrap") {
			if len(w.stored(t, o.namespace, o.name)) != 0 {
				t.Errorf("%s/%s was brought", o.namespace, o.name)
			}
			continue
		}
		x := w.secret(t, o.namespace, o.name)
		data := w.data(t, x)
		if x.Type != o.typ || x.Immutable != o.immutable || x.State != inventory.InSync || len(data) != len(o.data) || len(x.Keys) != len(o.data) || x.Labels["tier"] != o.labels["tier"] {
			t.Errorf("%s/%s: %+v", o.namespace, o.name, x)
		}
		for k, v := range o.data {
			if !data[k].Equal(vault.NewValue(v)) {
				t.Errorf("%s/%s: key %s is not what the cluster has", o.namespace, o.name, k)
			}
		}
	}
	r, err := w.store.Resource(t.Context(), w.secret(t, "team-3", "own").ResourceID)
	if err != nil || r.Name != "team-3-prod" || r.Type != inventory.TypeKubernetes {
		t.Errorf("resource %+v, %v", r, err)
	}
}

func changes(t *testing.T, w *fetchWorld) {
	f := w.run(t, nil)
	wantFetch(t, f, inventory.FetchDone, inventory.Counts{Total: 280 + f.Counts.Skipped, Unchanged: 280, Skipped: f.Counts.Skipped})
	before := w.secret(t, "team-0", "s0")
	labelled := w.secret(t, "team-0", "s1")
	w.kubectl(t, "", "-n", "team-0", "patch", "secret", "s0", "-p", `{"stringData":{"password":"changed","more":"key"}}`)
	w.kubectl(t, "", "-n", "team-0", "label", "secret", "s1", "team=a")
	w.kubectl(t, "", "-n", "team-0", "delete", "secret", "s2")
	w.kubectl(t, "", "-n", "team-0", "delete", "secret", "s3")
	w.kubectl(t, "", "-n", "team-0", "create", "secret", "generic", "s3", "--from-literal=password=anew")
	w.kubectl(t, "", "delete", "namespace", "team-9", "--wait=true", "--timeout=2m")
	w.kubectl(t, "", "create", "namespace", "fresh")
	w.kubectl(t, "", "-n", "fresh", "create", "secret", "generic", "first", "--from-literal=a=b")
	f = w.run(t, nil)
	wantFetch(t, f, inventory.FetchDone, inventory.Counts{Total: 252 + f.Counts.Skipped, Added: 1, Changed: 2, Unchanged: 249, Gone: 29, Skipped: f.Counts.Skipped})
	after := w.secret(t, "team-0", "s0")
	if after.Current != before.Current+1 || len(after.Keys) != 3 || !w.data(t, after)["password"].Equal(vault.NewValue([]byte("changed"))) {
		t.Errorf("changed: %+v", after)
	}
	if now := w.secret(t, "team-0", "s1"); now.Current != labelled.Current || now.Labels["team"] != "a" || now.ResourceVersion == labelled.ResourceVersion {
		t.Errorf("labelled: %+v", now)
	}
	for _, at := range [][2]string{{"team-0", "s2"}, {"team-9", "large"}} {
		if x := w.secret(t, at[0], at[1]); x.State != inventory.Tombstone || x.DeletedAt.IsZero() || len(w.data(t, x)) == 0 {
			t.Errorf("deleted: %+v", x)
		}
	}
	if x := w.secret(t, "team-0", "s3"); x.State != inventory.InSync || x.Current != 2 {
		t.Errorf("made anew: %+v", x)
	}
	w.kubectl(t, "", "-n", "team-0", "create", "secret", "generic", "s2", "--from-literal=password=back")
	f = w.run(t, nil)
	wantFetch(t, f, inventory.FetchDone, inventory.Counts{Total: 253 + f.Counts.Skipped, Changed: 1, Unchanged: 252, Skipped: f.Counts.Skipped})
	if x := w.secret(t, "team-0", "s2"); x.State != inventory.InSync || !x.DeletedAt.IsZero() {
		t.Errorf("came back: %+v", x)
	}
}

func written(t *testing.T, w *fetchWorld) {
	ctx := t.Context()
	conn, err := w.clusters.conn(ctx, w.cluster.ID)
	w.do(t, err)
	old, err := conn.GetSecret(ctx, "team-4", "s4")
	w.do(t, err)
	w.kubectl(t, "", "-n", "team-4", "patch", "secret", "s4", "-p", `{"stringData":{"password":"rotated"}}`)
	now, err := conn.GetSecret(ctx, "team-4", "s4")
	w.do(t, err)
	seen := fetched(now)
	seen.Written = []string{"password"}
	for range 2 { // a second time changes nothing
		w.do(t, w.fetcher.Saw(ctx, w.cluster.ID, []inventory.Seen{seen}))
	}
	w.do(t, w.fetcher.Saw(ctx, w.cluster.ID, []inventory.Seen{fetched(old)})) // neither does what came late
	x := w.secret(t, "team-4", "s4")
	if x.Current != 2 || x.ResourceVersion != now.ResourceVersion || !w.data(t, x)["password"].Equal(vault.NewValue([]byte("rotated"))) {
		t.Errorf("%+v", x)
	}
	if f := w.run(t, nil); f.Counts.Changed != 0 || f.Counts.Added != 0 || f.Counts.Gone != 0 {
		t.Errorf("the sync found changes: %+v", f.Counts)
	}
	// The same between the moment when a page was read and that when it is stored.
	w.fetcher.Remotes = killer{w.clusters, nil, func() {
		w.kubectl(t, "", "-n", "team-4", "patch", "secret", "s4", "-p", `{"stringData":{"password":"once more"}}`)
		now, err := conn.GetSecret(ctx, "team-4", "s4")
		w.do(t, err)
		w.do(t, w.fetcher.Saw(ctx, w.cluster.ID, []inventory.Seen{fetched(now)}))
	}}
	f := w.run(t, nil)
	w.fetcher.Remotes = w.clusters
	x = w.secret(t, "team-4", "s4")
	if f.State != inventory.FetchDone || x.Current != 3 || !w.data(t, x)["password"].Equal(vault.NewValue([]byte("once more"))) {
		t.Errorf("the sync stored a page that was older than the write: %+v, %+v", f, x)
	}
}

// killing does something before and after each page of a list, such as to end the API server.
type killing struct {
	inventory.Remote
	kill, before func()
}

func (k killing) List(ctx context.Context, namespace string, page func([]inventory.Seen) error) error {
	return k.Remote.List(ctx, namespace, func(p []inventory.Seen) error {
		if k.before != nil {
			k.before()
		}
		err := page(p)
		if k.kill != nil {
			k.kill()
		}
		return err
	})
}

type killer struct {
	*Clusters
	kill, before func()
}

func (k killer) Remote(ctx context.Context, id string) (inventory.Remote, error) {
	r, err := k.Clusters.Remote(ctx, id)
	return killing{r, k.kill, k.before}, err
}

// breaksOff gives the cluster a second page, so that the API server is gone in the middle of the list.
func breaksOff(t *testing.T, w *fetchWorld) {
	var y strings.Builder
	for i := range 400 {
		fmt.Fprintf(&y, "---\n%s\n", object{namespace: "fresh", name: fmt.Sprintf("z%d", i), typ: "Opaque", data: text("k", "v")}.manifest())
	}
	w.kubectl(t, y.String(), "create", "-f", "-")
	w.run(t, nil)
	w.kubectl(t, "", "-n", "team-8", "delete", "secret", "s9")
	id := w.open(t, nil)
	whole := w.fetcher.Remotes
	w.fetcher.Remotes = killer{w.clusters, w.plane.KillAPIServer, nil}
	w.do(t, w.fetcher.Run(t.Context(), id))
	f, err := w.store.Fetch(t.Context(), id)
	w.do(t, err)
	if f.State != inventory.FetchWaiting || f.Counts.Gone != 0 || f.Counts.Total != 500 || f.Reason == "" || f.Cure == "" {
		t.Errorf("after the first try: %+v", f)
	}
	time.Sleep(5 * time.Millisecond) // its backoff
	w.do(t, w.fetcher.Run(t.Context(), id))
	if f, err = w.store.Fetch(t.Context(), id); err != nil || f.State != inventory.FetchFailed || f.Counts.Gone != 0 || f.Reason == "" || f.Cure == "" {
		t.Errorf("after the last try: %+v, %v", f, err)
	}
	if x := w.secret(t, "team-8", "s9"); x.State != inventory.InSync {
		t.Errorf("a list that broke off marked %+v", x)
	}
	if c, _ := w.store.Cluster(t.Context(), w.cluster.ID); c.State != inventory.ClusterUnreachable || c.Reason == "" {
		t.Errorf("cluster is %s (%s)", c.State, c.Reason)
	}
	w.fetcher.Remotes = whole
	w.do(t, w.plane.RestartAPIServer(t.Context()))
	if f := w.run(t, nil); f.State != inventory.FetchDone || f.Counts.Gone != 1 {
		t.Errorf("after the restart: %+v", f)
	}
	if c, _ := w.store.Cluster(t.Context(), w.cluster.ID); c.State != inventory.ClusterConnected {
		t.Errorf("cluster is %s (%s)", c.State, c.Reason)
	}
}

func cutOff(t *testing.T, w *fetchWorld) {
	w.kubectl(t, "", "-n", "fresh", "patch", "secret", "z1", "-p", `{"stringData":{"k":"w"}}`)
	w.kubectl(t, "", "-n", "fresh", "delete", "secret", "z2")
	id := w.open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	whole := w.fetcher.Remotes
	w.fetcher.Remotes = killer{w.clusters, cancel, nil}
	if err := w.fetcher.Run(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was stopped returned %v", err)
	}
	w.fetcher.Remotes = whole
	if f, _ := w.store.Fetch(t.Context(), id); f.State != inventory.FetchRunning || f.Counts.Gone != 0 {
		t.Errorf("after it was cut off: %+v", f)
	}
	w.do(t, w.fetcher.Run(t.Context(), id))
	if f, _ := w.store.Fetch(t.Context(), id); f.State != inventory.FetchDone || f.Counts.Gone != 1 || f.Counts.Changed != 1 {
		t.Errorf("at the end: %+v", f)
	}
}

func singles(t *testing.T, w *fetchWorld) {
	f := w.run(t, &inventory.Selection{Secrets: []string{"team-1/release", "team-1/s1", "team-1/never"}, Namespaces: []string{"team-2", "nowhere"}})
	wantFetch(t, f, inventory.FetchDone, inventory.Counts{Total: 32, Added: 30, Skipped: 2})
	if len(f.Problems.First) != 2 || f.Problems.First[0].Namespace != "nowhere" || f.Problems.First[1].Name != "never" {
		t.Errorf("problems %v", f.Problems)
	}
	f = w.run(t, &inventory.Selection{Rule: &inventory.Rule{Namespaces: []string{"team-*"}, Names: []string{"o*n"}, Labels: "tier=own"}})
	if f.Counts.Added != 8 || f.Counts.Unchanged != 30 { // team-2's is there already, and what is stored is kept right
		t.Errorf("rule: %+v", f.Counts)
	}
	w.kubectl(t, "", "-n", "team-1", "delete", "secret", "release")
	if f = w.run(t, nil); f.Counts.Gone != 1 || f.State != inventory.FetchDone || f.Counts.Added != 0 {
		t.Errorf("sync: %+v", f)
	}
}

func noRight(t *testing.T, w *fetchWorld) {
	f := w.run(t, &inventory.Selection{Namespaces: []string{"team-1", "team-3"}})
	if f.State != inventory.FetchDone || f.Counts.Added != 27+1 || len(f.Problems.First) != 1 || f.Problems.First[0].Namespace != "team-3" {
		t.Errorf("%+v", f)
	}
	f = w.run(t, &inventory.Selection{Namespaces: []string{"team-3"}})
	if f.State != inventory.FetchFailed || f.Reason == "" || f.Cure == "" {
		t.Errorf("only namespaces without rights: %+v", f)
	}
	f = w.run(t, &inventory.Selection{All: true})
	if f.State != inventory.FetchDone || f.Counts.Added != 28 || f.Counts.Unchanged != 28 {
		t.Errorf("everything within the scope: %+v", f)
	}
}
