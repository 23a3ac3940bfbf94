package rabbitmq

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// The server's words in a 401. It tells whom it does not know from whom it does not let in by one letter; the reasons of
// the first kind differ between its versions.
const (
	wrongLogin = "not_authorized"
	notLetIn   = "not_authorised"
	notTagged  = "Not management user" // the reason of one that is not let in
)

func code(got answer) string { return fmt.Sprintf("HTTP %d", got.status) }

// loginError says what a failed login means. The server checks the password before it looks at the tags.
func loginError(got answer) error {
	switch {
	case got.status == http.StatusUnauthorized && got.kind == notLetIn && got.reason == notTagged:
		return nil
	case got.status == http.StatusUnauthorized && got.kind == wrongLogin:
		return &target.Error{
			Outcome: target.Refused, Code: code(got),
			Msg:  "the server refused the login: the password is wrong, or the user is missing or has none",
			Cure: "compare the stored value with the server, or reconcile",
		}
	case got.status == http.StatusUnauthorized && got.reason != "":
		return &target.Error{Outcome: target.NotPermitted, Code: code(got), Msg: "the server does not take this login at its management API", Cure: "look at its log, and whether the user may log in from this machine"}
	}
	return notServed(got)
}

// userError says why a user could not be read.
func userError(got answer) error {
	switch {
	case got.status == http.StatusNotFound && got.reason != "":
		return noSuchUser(got)
	case got.status == http.StatusUnauthorized && got.kind == notLetIn && strings.HasPrefix(got.reason, "Not "):
		return notAdministrator(got)
	}
	return loginError(got)
}

func noSuchUser(got answer) error {
	return &target.Error{Outcome: target.NoSuchAccount, Code: code(got), Msg: "the server has no user of this name", Cure: "create the user, or correct the account's name"}
}

func noPassword() error {
	return &target.Error{Outcome: target.NotPermitted, Msg: "the user has no password", Cure: "give the user a first one on the server, if a password is what it should log in with"}
}

func notAdministrator(got answer) error {
	return &target.Error{Outcome: target.NotPermitted, Code: code(got), Msg: "the login may not change users", Cure: "use a reconcile login with the tag administrator"}
}

// changeError says what the answer to a change means, nil for success. An error inside of the server, or of something on
// the way to it, leaves the outcome open.
func changeError(got answer) error {
	switch {
	case got.status == http.StatusNoContent:
		return nil
	case got.status == http.StatusPreconditionFailed:
		return noSuchUser(got)
	case got.status < 300 || got.status >= 500 || got.status == http.StatusRequestTimeout:
		return &target.Error{Outcome: target.Unknown, Code: code(got), Msg: "the server failed in the middle of the change", Cure: "log in with the new value, then with the old one, to see which holds"}
	case got.status == http.StatusUnauthorized && got.kind == wrongLogin:
		return loginError(got)
	case got.status == http.StatusUnauthorized, got.status == http.StatusForbidden, got.status == http.StatusMethodNotAllowed:
		return notAdministrator(got)
	}
	return notServed(got)
}

// notServed is an answer that does not belong to the request.
func notServed(got answer) error {
	switch {
	case got.status >= 300 && got.status < 400:
		return &target.Error{Outcome: target.Unreachable, Code: code(got), Msg: "the server points elsewhere, where no password is sent", Cure: "set host and port to where the management API is, with TLS if it speaks that"}
	case got.reason == "" && got.status < 500 && got.status != http.StatusTooManyRequests:
		return notManagement(got)
	}
	return &target.Error{Outcome: target.Unreachable, Code: code(got), Msg: "the server answered and could not serve the request now", Cure: "look at its log, then try again"}
}

func notManagement(got answer) error {
	return &target.Error{Outcome: target.Unreachable, Code: code(got), Msg: "what answers there is not the management API of a RabbitMQ", Cure: "correct the port; the plugin rabbitmq_management must be enabled"}
}

// unreachable names the reason why no answer came, out of a fixed set.
func unreachable(err error) *target.Error {
	if errors.Is(err, errTooLong) {
		return &target.Error{Outcome: target.Unreachable, Msg: "the server's answer is longer than any that is expected", Cure: "look whether host and port are those of the management API"}
	}
	return dial.Unreachable(err, "look whether it runs, and whether it speaks HTTPS on this port")
}
