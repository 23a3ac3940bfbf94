package linux

import (
	"context"
	"errors"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target"
)

// loginError says what a failed login means. sent reports whether the server was told the password. The library has no
// type for a server's refusal, and words of its own; a connection that broke has others.
func loginError(ctx context.Context, err error, sent bool) error {
	other, isOther := errors.AsType[otherHostKey](err)
	_, noneShared := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	switch {
	case sent && (strings.Contains(err.Error(), "unable to authenticate") || strings.Contains(err.Error(), "Too many authentication failures")):
		return &target.Error{Outcome: target.Refused, Msg: "the server refused the login: the value is wrong, or the account is missing, locked or not let in over SSH", Cure: "compare the stored value with the machine, look at its log, or reconcile"}
	case errors.Is(err, errNotOffered):
		return &target.Error{Outcome: target.NotPermitted, Msg: "the server does not let this account log in in this way", Cure: "look at PasswordAuthentication and PubkeyAuthentication in the server's settings, or use the type for what it takes"}
	case errors.Is(err, errMoreAsked):
		return &target.Error{Outcome: target.NotPermitted, Msg: "the server asks for more than one password or key", Cure: "except this account from second factors, and reset its password if that has expired"}
	case isOther:
		return &target.Error{Outcome: target.Unreachable, Code: other.fingerprint, Msg: "the server shows another host key than the resource's, and was told nothing", Cure: "if the machine was set up anew, read its key on the machine itself and correct the resource; otherwise something stands in between"}
	case noneShared:
		return &target.Error{Outcome: target.Unreachable, Msg: "the server has no host key of the pinned kind, or shares no cipher", Cure: "read its key on the machine itself and correct the resource"}
	}
	e := unreachable(ctx, err)
	if sent {
		e.Cure = "look at its log: it does the same when the account has expired (chage -l NAME), then try again"
	}
	return e
}

// unreachable names the reason why nothing was learnt, out of a fixed set.
func unreachable(ctx context.Context, err error) *target.Error {
	e := &target.Error{Outcome: target.Unreachable}
	f, isFault := errors.AsType[*fault.Error](err)
	_, noName := errors.AsType[*net.DNSError](err)
	var netErr net.Error
	switch {
	case isFault: // the dialer's address policy
		e.Msg, e.Cure = f.Msg, f.Cure
	case noName:
		e.Msg, e.Cure = "the host's name could not be resolved", "correct the host, or look at DNS"
	case ctx.Err() != nil, errors.As(err, &netErr) && netErr.Timeout():
		e.Msg, e.Cure = "the server did not answer in time", "look at the network and at the machine, then try again"
	default:
		e.Msg, e.Cure = "the server could not be reached, or broke off the connection", "look whether it runs, and whether it speaks SSH on this port"
	}
	return e
}

// noCommands is the answer of an account that was let in and could not do anything.
func noCommands(got result) error {
	e := &target.Error{Outcome: target.NotPermitted, Code: exitCode(got.status)}
	said := got.stderr + got.stdout
	switch {
	case strings.Contains(said, "assword has expired"), strings.Contains(said, "assword change required"):
		e.Msg, e.Cure = "the password is right and has expired, or has to be changed first", "reset the account with a reconcile login"
	default:
		e.Msg, e.Cure = "the account was let in and runs no commands: its shell lets nobody in, or the server keeps it from them", "give it a shell, if it is to be proved by a login"
	}
	return e
}

func unproven() error {
	return &target.Error{Outcome: target.Unproven, Msg: "the server let in a wrong value too", Cure: "look whether the account has an empty password, and at the server's PAM settings"}
}

// hashError says what the end of chpasswd, or of the way to it, means. A definite status other than zero means that
// nothing was changed: chpasswd renames a whole new file at its end.
func hashError(got result) error {
	e := &target.Error{Code: exitCode(got.status)}
	switch got.status {
	case 0:
		return nil
	case exitMissing:
		e.Outcome, e.Msg, e.Cure = target.NoSuchAccount, "the machine has no account of this name", "create it, or correct the account's name"
	case exitNoLogin:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the account's shell lets nobody in, so a new password could not be proved", "give it a shell, or do not keep it on a resource of this type"
	case exitLocked:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the account's password is locked, or there is none, and a change would open the account", "unlock it or give it a first password on the machine, if it should log in with one"
	case exitNoRight:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the login may not change this account", "give it the right by sudo, without a password, or use another reconcile login"
	default:
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the machine could not make the change", "look whether the account stands in its /etc/passwd, and whether /etc can be written to"
	}
	return e
}

// rules are what passwd and the checks behind it say of a password that they do not take.
var rules = []struct{ says, rule string }{
	{"choose a longer password", "it is too short"},
	{"is shorter than", "it is too short"},
	{"too simple", "it is too simple"},
	{"too similar", "it is too similar to the one before"},
	{"is a palindrome", "it reads the same backwards"},
	{"dictionary", "it is too near to a word"},
	{"contains the user name", "it contains the account's name"},
	{"character classes", "it has too few kinds of characters"},
	{"already used", "it was used before"},
	{"has not been changed", "it is the one before"},
}

// passwdError says what the end of passwd means.
func passwdError(got result) error {
	e := &target.Error{Code: exitCode(got.status)}
	switch {
	case got.status == 0:
		return nil
	case got.status == 10 && strings.Contains(got.stderr, "wait longer"):
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the account changed its password too short a time ago", "wait (chage -l NAME), or use a reconcile login"
	case got.status == 10:
		e.Outcome, e.Msg, e.Cure = target.Rejected, "the machine's policy rejected the new password", "choose another value"
		for _, r := range rules {
			if strings.Contains(got.stderr, r.says) {
				e.Msg += ": " + r.rule
				break
			}
		}
	case got.status == 1:
		return noCommands(got)
	case got.status == exitNoRight:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "passwd would change another account, which shares this one's number", "use a reconcile login"
	default:
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the machine could not make the change", "look whether passwd is there, and whether /etc can be written to"
	}
	return e
}
