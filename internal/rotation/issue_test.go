package rotation

import (
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/vault"
)

// wasIssued fails the test unless s0-1 holds what the cluster issued in it, and s0 is gone with its value.
func (w *world) wasIssued(when string) {
	w.t.Helper()
	made := w.secrets["c1/s0-1"]
	if made == nil || made.immutable || made.data["password"] != "issued in s0-1" || made.data["other"] != "stays" || made.madeBy != w.run.ID {
		w.t.Fatalf("%s: s0-1 is %+v", when, made)
	}
	if w.made != 1 || w.secrets["c1/s0"] != nil || w.secrets["c1/s0-2"] != nil {
		w.t.Errorf("%s: %d were issued; s0 is %+v, s0-2 %+v", when, w.made, w.secrets["c1/s0"], w.secrets["c1/s0-2"])
	}
	for name, x := range w.workloads {
		if x.names("s0") {
			w.t.Errorf("%s: %s names the old Secret", when, name)
		}
	}
	if api := w.workloads["api"]; api.marks != 1 || api.reads != "s0-1" {
		w.t.Errorf("%s: api was marked %d times and reads %s", when, api.marks, api.reads)
	}
}

func TestATokenIsIssuedOnceWhateverFails(t *testing.T) {
	points := []string{"", "published:before-choice", "published:choice", "minted:before-issue", "minted:issued", "minted:before-store", "minted:stored", "applied:after-effect", "verified:stored",
		"published:before-proof", "published:stored", "rolled_out:census", "rolled_out:before-effect", "rolled_out:after-effect", "rolled_out:before-proof",
		"retired:before-delete", "retired:deleted", "retired:delete-stored", "retired:before-effect", "retired:after-effect", "retired:before-store"}
	for _, point := range points {
		w := newWorld(t).issuing()
		w.dies(point)
		if err := w.resume(); (err == nil) != (point == "") {
			t.Fatalf("%s: %v", point, err)
		}
		if point != "" && w.on != nil {
			t.Fatalf("%s: the run did not come there", point)
		}
		for range 3 {
			if w.run.State.Ended() {
				break
			}
			w.again()
			if err := w.resume(); err != nil {
				t.Fatalf("%s: %v", point, err)
			}
		}
		w.turned(point)
		w.onTheNewValue(point)
		w.wasIssued(point)
	}
	for _, call := range []string{"cluster:reissue", "cluster:read", "cluster:restart", "cluster:delete", "target:login", "target:prove", "target:drop", "store:replacement", "store:minted", "store:writes", "saw"} {
		for _, m := range []mode{fails, lost} {
			w := newWorld(t).issuing()
			w.faults[call] = m
			for range 4 {
				if _ = w.resume(); w.run.State.Ended() {
					break
				}
				w.again()
			}
			w.turned(call)
			w.onTheNewValue(call)
			w.wasIssued(call)
		}
	}
}

// What keeps a token from being issued is found out before anything is made.
func TestNoTokenIsIssuedInVain(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world)
		state  State
		reason string
	}{
		"not mapped": {func(w *world) {
			w.writes = w.writes[1:]
		}, RolledBack, "is not mapped"},
		"another value": {func(w *world) { w.secrets["c1/s0"].data["password"] = "refilled" }, RolledBack, "does not hold the stored value"},
		"no right":      {func(w *world) { w.mayReplace = false }, NeedsAttention, "no right to replace"},
		"kept by a tool": {func(w *world) {
			w.secrets["c1/s0"].owners["other"] = Owner{Kind: OwnerReconciler, Name: "Argo CD", Advice: "leave it out"}
		}, NeedsAttention, "belongs to Argo CD"},
		"readers left alone": {func(w *world) { w.writes[0].OnWrite = OnWriteNothing }, NeedsAttention, "leave alone"},
		"one at a time":      {func(w *world) { w.run.Strategy = Single }, RolledBack, "strategy is single"},
		"no value":           {func(w *world) { w.run.Old, w.run.Strategy = 0, Single }, RolledBack, "no present value"},
	} {
		w := newWorld(t).issuing()
		tt.change(w)
		if err := w.resume(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if w.run.State != tt.state || !strings.Contains(w.run.Reason, tt.reason) || w.run.Cure == "" || w.made != 0 {
			t.Errorf("%s: %d were issued; the run is %s: %s; %s", name, w.made, w.run.State, w.run.Reason, w.run.Cure)
		}
	}
}

