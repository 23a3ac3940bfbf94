package rotation

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
	"github.com/keyturn/keyturn/internal/vault"
)

// planned is a store with one account, which is due as plan says.
type planned struct {
	*world
	EndStore
	standing Standing
	policies []Policy
	state    AccountState
	opened   []Run
	checked  int
	refuse   error // of OpenRun
}

func (p *planned) Standing(context.Context, string) (Standing, []Policy, error) {
	return p.standing, p.policies, nil
}

func (p *planned) Replan(context.Context, int, func([]Policy, Standing) Plan) (int, error) {
	return 0, nil
}

func (p *planned) DueAccounts(context.Context, time.Time, int, int) ([]string, error) {
	return []string{p.standing.ID}, nil
}

func (p *planned) Postpone(_ context.Context, _ string, from, to time.Time, why string) error {
	if p.standing.Plan.NextAt.Equal(from) {
		p.standing.Plan.NextAt, p.standing.Plan.NextWhy = to, why
	}
	return nil
}

func (p *planned) DueChecks(context.Context, time.Time, int) ([]string, error) {
	return []string{p.standing.ID}, nil
}

func (p *planned) ClaimCheck(_ context.Context, _ string, now, until time.Time) (bool, error) {
	due := !p.standing.Plan.CheckAt.After(now)
	if due {
		p.standing.Plan.CheckAt = until
	}
	return due, nil
}

func (p *planned) Checked(context.Context, string, time.Time) error { p.checked++; return nil }

func (p *planned) ResetAccount(context.Context, string) (Account, error) {
	return Account{ID: "acc", Name: "app", Current: 1}, nil
}

func (p *planned) OpenRun(_ context.Context, run Run, _ Given, _ vault.Sealed, _ audit.Event) error {
	if p.refuse != nil {
		return p.refuse
	}
	p.opened = append(p.opened, run)
	return nil
}

func (p *planned) Requeue(context.Context, string, audit.Event) error { return nil }

func (p *planned) Run(context.Context, string) (Run, error) { return Run{}, nil }

func (p *planned) SetVerified(_ context.Context, _ string, _ int64, state AccountState, _ string, _ time.Time, _ audit.Event) error {
	p.state = state
	return nil
}

func (p *planned) Record(context.Context, audit.Event) error { return nil }

func newPlanned(t *testing.T, rules Rules) (*planned, *Scheduler) {
	t.Helper()
	now := time.Now()
	p := &planned{world: newWorld(t), policies: []Policy{{ID: DefaultPolicy, Name: DefaultPolicy, Rules: rules}}}
	p.standing = Standing{Subject: Subject{ID: "acc", Name: "app", ResourceType: "postgresql"}, Current: 1, MadeAt: now.Add(-time.Hour), CheckedAt: now.Add(-time.Hour)}
	p.standing.Plan = Plan{AccountID: "acc", NextAt: now.Add(-time.Minute), CheckAt: now.Add(-time.Minute)}
	resets := &Resets{Store: p, Vault: p.ring, Targets: p, Wake: func() {}}
	return p, &Scheduler{Store: p, Resets: resets, CanVerify: func(string) bool { return true }, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func TestAHeartbeatBelievesOnlyADefiniteRefusal(t *testing.T) {
	for name, tt := range map[string]struct {
		accepted   string
		fault      string
		reconciled bool
		allowed    []Failure
		state      AccountState
		runs       int
	}{
		"the value works":                {accepted: "old", reconciled: true, allowed: []Failure{LoginRefused}, state: AccountVerified},
		"the value is refused":           {accepted: "other", reconciled: true, state: AccountOutOfSync},
		"refused, and to be repaired":    {accepted: "other", reconciled: true, allowed: []Failure{LoginRefused}, state: AccountOutOfSync, runs: 1},
		"nobody who could repair it":     {accepted: "other", allowed: []Failure{LoginRefused}, state: AccountOutOfSync},
		"no answer":                      {accepted: "old", fault: "target:prove", reconciled: true, allowed: []Failure{LoginRefused}},
		"no answer, and another by then": {accepted: "other", fault: "target:login", reconciled: true, allowed: []Failure{LoginRefused}},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPlanned(t, Rules{Reconcile: tt.allowed})
			p.accepted, p.reconciled = tt.accepted, tt.reconciled
			if tt.fault != "" {
				p.faults[tt.fault] = fails
			}
			for range 2 { // the second finds that it is not due
				if err := s.Check(t.Context(), "acc"); err != nil {
					t.Fatal(err)
				}
			}
			if p.state != tt.state || len(p.opened) != tt.runs || p.checked != 1 {
				t.Errorf("%q, %d runs, tried %d times", p.state, len(p.opened), p.checked)
			}
			for _, run := range p.opened {
				if !run.Scheduled() || run.Strategy != Single || !run.Due.IsZero() {
					t.Errorf("%+v", run)
				}
			}
		})
	}
}

func TestTurn(t *testing.T) {
	now := time.Now()
	freeze := []schedule.Blackout{{From: now.Add(-time.Hour), To: now.Add(time.Hour)}}
	for name, tt := range map[string]struct {
		rules  schedule.Rules
		busy   bool
		refuse error
		runs   int
		next   time.Time // zero: never; within a second
		fails  bool
	}{
		"due":                      {rules: schedule.Rules{Every: "30m"}, runs: 1, next: now.Add(-time.Minute)},
		"a blackout began":         {rules: schedule.Rules{Every: "30m", Blackouts: freeze}, next: now.Add(time.Hour)},
		"the policy is another":    {rules: schedule.Rules{Every: "2h"}, next: now.Add(time.Hour)},
		"nothing is asked for now": {},
		"under way":                {rules: schedule.Rules{Every: "30m"}, busy: true},
		"somebody else was faster": {rules: schedule.Rules{Every: "30m"}, refuse: fault.New(fault.Stale, "changed"), next: now.Add(-time.Minute), fails: true},
		"it cannot be begun":       {rules: schedule.Rules{Every: "30m"}, refuse: fault.New(fault.Invalid, "no such type"), next: now.Add(notBegun)},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPlanned(t, Rules{Rules: tt.rules})
			p.standing.Busy, p.refuse = tt.busy, tt.refuse
			if err := s.Turn(t.Context(), "acc"); (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if d := p.standing.Plan.NextAt.Sub(tt.next); len(p.opened) != tt.runs || tt.next.IsZero() != p.standing.Plan.NextAt.IsZero() || d.Abs() > time.Minute {
				t.Errorf("%d runs, next %s, want %s", len(p.opened), p.standing.Plan.NextAt, tt.next)
			}
			if tt.runs == 1 && (!p.opened[0].Scheduled() || p.opened[0].Due.IsZero()) {
				t.Errorf("%+v", p.opened[0])
			}
		})
	}
}
