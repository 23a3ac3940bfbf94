package rotation

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// kept fails the test when the value that the target accepts is not in the vault, or a key that is not ours changed.
func (w *world) kept(when string) {
	w.t.Helper()
	found := false
	for n := range w.versions {
		found = found || w.plain(n) == w.accepted
	}
	if !found {
		w.t.Errorf("%s: the target accepts a value that the vault does not have", when)
	}
	for name, s := range w.secrets {
		if has := s.data["password"]; w.run.Strategy == Overlap && has != w.accepted && has != w.also {
			w.t.Errorf("%s: what reads %s cannot log in", when, name)
		}
		if s.data["other"] != "stays" {
			w.t.Errorf("%s: %s: a key that is not mapped was changed", when, name)
		}
	}
}

// turned fails the test when the run did not end with the new value everywhere.
func (w *world) turned(when string) {
	w.t.Helper()
	if w.run.State != Finished || w.run.Step != Done {
		w.t.Fatalf("%s: ended as %s after %s: %s", when, w.run.State, w.run.Step, w.run.Reason)
	}
	if got := w.plain(w.run.New); got != w.accepted || w.versions[w.run.New].stage != "current" {
		w.t.Errorf("%s: current is %q (%s), the target accepts %q", when, got, w.versions[w.run.New].stage, w.accepted)
	}
	if w.versions[1].stage != "retired" {
		w.t.Errorf("%s: the old version is %s", when, w.versions[1].stage)
	}
	if w.also != "" {
		w.t.Errorf("%s: the target still accepts the old value", when)
	}
	for name, s := range w.secrets {
		if s.data["password"] != w.accepted {
			w.t.Errorf("%s: %s holds %q", when, name, s.data["password"])
		}
		if got := w.saw[name+":password"]; got != w.accepted {
			w.t.Errorf("%s: the repository was told that %s holds %q", when, name, got)
		}
	}
}

func TestResumeTurnsTheKey(t *testing.T) {
	w := newWorld(t)
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("no fault")
	if w.changes != 1 {
		t.Errorf("the target was changed %d times", w.changes)
	}
}

func TestResumeAfterEveryFault(t *testing.T) {
	calls := []string{
		"store:minted", "store:begin:applied", "store:applied", "store:begin:verified", "store:verified",
		"store:begin:published", "store:writes", "store:published", "store:rolled_out", "store:retired", "store:done",
		"target:change", "target:login", "target:prove", "cluster:read", "cluster:patch", "saw",
	}
	for _, strategy := range []Strategy{Single, Overlap} {
		for _, call := range calls {
			survives(t, strategy, call, fails, lost)
		}
		survives(t, strategy, "target:change", vanished)
	}
	survives(t, Overlap, "store:begin:retired", fails, lost)
	survives(t, Overlap, "target:drop", fails, lost, vanished)
}

// survives injects a fault into one call, in each way, and fails the test unless the run ends well.
func survives(t *testing.T, strategy Strategy, call string, ways ...mode) {
	t.Helper()
	for _, m := range ways {
		w := newWorld(t)
		w.run.Strategy, w.faults[call] = strategy, m
		when := string(strategy) + ", " + call
		switch m {
		case lost:
			when += ", reply lost"
		case vanished:
			when += ", neither arrived nor answered"
		}
		for range 4 {
			_ = w.resume()
			w.kept(when)
		}
		if len(w.faults) != 0 {
			t.Fatalf("%s: the fault was not injected", when)
		}
		w.turned(when)
	}
}

func TestResumeAfterACrashAtEveryPoint(t *testing.T) {
	points := []string{
		"minted:before-store", "minted:stored", "applied:before-effect", "applied:after-effect", "applied:before-store", "applied:stored",
		"verified:before-effect", "verified:after-effect", "verified:before-store", "verified:stored",
		"published:before-store", "published:stored", "rolled_out:before-store", "rolled_out:stored", "retired:before-store", "retired:stored", "done:before-store", "done:stored",
	}
	for _, p := range points {
		outlives(t, Single, p)
		outlives(t, Overlap, p)
	}
	outlives(t, Overlap, "retired:before-effect")
	outlives(t, Overlap, "retired:after-effect")
}

// outlives kills the process at one point and fails the test unless the next one ends the run well.
func outlives(t *testing.T, strategy Strategy, point string) {
	t.Helper()
	w := newWorld(t)
	w.run.Strategy, w.crash = strategy, point
	when := string(strategy) + ", " + point
	if err := w.resume(); err == nil {
		t.Fatalf("%s: did not crash", when)
	}
	w.kept(when)
	if err := w.resume(); err != nil && !w.run.State.Ended() {
		t.Errorf("%s: %v", when, err)
	}
	w.kept(when)
	w.turned(when)
	if w.changes != 1 {
		t.Errorf("%s: the target was changed %d times", when, w.changes)
	}
}

