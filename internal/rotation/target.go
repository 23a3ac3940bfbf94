package rotation

import (
	"context"

	"github.com/keyturn/keyturn/internal/vault"
)

// Outcome is what is known after a change was sent to a target.
type Outcome int

// The outcomes of a change.
const (
	// Unknown: the reply was lost; the target accepts the old value or the new one.
	Unknown Outcome = iota
	// Changed: the target said that it accepts the new value from now on.
	Changed
	// Rejected: the target's policy refused this value, and nothing changed; another value may pass.
	Rejected
	// Refused: the target refused the change itself (login, right, no such account), and nothing changed.
	Refused
	// NotSent: nothing reached the target.
	NotSent
)

// Answer is what a login showed.
type Answer int

// The answers to a login.
const (
	NoAnswer Answer = iota // could not be tried to its end; says nothing
	Accepted
	Denied // definitely refused
)

// Home is the key of a Secret in which a system keeps a value that it has made itself.
type Home struct{ ClusterID, Namespace, Name, Key string }

// Targets finds the system that an account belongs to.
type Targets interface {
	Open(ctx context.Context, accountID string) (Target, error)
}

// Target is one account on its system, as a run needs it. Errors explain an outcome and never carry a value.
type Target interface {
	// Remote reports whether there is a system to change at all; a generic resource has none.
	Remote() bool
	// Reconciled reports whether Change logs in as the resource's reconcile account, so that it works whatever password the
	// account itself has.
	Reconciled() bool
	// Generate makes a value by the policy (a document of the password policy's own; empty is the default) within the
	// target's limits.
	Generate(ctx context.Context, policy string) (vault.Value, error)
	// Prepare computes once what Change sends, such as a SCRAM verifier. The result is as secret as the value.
	Prepare(value vault.Value) (vault.Value, error)
	// Issues reports whether the system makes values itself and keeps each in a Secret of its own, as a cluster does the
	// tokens of ServiceAccounts. Such an account takes as many values as there are Secrets: it always overlaps.
	Issues() bool
	// Home returns where a value that the system made stands. It fails with fault.Invalid when value is none of the account's.
	Home(value vault.Value) (Home, error)
	// Change makes the target accept next. It logs in with the resource's reconcile account, or as the account itself with
	// old. Sending the same prepared text twice leaves the target as sending it once.
	Change(ctx context.Context, old, next, prepared vault.Value) (Outcome, error)
	// Rehearse shows that Change would be let do its work, without changing anything, and says what was shown as one sentence.
	// It logs in as Change does. It fails with the code NotProvable where the system cannot tell.
	Rehearse(ctx context.Context, old vault.Value) (proved string, err error)
	// As returns the same system with another login of the account; empty for the account's name.
	As(login string) Target
	// Compare says in words in which rights and settings this login and another differ; none in nothing. It logs in with the
	// resource's reconcile account, or as this login with value.
	Compare(ctx context.Context, value vault.Value, other string) ([]string, error)
	// Overlaps reports whether the account can take two values at once: whether Add and Drop may be called.
	Overlaps() bool
	// Add makes the target accept next beside old, and Drop makes it accept only next. Both log in as Change does, and both
	// may be repeated.
	Add(ctx context.Context, old, next, prepared vault.Value) (Outcome, error)
	Drop(ctx context.Context, old, next, prepared vault.Value) (Outcome, error)
	// Login logs in once with value.
	Login(ctx context.Context, value vault.Value) (Answer, error)
	// Prove logs in with value, carries out one harmless operation and shows that a random wrong value is refused: Accepted
	// means all of that.
	Prove(ctx context.Context, value vault.Value) (Answer, error)
	// ProveChange is Prove after a change from old to next. Where it can be, the wrong value is old, and oldRefused says that
	// it was refused.
	ProveChange(ctx context.Context, old, next vault.Value) (a Answer, oldRefused bool, err error)
}
