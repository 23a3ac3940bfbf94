// Package target is what Keyturn knows about the real systems that hold accounts: what each type of system is called,
// which settings it needs, which values it takes, and the few verbs that it can carry out.
//
// A type of system is one package below this one. It implements [Target] and those of [Verifier], [Preparer] and
// [Changer] that it can; [Registry] is the list of all of them, built by whoever assembles the program. A new type joins
// by adding one package and one line to that list.
//
// Invariants: a target is told a value only after the caller has stored it; each failure says whether the account can
// have changed (see [Outcome]); no error carries a value.
package target

import (
	"context"

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
	// Verify proves that l works on the system at c: a fresh login, one harmless operation as the account, and a random
	// wrong value refused. It costs at most one failed login of the account. It changes nothing and may be repeated.
	//
	// A nil error is the only proof. Any other answer is an [*Error]: Refused when the system turned l down, Unproven
	// when it let l in but that proves nothing, Unreachable when nothing was learnt.
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

// Login is a name and what it logs in with.
type Login struct {
	User     string
	Password vault.Value
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
