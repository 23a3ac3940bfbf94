package app

import (
	"context"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/rotation"
)

// TestAClockThatIsSetByAnHour: to the repository a clock that was set back is one that stored everything an hour ahead, and
// one that was set forward stored it an hour ago. Either way each account is turned once, none is left out, and of two
// workers only one can store anything.
func TestAClockThatIsSetByAnHour(t *testing.T) {
	const n = 20
	for name, age := range map[string]time.Duration{
		"forward: the values seem an hour older": 25 * time.Hour,
		"back: the values seem an hour younger":  23 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			w, ctx := newTurning(t, n, age), t.Context()
			due := func(in time.Duration) int {
				ids, err := w.plans.Due(ctx, time.Now().Add(in), 2*n)
				w.do(err)
				return len(ids)
			}
			if now, later := due(0), due(61*time.Minute); later != n || now != 0 && age < 24*time.Hour {
				t.Errorf("%d are due now and %d in an hour", now, later)
			}
			if age < 24*time.Hour {
				return
			}
			w.run(2*time.Minute, func() bool { return w.count("run.done") == n })
			if begun, done := w.count("account.reset"), w.count("run.done"); begun != n || done != n || due(23*time.Hour) != 0 || due(25*time.Hour) != n {
				t.Errorf("%d were begun, %d are done; %d are due in 23 hours, %d in 25", begun, done, due(23*time.Hour), due(25*time.Hour))
			}
		})
	}
}

// TestALeaseUnderTwoClocks: a worker whose clock is an hour ahead takes a lease for ended; the one that had it stores nothing
// more.
func TestALeaseUnderTwoClocks(t *testing.T) {
	w, ctx := newTurning(t, 1, time.Hour), t.Context()
	run, err := w.plans.Resets.Start(ctx, identity.System("test"), rotation.Reset{AccountID: w.accounts[0]})
	w.do(err)
	first, err := w.store.Claim(ctx, run.ID, "a", lease)
	w.do(err)
	if _, err := w.store.Claim(ctx, run.ID, "b", lease); fault.KindOf(err) != fault.Conflict {
		t.Fatalf("a second worker under the same clock: %v", err)
	}
	w.do(w.store.Renew(ctx, first, -time.Hour)) // as a clock that is an hour ahead sees it
	if due, err := w.store.DueRuns(ctx, time.Now(), 10); err != nil || len(due) != 1 {
		t.Errorf("%d runs are due: %v", len(due), err)
	}
	second, err := w.store.Claim(ctx, run.ID, "b", lease)
	w.do(err)
	for what, err := range map[string]error{
		"begin": w.store.Begin(ctx, first, rotation.Minted), "renew": w.store.Renew(ctx, first, lease),
		"advance": w.store.Advance(ctx, first, fetchHappened("run.applied")),
	} {
		if fault.KindOf(err) != fault.Stale {
			t.Errorf("the first worker's %s: %v", what, err)
		}
	}
	// b's clock is put back by an hour, or b dies and a's is behind: the lease seems to hold for an hour. Its owner goes on.
	w.do(w.store.Renew(ctx, second, time.Hour))
	w.engine.Owner = "b"
	w.do(w.engine.Resume(context.WithoutCancel(ctx), run.ID))
	if got, err := w.store.Run(ctx, run.ID); err != nil || got.State != rotation.Finished {
		t.Errorf("the run is %s: %v", got.State, err)
	}
}
