package redis_test

import (
	"context"
	"crypto/rand"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/redis"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

var own = redis.New(redis.Config{})

func (s *server) secure() target.Connection {
	return target.Connection{"host": "127.0.0.1", "port": s.tlsPort, "tls_ca": s.CA}
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

func change(t *testing.T, by target.Login, account, value string) target.Change {
	t.Helper()
	p, err := own.Prepare(account, targettest.Value(value))
	must(t, err)
	return target.Change{By: by, Account: account, Value: targettest.Value(value), Prepared: p}
}

func TestRedis(t *testing.T) {
	s := start(t, "user default off\nuser rec on #"+hash("rec-pw")+" "+rights+"\n", "aclfile $DIR/users.acl")
	rec := login("rec", "rec-pw")
	named := func(t *testing.T, name string) target.Login {
		return s.create(t, name, rand.Text(), "on ~app:* +@read")
	}
	targettest.Run(t, targettest.Harness{
		Target: own, Connection: s.secure(), Plain: target.Connection{"tls": "off"}, Addr: "127.0.0.1:" + s.port, Trigger: []byte("SETUSER"),
		Reconcile: rec, NoSelf: true, CreateNamed: named,
		Create:   func(t *testing.T) target.Login { return named(t, "app-"+rand.Text()) },
		AddValue: func(t *testing.T, account, value string) { s.do(t, "ACL", "SETUSER", account, "#"+hash(value)) },
		Log:      s.log,
		Dump:     s.dump,
		Strip: func(t *testing.T) (target.Login, func()) {
			s.do(t, "ACL", "SETUSER", "rec", "-acl|setuser")
			return rec, func() { s.do(t, "ACL", "SETUSER", "rec", "+acl|setuser") }
		},
		Rights: s.rights(), Hash: regexp.MustCompile(`[0-9a-f]{64}`),
		Names:    []string{"müller", "a;b", "$1", "CamelCase", "-x", "#x", ">x", "%n", "a,b", "{}*", "on", "\xff", strings.Repeat("n", 256)},
		BadNames: []string{"", "a b", "a\tb", "nul\x00", "a\nuser b on nopass +@all", `a"b`, "a'b", `a\b`, strings.Repeat("n", 257)},
	})
	t.Run("logins", func(t *testing.T) { logins(t, s, rec) })
	t.Run("rehearsals", func(t *testing.T) { rehearsals(t, s) })
	t.Run("disk", func(t *testing.T) { disk(t, s, rec) })
	t.Run("restart", func(t *testing.T) { restart(t, s, rec) }) // last: the new process ends with its test
}

// logins looks at users and connections that are not as they should be.
func logins(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.create(t, "plain", "value-1", "on")
	check(t, "no rights at all", "", own.Verify(ctx, at, l))
	check(t, "may ask who it is", "", own.Verify(ctx, at, s.create(t, "asking", "value-1", "on +acl|whoami")))
	s.create(t, "open", "value-1", "on nopass")
	check(t, "anybody's", target.Unproven, own.Verify(ctx, at, login("open", "anything")))
	check(t, "change anybody's", target.NotPermitted, own.Change(ctx, at, change(t, rec, "open", "value-2")))
	s.do(t, "ACL", "SETUSER", "bare", "on")
	check(t, "no password", target.NotPermitted, own.Change(ctx, at, change(t, rec, "bare", "value-2")))
	off := s.create(t, "off", "value-1", "off")
	check(t, "off", target.Refused, own.Verify(ctx, at, off))
	check(t, "change off", target.NotPermitted, own.Change(ctx, at, change(t, rec, "off", "value-2")))

	self := s.create(t, "self", "value-1", "on "+rights)
	check(t, "with the rights", "", own.Change(ctx, at, change(t, self, "self", "value-2")))
	check(t, "with the rights", "", own.Verify(ctx, at, login("self", "value-2")))
	half := s.create(t, "half", "value-1", "on +acl|getuser +acl|save")
	check(t, "half the rights", target.NotPermitted, own.Change(ctx, at, change(t, half, "plain", "value-2")))
	check(t, "half the rights", "", own.Verify(ctx, at, l))

	other := targettest.NewServer(t)
	check(t, "another CA", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.tlsPort, "tls_ca": other.CA}, l))
	check(t, "another name", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.tlsPort, "tls_ca": s.CA, "tls_server_name": "elsewhere"}, l))
	hasty := redis.New(redis.Config{Timeout: 300 * time.Millisecond}) // such a port waits for the end of a line
	check(t, "TLS to a port without", target.Unreachable, hasty.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.port, "tls_ca": s.CA}, l))
	check(t, "no TLS elsewhere", target.Misconfigured, own.Verify(ctx, target.Connection{"host": "192.0.2.1", "tls": "off"}, l))
	targettest.Again(t, "TestTheMachinesCAs", "SSL_CERT_FILE="+s.Dir+"/ca.crt", "KEYTURN_TEST_PORT="+s.tlsPort)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	check(t, "given up", target.Unreachable, own.Verify(gone, at, l))
}

