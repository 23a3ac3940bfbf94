package mysql_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/mysql"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

const native = "mysql_native_password"

var own = mysql.New(mysql.Config{})

func (s *server) secure() target.Connection {
	return target.Connection{"host": "127.0.0.1", "port": s.port, "tls_ca": s.CA}
}

func login(name, value string) target.Login {
	return target.Login{User: name, Password: targettest.Value(value)}
}

func check(t *testing.T, name string, want target.Outcome, err error) {
	t.Helper()
	if got := target.OutcomeOf(err); got != want {
		t.Errorf("%s: outcome %q (%v), want %q", name, got, err, want)
	}
}

func prepared(t *testing.T, account, value string) target.Prepared {
	t.Helper()
	p, err := own.Prepare(account, targettest.Value(value))
	must(t, err)
	return target.Prepared{Value: targettest.Value(value), Text: p}
}

func change(t *testing.T, by target.Login, account, value string) target.Change {
	t.Helper()
	p := prepared(t, account, value)
	return target.Change{By: by, Account: account, Value: p.Value, Prepared: p.Text}
}

func TestMariaDB(t *testing.T) {
	s := start(t)
	rec := s.create(t, "rec", "rec-pw-1", native, "")
	s.exec(t, "GRANT CREATE USER ON *.* TO rec")
	s.exec(t, "GRANT SELECT ON mysql.* TO rec")
	rights := s.rights(t)
	for _, plugin := range []string{native, "ed25519"} {
		named := func(t *testing.T, name string) target.Login {
			return s.create(t, name, "start-"+rand.Text(), plugin, "")
		}
		t.Run(plugin, func(t *testing.T) {
			targettest.Run(t, targettest.Harness{
				Target: own, Connection: s.secure(), Plain: target.Connection{"tls": "off"}, Addr: "127.0.0.1:" + s.port, Trigger: []byte("ALTER USER"),
				Reconcile: rec, CreateNamed: named, AddValue: s.addValue, Log: s.log, Dump: s.dump, Rights: rights, Hash: hashes,
				Strip: func(t *testing.T) (target.Login, func()) {
					s.exec(t, "REVOKE CREATE USER ON *.* FROM rec")
					return rec, func() { s.exec(t, "GRANT CREATE USER ON *.* TO rec") }
				},
				Create: func(t *testing.T) target.Login { return named(t, "app-"+rand.Text()) },
				Names: []string{
					plugin + "`b", plugin + "'; DROP USER rec; --", plugin + `"x`, plugin + `back\slash`, plugin + "with space", plugin + "müller", plugin + "$1",
					plugin + "mail@example.org@%", plugin + "x@127.0.0.%", plugin + "x@127.0.0.0/255.255.255.0", plugin + "CamelCase@127.0.0.1",
					plugin + strings.Repeat("n", 128-len(plugin)),
				},
				BadNames: []string{"", "@%", "app@", "nul\x00", "\xff", "😀", "space ", "app@% ", strings.Repeat("n", 129)},
			})
		})
	}
	t.Run("logins", func(t *testing.T) { logins(t, s, rec) })
	t.Run("options stay", func(t *testing.T) { options(t, s, rec) })
	t.Run("own change", func(t *testing.T) { self(t, s) })
	t.Run("policy", func(t *testing.T) { policy(t, s, rec) })
	t.Run("rehearsals", func(t *testing.T) { rehearsals(t, s, rec) })
	t.Run("comparison", func(t *testing.T) { compare(t, s, rec) })
	t.Run("server states", func(t *testing.T) { states(t, s, rec) })
}

