package mysql

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/vault"
)

func TestAccountNames(t *testing.T) {
	for name, want := range map[string]account{
		"app": {"app", "%"}, "app@10.%": {"app", "10.%"}, "App@DB.Example": {"App", "db.example"}, "a@b@%": {"a@b", "%"}, " app": {" app", "%"},
		"": {}, "@": {}, "app@": {}, "@%": {}, "app ": {}, "app@% ": {}, "a\x00b": {}, "\xff": {}, "\U0001F600": {},
	} {
		if got, err := parseAccount(name); got != want || (err == nil) != (want != account{}) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if got := (account{"a`b", "%"}).sql(); got != "`a``b`@`%`" {
		t.Error(got)
	}
}

func TestWhatTheServerSaysOfAnAccount(t *testing.T) {
	a := account{"app", "%"}
	const is = "CREATE USER `app`@`%`"
	for text, want := range map[string]*user{
		is: {},
		is + " IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL":                                                    {methods: []method{{native, "*AB"}}, options: " REQUIRE SSL"},
		is + " IDENTIFIED VIA ed25519 USING 'Ab+/' PASSWORD EXPIRE":                                         {methods: []method{{ed25519, "Ab+/"}}, options: " PASSWORD EXPIRE"},
		is + " IDENTIFIED VIA mysql_native_password USING '*AB' OR unix_socket ACCOUNT LOCK":                {methods: []method{{native, "*AB"}, {"unix_socket", ""}}, locked: true, options: " ACCOUNT LOCK"},
		is + " IDENTIFIED BY PASSWORD '*AB' REQUIRE SUBJECT ' ACCOUNT LOCK '' \\' ACCOUNT LOCK' CIPHER 'x'": {methods: []method{{native, "*AB"}}, options: " REQUIRE SUBJECT ' ACCOUNT LOCK '' \\' ACCOUNT LOCK' CIPHER 'x'"},
		"CREATE USER `app2`@`%` IDENTIFIED BY PASSWORD '*AB'":                                               nil,
		is + "x":                                 nil,
		is + " IDENTIFIED BY 'x'":                nil,
		is + " IDENTIFIED VIA pam USING 'it''s'": nil,
		is + " IDENTIFIED VIA pam USING 'a\\'b'": nil,
		is + " IDENTIFIED VIA pam AS 'x'":        nil,
		"":                                       nil,
	} {
		got, ok := parseUser(a, text)
		if ok != (want != nil) {
			t.Errorf("%s: understood %v", text, ok)
		} else if ok {
			if diff := cmp.Diff(*want, got, cmp.AllowUnexported(user{}, method{})); diff != "" {
				t.Errorf("%s: %s", text, diff)
			}
		}
	}
}

// TestGrants: each right stands in a line of its own, and neither a hash nor the account's name does.
func TestGrants(t *testing.T) {
	a := account{"ap`p", "%"}
	to := " TO " + a.sql()
	for text, want := range map[string][]string{
		"GRANT USAGE ON *.*" + to + " IDENTIFIED BY PASSWORD '*AB'":                                             {},
		"GRANT USAGE ON *.*" + to + " IDENTIFIED VIA ed25519 USING 'Ab+/' REQUIRE SUBJECT ' GRANT OPTION'":      {},
		"GRANT SELECT, CREATE USER ON *.*" + to + " IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL WITH GRANT OPTION": {"has SELECT on *.* with grant option", "has CREATE USER on *.* with grant option"},
		"GRANT ALL PRIVILEGES ON `a ON b TO c`.*" + to:                                                          {"has ALL PRIVILEGES on `a ON b TO c`.*"},
		"GRANT SELECT (`a, b`, c), INSERT, UPDATE (`x)`) ON `d`.`t`" + to + " WITH GRANT OPTION":                {"has SELECT (`a, b`) on `d`.`t` with grant option", "has SELECT (c) on `d`.`t` with grant option", "has INSERT on `d`.`t` with grant option", "has UPDATE (`x)`) on `d`.`t` with grant option"},
		"GRANT EXECUTE ON FUNCTION `d`.`f`" + to:                                                                {"has EXECUTE on FUNCTION `d`.`f`"},
		"GRANT PROXY ON `x`@`%`" + to:                                                                           {"has PROXY on `x`@`%`"},
		"GRANT `r ON x`" + to + " WITH ADMIN OPTION":                                                            {"is a member of `r ON x` with admin option"},
		"SET DEFAULT ROLE `r` FOR " + a.sql():                                                                   {"has the default role `r`"},
		"GRANT SELECT ON *.* TO `other`@`%`":                                                                    nil,
		"SET DEFAULT ROLE `r` FOR `other`@`%`":                                                                  nil,
		"REVOKE SELECT ON *.*" + to:                                                                             nil,
		"":                                                                                                      nil,
	} {
		got, ok := parseGrant(a, text)
		if ok != (want != nil) {
			t.Errorf("%s: understood %v", text, ok)
		} else if ok && !slices.Equal(got, want) {
			t.Errorf("%s: %q", text, got)
		}
	}
	u := user{options: " REQUIRE SUBJECT ' WITH x' WITH MAX_USER_CONNECTIONS 7 MAX_QUERIES_PER_HOUR 1 ACCOUNT LOCK PASSWORD EXPIRE NEVER"}
	if got := u.clauses(); !slices.Equal(got, []string{"REQUIRE SUBJECT ' WITH x'", "WITH MAX_USER_CONNECTIONS 7 MAX_QUERIES_PER_HOUR 1", "ACCOUNT LOCK", "PASSWORD EXPIRE NEVER"}) {
		t.Errorf("clauses: %q", got)
	}
}

// TestHashes compares with what MariaDB 10.11 made of the same password by PASSWORD().
func TestHashes(t *testing.T) {
	got := hashesOf(vault.NewValue([]byte("one")))
	if want := (hashes{"*74445CD742AF268FD22866DA0D12758951D638F7", "QMFUGXXbqUn9JtkZDNkF1tCJAp89yvS5IrjGlW4yCoI"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzUser: whatever stands in an account's options, its name and methods are those that the server wrote.
func FuzzUser(f *testing.F) {
	f.Add("app", "%", "CN=' ACCOUNT LOCK")
	f.Add("a`b", "10.%", `\`)
	f.Fuzz(func(t *testing.T, name, host, subject string) {
		a := account{name, host}
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(subject)
		u, ok := parseUser(a, "CREATE USER "+a.sql()+" IDENTIFIED BY PASSWORD '*AB' REQUIRE SUBJECT '"+quoted+"'")
		if !ok || u.locked || len(u.methods) != 1 || u.methods[0].hash != "*AB" {
			t.Errorf("%+v, %v", u, ok)
		}
	})
}
