package rotation

import (
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestWhatCanBeRolledBackOrCancelled(t *testing.T) {
	for name, tt := range map[string]struct {
		run              Run
		rollBack, cancel string // the code of the refusal; empty if it can be
	}{
		"just opened":            {Run{State: Queued, Step: Planned, Begun: Planned, Old: 1}, "run-under-way", ""},
		"waits, nothing sent":    {Run{State: Waiting, Step: Minted, Begun: Minted, Old: 1}, "run-unsettled", ""},
		"undoes another":         {Run{State: Queued, Step: Planned, Begun: Planned, Old: 2, Reverts: "r1"}, "run-under-way", "run-reverts"},
		"works":                  {Run{State: Running, Step: Planned, Begun: Planned, Old: 1}, "run-under-way", "run-under-way"},
		"the reply was lost":     {Run{State: NeedsAttention, Step: Minted, Begun: Applied, Old: 1}, "run-unsettled", "run-sent"},
		"not proved":             {Run{State: NeedsAttention, Step: Applied, Begun: Verified, Old: 1}, "run-unsettled", "run-sent"},
		"a cluster is away":      {Run{State: Waiting, Step: Verified, Begun: Published, Old: 1}, "", "run-sent"},
		"a rollout is stuck":     {Run{State: NeedsAttention, Step: Published, Begun: RolledOut, Old: 1}, "", "run-sent"},
		"there was nothing else": {Run{State: NeedsAttention, Step: Published, Begun: RolledOut}, "no-older-value", "run-sent"},
		"done":                   {Run{State: Finished, Step: Done, Begun: Done, Old: 1}, "run-ended", "run-ended"},
	} {
		if got := codeOf(CanRollBack(tt.run)); got != tt.rollBack {
			t.Errorf("%s: roll back: %q, should be %q", name, got, tt.rollBack)
		}
		if got := codeOf(CanCancel(tt.run)); got != tt.cancel {
			t.Errorf("%s: cancel: %q, should be %q", name, got, tt.cancel)
		}
	}
}

func codeOf(err error) string {
	if f := asFault(err); f != nil && f.Kind == fault.Conflict {
		return f.Code
	}
	return ""
}

func TestWhatIsStuckIsGivenUpIfThePolicySaysSoAndNobodyIsLockedOut(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *world)
		want   bool
	}{
		"a rollout is stuck":           {func(*world) {}, true},
		"a key that cannot be written": {func(w *world) { w.secrets["c1/s1"].immutable = true }, true},
		"a later wave is stuck":        {func(w *world) { w.inClusters(Waves{Canary: []string{"prod-eu"}}) }, true},
		"the policy does not say so":   {func(w *world) { w.policy.Rules.OnStuck = "" }, false},
		"the system takes one value":   {func(w *world) { w.run.Strategy = Single }, false},
		"it undoes another run itself": {func(w *world) { w.run.Reverts = "first" }, false},
		"a workload asks":              {func(w *world) { w.workloads["worker"].stuck = ""; w.ask() }, false},
		"a wave waits for its go-ahead": {func(w *world) {
			w.workloads["worker"].stuck = ""
			w.inClusters(Waves{Canary: []string{"prod-eu"}, Pause: PauseAsk})
		}, false},
	} {
		w := newWorld(t).withWorkloads()
		w.run.Strategy, w.policy.Rules.OnStuck = Overlap, OnStuckRollBack
		w.workloads["worker"].stuck = "2 pods cannot pull their image"
		tt.change(w)
		if err := w.resume(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if w.run.State != NeedsAttention || w.run.GivesUp != tt.want {
			t.Errorf("%s: %s (%s), gives up: %v, should be %v", name, w.run.State, w.run.Reason, w.run.GivesUp, tt.want)
		}
	}
}

// ask makes every mapping ask before a restart.
func (w *world) ask() {
	for i := range w.writes {
		w.writes[i].OnWrite = OnWriteAsk
	}
}
