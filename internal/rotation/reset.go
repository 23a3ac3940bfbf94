package rotation

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Account is what a reset and a verification need to know of an account.
type Account struct {
	ID, Name   string
	ResourceID string
	Current    int64 // number of the current version; 0 if there is none
	// Strategy is that of its resets; empty for the best that its system can.
	Strategy Strategy
	// Login is the login that the current version belongs to; empty for the account's name. The rest is of a pair.
	Login string
	// Pair is the second login. Spare is the newest version that the login takes which is not in use; 0 if none is known.
	Pair  string
	Spare int64
	// Unsettled is the run that put the current login into use, if it was ended before everybody had it.
	Unsettled string
}

// Idle is the login of a pair that nobody uses. Before any value is known it is the first.
func (a Account) Idle() string {
	if a.Current > 0 && a.Login == "" {
		return a.Pair
	}
	return ""
}

// tell says of each write which user name a reset would put beside the value.
func (a Account) tell(writes []Write) []Write {
	for i := range writes {
		writes[i].User, writes[i].Pair = cmp.Or(a.Idle(), a.Name), a.Strategy == Alternating
	}
	return writes
}

// Beside is the other one.
func (a Account) Beside() string {
	if a.Idle() == "" {
		return a.Pair
	}
	return ""
}

// AccountState is what a login with the stored value showed. The words are those of client/state.
type AccountState string

// The states that a verification can find.
const (
	AccountVerified   AccountState = "verified"
	AccountUnverified AccountState = "unverified"
	AccountOutOfSync  AccountState = "out_of_sync"
)

// Given is where the value of a run comes from when it is not generated.
type Given string

// The sources of a given value.
const (
	GivenTyped    Given = "typed"
	GivenRestored Given = "restored"
)

// ResetStore is what resets and verifications need from storage.
type ResetStore interface {
	EndStore
	ResetAccount(ctx context.Context, accountID string) (Account, error)
	LastVersion(ctx context.Context, accountID string) (int64, error)
	Sealed(ctx context.Context, accountID string, version int64) (vault.Sealed, error)
	// OpenRun stores a new run, with its given value as the pending version run.New. It fails with fault.Conflict while
	// another run of the account is open and with fault.Stale when run.Old is not current any more. The run that it reverts
	// is ended first, and fails it with fault.Conflict when it cannot be rolled back any more. So does a version to restore
	// of a pair that is not of run.Login.
	OpenRun(ctx context.Context, run Run, given Given, sealed vault.Sealed, ev audit.Event) error
	Requeue(ctx context.Context, runID string, ev audit.Event) error
	Run(ctx context.Context, runID string) (Run, error)
	// SetVerified stores what a login with that version showed. It fails with fault.Stale when another is current by now.
	SetVerified(ctx context.Context, accountID string, version int64, state AccountState, reason string, at time.Time, ev audit.Event) error
	Record(ctx context.Context, ev audit.Event) error
}

// Resets starts runs and proves stored values. It may be used by several goroutines at once.
type Resets struct {
	Store   ResetStore
	Vault   Vault
	Targets Targets
	// Wake tells whoever carries runs out that one is due. It must not block.
	Wake func()
	// Policy, if set, returns the policy that applies to an account.
	Policy func(ctx context.Context, accountID string) (Policy, error)
	// CheckValue, if set, fails with fault.Invalid when a typed value does not follow the policy of its account.
	CheckValue func(ctx context.Context, accountID string, policy Policy, value vault.Value) error
	// Agreed fails with fault.Conflict when the world is not what the hash of a plan names.
	Agreed func(ctx context.Context, accountID, hash string) error
}

