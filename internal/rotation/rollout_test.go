package rotation

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

// workload is one that reads a Secret of the model: its pods hold what the key held when they were made.
type workload struct {
	Reader
	reads  string // the Secret
	holds  []string
	marker string
	stuck  string // why its new pods do not become ready
	marks  int
}

func (w *world) withWorkloads() *world {
	w.workloads = map[string]*workload{}
	for i, name := range []string{"api", "worker"} {
		secret := []string{"s0", "s1"}[i]
		w.workloads[name] = &workload{reads: secret, holds: []string{"old", "old"}, Reader: Reader{
			Workload: Workload{"c1", "Deployment", "ns", name, "uid-" + name}, Holds: []Holding{{Secret: secret, Keys: []string{"password"}}}, Wanted: 2}}
	}
	for i := range w.writes {
		w.writes[i].OnWrite = OnWriteRestart
	}
	return w
}

// onTheNewValue fails the test when a pod is left that holds another value than the target accepts.
func (w *world) onTheNewValue(when string) {
	w.t.Helper()
	for name, x := range w.workloads {
		for _, v := range x.holds {
			if v != w.accepted {
				w.t.Errorf("%s: a pod of %s holds %q", when, name, v)
			}
		}
		if x.marks > 1 {
			w.t.Errorf("%s: %s was restarted %d times", when, name, x.marks)
		}
	}
}

func (c clusters) Workloads(context.Context, string) (Workloads, bool, error) {
	return c, c.w.workloads != nil, nil
}

func (c clusters) Readers(_ context.Context, secrets [][2]string) (out Census, err error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.take("cluster:census") != 0 {
		return Census{}, errInjected
	}
	for _, x := range c.w.workloads {
		if slices.Contains(secrets, [2]string{"ns", x.reads}) {
			out.Readers = append(out.Readers, x.Reader)
		}
	}
	return out, nil
}

func (c clusters) Restart(ctx context.Context, at Workload, marker string, names map[string]string) (follow bool, err error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	m := c.w.take("cluster:restart")
	if m == fails || ctx.Err() != nil {
		return true, errInjected
	}
	x := c.w.workloads[at.Name]
	if x == nil || x.UID != at.UID {
		return true, fault.New(fault.NotFound, "gone")
	}
	if x.Refused != "" {
		return true, fault.New(fault.Conflict, "%s", x.Refused)
	}
	x.renamed(names)
	if x.marker != marker {
		x.marker = marker
		x.marks++
		c.w.restarts[at.Name+" "+marker]++
		if s := c.w.secrets["c1/"+x.reads]; x.stuck == "" && s != nil && !at.quiet() {
			x.holds = []string{s.data["password"], s.data["password"]}
		}
	}
	if m == lost {
		return true, errInjected
	}
	return !at.quiet(), nil
}

func (c clusters) Follow(_ context.Context, at Workload, marker string, seen func(Sight) error) (Sight, error) {
	c.w.mu.Lock()
	m, x := c.w.take("cluster:follow"), c.w.workloads[at.Name]
	c.w.mu.Unlock()
	if m != 0 {
		return Sight{}, errInjected
	}
	if x == nil {
		return Sight{Gone: true}, nil
	}
	for x.stuck != "" {
		if err := seen(Sight{Wanted: 2, New: 1, Old: 2, Stuck: x.stuck}); err != nil {
			return Sight{}, err
		}
		time.Sleep(time.Millisecond)
	}
	if err := seen(Sight{Wanted: 2, New: 1, Ready: 1, Old: 1}); err != nil {
		return Sight{}, err
	}
	return Sight{Wanted: 2, New: 2, Ready: 2}, nil
}

func (w *world) Rollouts(context.Context, Run) (known []string, all []Rollout, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.censused), slices.Clone(w.rollouts), nil
}

func (w *world) SaveCensus(_ context.Context, run Run, cluster, _ string, all []Rollout, ev audit.Event) error {
	return w.with("census", run, func() {
		w.censused, w.rollouts = append(w.censused, cluster), append(w.rollouts, all...)
		w.events = append(w.events, ev)
	})
}

func (w *world) SaveRollouts(_ context.Context, run Run, some []Rollout, evs []audit.Event) error {
	return w.with("rollouts", run, func() {
		for _, r := range some {
			for i := range w.rollouts {
				if w.rollouts[i].Workload == r.Workload {
					w.rollouts[i] = r
				}
			}
		}
		w.events = append(w.events, evs...)
	})
}

// again is what a person does who resumes the run.
func (w *world) again() {
	w.run.State, w.run.Tries = Queued, 0
	for i, r := range w.rollouts {
		if r.State == RolloutStuck || r.State == RolloutHeld || r.State == RolloutAsks {
			w.rollouts[i].State, w.rollouts[i].Reason = RolloutToDo, ""
		}
	}
}

