package rotation

import (
	"time"

	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

// Standing is what decides what is due of an account.
type Standing struct {
	Subject
	// Current is the number of the current version, 0 if there is none, and MadeAt when it was made.
	Current int64
	MadeAt  time.Time
	// Asked is when a reveal makes the value due; zero if none does.
	Asked time.Time
	// CheckedAt is when a login was last tried, or else when the account was made.
	CheckedAt time.Time
	// RehearsedAt is when a run was last rehearsed, or else when the account was made, and RehearsalAsked when somebody asked
	// for a rehearsal that was not begun yet; zero if nobody did.
	RehearsedAt, RehearsalAsked time.Time
	// Rehearsed is set when there was a rehearsal.
	Rehearsed bool
	// Busy is set while a run of the account has not ended.
	Busy bool
	// Failed counts the runs that the scheduler began for the present value and that were rolled back; FailedAt is when the
	// last of them ended.
	Failed   int64
	FailedAt time.Time
	// Plan is what is stored.
	Plan Plan
}

// Plan is what follows for one account from its policy. It is stored beside the account, and made anew when one of the
// two changes.
type Plan struct {
	AccountID string
	// PolicyID and Because say which policy applies and why.
	PolicyID, Because string
	// NextAt is when the account is due to be changed, zero for never, and NextWhy a clause that says why then.
	NextAt  time.Time
	NextWhy string
	// OverdueAt is from when on the value is older than its policy allows; zero for never.
	OverdueAt time.Time
	// CheckAt is when a login is due to be tried; zero for never.
	CheckAt time.Time
	// RehearseAt is when a run is due to be rehearsed; zero for never.
	RehearseAt time.Time
	// OnReveal is how long after a reveal the value becomes due; zero for never.
	OnReveal time.Duration
}

// PlanOf says what is due of the account at now. It is pure. canVerify reports whether a login to the type of system can be
// tried. A policy that cannot be followed any more, because its time zone is gone, leaves the account alone and says so.
func PlanOf(policies []Policy, s Standing, canVerify func(typ string) bool, now time.Time) Plan {
	applies, because := Select(policies, s.Subject)
	p := Plan{AccountID: s.ID, PolicyID: applies.ID, Because: because}
	rules, err := applies.Rules.timing()
	if err != nil {
		p.NextWhy = "the policy cannot be followed: " + reason(err)
		return p
	}
	p.OnReveal = rules.onReveal
	if !s.Busy {
		p.RehearseAt = s.rehearseAt(rules.rehearse, canVerify(s.ResourceType))
	}
	switch {
	case s.Current == 0:
		p.NextWhy = "no value is stored yet"
		return p
	case s.Busy:
		p.NextWhy = "a reset is under way"
		return p
	}
	facts := schedule.Facts{Account: s.ID, Last: s.MadeAt, Asked: s.Asked, Now: now}
	if s.Failed > 0 {
		facts.Retry = s.FailedAt.Add(retryAfter(s.Failed))
	}
	due := rules.schedule.Next(facts)
	p.NextAt, p.NextWhy, p.OverdueAt = due.At, due.Why, rules.schedule.OverdueAt(s.MadeAt)
	if rules.heartbeat > 0 && canVerify(s.ResourceType) {
		p.CheckAt = s.CheckedAt.Add(rules.heartbeat + schedule.Share(s.ID, rules.heartbeat/heartbeatSpread))
	}
	return p
}

// heartbeatSpread is the part of a heartbeat's interval over which accounts that were made at once are spread.
const heartbeatSpread = 8

// firstRehearsal is how long a new account is left alone, so that it can be mapped and configured.
const firstRehearsal = 10 * time.Minute

// rehearseAt is when a run is to be rehearsed: when somebody asked for it, and where a login can be tried once in every
// interval. Accounts that were made at once are spread, as heartbeats are.
func (s Standing) rehearseAt(every time.Duration, canVerify bool) time.Time {
	switch {
	case !s.RehearsalAsked.IsZero():
		return s.RehearsalAsked
	case every == 0 || !canVerify || s.Current == 0:
		return time.Time{}
	case !s.Rehearsed:
		return s.RehearsedAt.Add(min(firstRehearsal, every) + schedule.Share(s.ID, every/heartbeatSpread))
	}
	return s.RehearsedAt.Add(every + schedule.Share(s.ID, every/heartbeatSpread))
}

// retryAfter is how long a run that was rolled back is not begun again: a quarter of an hour, doubled each time, a day at
// most.
func retryAfter(failed int64) time.Duration {
	return min(15*time.Minute<<min(failed-1, 16), 24*time.Hour)
}
