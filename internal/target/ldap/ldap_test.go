package ldap_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/ldap"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

var own = ldap.New(ldap.Config{})

func (s *server) secure() target.Connection {
	return target.Connection{"host": "127.0.0.1", "port": s.tlsPort, "tls_ca": s.CA}
}

func (s *server) startTLS() target.Connection {
	return target.Connection{"host": "127.0.0.1", "port": s.port, "tls": "starttls", "tls_ca": s.CA}
}

func (s *server) plain() target.Connection {
	return target.Connection{"host": "127.0.0.1", "port": s.port, "tls": "off", "accept_no_tls": "yes"}
}

func login(dn, value string) target.Login {
	return target.Login{User: dn, Password: targettest.Value(value)}
}

func change(by target.Login, account, value string) target.Change {
	return target.Change{By: by, Account: account, Value: targettest.Value(value)}
}

func check(t *testing.T, name string, want target.Outcome, err error) {
	t.Helper()
	if got := target.OutcomeOf(err); got != want {
		t.Errorf("%s: outcome %q (%v), want %q", name, got, err, want)
	}
}

// says checks also what the error tells of its reason.
func says(t *testing.T, name string, want target.Outcome, reason string, err error) {
	t.Helper()
	check(t, name, want, err)
	if err != nil && !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: %q does not say %q", name, err, reason)
	}
}

func TestLDAP(t *testing.T) {
	s := start(t, "", "")
	rec := login(recDN, "rec-pw")
	named := func(t *testing.T, name string) target.Login { return s.create(t, name, "start-"+rand.Text()) }
	harness := targettest.Harness{
		Target: own, Plain: s.plain(), Addr: "127.0.0.1:" + s.port, Trigger: []byte("1.3.6.1.4.1.4203.1.11.1"),
		Reconcile: rec, Missing: "cn=kt-missing," + apps, Protected: guarded, CreateNamed: named, Log: s.log,
		Create: func(t *testing.T) target.Login { return named(t, "cn=app-"+rand.Text()+","+apps) },
		Dump:   s.dump,
		Strip: func(t *testing.T) (target.Login, func()) { // access rules are read at the start: this one has none
			return login("cn=reader,ou=sys,"+base, "reader-pw"), func() {}
		},
		RejectedValue: func(account string) string {
			s.rule(t, account, "strict")
			return "too-short"
		},
		BadNames: []string{"", "kt-missing", "app@example.org", "cn=", "=x," + apps, "cn=a,," + apps, "cn=a\x00b," + apps, "cn=a\nb," + apps, "cn=\xff," + apps, `cn=a\`, `cn="a,` + apps, "cn=" + strings.Repeat("n", 1024)},
	}
	for tls, c := range map[string]target.Connection{"ldaps": s.secure(), "starttls": s.startTLS()} {
		h := harness
		h.Connection = c
		h.Names = nil
		for _, name := range []string{
			`cn=a\,b `, `cn=a\+b`, `cn=\"quoted\"`, `cn=back\\slash`, `cn=\#x`, `cn=\ space\ `, `cn=müller`, `cn=m\c3\bcller two`, `cn=a\;b\<c\>`, `cn=a=b`, `cn=$1 *()`,
			`CN=CamelCase`, `cn=two+sn=parts`, `uid=mail@example.org`, `cn=` + strings.Repeat("n", 200),
		} {
			h.Names = append(h.Names, strings.Replace(name, "=", "="+tls, 1)+","+apps)
		}
		t.Run(tls, func(t *testing.T) { targettest.Run(t, h) })
	}
	t.Run("logins", func(t *testing.T) { logins(t, s, rec) })
	t.Run("policy", func(t *testing.T) { policy(t, s, rec) })
	t.Run("rehearsals", func(t *testing.T) { rehearsals(t, s, rec) })
	t.Run("lockout", func(t *testing.T) { lockout(t, s, rec) })
	t.Run("expired and reset", func(t *testing.T) { states(t, s, rec) })
}

// logins looks at accounts and connections that are not as they should be.
func logins(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.app(t, "plain", "default")
	blind := s.create(t, "cn=blind,ou=blind,"+base, "value-1")
	check(t, "may not read itself", "", own.Verify(ctx, at, blind))
	check(t, "another spelling", "", own.Verify(ctx, at, target.Login{User: "CN=Plain, " + strings.ToUpper(apps), Password: l.Password}))
	check(t, "change itself under another spelling", "", own.Change(ctx, at, change(l, "CN=PLAIN,"+apps, "value-1")))
	l = login(l.User, "value-1")
	check(t, "the change", "", own.Verify(ctx, at, l))
	says(t, "by numbers", target.Unproven, "as the directory does", own.Verify(ctx, at, login("2.5.4.3=plain,"+apps, "value-1")))
	check(t, "no password", target.Misconfigured, own.Verify(ctx, at, target.Login{User: l.User}))

	other := targettest.NewServer(t)
	before := s.binds(t, l.User)
	for name, c := range map[string]target.Connection{"ldaps": s.secure(), "starttls": s.startTLS()} {
		c["tls_ca"] = other.CA
		says(t, "another CA, "+name, target.Unreachable, "trusted CA", own.Verify(ctx, c, l))
		says(t, "another CA, change, "+name, target.Unreachable, "trusted CA", own.Change(ctx, c, change(l, l.User, "value-2")))
		c["tls_ca"], c["tls_server_name"] = s.CA, "elsewhere"
		says(t, "another name, "+name, target.Unreachable, "another name", own.Verify(ctx, c, l))
	}
	if after := s.binds(t, l.User); after != before {
		t.Errorf("%d passwords left for a server that is not trusted", after-before)
	}
	hasty := ldap.New(ldap.Config{Timeout: 300 * time.Millisecond})
	check(t, "TLS to a port without", target.Unreachable, hasty.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.port, "tls_ca": s.CA}, l))
	check(t, "StartTLS inside of TLS", target.Unreachable, hasty.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.tlsPort, "tls": "starttls", "tls_ca": s.CA}, l))
	check(t, "no TLS elsewhere", target.Misconfigured, own.Verify(ctx, target.Connection{"host": "192.0.2.1", "tls": "off", "accept_no_tls": "yes"}, l))
	check(t, "no TLS without acceptance", target.Misconfigured, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.port, "tls": "off"}, l))
	targettest.Again(t, "TestTheMachinesCAs", "SSL_CERT_FILE="+s.Dir+"/ca.crt", "KEYTURN_TEST_PORT="+s.tlsPort)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	check(t, "given up", target.Unreachable, own.Verify(gone, at, l))

	s.addValue(t, blind.User, "value-2")
	check(t, "two passwords", target.NotPermitted, own.Change(ctx, at, change(rec, blind.User, "value-3")))
}

