package mysql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/target"
)

const (
	maxUser = 128 // characters
	maxHost = 255 // bytes
)

// account is the name of an account: the server tells 'app'@'%' from 'app'@'10.%'.
type account struct{ user, host string }

// parseAccount reads user@host, or user alone for 'user'@'%'. Hosts are in lower case, as the server keeps them. It
// refuses what the server would store as another name: characters beyond the basic plane, which become question marks,
// and spaces at the end, which it drops on disk.
func parseAccount(name string) (account, error) {
	a := account{name, "%"}
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		a = account{name[:i], strings.ToLower(name[i+1:])}
	}
	beyond := func(r rune) bool { return r == 0 || r > 0xffff }
	if a.user == "" || a.host == "" || utf8.RuneCountInString(a.user) > maxUser || len(a.host) > maxHost || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, beyond) || strings.HasSuffix(a.user, " ") || strings.HasSuffix(a.host, " ") {
		return account{}, &target.Error{
			Outcome: target.Misconfigured,
			Msg:     fmt.Sprintf("an account name is user or user@host, with a user of 1 to %d characters and no space at the end", maxUser),
			Cure:    "correct the name",
		}
	}
	return a, nil
}

// sql is the name as statements have it. Back quotes mean the same in every sql_mode.
func (a account) sql() string { return quote(a.user) + "@" + quote(a.host) }

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// method is one way in which an account logs in.
type method struct{ plugin, hash string }

// The plugins that check a password against a hash. Those of an account are taken in this order: some clients fail at an
// ed25519 method that comes first and is not theirs.
const (
	native  = "mysql_native_password"
	ed25519 = "ed25519"
)

// user is what SHOW CREATE USER says of an account.
type user struct {
	methods []method
	locked  bool
	options string // what stands behind the methods
}

// plugin is the account's own method: during an overlap mysql_native_password can be there for the new value alone.
func (u user) plugin() string {
	if slices.ContainsFunc(u.methods, func(m method) bool { return m.plugin == ed25519 }) {
		return ed25519
	}
	return native
}

// held names the values that the account takes: those of known by their native hash, others by what is stored.
func (u user) held(known ...hashes) []string {
	var out []string
	for _, m := range u.methods {
		name := m.hash
		for _, h := range known {
			if h.by(m.plugin) == m {
				name = h.native
			}
		}
		out = append(out, name)
	}
	return out
}

// editable says why an account's value cannot be changed to one that is proved by logging in.
func (u user) editable() error {
	if u.locked {
		return &target.Error{Outcome: target.NotPermitted, Msg: "the account is locked, so a new password could not log in either", Cure: "ALTER USER … ACCOUNT UNLOCK, then try again"}
	}
	for _, m := range u.methods {
		if m.plugin != native && m.plugin != ed25519 {
			return &target.Error{Outcome: target.NotPermitted, Msg: "the account logs in by another method than mysql_native_password or ed25519", Cure: "manage an account that logs in by a password alone"}
		}
	}
	return nil
}

var (
	byPassword = regexp.MustCompile(`^ IDENTIFIED BY PASSWORD '([^'\\]*)'`)
	byMethod   = regexp.MustCompile(`^ (?:IDENTIFIED VIA|OR) ([A-Za-z0-9_]+)(?: USING '([^'\\]*)')?`)
	quoted     = regexp.MustCompile(`(?s)'(?:[^'\\]|''|\\.)*'`)
	options    = regexp.MustCompile(`^(?:$| REQUIRE | WITH | ACCOUNT | PASSWORD )`) // what can follow the methods
)

// parseUser reads the answer of SHOW CREATE USER about a. It reports false when the text is about another account or is
// not understood to its end.
func parseUser(a account, text string) (user, bool) {
	rest, ok := strings.CutPrefix(text, "CREATE USER "+a.sql())
	if !ok || rest != "" && rest[0] != ' ' {
		return user{}, false
	}
	var u user
	if m := byPassword.FindStringSubmatch(rest); m != nil {
		u.methods, rest = []method{{native, m[1]}}, rest[len(m[0]):]
	}
	for m := byMethod.FindStringSubmatch(rest); m != nil; m = byMethod.FindStringSubmatch(rest) {
		u.methods, rest = append(u.methods, method{m[1], m[2]}), rest[len(m[0]):]
	}
	if !options.MatchString(rest) {
		return user{}, false
	}
	u.options = rest
	u.locked = strings.Contains(quoted.ReplaceAllString(rest, "''"), " ACCOUNT LOCK")
	return u, true
}
