package rotation

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// policy returns the policy that applies to the run's account; the zero one where there are none.
func (e *Engine) policy(ctx context.Context, run Run) (Policy, error) {
	if e.Policy == nil {
		return Policy{}, nil
	}
	return e.Policy(ctx, run.AccountID)
}

// await stops a run that the scheduler began, and that waited in the queue until its window had ended, before it makes a
// value.
func (e *Engine) await(ctx context.Context, run Run, policy Policy) (Run, error) {
	if !run.Scheduled() {
		return run, nil
	}
	now := time.Now()
	at, why, err := policy.Opens(now)
	if err != nil || !at.After(now) {
		return run, err
	}
	run.NotBefore = at
	return e.stop(ctx, run, Waiting, why, "nothing to do: it goes on by itself then")
}

// generate makes a value that is none of the last of its account.
func (e *Engine) generate(ctx context.Context, run Run, target Target, policy Policy) (vault.Value, error) {
	for range maxMints {
		value, err := target.Generate(ctx, run.Policy)
		if err != nil {
			return vault.Value{}, err
		}
		used, err := usedBefore(ctx, e.Store, e.Vault, run.AccountID, policy.History, value)
		if err != nil || !used {
			return value, err
		}
		value.Wipe()
	}
	return vault.Value{}, fault.New(fault.Invalid, "every value that was made is one of the last %d", policy.History).
		WithCure("make the values of the policy longer, or its history shorter")
}

// outdated makes the value of a run anew whose policy was changed since, as long as no system can have been told of it.
func (e *Engine) outdated(ctx context.Context, run Run, target Target) (again bool, after Run, err error) {
	if run.Typed || run.Begun != Minted || target.Issues() {
		return false, run, nil
	}
	policy, err := e.policy(ctx, run)
	if err != nil || policy.Mark() == run.MadeUnder {
		return false, run, err
	}
	value, err := e.generate(ctx, run, target, policy)
	if err != nil {
		if fault.KindOf(err) == "" {
			return true, run, err
		}
		after, err = e.stop(ctx, run, RolledBack, "the policy was changed, and no value could be made: "+reason(err), cure(err, "change the password policy"))
		return true, after, err
	}
	remade := run
	remade.Minted-- // this value was never refused
	after, err = e.store(ctx, remade, target, policy, value)
	return true, after, err
}
