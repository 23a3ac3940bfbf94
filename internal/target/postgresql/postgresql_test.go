package postgresql_test

import (
	"crypto/rand"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/generic"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

func TestPostgreSQL(t *testing.T) {
	s := startServer(t, "host all trusting 127.0.0.1/32 trust\nhost all cleartext 127.0.0.1/32 password")
	s.create(t, "rec", "strong-1-pw", "LOGIN CREATEROLE")
	pg := postgresql.New(postgresql.Config{})
	tls := target.Connection{"host": "127.0.0.1", "port": s.port, "tls_ca": s.ca}
	rec := target.Login{User: "rec", Password: targettest.Value("strong-1-pw")}
	named := func(t *testing.T, name string) target.Login {
		pw := "start-1-" + rand.Text()
		s.create(t, name, pw, "LOGIN")
		return target.Login{User: name, Password: targettest.Value(pw)}
	}
	create := func(t *testing.T) target.Login { return named(t, "app-"+rand.Text()) }
	t.Run("conformance", func(t *testing.T) {
		targettest.Run(t, targettest.Harness{
			Target: pg, Connection: tls, Plain: target.Connection{"tls": "off"}, Addr: s.addr, Trigger: []byte("ALTER ROLE"),
			Reconcile: rec, Create: create, CreateNamed: named, Protected: "postgres",
			Names:         []string{`a"b`, `a'; DROP ROLE x; --`, `a" PASSWORD 'x`, `back\slash`, "CamelCase", "with space", "müller", "current_user", "$1", strings.Repeat("n", 63)},
			BadNames:      []string{"", "nul\x00", strings.Repeat("n", 64)},
			RejectedValue: func(account string) string { return account },
			Dump:          s.dump, Hash: regexp.MustCompile(`SCRAM-SHA-256\$[^\s]+`), OpenRights: true,
			Strip: func(t *testing.T) (target.Login, func()) {
				s.exec(t, "ALTER ROLE rec NOCREATEROLE")
				return rec, func() { s.exec(t, "ALTER ROLE rec CREATEROLE") }
			},
			Rights: []targettest.Right{ // TestRightsOfAPair has all of them
				{Line: "has CREATEDB", Give: func(t *testing.T, account string) { s.exec(t, "ALTER ROLE "+quote(account)+" CREATEDB") }},
				{Line: "has CREATE on schema public (database postgres)", Give: func(t *testing.T, account string) { s.exec(t, "GRANT CREATE ON SCHEMA public TO "+quote(account)) }},
			},
			Log: func(t *testing.T) []byte {
				b, err := os.ReadFile(s.dir + "/log")
				must(t, err)
				return b
			},
		})
	})
	check := func(name string, want target.Outcome, err error) {
		t.Helper()
		if got := target.OutcomeOf(err); got != want {
			t.Errorf("%s: outcome %q (%v), want %q", name, got, err, want)
		}
	}
	change := func(by target.Login, account string) error {
		v := targettest.Value(rand.Text())
		p, err := pg.Prepare(account, v)
		must(t, err)
		return pg.Change(t.Context(), tls, target.Change{By: by, Account: account, Value: v, Prepared: p})
	}
	for _, name := range []string{"trusting", "cleartext"} {
		check("verify "+name, target.Unproven, pg.Verify(t.Context(), tls, named(t, name)))
	}
	l := create(t)
	check("no CA", target.Unreachable, pg.Verify(t.Context(), target.Connection{"host": "127.0.0.1", "port": s.port}, l))
	check("no TLS elsewhere", target.Misconfigured, pg.Verify(t.Context(), target.Connection{"host": "192.0.2.1", "tls": "off"}, l))
	s.create(t, "expired", "strong-1-pw", "LOGIN VALID UNTIL '2001-01-01'")
	check("expired", target.NotPermitted, change(rec, "expired"))
	s.create(t, "sleeper", "strong-1-pw", "NOLOGIN")
	check("nologin", target.NotPermitted, change(rec, "sleeper"))
	s.exec(t, "CREATE ROLE owner; GRANT owner TO "+quote(l.User)+"; ALTER ROLE "+quote(l.User)+" SET role='owner'; ALTER ROLE "+quote(l.User)+" SET default_transaction_read_only=on")
	check("acts as another, read only", "", change(l, l.User))
	s.create(t, "bystander", "strong-1-pw", "LOGIN")
	plain := create(t)
	rehearse := func(name string, want target.Outcome, by target.Login, account string) {
		t.Helper()
		_, err := pg.Rehearse(t.Context(), tls, by, account)
		check("rehearse "+name, want, err)
	}
	rehearse("its own", "", plain, plain.User)
	rehearse("by the reconcile account", "", rec, plain.User)
	rehearse("by a bystander", target.NotPermitted, target.Login{User: "bystander", Password: targettest.Value("strong-1-pw")}, plain.User)
	rehearse("no such role", target.NoSuchAccount, rec, "nobody-here")
	rehearse("nologin", target.NotPermitted, rec, "sleeper")
	rehearse("wrong password", target.Refused, target.Login{User: plain.User, Password: targettest.Value("wrong")}, plain.User)
	check("the value after rehearsals", "", pg.Verify(t.Context(), tls, plain))
	if _, err := target.NewRegistry(pg, generic.New()); err != nil {
		t.Error(err)
	}
}