// Reset asks for one change of a credential: to a generated value, to Value, or to that of an older Version.
type Reset struct {
	AccountID string
	// Policy is how a value is generated, as Target.Generate takes it; empty is the default.
	Policy  string
	Value   *vault.Value
	Version int64
	// Due is set by a schedule: the time at which the account is stored to be due. If that is another by now, somebody else
	// was faster, and Start fails with fault.Stale.
	Due time.Time
	// Repair says that the system does not accept the stored value, so that there is none to keep valid.
	Repair bool
	// Reverts is the run that is ended and whose work this reset undoes; empty for any other.
	Reverts string
	// Plan is the hash of the forecast that the reset is bound to; empty for none. Start fails with fault.Conflict and the
	// code plan-changed when the world is another by now.
	Plan string
	// Why is what the audit log says of a reset that no person asked for.
	Why string
}

// Start stores a run and returns at once; the run goes on by itself, whatever becomes of this process. A given value that
// the target cannot take is refused before anything is stored.
func (s *Resets) Start(ctx context.Context, actor identity.Actor, r Reset) (Run, error) {
	account, err := s.Store.ResetAccount(ctx, r.AccountID)
	if err != nil {
		return Run{}, err
	}
	now := time.Now().UTC()
	run := Run{ID: uuid.Must(uuid.NewV7()).String(), AccountID: account.ID, State: Queued, Step: Planned, Begun: Planned, Old: account.Current,
		Policy: r.Policy, StartedBy: actor, CreatedAt: now, UpdatedAt: now, Due: r.Due, Reverts: r.Reverts, Restores: r.Version, Plan: r.Plan, Strategy: Single}
	switch {
	case account.Strategy == Alternating:
		if run, err = s.alternate(account, run, r); err != nil {
			return Run{}, err
		}
	case !r.Repair:
		if run.Strategy, err = s.strategy(ctx, account); err != nil {
			return Run{}, err
		}
	}
	ev := audit.New(actor, "account.reset", audit.Object{Kind: "account", ID: account.ID, Name: account.Name, Parent: account.ResourceID}).WithRun(run.ID)
	if r.Reverts != "" {
		ev = ev.With("reverts", r.Reverts)
	}
	if run.Strategy == Alternating {
		ev = ev.With("login", cmp.Or(run.Login, account.Name))
	}
	if r.Why != "" {
		ev = ev.With("why", r.Why)
	}
	if r.Plan != "" {
		ev = ev.With("plan", r.Plan)
		if err := s.Agreed(ctx, account.ID, r.Plan); err != nil {
			return Run{}, s.refusedPlan(ctx, ev, err)
		}
	}
	given, sealed := Given(""), vault.Sealed(nil)
	if value, source, err := s.given(ctx, account, r); err != nil {
		return Run{}, err
	} else if value != nil {
		given, run.Typed = source, true
		if run.New, sealed, err = s.seal(ctx, account.ID, *value); err != nil {
			return Run{}, err
		}
		run.Mark = vault.MarkOf(s.Vault, *value)
		ev = ev.With("value", string(source))
	}
	if err := s.Store.OpenRun(ctx, run, given, sealed, ev); err != nil {
		return Run{}, err
	}
	s.Wake()
	return run, nil
}

// refusedPlan records that a reset was not begun, because the world is not what its plan names, and returns why.
func (s *Resets) refusedPlan(ctx context.Context, ev audit.Event, why error) error {
	if f := asFault(why); f != nil && f.Code == PlanChanged {
		if err := s.Store.Record(ctx, ev.Failed(f.Msg)); err != nil {
			return err
		}
	}
	return why
}

// strategy is the account's own; without one the old value stays valid for as long as the system can keep it so. An account
// whose value is not known has none to keep.
func (s *Resets) strategy(ctx context.Context, account Account) (Strategy, error) {
	switch {
	case account.Strategy == Alternating:
		return Alternating, nil
	case account.Strategy == Single || account.Current == 0:
		return Single, nil
	}
	target, err := s.Targets.Open(ctx, account.ID)
	switch {
	case unreachable(err) || fault.KindOf(err) == fault.Conflict: // the run itself will say so, and wait
		return cmp.Or(account.Strategy, Single), nil
	case err != nil:
		return "", err
	case target.Overlaps():
		return Overlap, nil
	default:
		return Single, nil
	}
}

