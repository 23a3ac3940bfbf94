package rotation

import (
	"context"
	"slices"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

// nextRun begins the next run of the world's account.
func (w *world) nextRun() {
	w.run = Run{ID: "next", AccountID: "acc", Strategy: Single, State: Queued, Step: Planned, Begun: Planned, Old: w.run.New}
	for i := range w.writes {
		w.writes[i].State = WriteToDo
	}
	w.reads, w.censused, w.rollouts = nil, nil, nil
}

// turnedOnce is a world whose account was turned, so that its Secrets are known.
func turnedOnce(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("first run")
	w.nextRun()
	return w
}

func TestASecretThatIsKnownIsNotReadFirst(t *testing.T) {
	w := newWorld(t)
	for _, want := range [][]string{{"read s0 s1 s2", "read back s0 s1 s2"}, {"read back s0 s1 s2"}} {
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		if w.run.State != Finished {
			t.Fatalf("the run is %s: %s", w.run.State, w.run.Reason)
		}
		if !slices.Equal(w.reads, want) {
			t.Errorf("got %q, want %q", w.reads, want)
		}
		w.nextRun()
	}
}

// TestWhatHasHappenedToAKnownSecretIsSeen changes one Secret after a run, so that what is known of it is wrong.
func TestWhatHasHappenedToAKnownSecretIsSeen(t *testing.T) {
	for name, x := range map[string]struct {
		happens func(w *world, s *secret)
		state   WriteState
		reads   []string
	}{
		"another key has changed": {func(_ *world, s *secret) { s.rv, s.data["other"] = "9", "stays, changed" }, WriteDone, []string{"read s1", "read back s0 s1 s2"}},
		"a controller keeps it": {func(_ *world, s *secret) {
			s.rv, s.owners = "9", map[string]Owner{"password": {Kind: OwnerReconciler, Name: "flux"}}
		}, WriteHands, []string{"read s1", "read back s0 s2"}},
		"it is gone":       {func(w *world, _ *secret) { delete(w.secrets, "c1/s1") }, WriteBlocked, []string{"read s1", "read back s0 s2"}},
		"it was made anew": {func(_ *world, s *secret) { s.uid = "another" }, WriteBlocked, []string{"read s1", "read back s0 s2"}},
		"it is immutable":  {func(_ *world, s *secret) { s.rv, s.immutable = "9", true }, WriteBlocked, []string{"read s1", "read back s0 s2"}},
	} {
		w := turnedOnce(t)
		before := w.secrets["c1/s1"].data["password"]
		x.happens(w, w.secrets["c1/s1"])
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		if got := w.writes[1].State; got != x.state {
			t.Errorf("%s: the key is %s, want %s; the run is %s after %s: %s; %q", name, got, x.state, w.run.State, w.run.Step, w.run.Reason, w.reads)
		}
		if !slices.Equal(w.reads, x.reads) {
			t.Errorf("%s: got %q, want %q", name, w.reads, x.reads)
		}
		if s := w.secrets["c1/s1"]; x.state != WriteDone && s != nil && s.data["password"] != before {
			t.Errorf("%s: it was written", name)
		}
		for _, other := range []string{"c1/s0", "c1/s2"} {
			if w.secrets[other].data["password"] != w.accepted {
				t.Errorf("%s: %s was not written", name, other)
			}
		}
	}
}

// Where the first Secret of a namespace has changed, the others are not tried.
func TestAfterOneMissTheNamespaceIsRead(t *testing.T) {
	w := turnedOnce(t)
	for _, s := range w.secrets {
		s.rv = "9"
	}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("all have changed")
	if want := []string{"read s0 s1 s2", "read back s0 s1 s2"}; !slices.Equal(w.reads, want) {
		t.Errorf("got %q, want %q", w.reads, want)
	}
}

// takenOver is a store whose run another worker takes over, and writes another value, right before this one learns what is
// known of the Secrets.
type takenOver struct{ *world }

func (s takenOver) Writes(ctx context.Context, run Run) ([]Write, error) {
	s.mu.Lock()
	s.leased, s.run.Fence = "another", s.run.Fence+1
	for name, at := range s.secrets {
		at.rv, at.data["password"] = "theirs", "their value"
		s.known[name+":password"] = at.rv
	}
	s.mu.Unlock()
	return s.world.Writes(ctx, run)
}

func TestWhatIsKnownIsWrittenByTheRunsOwnerOnly(t *testing.T) {
	w := turnedOnce(t)
	e := w.engine()
	e.Store = takenOver{w}
	if err := e.Resume(t.Context(), "next"); fault.KindOf(err) != fault.Stale {
		t.Errorf("got %v, want stale", err)
	}
	for name, s := range w.secrets {
		if s.data["password"] != "their value" {
			t.Errorf("%s was written by a worker that had lost the run", name)
		}
	}
}
