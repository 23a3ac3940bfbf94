package target

import (
	"errors"

	"github.com/keyturn/keyturn/internal/fault"
)

// Outcome is what is known after a verb failed. Each but [Unknown] is definite: the account is as it was.
type Outcome string

// The outcomes.
const (
	// Refused: the system turned the login down. It may be the value, or the account may be missing, locked or expired,
	// where the system does not tell these apart.
	Refused Outcome = "refused"
	// Rejected: the system's policy or the type's limits turned the new value down. Another value may pass.
	Rejected Outcome = "rejected"
	// NoSuchAccount: the account is not there.
	NoSuchAccount Outcome = "no such account"
	// NotPermitted: the login is right and may not do this.
	NotPermitted Outcome = "not permitted"
	// Unproven: the login was let in, and that proves nothing: a wrong value is let in too, or somebody else was.
	Unproven Outcome = "unproven"
	// Unreachable: the system did not get to the point of changing anything; what it would have said is not known.
	Unreachable Outcome = "unreachable"
	// Unknown: the change was sent and its answer was not received. Only logging in tells which value holds. Repeating
	// the very same change is harmless; minting another value is not.
	Unknown Outcome = "unknown"
	// Unsupported: this type of system has no such verb.
	Unsupported Outcome = "unsupported"
	// Misconfigured: the resource's settings or the request itself are wrong; nothing was sent.
	Misconfigured Outcome = "misconfigured"
)

// Error is how each verb of a target fails. Its texts are safe to show and to store: they never carry a value. It wraps
// no driver's error, because those hold the login that they were made with.
type Error struct {
	Outcome Outcome
	// Msg is the cause, one sentence without a final full stop; Cure says what to do now and may be empty.
	Msg, Cure string
	// Code is the system's own code for the failure, such as an SQLSTATE, where there is one.
	Code string
}

// Error returns the cause with the system's code, and the cure where there is one.
func (e *Error) Error() string {
	s := e.Msg
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Cure != "" {
		s += ": " + e.Cure
	}
	return s
}

// OutcomeOf returns the outcome of err, "" for nil. What is no [*Error] counts as [Unknown], which is the careful answer.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Unknown
}

// Fault turns a target's error into what the edge can show, and returns any other error as it is.
func Fault(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	kind, unchanged := fault.Unavailable, "the account is as it was"
	switch e.Outcome {
	case Refused, NoSuchAccount, NotPermitted, Unproven:
		kind = fault.Conflict
	case Rejected, Unsupported, Misconfigured:
		kind = fault.Invalid
	case Unknown:
		unchanged = ""
	case Unreachable:
	}
	msg := e.Msg
	if e.Code != "" {
		msg += " (" + e.Code + ")"
	}
	f := fault.New(kind, "%s", msg).WithCode(slugs[e.Outcome]).WithUnchanged("%s", unchanged)
	f.Cure = e.Cure
	return f
}

// slugs are the stable names of the outcomes in problem documents.
var slugs = map[Outcome]string{
	Refused:       "target-refused",
	Rejected:      "target-rejected-value",
	NoSuchAccount: "target-no-such-account",
	NotPermitted:  "target-not-permitted",
	Unproven:      "target-unproven",
	Unreachable:   "target-unreachable",
	Unknown:       "target-outcome-unknown",
	Unsupported:   "target-unsupported",
	Misconfigured: "target-misconfigured",
}