// TestARunThatWaitedAsksForTheOldValueAgain has the target fail over to a copy that takes the old value, while the run is
// away or waits between its proof and its end.
func TestARunThatWaitedAsksForTheOldValueAgain(t *testing.T) {
	for when, meanwhile := range map[string]func(*world){
		"the process was killed": func(w *world) { w.crash = "rolled_out:stored" },
		"it took its time": func(w *world) {
			w.on = func(point string) {
				if point == "rolled_out:stored" {
					time.Sleep(stillRefused)
				}
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			old := w.accepted
			meanwhile(w)
			wait := w.on
			w.on = func(point string) {
				if wait != nil {
					wait(point)
				}
				if point == "verified:stored" {
					w.also = old
				}
			}
			for range 2 {
				_ = w.resume()
			}
			if w.run.State != NeedsAttention || !strings.Contains(w.run.Reason, "still accepts the old value") {
				t.Errorf("%s: the run is %s: %s", when, w.run.State, w.run.Reason)
			}
			w.also = ""
			w.run.State = Queued
			if err := w.resume(); err != nil {
				t.Error(err)
			}
			w.turned(when)
		})
	}
}

func TestAStaleFenceStoresNothing(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	run, err := e.Store.Claim(t.Context(), "run", "test", e.Lease)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Claim(t.Context(), "run", "test", e.Lease); err != nil { // another worker took over
		t.Fatal(err)
	}
	if _, err := e.advance(t.Context(), run); fault.KindOf(err) != fault.Stale {
		t.Errorf("got %v, want stale", err)
	}
	if w.run.Step != Planned || len(w.versions) != 1 {
		t.Errorf("the stale worker stored %+v", w.run)
	}
}

// cutOff is a store that a worker reaches no more once it has begun.
type cutOff struct{ *world }

func (c cutOff) Renew(context.Context, Run, time.Duration) error {
	return fault.New(fault.Unavailable, "the repository does not answer")
}

func TestAWorkerWhoseLeaseHasEndedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, strategy := range []Strategy{Single, Overlap} {
			w := newWorld(t)
			w.run.Strategy = strategy
			e := w.engine()
			e.Store = cutOff{w}
			w.on = func(point string) { // it is held up right before it would send the change, for longer than its lease
				if point == "applied:before-effect" {
					time.Sleep(e.Lease + time.Second)
				}
			}
			_ = e.Resume(t.Context(), "run")
			if w.changes != 0 {
				t.Errorf("%s: a worker that held no lease any more changed the target", strategy)
			}
			w.on = nil
			if err := w.resume(); err != nil {
				t.Fatal(err)
			}
			w.turned(string(strategy))
		}
	})
}

func TestAChangeThatTheTargetHasLostIsMadeAgain(t *testing.T) {
	for name, asked := range map[string]bool{"it did not answer in between": false, "a person resumes the run": true} {
		w := newWorld(t)
		w.crash = "applied:stored"
		_ = w.resume()
		if !asked {
			w.faults["target:prove"] = fails
			if err := w.resume(); err != nil || w.run.State != Waiting {
				t.Fatalf("%s: %s, %v", name, w.run.State, err)
			}
		}
		w.accepted = "old" // a replica took over that had not heard of the change, or somebody set it back
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		if asked {
			if w.run.State != NeedsAttention || w.run.Step != Applied {
				t.Fatalf("%s: %s after %s", name, w.run.State, w.run.Step)
			}
			w.again()
			if err := w.resume(); err != nil {
				t.Fatal(err)
			}
		}
		w.turned(name)
		if w.made != 1 || w.changes != 2 {
			t.Errorf("%s: %d values were made, the target was changed %d times", name, w.made, w.changes)
		}
	}
}

func TestARejectedValueIsMadeAnew(t *testing.T) {
	for _, tt := range []struct {
		rejects int
		want    State
		made    int
	}{{1, Finished, 2}, {2, Finished, 3}, {3, RolledBack, 3}, {9, RolledBack, 3}} {
		w := newWorld(t)
		w.rejects = tt.rejects
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		w.kept("rejected")
		if w.run.State != tt.want || w.made != tt.made {
			t.Errorf("%d rejections: %s after %d values, want %s after %d", tt.rejects, w.run.State, w.made, tt.want, tt.made)
		}
		if tt.want == RolledBack && (w.accepted != "old" || w.versions[1].stage != "current" || w.versions[w.run.New].stage != "retired") {
			t.Errorf("%d rejections: not rolled back: accepts %q, %+v", tt.rejects, w.accepted, w.run)
		}
	}
}

