// Package target is what Keyturn knows about the real systems that hold accounts: what each type of system is called,
// which settings it needs, which values it takes, and the few verbs that it can carry out.
//
// A type of system is one package below this one. It implements [Target] and those of [Verifier], [Preparer], [Changer],
// [Overlapper] and [Comparer] that it can; [Registry] is the list of all of them, built by whoever assembles the program. A new type joins
// by adding one package and one line to that list.
//
// Invariants: a target is told a value only after the caller has stored it; each failure says whether the account can
// have changed (see [Outcome]); no error carries a value.
package target

import (
	"context"
	"crypto/rand"
	"slices"

	"github.com/keyturn/keyturn/internal/vault"
)

// Target is one type of system.
type Target interface {
	// Spec describes the type. It returns the same data at every call.
	Spec() Spec
}

// Verifier is a Target that can prove a login.
type Verifier interface {
	Target
	// Verify proves that l works on the system at c: a fresh login, one harmless operation as the account, and a wrong value
	// refused, which is [Login.Wrong]. It costs at most one failed login of the account. It changes nothing and may be
	// repeated.
	//
	// A nil error is the only proof. Any other answer is an [*Error]: Refused when the system turned l down, Unproven
	// when it let l in but that proves nothing, such as when the wrong value was let in too, Unreachable when nothing was
	// learnt.
	Verify(ctx context.Context, c Connection, l Login) error
}

// Preparer is a Target that is sent something computed from the new value (a salted hash, a SCRAM verifier) rather than
// the value itself.
type Preparer interface {
	Target
	// Prepare computes that text once, without talking to the system. The result is as secret as the value: the caller
	// seals and stores it beside the value before [Changer.Change], and hands the same text in at every repetition, which
	// makes repeating harmless. It fails with Rejected when the value is outside of the type's [Limits].
	Prepare(account string, value vault.Value) (vault.Value, error)
}

// Changer is a Target whose accounts' values Keyturn can change.
type Changer interface {
	Target
	// Change sets a new value. Carrying out the same Change twice ends in the same state as once.
	//
	// A nil error says that the system confirmed the change; that the new value works is for Verify to prove. Otherwise
	// it is an [*Error], and only with [Unknown] can the account have changed.
	Change(ctx context.Context, c Connection, ch Change) error
}

// Change is one change of one account's value.
type Change struct {
	// By is the login that makes the change: the account's own, with its value of now, or the resource's reconcile login.
	By Login
	// Account is the name of the account whose value changes.
	Account string
	// Value is the new value.
	Value vault.Value
	// Prepared is what [Preparer.Prepare] made of Value; it is left zero for a type that is no Preparer.
	Prepared vault.Value
}

// Self reports whether the account changes its own value.
func (c Change) Self() bool { return c.By.User == c.Account }

// Overlapper is a Changer whose accounts take two values at once, so that readers of the old one go on until they have
// the new.
//
// Both verbs read what the account takes before they change anything, and refuse what is none of their states (see
// [CheckAdd] and [CheckRetire]). Each may be repeated: the second time it finds its work done. A nil error says that the
// system confirmed the change; otherwise it is an [*Error], and only with [Unknown] can the account have changed. The
// same verb again settles that, and so does logging in: after Add both values work, after Retire Next alone.
type Overlapper interface {
	Changer
	// Add makes the account take Next beside Current.
	Add(ctx context.Context, c Connection, o Overlap) error
	// Retire makes the account take only Next.
	Retire(ctx context.Context, c Connection, o Overlap) error
}

// Overlap is the pair of values that one account takes during a rotation.
type Overlap struct {
	// By is the login that makes the change, as in [Change].
	By Login
	// Account is the name of the account.
	Account string
	// Current is the value that the account takes now. Its Text may be left zero: a type that needs it computes it.
	Current Prepared
	// Next is the value that it takes in the end.
	Next Prepared
}

// Prepared is a value with what [Preparer.Prepare] made of it, which is zero for a type that is no Preparer.
type Prepared struct{ Value, Text vault.Value }

// CheckAdd says whether next may be added to an account that takes held, each as the system tells values apart. It may
// when held is current alone, or current and next, which is done says. An account that does not take current is Refused:
// the stored value is not the account's. One that takes a third value is NotPermitted, so that nobody loses it unasked.
func CheckAdd(held []string, current, next string) (done bool, err error) {
	return checkOverlap(held, current, next)
}

// CheckRetire says whether current may be taken from an account that takes held. It may when held is current and next;
// with next alone it is done. An account that does not take next is Refused, because it would be locked out; one that
// takes a third value is NotPermitted.
func CheckRetire(held []string, current, next string) (done bool, err error) {
	both, err := checkOverlap(held, next, current)
	return err == nil && !both, err
}

// checkOverlap looks for must, and for anything beside must and may. It reports whether may is there.
func checkOverlap(held []string, must, may string) (bool, error) {
	if must == may {
		return false, &Error{Outcome: Misconfigured, Msg: "the new value is the present one", Cure: "choose another value"}
	}
	if !slices.Contains(held, must) {
		return false, &Error{Outcome: Refused, Msg: "the account does not take the value that is to stay", Cure: "compare the stored value with the system, or reconcile"}
	}
	if slices.ContainsFunc(held, func(h string) bool { return h != must && h != may }) {
		return false, &Error{Outcome: NotPermitted, Msg: "the account takes a value that is neither the present nor the new one", Cure: "find out who uses it and remove it on the system, or reset the account, which replaces every value"}
	}
	return slices.Contains(held, may), nil
}

// Login is a name and what it logs in with.
type Login struct {
	User     string
	Password vault.Value
	// Before is what [Verifier.Verify] shows to be refused in place of a random value: what the account took before it took
	// Password. It is zero where nothing is known of that.
	Before vault.Value
}

// Wrong is the same login with a value that is to be refused: Before, or, where there is none, a random one.
func (l Login) Wrong() Login {
	if l.Before.Len() > 0 && !l.Before.Equal(l.Password) {
		return Login{User: l.User, Password: l.Before}
	}
	return Login{User: l.User, Password: vault.NewValue([]byte(rand.Text()))}
}

// Connection holds a resource's settings by the names of [Spec.Fields]. None of them is secret.
type Connection map[string]string

// Get returns the setting called name, or the default that fields give it.
func (c Connection) Get(fields []Field, name string) string {
	if v := c[name]; v != "" {
		return v
	}
	for _, f := range fields {
		if f.Name == name {
			return f.Default
		}
	}
	return ""
}
