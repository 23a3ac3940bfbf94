package ldap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// What a password policy says of a refusal.
const (
	noPolicyError    int8 = -1
	expired          int8 = 0
	locked           int8 = 1
	changeAfterReset int8 = 2
	notAllowed       int8 = 3
	mustSupplyOld    int8 = 4
	poorQuality      int8 = 5
	tooShort         int8 = 6
	tooYoung         int8 = 7
	inHistory        int8 = 8
)

// result is the server's result code for err. ok is false for what is no answer of the server: codes from 200 on are the
// client's own.
func result(err error) (code uint16, ok bool) {
	e, isLDAP := errors.AsType[*ldap.Error](err)
	if !isLDAP || e.ResultCode >= ldap.ErrorNetwork {
		return 0, false
	}
	return e.ResultCode, true
}

// code shows both codes of a failure.
func code(err error) string {
	n, ok := result(err)
	if !ok {
		return ""
	}
	if policy := policyError(err); policy != noPolicyError {
		return fmt.Sprintf("%d, password policy %d", n, policy)
	}
	return fmt.Sprint(n)
}

// loginError says what a failed bind means. Nothing of the server's own text is kept.
func loginError(ctx context.Context, err error) error {
	e := &target.Error{Outcome: target.NotPermitted, Code: code(err)}
	n, answered := result(err)
	refused := n == ldap.LDAPResultInvalidCredentials || n == ldap.LDAPResultInappropriateAuthentication || n == ldap.LDAPResultNoSuchObject
	switch policy := policyError(err); {
	case !answered:
		return noAnswer(ctx, err)
	case refused && policy == expired:
		e.Msg, e.Cure = "the password is right and has expired", "reset the account with a reconcile login"
	case refused && policy == locked:
		e.Msg, e.Cure = "the account is locked, so that it is not known whether the password is right", "find out who sends wrong ones, then delete pwdAccountLockedTime from the entry, or reset the account with a reconcile login"
	case refused:
		e.Outcome = target.Refused
		e.Msg, e.Cure = "the server refused the login: the password is wrong, or the account is missing or locked", "compare the stored value with the server, or reconcile"
	default:
		return queryError(ctx, err)
	}
	return e
}

// queryError says what the failure of an operation means that changes nothing.
func queryError(ctx context.Context, err error) error {
	e := &target.Error{Outcome: target.NotPermitted, Code: code(err)}
	n, answered := result(err)
	switch {
	case !answered:
		return noAnswer(ctx, err)
	case policyError(err) == changeAfterReset:
		return mustChange()
	case n == ldap.LDAPResultConfidentialityRequired || n == ldap.LDAPResultStrongAuthRequired:
		e.Msg, e.Cure = "the server asks for a connection with TLS", "set TLS to ldaps or starttls"
	case n == ldap.LDAPResultInsufficientAccessRights:
		e.Msg, e.Cure = "the account logs in and may do nothing", "look whether it has to change its password first (pwdReset), and at the server's access rules"
	case n == ldap.LDAPResultInvalidDNSyntax:
		return &target.Error{Outcome: target.Misconfigured, Code: code(err), Msg: "the server does not take the account's name for a DN", Cure: "correct the name; its attributes must be in the server's schema"}
	default:
		return busy(err)
	}
	return e
}

// mustChange is an account that is let in to set another password and for nothing else.
func mustChange() *target.Error {
	return &target.Error{
		Outcome: target.NotPermitted, Msg: "the account has to set another password before it may do anything else (pwdReset)",
		Cure: "delete pwdReset from the entry; a reconcile login with the right to write, not to manage, does not set it",
	}
}

func busy(err error) *target.Error {
	return &target.Error{Outcome: target.Unreachable, Code: code(err), Msg: "the server answered and could not serve the request now", Cure: "look up this result code and the server's log, then try again"}
}