// policy meets the rules of password policies.
func policy(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.app(t, "ruled", "strict")
	for name, by := range map[string]target.Login{"by itself": l, "by reconcile": rec} {
		says(t, "short "+name, target.Rejected, "too short", own.Change(ctx, at, change(by, l.User, "short")))
	}
	check(t, "as it was", "", own.Verify(ctx, at, l))
	check(t, "first", "", own.Change(ctx, at, change(rec, l.User, "long-enough-1")))
	check(t, "second", "", own.Change(ctx, at, change(rec, l.User, "long-enough-2")))
	check(t, "second again", "", own.Change(ctx, at, change(rec, l.User, "long-enough-2")))
	says(t, "first again", target.Rejected, "used before", own.Change(ctx, at, change(rec, l.User, "long-enough-1")))
	check(t, "second holds", "", own.Verify(ctx, at, login(l.User, "long-enough-2")))

	young := s.app(t, "young", "young")
	s.set(t, young.User, "value-1") // now
	young = login(young.User, "value-1")
	for name, by := range map[string]target.Login{"by itself": young, "by reconcile": rec} {
		says(t, "too young "+name, target.NotPermitted, "too recent", own.Change(ctx, at, change(by, young.User, "value-2")))
		check(t, "the value that it has "+name, "", own.Change(ctx, at, change(by, young.User, "value-1")))
	}

	safe := s.app(t, "safe", "safe")
	says(t, "without the old one", target.NotPermitted, "old password", own.Change(ctx, at, change(rec, safe.User, "value-2")))
	check(t, "with the old one", "", own.Change(ctx, at, change(safe, safe.User, "value-2")))
	check(t, "by a manager", "", own.Change(ctx, at, change(login("cn=manager,ou=sys,"+base, "manager-pw"), safe.User, "value-3")))
	check(t, "the change", "", own.Verify(ctx, at, login(safe.User, "value-3")))

	fixed := s.app(t, "fixed", "fixed")
	says(t, "no own change", target.NotPermitted, "reconcile", own.Change(ctx, at, change(fixed, fixed.User, "value-2")))
	check(t, "by reconcile", "", own.Change(ctx, at, change(rec, fixed.User, "value-2")))
	check(t, "by reconcile", "", own.Verify(ctx, at, login(fixed.User, "value-2")))
}

