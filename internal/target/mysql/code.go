package mysql

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// failedOperation is the number of an ALTER USER that failed; why stands in the warnings.
const failedOperation = 1396

// number is the server's number for err, 0 for what is no answer of the server.
func number(err error) uint16 {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

// brokenOff reports whether the server ended a statement because of its time limit or at somebody's wish.
func brokenOff(err error) bool { return number(err) == 1969 || number(err) == 1317 }

func code(err error) string { return strconv.Itoa(int(number(err))) }

// loginError says what a failed login means. Nothing of the driver's error is kept but the server's number.
func loginError(err error) error {
	switch number(err) {
	case 0:
		for _, method := range []error{mysql.ErrNativePassword, mysql.ErrOldPassword, mysql.ErrCleartextPassword, mysql.ErrUnknownPlugin, mysql.ErrMalformPkt} {
			if errors.Is(err, method) {
				return &target.Error{Outcome: target.Unproven, Msg: "the server asks for a method of logging in that shows it the password or is not known here", Cure: "let the account log in by ed25519 or mysql_native_password"}
			}
		}
		return unreachable(err)
	case 1045, 1698:
		return &target.Error{
			Outcome: target.Refused, Code: code(err),
			Msg:  "the server refused the login: the password is wrong, the account is missing or not for this host, or it asks for TLS",
			Cure: "compare the stored value with the server, or reconcile",
		}
	}
	return queryError(err)
}

// queryError says what the failure of a statement means that changes nothing.
func queryError(err error) error {
	e := &target.Error{Outcome: target.NotPermitted, Code: code(err)}
	switch number(err) {
	case 0:
		return unreachable(err)
	case 4151, 3118:
		e.Msg, e.Cure = "the account is locked", "ALTER USER … ACCOUNT UNLOCK"
	case 4150:
		e.Msg, e.Cure = "the server blocks the account after too many wrong passwords (max_password_errors)", "find out who sends them, then FLUSH PRIVILEGES"
	case 1820, 1862:
		e.Msg, e.Cure = "the account's password has expired, so it can do nothing but set another one", "reset it with a reconcile login"
	default:
		return busy(err)
	}
	return e
}

// readError says what the failure of SHOW CREATE USER means.
func readError(err error) error {
	switch number(err) {
	case 1133, 1269, 1396:
		return noSuchAccount(err)
	case 1044, 1142, 1227:
		return &target.Error{Outcome: target.NotPermitted, Code: code(err), Msg: "the login may not look at accounts", Cure: "GRANT SELECT ON mysql.* to it, or use a reconcile login"}
	}
	return queryError(err)
}

func noSuchAccount(err error) error {
	return &target.Error{Outcome: target.NoSuchAccount, Code: code(err), Msg: "the server has no account of this name and host part", Cure: "create the account, or correct its name: app is 'app'@'%', app@10.% is 'app'@'10.%'"}
}

func busy(err error) error {
	return &target.Error{Outcome: target.Unreachable, Code: code(err), Msg: "the server answered and could not serve the request now", Cure: "look up this number in its manual, then try again"}
}

// changeError says what the failure of a change means; reason is the number of the warning behind it, 0 for none. A
// number that tells of the server or the session going away, and every failure without one, leaves the outcome open.
func changeError(err error, reason uint16) error {
	e := &target.Error{Code: code(err)}
	switch n := number(err); {
	case n == 0:
		return &target.Error{Outcome: target.Unknown, Msg: "the connection ended before the server answered the change", Cure: "log in with the new value, then with the old one, to see which holds"}
	case n == 1053 || n == 1105 || n == 1180 || n == 1927 || brokenOff(err):
		e.Outcome, e.Msg, e.Cure = target.Unknown, "the server broke the change off", "log in with the new value, then with the old one, to see which holds"
	case n == 1290 && strings.Contains(err.Error(), "read-only"):
		return takesNoChanges(code(err))
	case n == 1290 || reason == 1290:
		return takesNoHashes(code(err))
	case n == 1044 || n == 1142 || n == 1227:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the login may not change this account", "GRANT CREATE USER ON *.* to it, or use a reconcile login"
	case n == failedOperation && (reason == 1410 || reason == 1133):
		return noSuchAccount(err)
	case n == failedOperation:
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the server did not carry the change out and does not say why", "look at its error log, then try again"
	default:
		return busy(err)
	}
	return e
}

func takesNoChanges(code string) error {
	return &target.Error{Outcome: target.Unreachable, Code: code, Msg: "the server is read-only and takes no changes", Cure: "point the resource at the primary"}
}

func takesNoHashes(code string) error {
	return &target.Error{Outcome: target.NotPermitted, Code: code, Msg: "the server has a password policy that takes no hashes", Cure: "SET GLOBAL strict_password_validation=OFF; Keyturn's own policy stands in for it"}
}

// unreachable names the reason why no connection came about, out of a fixed set.
func unreachable(err error) *target.Error {
	if errors.Is(err, mysql.ErrNoTLS) {
		return &target.Error{Outcome: target.Unreachable, Msg: "the server does not speak TLS", Cure: "give it a certificate (ssl_cert, ssl_key)"}
	}
	return dial.Unreachable(err, "look whether it runs, and at its log")
}
