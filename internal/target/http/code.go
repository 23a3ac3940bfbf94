package http

import (
	"errors"
	"fmt"
	nethttp "net/http"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// changeError says what the answer to a change means, nil for success. An error inside of the server, or of something on
// the way to it, leaves the outcome open, and so does a success that the settings do not name.
func (s settings) changeError(status int) error {
	e := &target.Error{Code: fmt.Sprintf("HTTP %d", status)}
	switch {
	case s.changed.has(status):
		return nil
	case s.rejected.has(status):
		e.Outcome, e.Msg, e.Cure = target.Rejected, "the system rejected the new value", "choose another value; its own rules are in its documentation"
	case status == nethttp.StatusUnauthorized:
		e.Outcome, e.Msg, e.Cure = target.Refused, "the server refused the login or the signature", "compare the stored value of the login with the system"
	case status == nethttp.StatusForbidden, status == nethttp.StatusMethodNotAllowed:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the login may not make this change", "give it the right, or use another reconcile login"
	case status == nethttp.StatusNotFound, status == nethttp.StatusGone:
		e.Outcome, e.Msg, e.Cure = target.NoSuchAccount, "the server knows no such account, or nothing at this path", "correct the account's name, or the path"
	case status < 300, status >= 500, status == nethttp.StatusRequestTimeout:
		e.Outcome, e.Msg, e.Cure = target.Unknown, "the server's answer does not tell whether it made the change", "log in with the new value, then with the old one, to see which holds"
	case status < 400, status == nethttp.StatusTooManyRequests:
		return notServed(status)
	default:
		e.Outcome, e.Msg, e.Cure = target.Misconfigured, "the server could not make anything of the request", "look at the request in the resource's settings"
	}
	return e
}

// loginError says what the answer to a login means.
func (s settings) loginError(status int) error {
	e := &target.Error{Code: fmt.Sprintf("HTTP %d", status)}
	switch {
	case s.verify.accepted.has(status):
		return nil
	case s.verify.refused.has(status):
		e.Outcome, e.Msg, e.Cure = target.Refused, "the server refused the value, or knows no such account", "compare the stored value with the system, or reconcile"
	case status == nethttp.StatusForbidden:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the login may not do what is asked for to prove it", "verify at a path that each account may use"
	default:
		return notServed(status)
	}
	return e
}

// notServed is an answer that says nothing of the request.
func notServed(status int) error {
	e := &target.Error{Outcome: target.Unreachable, Code: fmt.Sprintf("HTTP %d", status), Msg: "the server answered and did not serve the request", Cure: "look at its log and at the path, then try again"}
	if status >= 300 && status < 400 {
		e.Msg, e.Cure = "the server points elsewhere, where no value is sent", "set host, port and path to where it points, if that is right"
	}
	return e
}

// unreachable names the reason why nothing was learnt, out of a fixed set.
func unreachable(err error) *target.Error {
	if e, ok := errors.AsType[*target.Error](err); ok && e.Outcome == target.Unreachable || ok && e.Outcome == target.Misconfigured {
		return e
	}
	return dial.Unreachable(err, "look whether it runs, and whether it speaks HTTPS on this port")
}