func TestARejectedValueWithNoOtherToFollow(t *testing.T) {
	w := newWorld(t)
	w.policy.History, w.rejects, w.makes = 5, 1, "the only one"
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	const want = "the target refused the change: its policy refused a value, and no other could be made: every value that was made is one of the last 5"
	if w.run.State != RolledBack || w.run.Reason != want || w.run.Cure == "" || w.accepted != "old" {
		t.Errorf("%s: %q, %q", w.run.State, w.run.Reason, w.run.Cure)
	}
}

func TestAFaultOfTheRepositoryDoesNotEndARun(t *testing.T) {
	for name, typed := range map[string]bool{"a typed value is not read": true, "the last values are not read": false} {
		w := newWorld(t)
		w.policy.History = 5
		if typed {
			w.keep(2, "typed by a person", "pending")
			w.run.Typed, w.run.New = true, 2
		}
		w.faults["store:sealed"] = fails
		if err := w.resume(); err == nil || w.run.State.Ended() {
			t.Fatalf("%s: %s (%s), %v", name, w.run.State, w.run.Reason, err)
		}
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		w.turned(name)
	}
}

func TestATypedValueIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	w.keep(2, "typed by a person", "pending")
	w.run.Typed, w.run.New = true, 2
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("typed")
	if w.accepted != "typed by a person" || w.made != 0 {
		t.Errorf("the target accepts %q", w.accepted)
	}
	w = newWorld(t)
	w.keep(2, "typed by a person", "pending")
	w.run.Typed, w.run.New, w.rejects = true, 2, 1
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != RolledBack || w.made != 0 {
		t.Errorf("a rejected typed value: %s, %d made", w.run.State, w.made)
	}
}

func TestBothValuesRefusedNeedsAttention(t *testing.T) {
	w := newWorld(t)
	w.faults["target:change"] = lost
	w.crash = "applied:after-effect"
	_ = w.resume()
	w.accepted = "set by somebody else"
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention || w.made != 1 {
		t.Errorf("%s, %d values made", w.run.State, w.made)
	}
	w.reconciled, w.run.State = true, Queued // the cure that the run named: the very same value is sent by another account
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != Finished || w.made != 1 {
		t.Errorf("with a reconcile account: %s, %s, %d values made", w.run.State, w.run.Reason, w.made)
	}
}

func TestNoAnswerWaitsAndThenNeedsAttention(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.faults["target:change"] = fails
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		want := Waiting
		if i == 4 {
			want = NeedsAttention
		}
		if w.run.State != want || w.run.Reason == "" || w.run.Cure == "" {
			t.Fatalf("try %d: %s: %s / %s", i, w.run.State, w.run.Reason, w.run.Cure)
		}
	}
	if w.accepted != "old" {
		t.Error("changed")
	}
}

func TestAGenericAccountIsStoredAndPublished(t *testing.T) {
	w := newWorld(t)
	w.noRemote = true
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != Finished || w.changes != 0 || w.secrets["c1/s0"].data["password"] != "new1" {
		t.Errorf("%+v", w.run)
	}
}

// TestATargetThatIsAwayForAnHour: it is tried again with growing pauses, then a person is asked, and the run they resume ends
// with the value that was made at first.
func TestATargetThatIsAwayForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine()
		e.MaxTries = 8
		back := time.Now().Add(time.Hour)
		var pauses []time.Duration
		for w.run.State != NeedsAttention {
			w.faults["target:change"] = fails
			w.leased = ""
			if err := e.Resume(t.Context(), "run"); err != nil {
				t.Fatal(err)
			}
			if w.run.State == Waiting {
				pauses = append(pauses, time.Until(w.run.NotBefore))
				time.Sleep(time.Until(w.run.NotBefore))
			}
		}
		for i := 1; i < len(pauses); i++ {
			if pauses[i] < 2*pauses[i-1] {
				t.Errorf("pause %d is %v after %v", i, pauses[i], pauses[i-1])
			}
		}
		if len(pauses) != 7 || w.run.Reason == "" || w.run.Cure == "" || w.accepted != "old" {
			t.Errorf("after %d pauses: %q, %q", len(pauses), w.run.Reason, w.run.Cure)
		}
		w.kept("while it is away")
		time.Sleep(time.Until(back))
		w.again()
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		w.turned("after an hour")
		if w.made != 1 || w.changes != 1 {
			t.Errorf("%d values were made, %d changes", w.made, w.changes)
		}
	})
}