// given returns the value that the request gives, nil if one is to be generated.
func (s *Resets) given(ctx context.Context, account Account, r Reset) (*vault.Value, Given, error) {
	switch {
	case r.Value != nil && r.Version != 0:
		return nil, "", fault.New(fault.Invalid, "a reset takes a value or an older version, not both")
	case r.Value == nil && r.Version == 0:
		return nil, "", s.checkPolicy(ctx, account, r.Policy)
	case r.Version == account.Current && r.Version != 0:
		return nil, "", fault.New(fault.Conflict, "that version is the current one").WithCure("verify the account instead")
	}
	value, source := r.Value, GivenTyped
	if r.Version != 0 {
		sealed, err := s.Store.Sealed(ctx, account.ID, r.Version)
		if err != nil {
			return nil, "", err
		}
		opened, err := s.Vault.Open(vault.Record{Kind: "version", ID: account.ID, Version: r.Version}, sealed)
		if err != nil {
			return nil, "", err
		}
		value, source = &opened, GivenRestored
	}
	if value.Len() == 0 {
		return nil, "", fault.New(fault.Invalid, "the value is empty").WithField("value")
	}
	if source == GivenTyped {
		if err := s.follows(ctx, account.ID, *value); err != nil {
			return nil, "", err
		}
	}
	target, err := s.Targets.Open(ctx, account.ID)
	if err != nil {
		return nil, "", err
	}
	if account.Strategy == Alternating {
		target = target.As(account.Idle())
	}
	if !target.Remote() {
		return value, source, nil
	}
	if err := s.differs(ctx, account, *value); err != nil {
		return nil, "", err
	}
	if _, err := target.Prepare(*value); err != nil {
		return nil, "", fault.New(fault.Invalid, "this system cannot take the value: %s", reason(err)).WithField("value").
			WithCure("%s", cure(err, "choose another value")).WithUnchanged("nothing was changed")
	}
	return value, source, nil
}

// differs fails with fault.Conflict when value is what the account has already, whatever its number: the system could never
// be made to refuse the old value and take the new one, so that the run would not end.
func (s *Resets) differs(ctx context.Context, account Account, value vault.Value) error {
	if account.Current == 0 {
		return nil
	}
	sealed, err := s.Store.Sealed(ctx, account.ID, account.Current)
	if err != nil {
		return err
	}
	current, err := s.Vault.Open(vault.Record{Kind: "version", ID: account.ID, Version: account.Current}, sealed)
	if err != nil {
		return err
	}
	defer current.Wipe()
	if current.Equal(value) {
		return fault.New(fault.Conflict, "that value is the current one").WithCure("verify the account instead").WithUnchanged("nothing was changed")
	}
	return nil
}

// follows checks a typed value against the policy of its account. An older version that is set again need not differ from
// itself.
func (s *Resets) follows(ctx context.Context, accountID string, value vault.Value) error {
	if s.Policy == nil {
		return nil
	}
	policy, err := s.Policy(ctx, accountID)
	if err != nil {
		return err
	}
	if s.CheckValue != nil {
		if err := s.CheckValue(ctx, accountID, policy, value); err != nil {
			return err
		}
	}
	used, err := usedBefore(ctx, s.Store, s.Vault, accountID, policy.History, value)
	if err == nil && used {
		err = fault.New(fault.Invalid, "the value is one of the last %d", policy.History).WithField("value").WithCode("value-used").
			WithCure("choose a value that was not used before, or let one be generated").WithUnchanged("nothing was changed")
	}
	return err
}

// checkPolicy makes a value that nobody sees, so that a policy that nothing can follow is refused now and not by the run.
func (s *Resets) checkPolicy(ctx context.Context, account Account, policy string) error {
	if policy == "" {
		return nil
	}
	target, err := s.Targets.Open(ctx, account.ID)
	if err != nil {
		return err
	}
	_, err = target.Generate(ctx, policy)
	return err
}