// A run that undoes another goes back to the old Secret, as long as that is there.
func TestARunThatUndoesAnotherGoesBackToTheOldToken(t *testing.T) {
	for _, stops := range []string{"verified:stored", "published:stored", "rolled_out:stored"} {
		w := newWorld(t).issuing()
		w.dies(stops)
		if err := w.resume(); err == nil {
			t.Fatalf("%s: the run went on", stops)
		}
		w.run = Run{ID: "back", AccountID: "acc", Strategy: Overlap, State: Queued, Step: Planned, Begun: Planned, Old: w.run.New, New: 1, Typed: true, Restores: 1, Reverts: "run"}
		w.censused, w.rollouts = nil, nil
		for i := range w.writes {
			w.writes[i].State = WriteToDo
		}
		if err := w.resume(); err != nil {
			t.Fatalf("%s: %v", stops, err)
		}
		if w.run.State != Finished || w.secrets["c1/s0"] == nil || w.secrets["c1/s0-1"] != nil || w.workloads["api"].reads != "s0" {
			t.Errorf("%s: the run is %s: %s %s; s0-1 is %+v", stops, w.run.State, w.run.Reason, w.run.Cure, w.secrets["c1/s0-1"])
		}
		for _, write := range w.writes {
			if held := w.secrets["c1/"+write.Name].data["password"]; held != "old" {
				t.Errorf("%s: %s holds %q", stops, write.Name, held)
			}
		}
	}
}

// A token that a run has had issued before it was cancelled is ended by the next.
func TestATokenThatNobodyGotIsEndedByTheNextRun(t *testing.T) {
	w := newWorld(t).issuing()
	w.dies("minted:issued")
	if err := w.resume(); err == nil || w.secrets["c1/s0-1"] == nil {
		t.Fatalf("the run went on: %v", err)
	}
	w.run = Run{ID: "next", AccountID: "acc", Strategy: Overlap, State: Queued, Step: Planned, Begun: Planned, Old: 1}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("the next run")
	if w.secrets["c1/s0"] != nil || w.secrets["c1/s0-1"] != nil || w.secrets["c1/s0-2"] == nil {
		t.Error("s0 or s0-1 is left")
	}
}

func TestAPlanSaysThatATokenIsIssued(t *testing.T) {
	o := outlook()
	o.secret("c1", func(s *Seen) {
		s.Owners["password"] = Owner{Kind: OwnerCluster, Name: "the cluster", Advice: "leave it"}
	})
	view := o.Clusters["c1"]
	view.MayReplace = true
	o.Clusters["c1"] = view
	held := foreseen(t, o)
	if k := held.Keys[0]; k.State != KeyHandsOff {
		t.Errorf("a token of somebody else: %+v", k)
	}
	w := o.Writes[0]
	o.Home = Home{w.ClusterID, w.Namespace, w.Name, w.Key}
	leadOn(o.Writes, o.Home)
	f := foreseen(t, o)
	if k := f.Keys[0]; k.State != KeyInSync || k.Instead != "db-1" || f.Hash == held.Hash {
		t.Errorf("%+v", k)
	}
	o.Home.Name = "another"
	f = foreseen(t, o)
	if i := slices.IndexFunc(f.Warnings, func(w Warning) bool { return w.Code == WarnUnmapped }); i < 0 || !f.Warnings[i].Blocks || f.Warnings[i].Cure == "" {
		t.Errorf("%+v", f.Warnings)
	}
	d := decide([]Write{{Key: "token", to: "ci-1", replace: replaceAllowed, OnWrite: OnWriteRestart}, {Key: "note", OnWrite: OnWriteRestart}},
		Seen{Name: "ci", Data: map[string]vault.Value{}}, true, vault.NewValue([]byte("new")))
	if d.issued() != "" || d.replace || len(d.patch) != 0 || d.writes[1].State != WriteBlocked {
		t.Errorf("a key beside a token: %+v", d)
	}
}
