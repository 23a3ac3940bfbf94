package identity

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
)

// maxScopes bounds what one token stores; nobody needs to list more patterns than there are operations.
const maxScopes = 64

// Covers reports whether one of the scopes allows op. A scope is an operation ("account.reveal"), all operations of one
// object ("account.*") or everything ("*"). Where explicit is true "*" is not enough: the scope must name the operation
// or its object, so that a token for everyday work cannot be used to make more tokens or users.
func Covers(scopes []string, op string, explicit bool) bool {
	object, _, _ := strings.Cut(op, ".")
	return slices.ContainsFunc(scopes, func(s string) bool {
		return s == op || s == object+".*" || s == "*" && !explicit
	})
}

// Narrower reports whether every one of the scopes is covered by one in of, word for word or by its pattern.
func Narrower(scopes, of []string) bool {
	for _, s := range scopes {
		if !slices.Contains(of, s) && !Covers(of, s, true) {
			return false
		}
	}
	return true
}

// ParseScopes returns the scopes sorted and without repetition. It fails with fault.Invalid if there is none, or if one
// is not a pattern; whether the operation that it names exists is for the caller to check.
func ParseScopes(scopes []string) ([]string, error) {
	if len(scopes) == 0 || len(scopes) > maxScopes {
		return nil, fault.New(fault.Invalid, "a token needs between 1 and %d scopes", maxScopes).WithField("scopes").
			WithCure(`name what it may do, such as "account.reveal", "cluster.*" or "*"`)
	}
	for _, s := range scopes {
		if !isScope(s) {
			return nil, fault.New(fault.Invalid, "a scope is not a pattern").WithField("scopes").
				WithCure(`write "object.verb", "object.*" or "*"`)
		}
	}
	out := slices.Clone(scopes)
	slices.Sort(out)
	return slices.Compact(out), nil
}

func isScope(s string) bool {
	if s == "*" {
		return true
	}
	object, verb, ok := strings.Cut(s, ".")
	return ok && isWord(object) && (verb == "*" || isWord(verb))
}

func isWord(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}
