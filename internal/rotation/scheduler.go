package rotation

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

// How the scheduler works.
const (
	replanAtOnce = 200 // accounts of one transaction
	// mostTurning is how many runs of the scheduler are under way at most; what is due beyond waits for its turn.
	mostTurning = 64
	// checkLease is when a heartbeat that was lost with its process is tried again.
	checkLease = 15 * time.Minute
	// notBegun is when an account whose run could not even be stored is tried again.
	notBegun = 15 * time.Minute
)

var scheduler = identity.System("rotation-scheduler")

// PlanStore keeps what is due of each account.
type PlanStore interface {
	// Standing returns what decides what is due of an account, and all policies.
	Standing(ctx context.Context, accountID string) (Standing, []Policy, error)
	// Replan makes and stores the plans of up to limit accounts whose plan is not there or does not hold any more, and
	// returns of how many. plan must be pure.
	Replan(ctx context.Context, limit int, plan func([]Policy, Standing) Plan) (int, error)
	// DueAccounts returns up to limit accounts that are due to be changed, the longest due first, and only so many that with
	// the scheduler's runs that are under way there are most.
	DueAccounts(ctx context.Context, now time.Time, limit, most int) ([]string, error)
	// Postpone stores that an account that was due at from is due at to. It does nothing when it was due at another time.
	Postpone(ctx context.Context, accountID string, from, to time.Time, why string) error
	// DueChecks returns up to limit accounts whose heartbeat is due.
	DueChecks(ctx context.Context, now time.Time, limit int) ([]string, error)
	// ClaimCheck puts a heartbeat that is due off until until, and reports whether it was due: one caller wins.
	ClaimCheck(ctx context.Context, accountID string, now, until time.Time) (bool, error)
	// Checked stores that a login was tried.
	Checked(ctx context.Context, accountID string, at time.Time) error
}

// Scheduler begins the runs that policies ask for, and tries logins. It has no state of its own: any number of them may
// work on the same repository, be killed or run late, and each change is begun once.
type Scheduler struct {
	Store  PlanStore
	Resets *Resets
	// CanVerify reports whether a login to a type of system can be tried.
	CanVerify func(typ string) bool
	Log       *slog.Logger
}

// Due brings plans up to date and returns up to limit accounts that are due to be changed at now.
func (s *Scheduler) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	for {
		n, err := s.Store.Replan(ctx, replanAtOnce, func(all []Policy, x Standing) Plan { return PlanOf(all, x, s.CanVerify, now) })
		if err != nil {
			return nil, err
		}
		if n < replanAtOnce {
			break
		}
	}
	return s.Store.DueAccounts(ctx, now, limit, mostTurning)
}

// Turn begins the run of an account that is due. One that is not, because its window has ended, a blackout began or the
// policy is another by now, is put off to when it will be.
func (s *Scheduler) Turn(ctx context.Context, accountID string) error {
	now := time.Now()
	x, all, err := s.Store.Standing(ctx, accountID)
	if err != nil || x.Plan.NextAt.IsZero() || x.Plan.NextAt.After(now) {
		return err
	}
	plan := PlanOf(all, x, s.CanVerify, now)
	if plan.NextAt.IsZero() || plan.NextAt.After(now) {
		return s.Store.Postpone(ctx, accountID, x.Plan.NextAt, plan.NextAt, plan.NextWhy)
	}
	_, err = s.Resets.Start(ctx, scheduler, Reset{AccountID: accountID, Due: x.Plan.NextAt, Why: plan.NextWhy})
	if err == nil || ctx.Err() != nil || errors.Is(err, fault.Stale) || errors.Is(err, fault.Conflict) && !unsettled(err) {
		return err
	}
	s.Log.WarnContext(ctx, "a run that is due could not be begun", "account", accountID, "err", err)
	return s.Store.Postpone(ctx, accountID, x.Plan.NextAt, now.Add(notBegun), "it could not be begun: "+reason(err))
}

// Explain returns the policies that are for an account, the one that applies first, and what follows from it at present.
func (s *Scheduler) Explain(ctx context.Context, accountID string) ([]Applies, Plan, error) {
	x, all, err := s.Store.Standing(ctx, accountID)
	if err != nil {
		return nil, Plan{}, err
	}
	return Applying(all, x.Subject), PlanOf(all, x, s.CanVerify, time.Now()), nil
}

// DueChecks returns up to limit accounts whose heartbeat is due at now.
func (s *Scheduler) DueChecks(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return s.Store.DueChecks(ctx, now, limit)
}

// Check tries a login with an account's stored value, if it is due. A definite refusal makes the account out of sync and,
// where the policy allows it, begins a run by the reconcile account; that nothing answered changes nothing.
func (s *Scheduler) Check(ctx context.Context, accountID string) error {
	now := time.Now()
	claimed, err := s.Store.ClaimCheck(ctx, accountID, now, now.Add(checkLease))
	if err != nil || !claimed {
		return err
	}
	x, all, err := s.Store.Standing(ctx, accountID)
	if err != nil || x.Busy {
		return err
	}
	found, err := s.Resets.Verify(ctx, scheduler, accountID)
	if errors.Is(err, fault.Stale) || errors.Is(err, fault.Conflict) {
		return nil // it was changed meanwhile, which proved more than this could
	}
	if err != nil {
		return err
	}
	if err := s.Store.Checked(ctx, accountID, now); err != nil {
		return err
	}
	policy, _ := Select(all, x.Subject)
	if found.State != AccountOutOfSync || !policy.repairs(LoginRefused) {
		return nil
	}
	return s.repair(ctx, accountID)
}

// repair begins a run that sets the account's value by the reconcile account, if its resource has one.
func (s *Scheduler) repair(ctx context.Context, accountID string) error {
	target, err := s.Resets.Targets.Open(ctx, accountID)
	if err != nil || !target.Reconciled() {
		return err
	}
	_, err = s.Resets.Start(ctx, scheduler, Reset{AccountID: accountID, Repair: true, Why: "the system refused the stored value"})
	return err
}
