package rotation

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

func TestPlan(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	made, day := now.Add(-10*24*time.Hour), 24*time.Hour
	rules := func(r schedule.Rules) []Policy {
		return []Policy{{ID: DefaultPolicy, Name: DefaultPolicy, Rules: Rules{Rules: r, Heartbeat: "6h", OnReveal: "1h"}}}
	}
	const because = "no other policy is for this account"
	for name, tt := range map[string]struct {
		policies []Policy
		is       Standing
		want     Plan
	}{
		"nothing is asked for": {nil, Standing{}, Plan{CheckAt: now.Add(day)}},
		"an interval":          {rules(schedule.Rules{Every: "30d"}), Standing{}, Plan{NextAt: made.Add(30 * day), NextWhy: "every 30d", CheckAt: now.Add(6 * time.Hour), OnReveal: time.Hour}},
		"a reveal":             {rules(schedule.Rules{Every: "30d"}), Standing{Asked: now}, Plan{NextAt: now, NextWhy: "the value was revealed", CheckAt: now.Add(6 * time.Hour), OnReveal: time.Hour}},
		"overdue":              {rules(schedule.Rules{MaxAge: "9d"}), Standing{}, Plan{NextAt: made.Add(9 * day), NextWhy: "a value may be 9d old", OverdueAt: made.Add(9 * day), CheckAt: now.Add(6 * time.Hour), OnReveal: time.Hour}},
		"no value":             {rules(schedule.Rules{Every: "1d"}), Standing{Current: -1}, Plan{NextWhy: "no value is stored yet", OnReveal: time.Hour}},
		"under way":            {rules(schedule.Rules{Every: "1d"}), Standing{Busy: true}, Plan{NextWhy: "a reset is under way", OnReveal: time.Hour}},
		"a failure": {rules(schedule.Rules{Every: "1d"}), Standing{Failed: 3, FailedAt: now},
			Plan{NextAt: now.Add(time.Hour), NextWhy: "every 1d; tried again after a failure", CheckAt: now.Add(6 * time.Hour), OnReveal: time.Hour}},
		"failures without end": {rules(schedule.Rules{Every: "1d"}), Standing{Failed: 300, FailedAt: now},
			Plan{NextAt: now.Add(day), NextWhy: "every 1d; tried again after a failure", CheckAt: now.Add(6 * time.Hour), OnReveal: time.Hour}},
		"a zone that is gone": {rules(schedule.Rules{Zone: "Old/Town"}), Standing{}, Plan{NextWhy: "the policy cannot be followed: there is no such time zone"}},
		"a type without logins": {rules(schedule.Rules{Every: "30d"}), Standing{Subject: Subject{ResourceType: "generic"}},
			Plan{NextAt: made.Add(30 * day), NextWhy: "every 30d", OnReveal: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.is.ID, tt.is.MadeAt, tt.is.CheckedAt = "a1", made, now
			tt.is.Current++ // -1 is an account without a value
			tt.want.AccountID, tt.want.PolicyID, tt.want.Because = "a1", DefaultPolicy, because
			got := PlanOf(tt.policies, tt.is, func(typ string) bool { return typ != "generic" }, now)
			spread := cmpopts.EquateApproxTime(3 * time.Hour) // of heartbeats
			if diff := cmp.Diff(tt.want.CheckAt, got.CheckAt, spread); diff != "" || got.CheckAt.Before(tt.want.CheckAt) {
				t.Errorf("checked at %s, want from %s on", got.CheckAt, tt.want.CheckAt)
			}
			got.CheckAt, got.RehearseAt = tt.want.CheckAt, time.Time{} // rehearsals have a test of their own
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhenARunIsRehearsed(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		every      string
		is         Standing
		from, till time.Duration // after now; both 0: never
	}{
		"a new account":         {"", Standing{}, firstRehearsal, firstRehearsal + day/heartbeatSpread},
		"daily":                 {"", Standing{Rehearsed: true}, day, day + day/heartbeatSpread},
		"weekly":                {"7d", Standing{Rehearsed: true}, 7 * day, 8 * day},
		"off":                   {HeartbeatOff, Standing{}, 0, 0},
		"off, and asked for":    {HeartbeatOff, Standing{RehearsalAsked: now.Add(time.Second)}, time.Second, 2 * time.Second},
		"no value":              {"", Standing{Current: -1}, 0, 0},
		"under way":             {"", Standing{Busy: true, RehearsalAsked: now}, 0, 0},
		"a type without logins": {"", Standing{Subject: Subject{ResourceType: "generic"}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tt.is.ID, tt.is.RehearsedAt = "a1", now
			tt.is.Current++
			all := []Policy{{ID: DefaultPolicy, Name: DefaultPolicy, Rules: Rules{Rehearse: tt.every}}}
			at := PlanOf(all, tt.is, func(typ string) bool { return typ != "generic" }, now).RehearseAt
			if never := tt.till == 0; at.IsZero() != never || !never && (at.Before(now.Add(tt.from)) || at.After(now.Add(tt.till))) {
				t.Errorf("at %s", at)
			}
		})
	}
	if err := (Policy{ID: "p", Name: "p", Rules: Rules{Rehearse: "1s"}}).Check(); err == nil {
		t.Error("a rehearsal each second was taken")
	}
}