func TestWhatReadsTheKeysIsRestartedOnceAndWatched(t *testing.T) {
	for _, call := range []string{"", "cluster:census", "cluster:restart", "cluster:follow", "store:census", "store:rollouts", "store:begin:rolled_out"} {
		for _, m := range []mode{fails, lost} {
			w := newWorld(t).withWorkloads()
			if call != "" {
				w.faults[call] = m
			}
			for range 3 {
				_ = w.resume()
			}
			if len(w.faults) != 0 {
				t.Fatalf("%s: the fault was not injected", call)
			}
			w.turned(call)
			w.onTheNewValue(call)
		}
	}
	for _, point := range []string{"rolled_out:before-census", "rolled_out:census"} {
		w := newWorld(t).withWorkloads()
		w.crash = point
		if err := w.resume(); err == nil {
			t.Fatalf("%s: did not crash", point)
		}
		_ = w.resume()
		w.turned(point)
		w.onTheNewValue(point)
	}
}

func TestARolloutThatIsStuckHoldsTheRun(t *testing.T) {
	w := newWorld(t).withWorkloads()
	w.run.Strategy = Overlap
	w.workloads["worker"].stuck = "2 pods cannot pull their image"
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention || w.run.Step != Published || w.run.Reason != "1 of 2 workloads are not on the new value; first: Deployment ns/worker: 2 pods cannot pull their image" {
		t.Fatalf("%s after %s: %s", w.run.State, w.run.Step, w.run.Reason)
	}
	if w.also == "" {
		t.Error("the old value was dropped while pods hold it")
	}
	w.workloads["worker"].stuck, w.workloads["worker"].holds = "", []string{w.accepted, w.accepted}
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("mended")
	w.onTheNewValue("mended")
}

func TestConsumers(t *testing.T) {
	at := func(name string) Workload { return Workload{"c1", "Deployment", "ns", name, name} }
	write := func(secret, key string, says OnWrite) Write {
		return Write{Namespace: "ns", Name: secret, Key: key, OnWrite: says}
	}
	writes := []Write{write("db", "password", OnWriteRestart), write("db", "quiet", OnWriteNothing), write("asked", "password", OnWriteAsk)}
	holds := func(secret string, keys ...string) []Holding { return []Holding{{Secret: secret, Keys: keys}} }
	for _, tt := range []struct {
		reader Reader
		want   RolloutState // empty: none
	}{
		{Reader{Workload: at("reads"), Holds: holds("db", "password")}, RolloutToDo},
		{Reader{Workload: at("all"), Holds: []Holding{{Secret: "db"}}}, RolloutToDo},
		{Reader{Workload: at("other"), Holds: holds("db", "user")}, ""},
		{Reader{Workload: at("quiet"), Holds: holds("db", "quiet")}, ""},
		{Reader{Workload: at("asked"), Holds: holds("asked", "password")}, RolloutAsks},
		{Reader{Workload: at("both"), Holds: append(holds("asked", "password"), holds("db", "password")...)}, RolloutAsks},
		{Reader{Workload: at("paused"), Holds: holds("db", "password"), Refused: "it is paused", Cure: "resume it"}, RolloutStuck},
		{Reader{Workload: at("cron"), Holds: holds("db", "password"), Later: true}, RolloutSkipped},
		{Reader{Workload: Workload{"c1", "Deployment", "elsewhere", "x", "x"}, Holds: holds("db", "password")}, ""},
	} {
		got := consumers(writes, []Reader{tt.reader}, nil)
		if (len(got) == 0) != (tt.want == "") || len(got) == 1 && got[0].State != tt.want {
			t.Errorf("%s: %+v, want %q", tt.reader.Name, got, tt.want)
		}
	}
}

func TestWhatIsGoneHoldsNothing(t *testing.T) {
	w := newWorld(t).withWorkloads()
	w.workloads["worker"].Refused = "it has no controller that would replace it"
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention {
		t.Fatalf("%s: %s", w.run.State, w.run.Reason)
	}
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention {
		t.Fatalf("it is still there, and the run is %s", w.run.State)
	}
	w.workloads["worker"].UID, w.workloads["worker"].holds = "made after the write", []string{w.accepted}
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("made anew by hand")
}

func TestAMappingThatAsksIsAnsweredByResuming(t *testing.T) {
	w := newWorld(t).withWorkloads()
	for i := range w.writes {
		w.writes[i].OnWrite = OnWriteAsk
	}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention || w.workloads["api"].marks != 0 {
		t.Fatalf("%s: %s", w.run.State, w.run.Reason)
	}
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("answered")
	w.onTheNewValue("answered")
}