// logins looks at accounts and connections that are not as they should be.
func logins(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.create(t, "tls", "value-1", native, "REQUIRE SSL")
	check(t, "with TLS", "", own.Verify(ctx, at, l))
	check(t, "asks for TLS", target.Refused, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.port, "tls": "off"}, l))
	check(t, "no TLS elsewhere", target.Misconfigured, own.Verify(ctx, target.Connection{"host": "192.0.2.1", "tls": "off"}, l))
	other := targettest.NewServer(t)
	check(t, "another CA", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.port, "tls_ca": other.CA}, l))
	check(t, "another name", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.port, "tls_ca": s.CA, "tls_server_name": "elsewhere"}, l))
	targettest.Again(t, "TestTheMachinesCAs", "SSL_CERT_FILE="+s.Dir+"/ca.crt", "KEYTURN_TEST_PORT="+s.port)

	locked := s.create(t, "locked", "value-1", native, "ACCOUNT LOCK")
	check(t, "locked", target.NotPermitted, own.Verify(ctx, at, locked))
	check(t, "locked, wrong password", target.Refused, own.Verify(ctx, at, login("locked", "wrong")))
	check(t, "change locked", target.NotPermitted, own.Change(ctx, at, change(t, rec, "locked", "value-2")))

	expired := s.create(t, "expired", "value-1", native, "PASSWORD EXPIRE")
	check(t, "expired", target.NotPermitted, own.Verify(ctx, at, expired))
	check(t, "change expired by itself", target.NotPermitted, own.Change(ctx, at, change(t, expired, "expired", "value-2")))
	check(t, "change expired", "", own.Change(ctx, at, change(t, rec, "expired", "value-2")))
	check(t, "not expired any more", "", own.Verify(ctx, at, login("expired", "value-2")))

	s.create(t, "often", "value-1", native, "")
	for range 5 {
		check(t, "wrong", target.Refused, own.Verify(ctx, at, login("often", "wrong")))
	}
	check(t, "blocked", target.NotPermitted, own.Verify(ctx, at, login("often", "value-1")))
	s.exec(t, "FLUSH PRIVILEGES")
	for range 7 { // each proof counts one wrong login, and the next good one takes it back
		check(t, "proved again and again", "", own.Verify(ctx, at, login("often", "value-1")))
	}

	s.create(t, "shadowed", "value-1", native, "")
	s.create(t, "shadowed@127.0.0.1", "value-1", native, "")
	check(t, "another row", target.Unproven, own.Verify(ctx, at, login("shadowed", "value-1")))
	check(t, "that row", "", own.Verify(ctx, at, login("shadowed@127.0.0.1", "value-1")))
	check(t, "another row by itself", target.NotPermitted, own.Change(ctx, at, change(t, login("shadowed", "value-1"), "shadowed", "value-2")))
	check(t, "that row by itself", "", own.Change(ctx, at, change(t, login("shadowed@127.0.0.1", "value-1"), "shadowed@127.0.0.1", "value-2")))

	s.exec(t, "CREATE USER socket IDENTIFIED VIA mysql_native_password USING PASSWORD('x') OR unix_socket")
	check(t, "another method", target.NotPermitted, own.Change(ctx, at, change(t, rec, "socket", "value-2")))
	s.exec(t, "CREATE ROLE somebody")
	check(t, "a role", target.NoSuchAccount, own.Change(ctx, at, change(t, rec, "somebody", "value-2")))
	s.exec(t, "CREATE USER fresh")
	check(t, "a first password", "", own.Change(ctx, at, change(t, rec, "fresh", "value-2")))
	check(t, "a first password", "", own.Verify(ctx, at, login("fresh", "value-2")))
	weak := s.create(t, "weak", "value-1", native, "")
	s.exec(t, "GRANT SELECT ON mysql.* TO weak")
	check(t, "may look only", target.NotPermitted, own.Change(ctx, at, change(t, weak, "fresh", "value-3")))
}

// options shows that ALTER USER leaves alone what it does not name, and that ed25519 comes back after an overlap.
func options(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	s.create(t, "kept", "value-1", "ed25519", "REQUIRE SSL WITH MAX_USER_CONNECTIONS 7 PASSWORD EXPIRE INTERVAL 90 DAY")
	s.exec(t, "GRANT SELECT ON mysql.* TO kept")
	o := target.Overlap{By: rec, Account: "kept", Current: target.Prepared{Value: targettest.Value("value-1")}, Next: prepared(t, "kept", "value-2")}
	look := func(methods int) {
		t.Helper()
		text := s.show(t, "kept")
		if !strings.Contains(text, "ed25519") || strings.Count(text, " USING ") != methods || !strings.Contains(text, "REQUIRE SSL") ||
			!strings.Contains(text, "MAX_USER_CONNECTIONS 7") || !strings.Contains(text, "PASSWORD EXPIRE INTERVAL 90 DAY") {
			t.Errorf("want all options and %d methods: %s", methods, text)
		}
	}
	check(t, "add", "", own.Add(ctx, at, o))
	look(2)
	check(t, "retire", "", own.Retire(ctx, at, o))
	look(1)
	check(t, "change", "", own.Change(ctx, at, change(t, rec, "kept", "value-3")))
	look(1)
	check(t, "own change", "", own.Change(ctx, at, change(t, login("kept", "value-3"), "kept", "value-4")))
	look(1)
}