// restart shows that what was changed is on disk.
func restart(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	s.create(t, "lasting", "value-1", "on")
	check(t, "change", "", own.Change(ctx, at, change(t, rec, "lasting", "value-2")))
	s.stop()
	s.run(t)
	check(t, "old", target.Refused, own.Verify(ctx, at, login("lasting", "value-1")))
	check(t, "new", "", own.Verify(ctx, at, login("lasting", "value-2")))
}

// disk takes the folder away from the server, before a change and in the middle of one.
func disk(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	s.create(t, "disk", "value-1", "on")
	proxy := targettest.StartProxy(t, "127.0.0.1:"+s.port, []byte("SETUSER"))
	through := target.Connection{"tls": "off"}
	through["host"], through["port"], _ = strings.Cut(proxy.Addr, ":")
	readOnly := func(mode os.FileMode) { must(t, os.Chmod(s.Dir, mode)) }
	defer readOnly(0o700)
	ch := change(t, rec, "disk", "value-2")

	readOnly(0o500)
	check(t, "read-only from the start", target.Unreachable, own.Change(ctx, at, ch))
	check(t, "read-only from the start", "", own.Verify(ctx, at, login("disk", "value-1")))
	readOnly(0o700)
	proxy.Do(func() { readOnly(0o500) })
	check(t, "read-only in the middle", target.Unreachable, own.Change(ctx, through, ch))
	check(t, "read-only in the middle", "", own.Verify(ctx, at, login("disk", "value-1")))
	check(t, "read-only in the middle", target.Refused, own.Verify(ctx, at, login("disk", "value-2")))
	readOnly(0o700)
	proxy.Do(func() { s.do(t, "ACL", "DELUSER", "disk") })
	check(t, "deleted in the middle", target.Unreachable, own.Change(ctx, through, ch))
	check(t, "deleted, and not created again", target.NoSuchAccount, own.Change(ctx, at, ch))
}

// TestWithoutACLFile changes users that stand in redis.conf, the default user among them.
func TestWithoutACLFile(t *testing.T) {
	s := start(t, "", "$ADMIN\nuser default on nopass ~* &* +@all\nuser app on #"+hash("value-1")+"\nuser rec on #"+hash("rec-pw")+" "+rights+" +config|rewrite +info\nuser weak on #"+hash("rec-pw")+" "+rights+" +info\nuser blind on #"+hash("rec-pw")+" "+rights+" +config|rewrite")
	ctx, at := t.Context(), s.secure()
	check(t, "anybody's default user", target.Unproven, own.Verify(ctx, at, login("default", "anything")))
	check(t, "a wrong password beside it", target.Refused, own.Verify(ctx, at, login("app", "wrong")))
	check(t, "no right to save", target.NotPermitted, own.Change(ctx, at, change(t, login("weak", "rec-pw"), "app", "value-2")))
	before := s.dump(t)
	for name, want := range map[string]target.Outcome{"rec": "", "weak": target.NotPermitted, "blind": target.Unsupported} {
		_, err := own.Rehearse(ctx, at, login(name, "rec-pw"), "app")
		check(t, "rehearse, "+name, want, err)
	}
	if after := s.dump(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	check(t, "change", "", own.Change(ctx, at, change(t, login("rec", "rec-pw"), "app", "value-2")))
	s.do(t, "ACL", "SETUSER", "default", "resetpass", "#"+hash("first"))
	check(t, "change default by itself", "", own.Change(ctx, at, change(t, login("default", "first"), "default", "value-2")))
	s.stop()
	s.run(t)
	for _, name := range []string{"app", "default"} {
		check(t, name, "", own.Verify(ctx, at, login(name, "value-2")))
	}
	if strings.Contains(string(s.log(t)), "value-2") {
		t.Error("the value stands in the server's files")
	}
}

// TestNowhereToSave: a server that would forget is not changed.
func TestNowhereToSave(t *testing.T) {
	s := start(t, "", "$ADMIN\nuser app on #"+hash("value-1"))
	must(t, os.Chmod(s.Dir, 0o500))
	defer func() { must(t, os.Chmod(s.Dir, 0o700)) }()
	ctx, at := t.Context(), s.secure()
	check(t, "change", target.Unreachable, own.Change(ctx, at, change(t, login("admin", "admin-pw"), "app", "value-2")))
	check(t, "as it was", "", own.Verify(ctx, at, login("app", "value-1")))
}

// TestTheMachinesCAs is run by TestRedis once more, in a process in which the server's CA stands for those of the machine. Alone
// it has nothing to do.
func TestTheMachinesCAs(t *testing.T) {
	port := os.Getenv("KEYTURN_TEST_PORT")
	if port == "" {
		return
	}
	check(t, "the machine's CAs", "", own.Verify(t.Context(), target.Connection{"host": "localhost", "port": port}, login("plain", "value-1")))
}
