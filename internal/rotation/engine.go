package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Leases decide who works on a run.
type Leases interface {
	// Claim gives the run to owner for ttl and returns it under a new fence. It fails with fault.Conflict while another
	// owner's lease holds.
	Claim(ctx context.Context, runID, owner string, ttl time.Duration) (Run, error)
	// Renew makes the lease hold for another ttl. It fails with fault.Stale when the run was claimed by somebody else.
	Renew(ctx context.Context, run Run, ttl time.Duration) error
}

// Store keeps runs. Every method that changes something names run.Fence, fails with fault.Stale when the stored fence is
// another one, and commits the event in the same transaction. All may be called by several goroutines at once.
type Store interface {
	Leases
	RolloutStore
	WaveStore
	ReplaceStore
	// Begin stores that the effect of step may be started from now on.
	Begin(ctx context.Context, run Run, step Step) error
	// Mint stores run.New as a pending version with its sealed value, run.Prepared, and the step minted. A pending version
	// of an earlier try of this run becomes retired.
	Mint(ctx context.Context, run Run, sealed vault.Sealed, ev audit.Event) error
	// Advance stores run as it is: step, state, reasons. When the step is verified, run.New becomes current, run.Old
	// previous, and the account verified if run.Proved; when it is retired, run.Old becomes retired, of a pair what its login
	// took before; when the state is rolled back, run.New becomes retired.
	Advance(ctx context.Context, run Run, ev audit.Event) error
	// Writes returns the mapped keys of the run's account, with what this run has stored of each.
	Writes(ctx context.Context, run Run) ([]Write, error)
	// SaveWrites stores what became of some writes, with one event each. Those that are done count for the run in any case;
	// their mappings become in sync unless a later state of the Secret than that of their Proof is stored: then they become
	// what that state shows. Of those that have Moved, that replacement is stored with its uid, and whatever is mapped to the
	// old Secret is mapped to the new one from then on, which the repository was told of.
	SaveWrites(ctx context.Context, run Run, writes []Write, evs []audit.Event) error
	// LastVersion returns the highest number that a version of the account has, retired ones included; 0 if there is none.
	LastVersion(ctx context.Context, accountID string) (int64, error)
	// Sealed returns the sealed value of a version of the run's account.
	Sealed(ctx context.Context, accountID string, version int64) (vault.Sealed, error)
}

// Vault seals and opens, and makes fingerprints by which the repository knows values without opening them.
type Vault interface {
	Fingerprint(vault.Value) vault.Fingerprint
	Seal(vault.Record, vault.Value) (vault.Sealed, error)
	Open(vault.Record, vault.Sealed) (vault.Value, error)
}

// Engine carries runs out. It has no state of its own: all of it is in the Store, so any number of engines may work on
// the same repository.
type Engine struct {
	Store    Store
	Vault    Vault
	Targets  Targets
	Clusters Clusters
	Log      *slog.Logger
	// Owner names this process in leases.
	Owner string
	// Lease is how long a claim holds without being renewed.
	Lease time.Duration
	// MaxTries is how often a step is tried against something that does not answer before the run needs attention.
	MaxTries int
	// StuckFor is how long the restart of a workload may not get on before the run says so, RollFor how long it may take;
	// zero means DefaultStuckFor and DefaultRollFor.
	StuckFor, RollFor time.Duration
	// Saw, if set, is given the Secrets of a cluster as they were read back after they were written, so that the repository
	// has them too. It may be called by several goroutines at once, and again for what it has. Until it succeeds the writes
	// do not count as done.
	Saw func(ctx context.Context, clusterID string, seen []Seen) error
	// Expect, if set, is told of the Secrets of a namespace that are about to be written, and by done that what became of them is stored.
	Expect func(clusterID, namespace string, names []string) (done func())
	// Policy, if set, returns the policy that applies to an account.
	Policy func(ctx context.Context, accountID string) (Policy, error)
	// Agreed, if set, fails with fault.Conflict when the world is not what the hash of a plan names.
	Agreed func(ctx context.Context, accountID, hash string) error
	// At is told each named point that a run passes. It is for tests that kill the process there; nil in production.
	At func(point string)
}

// maxMints is how many values are made for a target whose policy refuses them.
const maxMints = 3

var worker = identity.System("rotation-worker")

// errStop ends Resume without being a failure: the run has been stored in a state that somebody or some time must change.
var errStop = errors.New("the run stops here")

// Resume works on a run until it has ended, waits or needs attention. It may be called at any time, by any process, any
// number of times: whoever holds no lease changes nothing. It returns nil when the run was brought to such a state, and an
// error when it could not be stored; calling it again is always right.
func (e *Engine) Resume(ctx context.Context, runID string) error {
	run, err := e.Store.Claim(ctx, runID, e.Owner, e.Lease)
	if err != nil {
		return fmt.Errorf("resume run %s: %w", runID, err)
	}
	ctx, stop := e.hold(ctx, run)
	defer stop()
	for run.Step != Done && !run.State.Ended() {
		run, err = e.advance(ctx, run)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("run %s after %s: %w", run.ID, run.Step, err)
		}
	}
	return nil
}

