package app

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

// asked counts what a cluster was asked for.
type asked struct {
	*Clusters

	mu                     sync.Mutex
	lists, positions, gets int
}

func (a *asked) Watched(ctx context.Context, id string) (inventory.Watched, error) {
	w, err := a.Clusters.Watched(ctx, id)
	return askedOne{w, a}, err
}

func (a *asked) Remote(ctx context.Context, id string) (inventory.Remote, error) {
	return a.Watched(ctx, id)
}

// times returns the counts so far and begins anew.
func (a *asked) times() (lists, positions, gets int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	lists, positions, gets = a.lists, a.positions, a.gets
	a.lists, a.positions, a.gets = 0, 0, 0
	return lists, positions, gets
}

type askedOne struct {
	inventory.Watched
	of *asked
}

func (a askedOne) count(n *int) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	*n++
}

func (a askedOne) List(ctx context.Context, namespace string, page func([]inventory.Seen) error) error {
	a.count(&a.of.lists)
	return a.Watched.List(ctx, namespace, page)
}

func (a askedOne) Get(ctx context.Context, namespace, name string) (inventory.Seen, error) {
	a.count(&a.of.gets)
	return a.Watched.Get(ctx, namespace, name)
}

func (a askedOne) Position(ctx context.Context, namespace string) (string, error) {
	a.count(&a.of.positions)
	return a.Watched.Position(ctx, namespace)
}

// followWorld is a repository that follows a real cluster.
type followWorld struct {
	*fetchWorld
	asked  *asked
	follow *inventory.Follow
}

func newFollowWorld(t *testing.T, plane *testbed.ControlPlane, scope inventory.Scope) *followWorld {
	t.Helper()
	w := &followWorld{fetchWorld: newFetchWorld(t, plane, scope)}
	w.asked = &asked{Clusters: w.clusters}
	w.fetcher.Remotes = w.asked
	w.follow = &inventory.Follow{Fetcher: w.fetcher, Store: w.store, Remotes: w.asked, Compare: w.fetcher.Run, Lease: 3 * time.Second}
	return w
}

// start follows the cluster until stop is called, which returns what following ended with.
func (w *followWorld) start(t *testing.T, f *inventory.Follow) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx, w.cluster.ID) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = <-ended
		})
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func (w *followWorld) watch(t *testing.T) inventory.Watch {
	t.Helper()
	all, err := w.store.Watches(t.Context(), []string{w.cluster.ID})
	w.do(t, err)
	return all[w.cluster.ID]
}

