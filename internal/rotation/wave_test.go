package rotation

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

func (w *world) Waves(context.Context, Run) (map[string]int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.waves), nil
}

func (w *world) SaveWaves(_ context.Context, run Run, waves map[string]int, ev audit.Event) error {
	return w.with("waves", run, func() {
		w.waves, w.run.Wave, w.run.Waves = maps.Clone(waves), run.Wave, run.Waves
		w.events = append(w.events, ev)
	})
}

// inClusters spreads the model's Secrets over three clusters: s0 in prod-eu, s1 in stage, s2 in prod-us.
func (w *world) inClusters(waves Waves) *world {
	w.policy.Rules.Waves = waves
	for i, name := range []string{"prod-eu", "stage", "prod-us"} {
		w.writes[i].ClusterID, w.writes[i].ClusterName = "id-"+name, name
	}
	return w
}

// written returns which Secrets hold another value than the old one.
func (w *world) written() (names []string) {
	for name, s := range w.secrets {
		if s.data["password"] != "old" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTheOrderOfClusters(t *testing.T) {
	clusters := map[string]string{"1": "prod-c", "2": "prod-a", "3": "stage-1", "4": "prod-b", "5": "stage-2"}
	for _, tt := range []struct {
		name  string
		waves Waves
		want  map[string]int
	}{
		{"all at once", Waves{}, map[string]int{"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}},
		{"a canary", Waves{Canary: []string{"stage-*"}}, map[string]int{"3": 1, "5": 1, "1": 2, "2": 2, "4": 2}},
		{"a canary that is not there", Waves{Canary: []string{"test-*"}, Size: "3"}, map[string]int{"2": 1, "4": 1, "1": 1, "3": 2, "5": 2}},
		{"one at a time after the canary, by name", Waves{Canary: []string{"stage-1", "stage-2"}, Size: "1"}, map[string]int{"3": 1, "5": 1, "2": 2, "4": 3, "1": 4}},
		{"a share is rounded up", Waves{Canary: []string{"stage-1"}, Size: "30%"}, map[string]int{"3": 1, "2": 2, "4": 2, "1": 3, "5": 3}},
		{"a small share is one cluster", Waves{Size: "1%"}, map[string]int{"2": 1, "4": 2, "1": 3, "3": 4, "5": 5}},
		{"every cluster is a canary", Waves{Canary: []string{"*"}, Size: "1"}, map[string]int{"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}},
	} {
		got, err := tt.waves.order(clusters)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
	for field, w := range map[string]Waves{"canary": {Canary: []string{"[a"}}, "waveSize": {Size: "0"}, "wavePause": {Pause: "soon"}} {
		err := Policy{Name: "p", Rules: Rules{Waves: w}}.Check()
		if f := asFault(err); f == nil || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if err := (Policy{Name: "p", Rules: Rules{Waves: Waves{Canary: []string{"a*"}, Size: "110%"}}}).Check(); err == nil {
		t.Error("a wave of more than all passes")
	}
}

func TestAWaveBeginsWhenTheOneBeforeIsProved(t *testing.T) {
	w := newWorld(t).withWorkloads().inClusters(Waves{Canary: []string{"stage"}, Size: "1"})
	w.run.Strategy = Overlap
	w.workloads["worker"].stuck = "2 pods cannot pull their image" // it reads s1, in stage
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if got := w.written(); w.run.State != NeedsAttention || w.run.Step != Verified || !slices.Equal(got, []string{"c1/s1"}) || w.also == "" {
		t.Fatalf("%s after %s (%s), written: %v", w.run.State, w.run.Step, w.run.Reason, got)
	}
	if want := "wave 1 of 3: 1 of 1 workloads are not on the new value; first: Deployment ns/worker: 2 pods cannot pull their image"; w.run.Reason != want {
		t.Errorf("it says %q, want %q", w.run.Reason, want)
	}
	w.workloads["worker"].stuck, w.workloads["worker"].holds = "", []string{w.accepted, w.accepted}
	w.secrets["c1/s0"].immutable = true // in prod-eu, the second wave
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if got := w.written(); w.run.State != NeedsAttention || w.run.Wave != 2 || !slices.Equal(got, []string{"c1/s1"}) {
		t.Fatalf("%s in wave %d (%s), written: %v", w.run.State, w.run.Wave, w.run.Reason, got)
	}
	w.secrets["c1/s0"].immutable = false
	w.policy.Rules.Waves = Waves{} // moves nobody
	w.again()
	for i := range w.writes {
		if w.writes[i].State != WriteDone {
			w.writes[i].State = WriteToDo
		}
	}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("mended")
	w.onTheNewValue("mended")
	if w.run.Wave != 3 || w.run.Waves != 3 {
		t.Errorf("wave %d of %d at the end", w.run.Wave, w.run.Waves)
	}
}

func TestAPauseBetweenWaves(t *testing.T) {
	for pause, want := range map[string]State{"ask": NeedsAttention, "30m": Waiting} {
		w := newWorld(t).inClusters(Waves{Canary: []string{"stage"}, Pause: pause})
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		if got := w.written(); w.run.State != want || w.run.Wave != 2 || !slices.Equal(got, []string{"c1/s1"}) {
			t.Fatalf("%s: %s in wave %d (%s), written: %v", pause, w.run.State, w.run.Wave, w.run.Reason, got)
		}
		if left := time.Until(w.run.NotBefore); want == Waiting && (left < 29*time.Minute || left > 30*time.Minute) {
			t.Errorf("it goes on in %v", left)
		}
		w.again()
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		w.turned(pause)
	}
}

func TestWavesAfterEveryFaultAndCrash(t *testing.T) {
	waves := Waves{Canary: []string{"stage"}, Size: "1"}
	for _, call := range []string{"store:waves", "store:verified", "store:writes", "store:census", "store:rollouts", "cluster:census", "cluster:read", "cluster:patch", "cluster:restart", "cluster:follow"} {
		for _, m := range []mode{fails, lost} {
			w := newWorld(t).withWorkloads().inClusters(waves)
			w.run.Strategy, w.faults[call] = Overlap, m
			for range 4 {
				_ = w.resume()
				w.kept(call)
			}
			if len(w.faults) != 0 {
				t.Fatalf("%s: the fault was not injected", call)
			}
			w.turned(call)
			w.onTheNewValue(call)
		}
	}
	for _, point := range []string{"published:before-waves", "published:waves",
		"rolled_out:before-census", "rolled_out:census", "published:before-wave", "published:wave"} {
		w := newWorld(t).withWorkloads().inClusters(waves)
		w.crash = point
		if err := w.resume(); err == nil {
			t.Fatalf("%s: did not crash", point)
		}
		w.kept(point)
		if err := w.resume(); err != nil {
			t.Errorf("%s: %v", point, err)
		}
		w.turned(point)
		w.onTheNewValue(point)
	}
}
