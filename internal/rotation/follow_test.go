package rotation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
	"github.com/keyturn/keyturn/internal/vault"
)

// under is the engine of w under a policy that a test may change.
func (w *world) under(p *Policy) *Engine {
	e := w.engine()
	e.Policy = func(context.Context, string) (Policy, error) { return *p, nil }
	return e
}

func TestAValueUnderAnOlderPolicyIsMadeAnewUnlessItMayHaveBeenSent(t *testing.T) {
	for name, tt := range map[string]struct {
		crash string // where the process dies before the policy is changed
		made  int
	}{
		"minted, not sent":       {"minted:stored", 2},
		"about to be sent":       {"applied:before-effect", 1},
		"sent, outcome unknown":  {"applied:after-effect", 1},
		"before it is minted":    {"minted:before-store", 2}, // nothing was stored, so a second one is made anyhow
		"applied, policy is old": {"applied:stored", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), &Policy{ID: "p", Rev: 1}
			w.crash = tt.crash
			func() {
				defer func() { _ = recover() }()
				_ = w.under(p).Resume(t.Context(), w.run.ID)
			}()
			p.Rev, w.leased = 2, ""
			if err := w.under(p).Resume(t.Context(), w.run.ID); err != nil {
				t.Fatal(err)
			}
			if w.run.State != Finished || w.made != tt.made {
				t.Errorf("%s after %d values: %s", w.run.State, w.made, w.run.Reason)
			}
			if got := w.plain(w.run.New); got != w.accepted || !strings.HasPrefix(got, "new") {
				t.Errorf("the vault has %q, the target accepts %q", got, w.accepted)
			}
		})
	}
}

func TestARunOfTheSchedulerWaitsForItsWindow(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	p := &Policy{ID: "p", Rules: Rules{Rules: schedule.Rules{Blackouts: []schedule.Blackout{{From: now.Add(-time.Hour), To: now.Add(time.Hour), Why: "freeze"}}}}}
	w.run.StartedBy = scheduler
	if err := w.under(p).Resume(t.Context(), w.run.ID); err != nil {
		t.Fatal(err)
	}
	if w.run.State != Waiting || !w.run.NotBefore.Equal(p.Rules.Blackouts[0].To) || w.run.Reason != "a blackout holds it (freeze)" || w.made > 0 || w.run.Tries > 0 {
		t.Errorf("%+v", w.run)
	}
	p.Rules.Blackouts, w.leased = nil, ""
	if err := w.under(p).Resume(t.Context(), w.run.ID); err != nil || w.run.State != Finished {
		t.Errorf("%s, %v", w.run.State, err)
	}
	byHand := newWorld(t)
	p.Rules.Blackouts = []schedule.Blackout{{From: now.Add(-time.Hour), To: now.Add(time.Hour)}}
	if err := byHand.under(p).Resume(t.Context(), byHand.run.ID); err != nil || byHand.run.State != Finished {
		t.Errorf("by hand: %s, %v", byHand.run.State, err)
	}
}

func TestUsedValues(t *testing.T) {
	w := newWorld(t)
	for n, value := range []string{"old", "older", "gone", "newest"} {
		w.keep(int64(n+1), value, "retired")
	}
	delete(w.versions, 3)
	for value, within := range map[string]int{"newest": 1, "older": 3, "old": 4} {
		for _, n := range []int{within - 1, within} {
			used, err := usedBefore(t.Context(), w, w.ring, "acc", n, vault.NewValue([]byte(value)))
			if err != nil || used != (n == within) {
				t.Errorf("%s is one of the last %d: %v, %v", value, n, used, err)
			}
		}
	}
	p := &Policy{ID: "p", History: 4}
	delete(w.versions, 4)
	w.keep(1, "new1", "retired")
	w.keep(2, "new2", "current")
	w.run.Old, w.accepted = 2, "new2"
	if err := w.under(p).Resume(t.Context(), w.run.ID); err != nil || w.run.State != Finished || w.accepted != "new3" {
		t.Errorf("%s with %q, %v: %s", w.run.State, w.accepted, err, w.run.Reason)
	}
	w = newWorld(t)
	w.keep(1, "new1", "current")
	w.accepted, p.History = "new1", 100
	for n, value := range []string{"new2", "new3"} {
		w.keep(int64(n+2), value, "retired")
	}
	if err := w.under(p).Resume(t.Context(), w.run.ID); err != nil || w.run.State != RolledBack {
		t.Errorf("%s, %v: %s", w.run.State, err, w.run.Reason)
	}
	resets := Resets{Store: nil, Vault: w.ring, Policy: func(context.Context, string) (Policy, error) { return Policy{}, nil },
		CheckValue: func(context.Context, string, Policy, vault.Value) error { return fault.New(fault.Invalid, "too short") }}
	if err := resets.follows(t.Context(), "acc", vault.NewValue([]byte("x"))); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a typed value that breaks the policy: %v", err)
	}
}