func (s *Resets) seal(ctx context.Context, accountID string, value vault.Value) (int64, vault.Sealed, error) {
	last, err := s.Store.LastVersion(ctx, accountID)
	if err != nil {
		return 0, nil, err
	}
	sealed, err := s.Vault.Seal(vault.Record{Kind: "version", ID: accountID, Version: last + 1}, value)
	return last + 1, sealed, err
}

// Resume makes a run that waits or needs attention due at once. It fails with fault.Conflict when it does neither.
func (s *Resets) Resume(ctx context.Context, actor identity.Actor, runID string) (Run, error) {
	run, err := s.Store.Run(ctx, runID)
	if err != nil {
		return Run{}, err
	}
	account, err := s.Store.ResetAccount(ctx, run.AccountID)
	if err != nil {
		return Run{}, err
	}
	ev := audit.New(actor, "run.resume", audit.Object{Kind: "account", ID: account.ID, Name: account.Name, Parent: account.ResourceID}).WithRun(run.ID)
	if err := s.Store.Requeue(ctx, runID, ev); err != nil {
		return Run{}, err
	}
	s.Wake()
	return s.Store.Run(ctx, runID)
}

// Checked is the outcome of a verification.
type Checked struct {
	State        AccountState
	Reason, Cure string
	At           time.Time
}

// Verify logs in with the stored value, and shows that a wrong one is refused. An answer, good or bad, becomes the state of
// the account; no answer leaves the account as it was and is told as unverified.
func (s *Resets) Verify(ctx context.Context, actor identity.Actor, accountID string) (Checked, error) {
	account, err := s.Store.ResetAccount(ctx, accountID)
	if err != nil {
		return Checked{}, err
	}
	ev := audit.New(actor, "account.verify", audit.Object{Kind: "account", ID: account.ID, Name: account.Name, Parent: account.ResourceID})
	out := Checked{State: AccountUnverified, At: time.Now().UTC()}
	target, err := s.Targets.Open(ctx, account.ID)
	switch {
	case err != nil:
		return s.unproved(ctx, out, ev, err)
	case !target.Remote():
		out.Reason, out.Cure = "this resource has no remote side to log in to", "choose a type that can verify"
		return out, s.Store.Record(ctx, ev.Failed(out.Reason))
	case account.Current == 0:
		out.Reason, out.Cure = "no value is stored yet", "store one, or reset the account"
		return out, s.Store.Record(ctx, ev.Failed(out.Reason))
	}
	sealed, err := s.Store.Sealed(ctx, account.ID, account.Current)
	if err != nil {
		return Checked{}, err
	}
	value, err := s.Vault.Open(vault.Record{Kind: "version", ID: account.ID, Version: account.Current}, sealed)
	if err != nil {
		return Checked{}, err
	}
	answer, err := target.As(account.Login).Prove(ctx, value)
	out.At = time.Now().UTC()
	switch answer {
	case Accepted:
		out.State = AccountVerified
		return out, s.Store.SetVerified(ctx, account.ID, account.Current, out.State, "", out.At, ev)
	case Denied:
		out.State, out.Reason = AccountOutOfSync, "the system refuses the stored value: "+reason(err)
		out.Cure = cure(err, "store the real password, or reset the account with a reconcile account")
		return out, s.Store.SetVerified(ctx, account.ID, account.Current, out.State, out.Reason, out.At, ev.With("state", string(out.State)))
	}
	return s.unproved(ctx, out, ev, err)
}

// unproved answers what could not be tried to its end.
func (s *Resets) unproved(ctx context.Context, out Checked, ev audit.Event, err error) (Checked, error) {
	if fault.KindOf(err) == "" && !errors.Is(err, context.Canceled) {
		return Checked{}, err
	}
	out.Reason, out.Cure = reason(err), cure(err, "bring the system back, then verify again")
	return out, s.Store.Record(ctx, ev.Failed(out.Reason))
}