// until waits for the repository to be as is says.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(end) {
			t.Fatalf("in a minute it did not come to this: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// live waits until changes arrive as they happen.
func (w *followWorld) live(t *testing.T) {
	t.Helper()
	until(t, "the cluster is followed live", func() bool { return w.watch(t).State == inventory.WatchLive })
}

// holds reports whether the repository has a Secret that is there, with the value under the key k.
func (w *followWorld) holds(t *testing.T, namespace, name, value string) bool {
	t.Helper()
	at := w.stored(t, namespace, name)
	if len(at) != 1 || at[0].Gone {
		return false
	}
	return w.data(t, w.secret(t, namespace, name))["k"].Equal(vault.NewValue([]byte(value)))
}

func (w *followWorld) put(t *testing.T, namespace, name, value string) {
	t.Helper()
	w.kubectl(t, object{namespace: namespace, name: name, typ: "Opaque", data: text("k", value)}.manifest(), "apply", "--server-side", "--force-conflicts", "-f", "-")
}

func TestFollowARealCluster(t *testing.T) {
	plane, err := testbed.StartControlPlane(context.Background(), testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, ns := range []string{"shop", "billing"} {
		if _, err := plane.Kubectl(t.Context(), "", "create", "namespace", ns); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("changes arrive, and a restart misses nothing and lists nothing", func(t *testing.T) { arrives(t, plane) })
	t.Run("without the right to all namespaces", func(t *testing.T) { named(t, plane) })
	t.Run("of a rule only what it chooses is read", func(t *testing.T) { chosen(t, plane) })
	t.Run("one follows at a time", func(t *testing.T) { oneAtATime(t, plane) })
	t.Run("a state that the cluster forgot", func(t *testing.T) { forgotten(t, plane) })
	t.Run("an API server that goes and comes", func(t *testing.T) { comesBack(t, plane) })
}

func arrives(t *testing.T, plane *testbed.ControlPlane) {
	w := newFollowWorld(t, plane, inventory.Scope{WholeCluster: true})
	w.put(t, "shop", "first", "1")
	w.run(t, &inventory.Selection{All: true})
	stop := w.start(t, w.follow)
	w.live(t)
	w.asked.times()

	w.put(t, "shop", "second", "1")
	until(t, "a new Secret is there", func() bool { return w.holds(t, "shop", "second", "1") })
	w.put(t, "shop", "second", "2")
	until(t, "a changed value is there", func() bool { return w.holds(t, "shop", "second", "2") })
	w.kubectl(t, "", "-n", "shop", "delete", "secret", "second")
	until(t, "a deleted one is a tombstone", func() bool { return w.stored(t, "shop", "second")[0].Gone })
	before := w.secret(t, "shop", "second")
	w.put(t, "shop", "second", "3")
	until(t, "it is there again", func() bool { return w.holds(t, "shop", "second", "3") })
	if after := w.secret(t, "shop", "second"); after.ID != before.ID || after.UID == before.UID || after.Current != before.Current+1 {
		t.Errorf("the Secret that came again is %+v after %+v", after, before)
	}
	if lists, positions, gets := w.asked.times(); lists+positions+gets > 0 {
		t.Errorf("a live watch listed %d times, asked for %d positions and read %d Secrets", lists, positions, gets)
	}

	if err := stop(); err != nil {
		t.Fatalf("following ended with %v", err)
	}
	w.put(t, "shop", "away", "1")
	w.put(t, "shop", "first", "2")
	w.kubectl(t, "", "-n", "shop", "delete", "secret", "second")
	stop = w.start(t, w.follow)
	until(t, "what happened meanwhile is there", func() bool {
		return w.holds(t, "shop", "away", "1") && w.holds(t, "shop", "first", "2") && w.stored(t, "shop", "second")[0].Gone
	})
	if lists, positions, _ := w.asked.times(); lists+positions > 0 {
		t.Errorf("after a restart it listed %d times and asked for %d positions", lists, positions)
	}

	// What is chosen later is followed too, and what a schedule compares is compared.
	w.do(t, stop())
	w.follow.Every = time.Second
	w.start(t, w.follow)
	until(t, "everything was compared", func() bool { l, _, _ := w.asked.times(); return l > 0 })
}

func named(t *testing.T, plane *testbed.ControlPlane) {
	w := newFollowWorld(t, plane, inventory.Scope{Namespaces: []string{"shop", "billing"}})
	w.run(t, &inventory.Selection{All: true})
	w.start(t, w.follow)
	w.live(t)
	w.put(t, "shop", "named", "1")
	w.put(t, "billing", "named", "2")
	w.put(t, "default", "named", "3")
	until(t, "both namespaces are followed", func() bool { return w.holds(t, "shop", "named", "1") && w.holds(t, "billing", "named", "2") })
	if len(w.stored(t, "default", "named")) > 0 {
		t.Error("a namespace outside of the scope was followed")
	}
}

func chosen(t *testing.T, plane *testbed.ControlPlane) {
	w := newFollowWorld(t, plane, inventory.Scope{WholeCluster: true})
	w.run(t, &inventory.Selection{Rule: &inventory.Rule{Namespaces: []string{"shop"}, Types: []string{"example.com/own"}}})
	w.start(t, w.follow)
	w.live(t)
	w.asked.times()
	w.put(t, "billing", "other", "1")
	w.put(t, "shop", "opaque", "1")
	own := object{namespace: "shop", name: "own", typ: "example.com/own", data: text("k", "own")}
	w.kubectl(t, own.manifest(), "create", "-f", "-")
	until(t, "what the rule chooses is there", func() bool { return w.holds(t, "shop", "own", "own") })
	own.data = text("k", "changed")
	w.kubectl(t, own.manifest(), "replace", "-f", "-")
	until(t, "its change is there", func() bool { return w.holds(t, "shop", "own", "changed") })
	w.kubectl(t, "", "-n", "shop", "delete", "secret", "own")
	until(t, "it is a tombstone", func() bool { return w.stored(t, "shop", "own")[0].Gone })
	if len(w.stored(t, "shop", "opaque"))+len(w.stored(t, "billing", "other")) > 0 {
		t.Error("what the rule does not choose was stored")
	}
	// Whether the opaque one is chosen, only its type tells.
	if lists, _, gets := w.asked.times(); lists > 0 || gets > 3 {
		t.Errorf("%d lists and %d reads for three Secrets of the namespace", lists, gets)
	}
}

func oneAtATime(t *testing.T, plane *testbed.ControlPlane) {
	w := newFollowWorld(t, plane, inventory.Scope{WholeCluster: true})
	w.run(t, &inventory.Selection{Namespaces: []string{"shop"}})
	fetcher := *w.fetcher
	fetcher.Owner = "other"
	other := *w.follow
	other.Fetcher = &fetcher
	stop := w.start(t, w.follow)
	w.live(t)
	if err := other.Run(t.Context(), w.cluster.ID); !errors.Is(err, fault.Conflict) {
		t.Fatalf("a second one follows with %v", err)
	}
	if due, err := w.store.DueWatches(t.Context(), time.Now(), 10); err != nil || len(due) > 0 {
		t.Errorf("due while it is followed: %v, %v", due, err)
	}

	// One that was frozen for longer than its lease stores nothing after another took over.
	late, err := w.store.ClaimWatch(t.Context(), w.cluster.ID, "late", -time.Second)
	if !errors.Is(err, fault.Conflict) {
		t.Fatalf("claimed %+v, %v", late, err)
	}
	w.do(t, stop())
	frozen, err := w.store.ClaimWatch(t.Context(), w.cluster.ID, "frozen", time.Millisecond)
	w.do(t, err)
	time.Sleep(5 * time.Millisecond)
	w.start(t, &other)
	w.live(t)
	if _, err := w.store.FollowSecrets(t.Context(), frozen, inventory.Position{Version: "1"}, nil, nil, fetchHappened("secret.import")); !errors.Is(err, fault.Stale) {
		t.Errorf("the frozen one stored: %v", err)
	}
	if err := w.store.SaveWatch(t.Context(), frozen, time.Minute); !errors.Is(err, fault.Stale) {
		t.Errorf("the frozen one renewed its lease: %v", err)
	}
	w.put(t, "shop", "taken", "1")
	until(t, "the other follows", func() bool { return w.holds(t, "shop", "taken", "1") })
}

func forgotten(t *testing.T, plane *testbed.ControlPlane) {
	w := newFollowWorld(t, plane, inventory.Scope{WholeCluster: true})
	w.put(t, "shop", "kept", "1")
	w.run(t, &inventory.Selection{All: true})
	stop := w.start(t, w.follow)
	w.live(t)
	w.do(t, stop())
	w.put(t, "shop", "kept", "2")
	w.put(t, "shop", "fresh", "1")
	w.do(t, plane.Forget(t.Context()))
	w.asked.times()
	w.start(t, w.follow)
	until(t, "what was missed is there", func() bool { return w.holds(t, "shop", "kept", "2") && w.holds(t, "shop", "fresh", "1") })
	if lists, positions, _ := w.asked.times(); lists != 1 || positions != 1 {
		t.Errorf("it listed %d times and asked for %d positions, want once", lists, positions)
	}
	w.live(t)
	w.put(t, "shop", "fresh", "2")
	until(t, "it goes on", func() bool { return w.holds(t, "shop", "fresh", "2") })
}

func comesBack(t *testing.T, plane *testbed.ControlPlane) {
	w := newFollowWorld(t, plane, inventory.Scope{WholeCluster: true})
	w.put(t, "shop", "survivor", "1")
	w.run(t, &inventory.Selection{All: true})
	ended := make(chan error, 1)
	go func() { ended <- w.follow.Run(t.Context(), w.cluster.ID) }()
	w.live(t)
	plane.KillAPIServer()
	w.do(t, <-ended)
	down := w.watch(t)
	if down.State != inventory.WatchWaiting || down.NotBefore.Before(down.Since) || !strings.Contains(down.Reason, "could not be reached") && !strings.Contains(down.Reason, "broke off") {
		t.Errorf("without an API server the watch is %+v", down)
	}
	for tries := range 3 { // nobody answers, and each time it waits longer
		w.do(t, w.follow.Run(t.Context(), w.cluster.ID))
		if now := w.watch(t); now.Tries != int64(tries)+2 {
			t.Errorf("after %d tries: %+v", tries+2, now)
		}
	}
	if c, err := w.store.Cluster(t.Context(), w.cluster.ID); err != nil || c.State != inventory.ClusterUnreachable {
		t.Errorf("the cluster is %s, %v", c.State, err)
	}
	w.do(t, plane.RestartAPIServer(t.Context()))
	w.put(t, "shop", "survivor", "2")
	w.start(t, w.follow)
	until(t, "it goes on", func() bool { return w.holds(t, "shop", "survivor", "2") })
	w.live(t)
	if c, err := w.store.Cluster(t.Context(), w.cluster.ID); err != nil || c.State != inventory.ClusterConnected {
		t.Errorf("the cluster is %s, %v", c.State, err)
	}
}
