// Package fault names the kinds of error that a caller can act on. Everything else is internal: the edge logs it and
// answers with a blank 500.
//
// An [Error] is written for the person who meets it: cause, effect and cure. None of its texts ever carries a submitted
// value, a password or a token; whoever builds one is responsible for that, and a canary test watches.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what a caller can do about an error. It is an error itself, so errors.Is(err, fault.NotFound) works.
type Kind string

// The kinds. The edge maps each to one HTTP status and the CLI to one exit code.
const (
	Invalid         Kind = "invalid"         // the request cannot be carried out as written: change it
	Unauthenticated Kind = "unauthenticated" // nobody is signed in, or not any more: sign in
	Denied          Kind = "denied"          // the actor may not: ask for the right
	NotFound        Kind = "not found"       // there is no such thing, or the actor may not know of it
	Conflict        Kind = "conflict"        // the state of things forbids it: look again
	Stale           Kind = "stale"           // the object changed since it was read: read it again
	TooLarge        Kind = "too large"       // a limit on size was met
	Throttled       Kind = "throttled"       // too many tries: wait
	Unavailable     Kind = "unavailable"     // something that is needed does not answer: try later
	Sealed          Kind = "sealed"          // the root key is not there: unseal
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a fault that may be shown to the user as it is.
type Error struct {
	Kind Kind
	// Code is a stable slug for machines and documentation, such as "cluster-untrusted"; empty means the kind says it all.
	Code string
	// Msg is the cause, one sentence without a final full stop.
	Msg string
	// Cure says what to do now; Unchanged says what was not touched. Either may be empty.
	Cure, Unchanged string
	// Field is the JSON name of the input that is at fault, where one is.
	Field string
	// RetryAfter is how long to wait before the next try; zero means unknown.
	RetryAfter time.Duration

	cause error
}

// New returns an Error of kind k. The format's arguments must not be values that a user submitted as secret.
func New(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Msg: err.Error(), cause: errors.Unwrap(err)}
}

// Error returns the cause and, where there is one, the cure.
func (e *Error) Error() string {
	if e.Cure == "" {
		return e.Msg
	}
	return e.Msg + ": " + e.Cure
}

// Is reports whether target is the kind of e.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// Unwrap returns what the message's %w named, if anything.
func (e *Error) Unwrap() error { return e.cause }

// WithCode returns e with its slug set.
func (e *Error) WithCode(code string) *Error { e.Code = code; return e }

// WithCure returns e with what to do now.
func (e *Error) WithCure(format string, args ...any) *Error {
	e.Cure = fmt.Sprintf(format, args...)
	return e
}

// WithUnchanged returns e with what was left as it was.
func (e *Error) WithUnchanged(format string, args ...any) *Error {
	e.Unchanged = fmt.Sprintf(format, args...)
	return e
}

// WithField returns e with the input that is at fault.
func (e *Error) WithField(name string) *Error { e.Field = name; return e }

// WithRetryAfter returns e with how long to wait.
func (e *Error) WithRetryAfter(d time.Duration) *Error { e.RetryAfter = d; return e }

// KindOf returns the kind of err, or "" when err is not a fault.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Kind
	}
	return ""
}