// hold renews the run's lease until stop is called, and cancels the returned context when the lease is lost, or has ended
// while it could not be renewed: whoever holds none, because it was frozen or cut off from the repository, must not go on as
// if it were alone.
func (e *Engine) hold(ctx context.Context, run Run) (held context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(e.Lease / 3)
		defer tick.Stop()
		for renewed := time.Now(); ; {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			if time.Since(renewed) >= e.Lease {
				cancel(fault.New(fault.Stale, "the lease ended before it could be renewed").WithCode("lease-lost"))
				return
			}
			began := time.Now()
			err := e.renew(held, run)
			if err == nil {
				renewed = began
			} else if errors.Is(err, fault.Stale) {
				cancel(err)
			} else if held.Err() == nil {
				e.Log.WarnContext(held, "lease not renewed", "run", run.ID, "err", err)
			}
		}
	})
	return held, func() { cancel(nil); done.Wait() }
}

// renew makes the lease hold for its whole time again, if the repository answers soon.
func (e *Engine) renew(ctx context.Context, run Run) error {
	ctx, cancel := context.WithTimeout(ctx, e.Lease/3)
	defer cancel()
	return e.Store.Renew(ctx, run, e.Lease)
}

// advance carries out the step after run.Step and stores it.
func (e *Engine) advance(ctx context.Context, run Run) (Run, error) {
	switch run.Step {
	case Planned:
		if run, err := e.agreed(ctx, run); err != nil {
			return run, err
		}
		return e.mint(ctx, run)
	case Minted:
		return e.apply(ctx, run)
	case Applied:
		return e.verify(ctx, run)
	case Verified:
		return e.publish(ctx, run)
	case Published:
		return e.rollOut(ctx, run)
	case RolledOut:
		return e.retire(ctx, run)
	default:
		return e.passed(ctx, run, Done, "")
	}
}

// begin marks that the effect of step may happen from now on, and reports whether it may have happened before.
func (e *Engine) begin(ctx context.Context, run Run, step Step) (next Run, again bool, err error) {
	again = run.Begun == step
	if err := e.Store.Begin(ctx, run, step); err != nil {
		return run, again, err
	}
	run.Begun = step
	run.State = Running
	return run, again, nil
}

// passed stores that step is reached.
func (e *Engine) passed(ctx context.Context, run Run, step Step, note string) (Run, error) {
	next := run
	next.Step, next.Begun, next.Tries = step, step, 0
	next.State, next.Reason, next.Cure = Running, "", ""
	if step == Done {
		next.State = Finished
	}
	ev := e.event(run, "run."+string(step))
	if note != "" {
		ev = ev.With("note", note)
	}
	e.at(string(step) + ":before-store")
	if err := e.Store.Advance(ctx, next, ev); err != nil {
		return run, err
	}
	e.at(string(step) + ":stored")
	return next, nil
}

// stop stores that the run cannot go on by itself. One that needs attention is rolled back if its account's policy says so
// and that locks nobody out.
func (e *Engine) stop(ctx context.Context, run Run, state State, reason, cure string) (Run, error) {
	if state == NeedsAttention && run.canGiveUp() {
		policy, err := e.policy(ctx, run)
		if err != nil {
			return run, err
		}
		if run.GivesUp = policy.Rules.OnStuck == OnStuckRollBack; run.GivesUp {
			cure = "nothing to do: by the account's policy it is rolled back"
		}
	}
	return e.pause(ctx, run, state, reason, cure)
}

// pause stores that the run waits for somebody or for some time.
func (e *Engine) pause(ctx context.Context, run Run, state State, reason, cure string) (Run, error) {
	run.State, run.Reason, run.Cure = state, reason, cure
	ev := e.event(run, "run."+string(state)).With("reason", reason)
	if err := e.Store.Advance(ctx, run, ev); err != nil {
		return run, err
	}
	return run, errStop
}

// retry stores that the step after run.Step will be tried again later, or, when it was tried often enough, that the run
// needs attention.
func (e *Engine) retry(ctx context.Context, run Run, reason, cure string) (Run, error) {
	run.Tries++
	if run.Tries >= e.MaxTries {
		return e.stop(ctx, run, NeedsAttention, reason, cure)
	}
	run.NotBefore = time.Now().Add(Backoff(run.Tries))
	return e.stop(ctx, run, Waiting, reason, cure)
}

// Backoff returns how long to wait before try number tries+1: one second, doubled each time, five minutes at most.
func Backoff(tries int) time.Duration {
	return min(time.Second<<min(max(tries-1, 0), 16), 5*time.Minute)
}

func (e *Engine) event(run Run, action string) audit.Event {
	ev := audit.New(worker, action, audit.Object{Kind: "account", ID: run.AccountID, Name: run.AccountName})
	ev.Run = run.ID
	if run.Strategy == Alternating {
		ev = ev.With("login", run.user())
	}
	return ev
}

// open returns the plaintext of a version of the run's account.
func (e *Engine) open(ctx context.Context, run Run, version int64) (vault.Value, error) {
	sealed, err := e.Store.Sealed(ctx, run.AccountID, version)
	if err != nil {
		return vault.Value{}, err
	}
	return e.Vault.Open(vault.Record{Kind: "version", ID: run.AccountID, Version: version}, sealed)
}

func asFault(err error) *fault.Error {
	f, _ := errors.AsType[*fault.Error](err)
	return f
}

// unreachable reports whether err says that something did not answer, as against refusing.
func unreachable(err error) bool {
	return errors.Is(err, fault.Unavailable) || errors.Is(err, fault.Throttled)
}