// rehearsals meets the rules of password policies, and entries that are not as they should be.
func rehearsals(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	rehearse := func(name, reason string, want target.Outcome, by target.Login, account string) {
		t.Helper()
		_, err := own.Rehearse(ctx, at, by, account)
		says(t, name, want, reason, err)
	}
	plain, strict, young := s.app(t, "tried", "default"), s.app(t, "tried-strict", "strict"), s.app(t, "tried-young", "young")
	safe, fixed, locked := s.app(t, "tried-safe", "safe"), s.app(t, "tried-fixed", "fixed"), s.app(t, "tried-locked", "locking")
	s.set(t, young.User, "value-1") // now
	young = login(young.User, "value-1")
	for range 3 {
		check(t, "wrong", target.Refused, own.Verify(ctx, at, login(locked.User, "wrong")))
	}
	two, none := s.create(t, "cn=tried-two,ou=blind,"+base, "value-1"), policyDN("default")
	s.addValue(t, two.User, "value-2")
	manager := login("cn=manager,ou=sys,"+base, "manager-pw")
	before := s.entries(t)
	rehearse("itself", "", "", plain, plain.User)
	rehearse("another spelling", "", "", plain, strings.ToUpper(plain.User))
	rehearse("by reconcile", "", "", rec, plain.User)
	rehearse("strict", "", "", rec, strict.User)
	rehearse("itself, too young", "too recent", target.NotPermitted, young, young.User)
	rehearse("too young", "too recent", target.NotPermitted, rec, young.User)
	rehearse("itself, the old one is asked for", "before it looks at the right", target.Unsupported, safe, safe.User)
	rehearse("the old one is asked for", "before it looks at the right", target.Unsupported, rec, safe.User)
	rehearse("the old one is not asked of a manager", "", "", manager, safe.User)
	rehearse("itself, no own changes", "reconcile", target.NotPermitted, fixed, fixed.User)
	rehearse("no own changes, by reconcile", "", "", rec, fixed.User)
	rehearse("locked", "locked", target.NotPermitted, locked, locked.User)
	rehearse("locked, by reconcile", "", "", rec, locked.User)
	rehearse("two passwords", "more than one", target.NotPermitted, rec, two.User)
	rehearse("no password", "is of a kind", target.NotPermitted, manager, none)
	rehearse("guarded", "may not change", target.NotPermitted, rec, guarded)
	if after := s.entries(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	check(t, "as it was", "", own.Verify(ctx, at, plain))
}

// lockout counts what proofs and changes cost.
func lockout(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.app(t, "counted", "locking")
	failures := func(want int) {
		t.Helper()
		if got := len(s.read(t, l.User, "pwdFailureTime")); got != want {
			t.Errorf("%d failed logins, want %d", got, want)
		}
	}
	for range 5 {
		check(t, "proved again and again", "", own.Verify(ctx, at, l))
		failures(1)
	}
	check(t, "wrong", target.Refused, own.Verify(ctx, at, login(l.User, "wrong")))
	failures(2)
	check(t, "proved", "", own.Verify(ctx, at, l))
	failures(1)
	for range 2 {
		check(t, "wrong", target.Refused, own.Verify(ctx, at, login(l.User, "wrong")))
	}
	says(t, "locked", target.NotPermitted, "locked", own.Verify(ctx, at, l))
	says(t, "locked, wrong", target.NotPermitted, "locked", own.Verify(ctx, at, login(l.User, "wrong")))
	says(t, "locked, change by itself", target.NotPermitted, "locked", own.Change(ctx, at, change(l, l.User, "value-2")))
	check(t, "reset", "", own.Change(ctx, at, change(rec, l.User, "value-2")))
	check(t, "not locked any more", "", own.Verify(ctx, at, login(l.User, "value-2")))

	s.rule(t, l.User, "young")
	check(t, "too young", target.NotPermitted, own.Change(ctx, at, change(rec, l.User, "value-3")))
	s.rule(t, l.User, "locking")
	failures(2)
	check(t, "as it was", "", own.Verify(ctx, at, login(l.User, "value-2")))
	failures(1)

	s.rule(t, l.User, "young")
	for range 8 { // with the one before that is the policy's nine
		check(t, "wrong", target.Refused, own.Verify(ctx, at, login(l.User, "wrong")))
	}
	check(t, "too young, and locked", target.Unknown, own.Change(ctx, at, change(rec, l.User, "value-3")))
}

// states looks at passwords that have expired, or that have to be changed.
func states(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	old, graced := s.app(t, "old", "default"), s.app(t, "graced", "default")
	for _, l := range []target.Login{old, graced} { // longer ago than their policies allow
		s.relax(t, l.User, "pwdChangedTime", "20200101000000Z")
	}
	s.rule(t, old.User, "expiry")
	s.rule(t, graced.User, "grace")
	says(t, "expired", target.NotPermitted, "expired", own.Verify(ctx, at, old))
	check(t, "expired, wrong", target.Refused, own.Verify(ctx, at, login(old.User, "wrong")))
	says(t, "grace", target.NotPermitted, "few times", own.Verify(ctx, at, graced))
	check(t, "change by grace", "", own.Change(ctx, at, change(graced, graced.User, "value-2")))
	check(t, "change expired", "", own.Change(ctx, at, change(rec, old.User, "value-2")))
	for _, l := range []target.Login{old, graced} {
		s.rule(t, l.User, "default") // one second is short
		check(t, "changed", "", own.Verify(ctx, at, login(l.User, "value-2")))
	}

	must := s.app(t, "must", "change")
	check(t, "reset by a manager", "", own.Change(ctx, at, change(login("cn=manager,ou=sys,"+base, "manager-pw"), must.User, "value-1")))
	says(t, "must change", target.NotPermitted, "pwdReset", own.Verify(ctx, at, login(must.User, "value-1")))
	check(t, "changes itself", "", own.Change(ctx, at, change(login(must.User, "value-1"), must.User, "value-2")))
	check(t, "changed", "", own.Verify(ctx, at, login(must.User, "value-2")))
	check(t, "reset by write", "", own.Change(ctx, at, change(rec, must.User, "value-3")))
	check(t, "needs no change", "", own.Verify(ctx, at, login(must.User, "value-3")))
}

// TestConfidential: a server that insists on TLS says so.
func TestConfidential(t *testing.T) {
	s := start(t, "security simple_bind=128", "")
	rec := login(recDN, "rec-pw")
	says(t, "without TLS", target.NotPermitted, "TLS", own.Verify(t.Context(), s.plain(), rec))
	for name, c := range map[string]target.Connection{"ldaps": s.secure(), "starttls": s.startTLS()} {
		check(t, name, "", own.Verify(t.Context(), c, rec))
	}
}

// TestNoChanges: a server that is read-only, and one that refers changes to another, change nothing.
func TestNoChanges(t *testing.T) {
	for name, database := range map[string]string{
		"read-only": "readonly on",
		"replica":   `syncrepl rid=1 provider=ldap://127.0.0.1:9 type=refreshAndPersist retry="60 +" bindmethod=simple searchbase="` + base + `"` + "\nupdateref ldap://127.0.0.1:9",
	} {
		s := start(t, "", database)
		rec := login(recDN, "rec-pw")
		says(t, name, target.Unreachable, "takes no changes", own.Change(t.Context(), s.secure(), change(rec, guarded, "value-2")))
		check(t, name, "", own.Verify(t.Context(), s.secure(), rec))
		_, err := own.Rehearse(t.Context(), s.secure(), rec, guarded)
		says(t, name+", rehearsed", target.Unreachable, "takes no changes", err)
	}
}

// TestTheMachinesCAs is run by TestLDAP once more, in a process in which the server's CA stands for those of the machine.
// Alone it has nothing to do.
func TestTheMachinesCAs(t *testing.T) {
	port := os.Getenv("KEYTURN_TEST_PORT")
	if port == "" {
		return
	}
	check(t, "the machine's CAs", "", own.Verify(t.Context(), target.Connection{"host": "localhost", "port": port}, login(recDN, "rec-pw")))
}