// changeError says what the failure of a Password Modify means. A code that tells of the server going away or giving up
// in the middle, and every failure without one, leaves the outcome open.
func changeError(ctx context.Context, err error) error {
	e := &target.Error{Outcome: target.NotPermitted, Code: code(err)}
	n, answered := result(err)
	switch {
	case !answered:
		return &target.Error{Outcome: target.Unknown, Msg: "the connection ended before the server answered the change", Cure: "log in with the new value, then with the old one, to see which holds"}
	case n == ldap.LDAPResultConstraintViolation:
		return rejected(err)
	case n == ldap.LDAPResultNoSuchObject:
		e.Outcome, e.Msg, e.Cure = target.NoSuchAccount, "the directory has no entry of this DN, or does not show it to the login", "create the entry, correct the account's name, or let the login see it"
	case n == ldap.LDAPResultInsufficientAccessRights:
		e.Msg, e.Cure = notPermitted(policyError(err))
	case n == ldap.LDAPResultUnwillingToPerform && strings.Contains(err.Error(), "verify old password"):
		e.Outcome, e.Msg, e.Cure = target.Refused, "somebody else has just changed the password", "compare the stored value with the server, or reconcile"
	case n == ldap.LDAPResultReferral || n == ldap.LDAPResultUnwillingToPerform:
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the server takes no changes", "point the resource at a server that does, and look whether that is read-only"
	case n == ldap.LDAPResultAttributeOrValueExists || n == ldap.LDAPResultObjectClassViolation:
		e.Msg, e.Cure = "the entry has more than one password, or is of a kind that has none", "leave one userPassword in the entry, and give it an object class that allows it"
	case n == ldap.LDAPResultProtocolError || n == ldap.LDAPResultUnavailableCriticalExtension:
		e.Outcome, e.Msg, e.Cure = target.Unsupported, "the server does not know the Password Modify operation", "change the value on the server by hand"
	case brokenOff(n):
		e.Outcome, e.Msg, e.Cure = target.Unknown, "the server broke the change off", "log in with the new value, then with the old one, to see which holds"
	default:
		return queryError(ctx, err)
	}
	return e
}

// brokenOff reports whether a change with this result can have been carried out, by the server or by one behind it.
func brokenOff(n uint16) bool {
	switch n {
	case ldap.LDAPResultOperationsError, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultUnavailable:
		return true
	}
	return n >= ldap.LDAPResultOther
}

// rejected says which rule of the server's policy a value met.
func rejected(err error) *target.Error {
	e := &target.Error{Outcome: target.Rejected, Code: code(err), Msg: "the server's password policy refused the value", Cure: "choose another value"}
	switch policyError(err) {
	case poorQuality:
		e.Msg += ": it does not meet its rules of quality"
	case tooShort:
		e.Msg, e.Cure = e.Msg+": it is too short", "choose a longer one; the entry of the policy says how long (pwdMinLength)"
	case tooYoung: // no other value would pass either
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the server's password policy refused the change: the last one is too recent", "wait, or look at pwdMinAge in the entry of the policy"
	case inHistory:
		e.Msg += ": it was used before"
	}
	return e
}

// notPermitted says why a change is not allowed.
func notPermitted(policy int8) (msg, cure string) {
	switch policy {
	case notAllowed:
		return "the server's password policy does not let accounts change their own password", "use a reconcile login"
	case mustSupplyOld:
		return "the server's password policy asks for the old password", "let the account change itself, or give the reconcile login the right to manage"
	}
	return "the login may not change this password", "give it the right to write userPassword of the entry, or use a reconcile login"
}

// noAnswer is unreachable for a failure that can come of ctx having ended, which the client's errors do not tell.
func noAnswer(ctx context.Context, err error) *target.Error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return unreachable(err)
}

// unreachable names the reason why no answer came, out of a fixed set.
func unreachable(err error) *target.Error {
	if errors.Is(err, errNoStartTLS) {
		return &target.Error{Outcome: target.Unreachable, Msg: "the server does not offer StartTLS", Cure: "give it a certificate, or set TLS to ldaps where it has a port for that"}
	}
	return dial.Unreachable(err, "look whether it runs, and whether it speaks this kind of TLS on this port")
}
