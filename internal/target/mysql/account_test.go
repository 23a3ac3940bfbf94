package mysql

import (
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
		is + " IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL":                                                    {methods: []method{{native, "*AB"}}},
		is + " IDENTIFIED VIA ed25519 USING 'Ab+/' PASSWORD EXPIRE":                                         {methods: []method{{ed25519, "Ab+/"}}},
		is + " IDENTIFIED VIA mysql_native_password USING '*AB' OR unix_socket ACCOUNT LOCK":                {methods: []method{{native, "*AB"}, {"unix_socket", ""}}, locked: true},
		is + " IDENTIFIED BY PASSWORD '*AB' REQUIRE SUBJECT ' ACCOUNT LOCK '' \\' ACCOUNT LOCK' CIPHER 'x'": {methods: []method{{native, "*AB"}}},
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