// self shows what an account may do with its own values.
func self(t *testing.T, s *server) {
	ctx, at := t.Context(), s.secure()
	l := s.create(t, "self", "value-1", native, "")
	o := target.Overlap{By: l, Account: "self", Current: target.Prepared{Value: l.Password}, Next: prepared(t, "self", "value-2")}
	check(t, "own overlap", target.NotPermitted, own.Add(ctx, at, o))
	s.addValue(t, "self", "value-2")
	check(t, "change one of two", target.NotPermitted, own.Change(ctx, at, change(t, l, "self", "value-3")))
	check(t, "both are there", "", own.Verify(ctx, at, l))
	check(t, "both are there", "", own.Verify(ctx, at, login("self", "value-2")))
}

// policy shows a server that judges passwords and so takes no hashes.
func policy(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.create(t, "judged", "value-1", native, "")
	s.exec(t, "INSTALL SONAME 'simple_password_check'")
	check(t, "by itself", target.NotPermitted, own.Change(ctx, at, change(t, l, "judged", "value-2")))
	check(t, "by reconcile", target.NotPermitted, own.Change(ctx, at, change(t, rec, "judged", "value-2")))
	check(t, "as it was", "", own.Verify(ctx, at, l))
	s.exec(t, "SET GLOBAL strict_password_validation=OFF")
	check(t, "not strict", "", own.Change(ctx, at, change(t, rec, "judged", "value-2")))
	s.exec(t, "UNINSTALL SONAME 'simple_password_check'")
}

// states shows a server that takes no changes, and one whose accounts are held by somebody else.
func states(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.create(t, "steady", "value-1", native, "")
	s.exec(t, "SET GLOBAL read_only=1")
	check(t, "read-only", target.Unreachable, own.Change(ctx, at, change(t, rec, "steady", "value-2")))
	check(t, "read-only, by itself", target.Unreachable, own.Change(ctx, at, change(t, l, "steady", "value-2")))
	s.exec(t, "SET GLOBAL read_only=0")
	conn, err := s.admin.Conn(ctx)
	must(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.ExecContext(ctx, "FLUSH TABLES WITH READ LOCK")
	must(t, err)
	patient := mysql.New(mysql.Config{Timeout: 4 * time.Second})
	check(t, "held", target.Unreachable, patient.Change(ctx, at, change(t, rec, "steady", "value-2")))
	check(t, "held, by itself", target.Unreachable, patient.Change(ctx, at, change(t, l, "steady", "value-2")))
	_, err = patient.Rehearse(ctx, at, rec, "steady")
	check(t, "held, rehearsed", target.Unreachable, err)
	_, err = conn.ExecContext(ctx, "UNLOCK TABLES")
	must(t, err)
	check(t, "as it was", "", own.Verify(ctx, at, l))
}

// TestEverybodyIn: without its grant tables a server lets anything in, and that is no proof. This one has no TLS either.
func TestEverybodyIn(t *testing.T) {
	s := start(t, "--skip-grant-tables", "--skip-ssl")
	check(t, "no TLS", target.Unreachable, own.Verify(t.Context(), s.secure(), login("app", "anything")))
	plain := target.Connection{"host": "127.0.0.1", "port": s.port, "tls": "off"}
	check(t, "anything", target.Unproven, own.Verify(t.Context(), plain, login("app", "anything")))
}

// TestTheMachinesCAs is run by TestMariaDB once more, in a process in which the server's CA stands for those of the machine. Alone
// it has nothing to do.
func TestTheMachinesCAs(t *testing.T) {
	port := os.Getenv("KEYTURN_TEST_PORT")
	if port == "" {
		return
	}
	check(t, "the machine's CAs", "", own.Verify(t.Context(), target.Connection{"host": "127.0.0.1", "port": port}, login("tls", "value-1")))
}
