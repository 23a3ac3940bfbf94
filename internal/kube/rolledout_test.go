package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/keyturn/keyturn/internal/fault"
)

// minutes bounds a rollout of a test.
func minutes(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// podMarkers returns the marker of each living pod of an app, asked of the API server by another program.
func podMarkers(t *testing.T, ns, app string) []string {
	t.Helper()
	out := kubectl(t, "", "-n", ns, "get", "pods", "-l", "app="+app, "-o", `jsonpath={range .items[*]}{.metadata.annotations.keyturn\.dev/restarted-by}{"\n"}{end}`)
	return strings.Fields(out)
}

func TestRolledOut(t *testing.T) {
	const ns = "rolled"
	newApps(t, ns, "")
	conn := narrow(t, Scope{Namespaces: []string{ns}, Restart: true})
	for _, w := range apps(ns) {
		restarted, err := conn.Restart(t.Context(), w, "run-1", nil)
		if err != nil {
			t.Fatal(err)
		}
		var seen []Rollout
		got, err := conn.RolledOut(minutes(t), restarted.Workload, "run-1", func(r Rollout) { seen = append(seen, r) })
		if err != nil || got.State != RolledDone || got.Wanted != 3 || got.New != 3 || got.Ready != 3 || got.Old != 0 {
			t.Fatalf("%s: %+v, %v", w, got, err)
		}
		if m := podMarkers(t, ns, w.Name); !slices.Equal(m, []string{"run-1", "run-1", "run-1"}) {
			t.Errorf("%s: pods carry %v", w, m)
		}
		if len(seen) < 2 || seen[0].State != Rolling || seen[len(seen)-1].State != RolledDone {
			t.Errorf("%s: seen %+v", w, seen)
		}
		if got, err := conn.RolledOut(minutes(t), w, "run-0", nil); err != nil || got.State != RolledOvertaken || got.Marker != "run-1" {
			t.Errorf("%s overtaken: %+v, %v", w, got, err)
		}
	}
	t.Run("scaled to zero", func(t *testing.T) {
		for _, w := range apps(ns)[:2] {
			kubectl(t, "", "-n", ns, "scale", string(w.Kind)+"/"+w.Name, "--replicas=0")
			if _, err := conn.Restart(t.Context(), w, "run-2", nil); err != nil {
				t.Fatal(err)
			}
			if got, err := conn.RolledOut(minutes(t), w, "run-2", nil); err != nil || got.State != RolledNothing {
				t.Errorf("%s: %+v, %v", w, got, err)
			}
		}
	})
	t.Run("never there", func(t *testing.T) {
		w := Workload{Kind: KindDeployment, Namespace: ns, Name: "nobody"}
		if got, err := conn.RolledOut(minutes(t), w, "m", nil); err != nil || got.State != RolledGone {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("no right", func(t *testing.T) {
		w := Workload{Kind: KindDeployment, Namespace: "default", Name: "nobody"}
		if _, err := conn.RolledOut(minutes(t), w, "m", nil); code(err) != codeRight {
			t.Errorf("%v", err)
		}
	})
}

// A pod that lingers holds the old value until it is gone.
func TestRolledOutWaitsForTheLastPod(t *testing.T) {
	const ns = "lingering"
	newApps(t, ns, `testbed.keyturn.dev/lingers: "yes"`)
	conn := admin(t)
	w := apps(ns)[0]
	if _, err := conn.Restart(t.Context(), w, "run-1", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	got, err := conn.RolledOut(ctx, w, "run-1", nil)
	if code(err) != "rollout-unfinished" || got.State != Rolling || got.Ready != 3 || got.Old != 3 || got.Ending != 3 {
		t.Fatalf("while old pods end: %+v, %v", got, err)
	}
	if !strings.Contains(err.Error(), "is terminating and still there") {
		t.Errorf("%v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err = conn.RolledOut(minutes(t), w, "run-1", nil); err != nil || got.State != RolledDone {
			t.Errorf("when they are gone: %+v, %v", got, err)
		}
	})
	kubectl(t, "", "-n", ns, "annotate", "pods", "-l", "app=api", "testbed.keyturn.dev/lingers-")
	wg.Wait()
	kubectl(t, "", "-n", ns, "annotate", "pods", "--all", "testbed.keyturn.dev/lingers-")
}

func TestRolledOutSaysWhyItIsStuck(t *testing.T) {
	const ns = "stuck"
	newApps(t, ns, "")
	conn := admin(t)
	for _, tt := range []struct {
		name        string
		w           Workload
		patch, code string
	}{
		{"image", apps(ns)[0], `{"spec":{"template":{"metadata":{"annotations":{"testbed.keyturn.dev/waits":"ImagePullBackOff"}}}}}`, "ImagePullBackOff"},
		{"crash", apps(ns)[1], `{"spec":{"template":{"metadata":{"annotations":{"testbed.keyturn.dev/waits":"CrashLoopBackOff"}}}}}`, "CrashLoopBackOff"},
		{"node", apps(ns)[0], `{"spec":{"template":{"metadata":{"annotations":{"testbed.keyturn.dev/waits":null}},"spec":{"nodeSelector":{"no":"where"}}}}}`, "Unschedulable"},
		{"key", apps(ns)[2], `{"spec":{"template":{"metadata":{"annotations":{"testbed.keyturn.dev/waits":"CreateContainerConfigError"}}}}}`, "CreateContainerConfigError"},
		{"late", apps(ns)[0], `{"spec":{"progressDeadlineSeconds":1}}`, StuckDeadline},
	} {
		kubectl(t, "", "-n", ns, "patch", string(tt.w.Kind), tt.w.Name, "--type=merge", "-p", tt.patch)
		stuckWith(t, conn, tt.w, "run-"+tt.name, tt.code)
	}
	t.Run("quota", func(t *testing.T) {
		kubectl(t, "", "-n", ns, "create", "quota", "none", "--hard=pods=1")
		kubectl(t, "", "-n", ns, "patch", "deployment", "api", "--type=merge", "-p", `{"spec":{"progressDeadlineSeconds":600}}`)
		stuckWith(t, conn, apps(ns)[0], "run-quota", StuckQuota)
	})
}

// stuckWith restarts w and waits until it is said to be stuck for code.
func stuckWith(t *testing.T, conn *Conn, w Workload, marker, code string) {
	t.Helper()
	if _, err := conn.Restart(t.Context(), w, marker, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	last := Rollout{}
	got, err := conn.RolledOut(ctx, w, marker, func(r Rollout) {
		if last = r; slices.ContainsFunc(r.Stuck, func(s Stuck) bool { return s.Code == code && s.Says != "" }) {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || got.State != Rolling || got.Old == 0 {
		t.Errorf("%s: %+v, %v, want %s", w, last, err, code)
	}
}

func TestRolledOutOfWhatGoesAway(t *testing.T) {
	const ns = "going"
	newApps(t, ns, "")
	conn := admin(t)
	for _, tt := range []struct {
		name string
		act  func(w Workload)
		want RolloutState
	}{
		{"overtaken", func(w Workload) {
			if _, err := conn.Restart(t.Context(), w, "run-2", nil); err != nil {
				t.Error(err)
			}
		}, RolledOvertaken},
		{"undone", func(w Workload) {
			kubectl(t, "", "-n", ns, "patch", string(w.Kind), w.Name, "--type=merge", "-p", `{"spec":{"template":{"metadata":{"annotations":{"keyturn.dev/restarted-by":null}}}}}`)
		}, RolledOvertaken},
		{"deleted", func(w Workload) { kubectl(t, "", "-n", ns, "delete", string(w.Kind), w.Name) }, RolledGone},
	} {
		for _, w := range apps(ns) {
			kubectl(t, "", "-n", ns, "patch", string(w.Kind), w.Name, "--type=merge", "-p", `{"spec":{"template":{"metadata":{"annotations":{"testbed.keyturn.dev/waits":"ContainerCreating"}}}}}`)
			restarted, err := conn.Restart(t.Context(), w, "run-1", nil)
			if err != nil {
				t.Fatal(err)
			}
			var once sync.Once
			var wg sync.WaitGroup
			got, err := conn.RolledOut(minutes(t), restarted.Workload, "run-1", func(Rollout) { once.Do(func() { wg.Go(func() { tt.act(w) }) }) })
			wg.Wait()
			if err != nil || got.State != tt.want {
				t.Errorf("%s %s: %+v, %v", w, tt.name, got, err)
			}
		}
	}
}

// The API server is killed and started again in the middle of a rollout.
func TestRolledOutOverARestartOfTheAPIServer(t *testing.T) {
	const ns = "outage"
	newApps(t, ns, "")
	conn := narrow(t, Scope{Namespaces: []string{ns}, Restart: true})
	w := apps(ns)[1]
	if _, err := conn.Restart(t.Context(), w, "run-1", nil); err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	var once sync.Once
	type outcome struct {
		r   Rollout
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := conn.RolledOut(minutes(t), w, "run-1", func(Rollout) { once.Do(func() { close(first) }) })
		done <- outcome{r, err}
	}()
	<-first
	plane.KillAPIServer()
	time.Sleep(2 * time.Second)
	if err := plane.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o := <-done; o.err != nil || o.r.State != RolledDone {
		t.Errorf("%+v, %v; the cluster says\n%s", o.r, o.err, kubectl(t, "", "-n", ns, "get", "statefulsets,pods", "-o", "wide"))
	}
	t.Run("and while it is down", func(t *testing.T) {
		plane.KillAPIServer()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := conn.RolledOut(ctx, w, "run-1", nil)
		if err := plane.RestartAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%v", err)
		}
	})
}

// interrupted ends each watch after one event, and at first begins in a past that the API server has forgotten.
type interrupted struct {
	follower
	looks, watches *int
}

func (i interrupted) look(ctx context.Context, c *Conn) (func(*scene), string, error) {
	into, rv, err := i.follower.look(ctx, c)
	if *i.looks++; *i.looks == 1 {
		rv = "1"
	}
	return into, rv, err
}

func (i interrupted) from(ctx context.Context, c *Conn, rv string, out chan<- func(*scene)) (string, error) {
	*i.watches++
	return i.follower.from(ctx, c, rv, out)
}

func TestFollowGoesOn(t *testing.T) {
	const ns = "follow"
	newNamespace(t, ns)
	if err := plane.RestartAPIServer(t.Context()); err != nil { // its cache of the past begins now
		t.Fatal(err)
	}
	conn := admin(t)
	r := rolling{c: conn, w: Workload{Namespace: ns}, what: "follow"}
	looks, watches, events := 0, 0, 0
	inner := r.pods(metav1.ListOptions{}).(stream[podFact])
	open := inner.watch
	inner.watch = func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		w, err := open(ctx, o)
		if err != nil {
			return nil, err
		}
		return watch.Filter(w, func(e watch.Event) (watch.Event, bool) {
			if e.Type == watch.Added || e.Type == watch.Deleted {
				events++
				w.Stop()
			}
			return e, true
		}), nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	changes := make(chan func(*scene))
	ended := make(chan error, 1)
	go func() { ended <- conn.follow(ctx, interrupted{inner, &looks, &watches}, changes) }()
	s, names := scene{}, map[string]bool{}
	for i := 0; len(names) < 5; {
		select {
		case change := <-changes:
			change(&s)
		case <-time.After(50 * time.Millisecond):
			if i < 5 && len(s.pods) == i {
				kubectl(t, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: p%d}, spec: {containers: [{name: a, image: none}]}}", i), "-n", ns, "create", "-f", "-")
				i++
			}
		case <-ctx.Done():
			t.Fatalf("%d pods", len(names))
		}
		for _, p := range s.pods {
			names[p.name] = true
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if looks < 2 || watches < 5 {
		t.Errorf("%d lists, %d watches, %d events", looks, watches, events)
	}
}
