package redis

import (
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// loginError says what a failed AUTH means. The server does not tell a wrong password from a user that is missing or off.
func loginError(err error) error {
	if redis.IsAuthError(err) {
		return &target.Error{
			Outcome: target.Refused, Code: code(err),
			Msg:  "the server refused the login: the password is wrong, or the user is missing or off",
			Cure: "compare the stored value with the server, or reconcile",
		}
	}
	return queryError(err, "the server does not let this user log in", "look at its rules")
}

// queryError says what the failure of a command means that changed nothing; forbidden and cure are for one that the
// login may not use.
func queryError(err error, forbidden, cure string) *target.Error {
	switch {
	case !answered(err):
		return unreachable(err)
	case redis.IsPermissionError(err) || redis.IsExecAbortError(err):
		return &target.Error{Outcome: target.NotPermitted, Code: code(err), Msg: forbidden, Cure: cure}
	}
	return &target.Error{Outcome: target.Unreachable, Code: code(err), Msg: "the server answered and could not serve the request now", Cure: "look at the server's log, then try again"}
}

// changeError says what the failure of ACL SETUSER means. The server carries out all of its rules or none.
func changeError(err error) error {
	if strings.Contains(err.Error(), "does not exist") {
		return &target.Error{Outcome: target.Unreachable, Code: code(err), Msg: "somebody else changed the user at the same moment", Cure: "try again"}
	}
	return queryError(err, "the login may not change users", "give it +acl|setuser, or use a reconcile login")
}

func noACLFile(err error) bool {
	return answered(err) && strings.Contains(err.Error(), "not configured to use an ACL file")
}

// code is the first word of the server's answer. The rest can hold what was sent.
func code(err error) string {
	word, _, _ := strings.Cut(err.Error(), " ")
	if len(word) > 32 || strings.ToUpper(word) != word {
		return ""
	}
	return word
}

// unreachable names the reason why no answer came, out of a fixed set.
func unreachable(err error) *target.Error {
	return dial.Unreachable(err, "look whether it runs, and whether it speaks TLS on this port")
}
