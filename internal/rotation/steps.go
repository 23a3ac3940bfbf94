package rotation

import (
	"context"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// mint makes the run's value, unless a person gave it, and stores it sealed before any target hears of it.
func (e *Engine) mint(ctx context.Context, run Run) (Run, error) {
	policy, err := e.policy(ctx, run)
	if err != nil {
		return run, err
	}
	if run, err = e.await(ctx, run, policy); err != nil {
		return run, err
	}
	target, err := e.target(ctx, run)
	if err != nil {
		return e.unopened(ctx, run, err)
	}
	if run, err = e.mayAlternate(ctx, run, target); err != nil {
		return run, err
	}
	if target.Issues() {
		if run, _, err = e.begin(ctx, run, Minted); err != nil {
			return run, err
		}
		return e.mintIssued(ctx, run, target, policy)
	}
	run.State = Running // nothing is begun: until the value is stored nobody else hears of it
	var value vault.Value
	if run.Typed {
		value, err = e.open(ctx, run, run.New)
	} else {
		value, err = e.generate(ctx, run, target, policy)
	}
	if fault.KindOf(err) == "" && err != nil || unreachable(err) {
		return run, err // the repository's fault says nothing of the policy
	}
	if err != nil {
		return e.stop(ctx, run, RolledBack, "no value could be made: "+reason(err), cure(err, "change the password policy"))
	}
	return e.store(ctx, run, target, policy, value)
}

// store seals value and what is to be sent of it, and records the step minted.
func (e *Engine) store(ctx context.Context, run Run, target Target, policy Policy, value vault.Value) (Run, error) {
	next := run
	next.MadeUnder = policy.Mark()
	if !run.Typed {
		last, err := e.Store.LastVersion(ctx, run.AccountID)
		if err != nil {
			return run, err
		}
		next.New = last + 1
	}
	sealed, err := e.Vault.Seal(vault.Record{Kind: "version", ID: run.AccountID, Version: next.New}, value)
	if err != nil {
		return run, err
	}
	if target.Remote() {
		prepared, err := target.Prepare(value)
		if err != nil {
			return e.stop(ctx, run, RolledBack, "the value cannot be used on this target: "+reason(err), cure(err, "choose another value"))
		}
		if next.Prepared, err = e.Vault.Seal(PreparedRecord(run.ID, next.New), prepared); err != nil {
			return run, err
		}
	}
	next.Mark = vault.MarkOf(e.Vault, value)
	next.Step, next.Begun, next.Tries, next.Minted = Minted, Minted, 0, run.Minted+1
	next.State, next.Reason, next.Cure = Running, "", ""
	e.at("minted:before-store")
	ev := e.event(run, "run.minted").With("version", fmt.Sprint(next.New))
	if err := e.Store.Mint(ctx, next, sealed, ev); err != nil {
		return run, err
	}
	e.at("minted:stored")
	return next, nil
}

// apply makes the target accept the new value. When the effect may have happened before, or its reply is lost, it asks
// the target by logging in; it never assumes.
func (e *Engine) apply(ctx context.Context, run Run) (Run, error) {
	target, err := e.target(ctx, run)
	if err != nil {
		return e.unopened(ctx, run, err)
	}
	if !target.Remote() {
		return e.passed(ctx, run, Applied, "this resource has no remote side")
	}
	if again, after, err := e.outdated(ctx, run, target); again || err != nil {
		return after, err
	}
	next, old, prepared, err := e.values(ctx, run)
	if err != nil {
		return run, err
	}
	run, again, err := e.begin(ctx, run, Applied)
	if err != nil {
		return run, err
	}
	if again || run.Strategy == Alternating && run.Typed { // a login of a pair may have an older value already
		if settled, after, err := e.settle(ctx, run, target, next, old); settled || err != nil {
			return after, err
		}
	}
	e.at("applied:before-effect")
	change := target.Change
	if run.Strategy == Overlap {
		change = target.Add
	}
	outcome, cause := change(ctx, old, next, prepared)
	e.at("applied:after-effect")
	switch outcome {
	case Changed:
		return e.passed(ctx, run, Applied, "")
	case Rejected:
		return e.rejected(ctx, run, target, old, cause)
	case Refused:
		return e.rollBack(ctx, run, target, old, cause)
	case NotSent:
		return e.retry(ctx, run, "the target did not answer, and nothing was sent: "+reason(cause), cure(cause, "bring the target back; the run goes on by itself, or resume it"))
	default:
		if settled, after, err := e.settle(ctx, run, target, next, old); settled || err != nil {
			return after, err
		}
		return e.retry(ctx, run, "the connection broke during the change; the target does not have the new value", "nothing to do: the same value is sent again")
	}
}

// cureOutOfSync is what ends a run of which the target refuses every value.
const cureOutOfSync = "somebody else changed the password: on the target, set it back to the stored value, or give the resource a reconcile account, then resume"

// settle finds out which value the target accepts. It returns settled = false when that is provably not the new one and the
// same change may be sent again: the old one is valid, or there is none, or the change does not need it.
func (e *Engine) settle(ctx context.Context, run Run, target Target, next, old vault.Value) (settled bool, after Run, err error) {
	answer, cause := target.Login(ctx, next)
	switch answer {
	case Accepted:
		after, err = e.passed(ctx, run, Applied, "settled by logging in with the new value")
		return true, after, err
	case NoAnswer:
		after, err = e.retry(ctx, run, "the target accepts the old value or the new one, and does not answer: "+reason(cause), "bring the target back; both values are in the vault")
		return true, after, err
	}
	if run.before() == 0 {
		return false, run, nil
	}
	answer, cause = target.Login(ctx, old)
	switch answer {
	case Accepted:
		return false, run, nil
	case NoAnswer:
		after, err = e.retry(ctx, run, "the target refuses the new value and does not answer for the old one: "+reason(cause), "bring the target back; both values are in the vault")
	default:
		if target.Reconciled() {
			return false, run, nil
		}
		after, err = e.stop(ctx, run, NeedsAttention, "the target refuses the new value and the old one", cureOutOfSync)
	}
	return true, after, err
}

// rejected answers a policy that refused the value: another one is made, three in all.
func (e *Engine) rejected(ctx context.Context, run Run, target Target, old vault.Value, cause error) (Run, error) {
	if run.Typed || run.Minted >= maxMints {
		return e.rollBack(ctx, run, target, old, cause)
	}
	policy, err := e.policy(ctx, run)
	if err != nil {
		return run, err
	}
	value, err := e.generate(ctx, run, target, policy)
	if fault.KindOf(err) == "" && err != nil || unreachable(err) {
		return run, err
	}
	if err != nil {
		return e.rollBack(ctx, run, target, old, fault.New(fault.Invalid, "its policy refused a value, and no other could be made: %s", reason(err)).
			WithCure("%s", cure(err, "change the password policy")))
	}
	return e.store(ctx, run, target, policy, value)
}

// rollBack ends a run whose change was definitely refused, after proving that the old value is still valid.
func (e *Engine) rollBack(ctx context.Context, run Run, target Target, old vault.Value, cause error) (Run, error) {
	why := "the target refused the change: " + reason(cause)
	if run.before() == 0 {
		return e.stop(ctx, run, RolledBack, why, cure(cause, "mend the cause and reset again"))
	}
	switch answer, _ := target.Login(ctx, old); answer {
	case Accepted:
		return e.stop(ctx, run, RolledBack, why, cure(cause, "mend the cause and reset again"))
	case Denied:
		return e.stop(ctx, run, NeedsAttention, why+"; it refuses the stored value too", cureOutOfSync)
	default:
		return e.stop(ctx, run, NeedsAttention, why+"; whether the old value is still valid is not known",
			"bring the target back, then resume")
	}
}

// verify proves the new value by a fresh login. Storing the step makes it the current version.
func (e *Engine) verify(ctx context.Context, run Run) (Run, error) {
	target, err := e.target(ctx, run)
	if err != nil {
		return e.unopened(ctx, run, err)
	}
	if !target.Remote() {
		return e.passed(ctx, run, Verified, "this resource has no remote side: the value is stored, not verified")
	}
	next, old, _, err := e.values(ctx, run)
	if err != nil {
		return run, err
	}
	run, again, err := e.begin(ctx, run, Verified)
	if err != nil {
		return run, err
	}
	e.at("verified:before-effect")
	var oldRefused bool
	answer, cause := NoAnswer, error(nil)
	if run.Strategy == Single {
		answer, oldRefused, cause = target.ProveChange(ctx, old, next)
	} else {
		answer, cause = target.Prove(ctx, next)
	}
	e.at("verified:after-effect")
	switch answer {
	case Accepted:
		run.Proved = true
		if oldRefused {
			run.OldRefused = time.Now()
		}
		return e.passed(ctx, run, Verified, "")
	case Denied:
		if again {
			return e.unapplied(ctx, run)
		}
		return e.stop(ctx, run, NeedsAttention, "the target took the new value but a login with it failed: "+reason(cause),
			cure(cause, "look at the account on the target (locked, expired, not allowed to log in), then resume"))
	default:
		return e.retry(ctx, run, "the new value could not be verified: "+reason(cause), cure(cause, "bring the target back, then resume"))
	}
}

// unapplied takes a run back to before its change: the target took the new value, and when it was asked once more, later or
// because a person wants the run to go on, it refuses it. Somebody has changed the password since, or the target has lost
// the change in a failover of its own. What it accepts is asked by logging in, and the same value is sent again where that
// is right.
func (e *Engine) unapplied(ctx context.Context, run Run) (Run, error) {
	run.Step, run.Begun, run.State = Minted, Applied, Running
	return run, e.Store.Advance(ctx, run, e.event(run, "run.unapplied"))
}

// stillRefused is for how long it need not be asked again whether the old value is refused. A target can take it again when
// it fails over to a copy that has not heard of the change, so that a run which waited asks once more at its end.
const stillRefused = 10 * time.Second

// retire makes the target refuse the old value from now on, and proves it. With one account and one value it does, as soon
// as the new one is set; what is proved then is that nothing else keeps the old one alive.
func (e *Engine) retire(ctx context.Context, run Run) (Run, error) {
	left, err := e.leftovers(ctx, run)
	if err != nil {
		return run, err
	}
	if run, err = e.unnamed(ctx, run, left); err != nil {
		return run, err
	}
	target, err := e.target(ctx, run)
	if err != nil {
		return e.unopened(ctx, run, err)
	}
	if target.Remote() && run.Strategy == Alternating {
		if run, _, err = e.begin(ctx, run, RetiredOld); err != nil {
			return run, err
		}
		return e.keepBoth(ctx, run, target)
	}
	if !target.Remote() || run.Old == 0 {
		return e.retired(ctx, run, "")
	}
	if run.Strategy == Single && time.Since(run.OldRefused) < stillRefused {
		return e.retired(ctx, run, "a login with the old value was refused")
	}
	old, err := e.open(ctx, run, run.Old)
	if err != nil {
		return run, err
	}
	if run, _, err = e.begin(ctx, run, RetiredOld); err != nil {
		return run, err
	}
	if run.Strategy == Overlap && target.Issues() { // its value ends with its Secret
		if run, err = e.forget(ctx, run, left); err != nil {
			return run, err
		}
	}
	if run.Strategy == Overlap {
		if after, err := e.drop(ctx, run, target, old); err != nil {
			return after, err
		}
	}
	switch answer, cause := target.Login(ctx, old); answer {
	case Denied:
		return e.retired(ctx, run, "a login with the old value is refused")
	case Accepted:
		if run.Strategy == Overlap {
			return e.retry(ctx, run, "the target still accepts the old value after it was dropped", "the run goes on by itself, or resume it")
		}
		return e.stop(ctx, run, NeedsAttention, "the target still accepts the old value",
			"look for a second password or a rule that lets every password in, then resume")
	default:
		return e.retry(ctx, run, "whether the old value is refused could not be tried: "+reason(cause), cure(cause, "bring the target back, then resume"))
	}
}

// drop makes the target accept only the new value. An answer that was lost needs no settling: dropping what is gone already
// changes nothing, and the login that follows shows what holds.
func (e *Engine) drop(ctx context.Context, run Run, target Target, old vault.Value) (Run, error) {
	next, _, prepared, err := e.values(ctx, run)
	if err != nil {
		return run, err
	}
	e.at("retired:before-effect")
	outcome, cause := target.Drop(ctx, old, next, prepared)
	e.at("retired:after-effect")
	switch outcome {
	case Changed, Unknown:
		return run, nil
	case NotSent:
		return e.retry(ctx, run, "the target did not answer, and still accepts both values: "+reason(cause), cure(cause, "bring the target back; the run goes on by itself, or resume it"))
	default:
		return e.stop(ctx, run, NeedsAttention, "the target refused to drop the old value: "+reason(cause), cure(cause, "mend the cause, then resume; both values are valid until then"))
	}
}

// values opens the new value, the one that the login had before (empty if there is none) and the prepared text.
func (e *Engine) values(ctx context.Context, run Run) (next, old, prepared vault.Value, err error) {
	if next, err = e.open(ctx, run, run.New); err != nil {
		return
	}
	if run.before() > 0 {
		if old, err = e.open(ctx, run, run.before()); err != nil {
			return
		}
	}
	prepared, err = e.Vault.Open(PreparedRecord(run.ID, run.New), run.Prepared)
	return
}

// unopened answers a target that could not even be found or reached.
func (e *Engine) unopened(ctx context.Context, run Run, err error) (Run, error) {
	if unreachable(err) {
		return e.retry(ctx, run, reason(err), cure(err, "bring it back; the run goes on by itself, or resume it"))
	}
	if fault.KindOf(err) == "" {
		return run, err
	}
	return e.stop(ctx, run, NeedsAttention, reason(err), cure(err, "mend the resource, then resume"))
}

// at names a point at which a test may kill the process or make an effect fail.
func (e *Engine) at(point string) {
	if e.At != nil {
		e.At(point)
	}
}

func reason(err error) string {
	switch f := asFault(err); {
	case f != nil:
		return f.Msg
	case err != nil:
		return "internal error"
	default:
		return "no reason given"
	}
}

func cure(err error, otherwise string) string {
	if f := asFault(err); f != nil && f.Cure != "" {
		return f.Cure
	}
	return otherwise
}
