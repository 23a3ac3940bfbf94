package rotation

import (
	"cmp"
	"context"
	"slices"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

// EndStore ends runs that have not come to their end.
type EndStore interface {
	// CancelRun stores that a run which has sent nothing to its target yet is cancelled; a value that was made for it becomes
	// retired. It fails with fault.Conflict when the run is under way, has sent something or has ended.
	CancelRun(ctx context.Context, run Run, reason string, ev audit.Event) error
	// KeepStuck stores that a run which was to be rolled back without being asked cannot be, and why. It does nothing when the
	// run went on meanwhile.
	KeepStuck(ctx context.Context, run Run, cure string, ev audit.Event) error
}

// canGiveUp reports whether the run can be rolled back without locking anybody out: the system takes both values. A run
// that only has the old one left to retire is none to undo, and one that undoes another is not undone itself.
func (r Run) canGiveUp() bool {
	return (r.Strategy == Overlap || r.Strategy == Alternating) && r.Old != 0 && r.Reverts == "" && (r.Step == Verified || r.Step == Published)
}

// CanRollBack says whether the value before a run's can be set again: its own is in use, and it does not go on by itself.
// Otherwise the error is a fault.Conflict that says why not.
func CanRollBack(run Run) error {
	refused := func(code, why, cure string) error {
		return fault.New(fault.Conflict, "%s", why).WithCode(code).WithCure("%s", cure).WithUnchanged("nothing was changed")
	}
	switch {
	case run.State.Ended():
		return refused("run-ended", "the run has ended", "reset the account to an older version")
	case run.State != Waiting && run.State != NeedsAttention:
		return refused("run-under-way", "the run is under way", "wait until it has ended, waits or needs attention")
	case slices.Index(Steps(), run.Step) < slices.Index(Steps(), Verified):
		return refused("run-unsettled", "which value the system accepts is not proved yet", "resume the run, or cancel it if it has sent nothing")
	case run.Old == 0:
		return refused("no-older-value", "the account had no value before this run", "resume the run, or reset the account to a value of your own")
	}
	return nil
}

// RollBack ends a run that is stopped on its way and starts one that sets the value before it again: through the same
// steps and with the same proofs, and under the same strategy, so that where the system takes both values nobody is locked
// out. The first counts as cancelled until the second is done, and as rolled back from then on. It fails with
// fault.Conflict when CanRollBack does, or somebody else was faster.
func (s *Resets) RollBack(ctx context.Context, actor identity.Actor, runID string) (Run, error) {
	run, err := s.Store.Run(ctx, runID)
	if err != nil {
		return Run{}, err
	}
	if err := CanRollBack(run); err != nil {
		return Run{}, err
	}
	return s.Start(ctx, actor, Reset{AccountID: run.AccountID, Version: run.Old, Reverts: run.ID})
}

// GiveUp rolls a run back that its account's policy does not leave stuck. A run that went on meanwhile is left alone.
func (s *Resets) GiveUp(ctx context.Context, runID string) error {
	run, err := s.Store.Run(ctx, runID)
	if err != nil || !run.GivesUp || run.State != NeedsAttention {
		return err
	}
	_, err = s.Start(ctx, worker, Reset{AccountID: run.AccountID, Version: run.Old, Reverts: run.ID, Why: "the account's policy rolls back what is stuck"})
	if err == nil || fault.KindOf(err) == "" || unreachable(err) {
		return err
	}
	ev := audit.New(worker, "run.kept", audit.Object{Kind: "account", ID: run.AccountID}).WithRun(run.ID).Failed(reason(err))
	return s.Store.KeepStuck(ctx, run, "it could not be rolled back: "+reason(err)+"; "+cure(err, "mend that and roll it back, or resume it"), ev)
}

// codeUnsettled is the code of the fault that alternate fails with.
const codeUnsettled = "pair-unsettled"

func unsettled(err error) bool { f := asFault(err); return f != nil && f.Code == codeUnsettled }

// alternate makes run one of a pair: it sets a value for the login that nobody uses. Where consumers may still hold that one,
// because the run before was ended on its way, only the value that it has may be published again.
func (s *Resets) alternate(account Account, run Run, r Reset) (Run, error) {
	run.Strategy, run.Login, run.Beside, run.Spare = Alternating, account.Idle(), account.Beside(), account.Spare
	if account.Unsettled != "" && (r.Version == 0 || r.Version != account.Spare) {
		return run, fault.New(fault.Conflict, "what reads the Secrets may still use %s: run %s, which was to give it %s, did not come to its end",
			cmp.Or(run.Login, account.Name), account.Unsettled, cmp.Or(run.Beside, account.Name)).WithCode(codeUnsettled).
			WithCure("set version %d again: it changes nothing on the system, and brings everybody to one login", account.Spare).WithUnchanged("nothing was changed")
	}
	return run, nil
}

// CanCancel says whether a run can be given up without a trace: it has sent nothing, is not under way, and undoes no other.
// Otherwise the error is a fault.Conflict that says why not.
func CanCancel(run Run) error {
	refused := func(code, why, cure string) error {
		return fault.New(fault.Conflict, "%s", why).WithCode(code).WithCure("%s", cure).WithUnchanged("nothing was changed")
	}
	switch {
	case run.State.Ended():
		return refused("run-ended", "the run has ended", "nothing is to be done")
	case run.State == Running:
		return refused("run-under-way", "the run is under way", "wait until it has ended, waits or needs attention")
	case run.Begun != Planned && run.Begun != Minted:
		return refused("run-sent", "the new value may have been sent to the system", "resume the run, or roll it back once its value is proved")
	case run.Reverts != "":
		return refused("run-reverts", "it undoes another run, which is left half done without it", "resume the run")
	}
	return nil
}

// Cancel gives up a run that has sent nothing to its target yet. It fails with fault.Conflict when CanCancel does, or a
// worker took the run up meanwhile.
func (s *Resets) Cancel(ctx context.Context, actor identity.Actor, runID string) (Run, error) {
	run, err := s.Store.Run(ctx, runID)
	if err != nil {
		return Run{}, err
	}
	if err := CanCancel(run); err != nil {
		return Run{}, err
	}
	account, err := s.Store.ResetAccount(ctx, run.AccountID)
	if err != nil {
		return Run{}, err
	}
	ev := audit.New(actor, "run.cancel", audit.Object{Kind: "account", ID: account.ID, Name: account.Name, Parent: account.ResourceID}).WithRun(run.ID)
	if err := s.Store.CancelRun(ctx, run, actor.Name+" cancelled it; nothing was sent to the system", ev); err != nil {
		return Run{}, err
	}
	return s.Store.Run(ctx, runID)
}
