// Package targettest is the one suite that every type of target passes against its real server.
package targettest

import (
	"bytes"
	"context"
	"crypto/rand"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// Subject is a type that can do what the suite asks for.
type Subject interface {
	target.Verifier
	target.Preparer
	target.Changer
}

// Harness is a running server and how the suite gets at it.
type Harness struct {
	Target     Subject
	Connection target.Connection // over TLS
	Plain      target.Connection // without TLS, for the proxy; its host and port are replaced
	Addr       string            // host:port of Plain
	Trigger    []byte            // what the changing statement looks like on the wire
	Reconcile  target.Login
	// Create makes an account with a random name and returns its login.
	Create func(t *testing.T) target.Login
	// CreateNamed makes an account with this very name.
	CreateNamed func(t *testing.T, name string) target.Login
	// Protected is an account that Reconcile may not change.
	Protected string
	// RejectedValue returns a value that the server's policy rejects for account.
	RejectedValue func(account string) string
	// Log returns everything that the server logged.
	Log func(t *testing.T) []byte
}

// Value returns s as a vault.Value.
func Value(s string) vault.Value { return vault.NewValue([]byte(s)) }

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Run("change by self and by reconcile", h.change)
	t.Run("verify", h.verify)
	t.Run("special characters and lengths", h.values)
	t.Run("definite refusals", h.refusals)
	t.Run("server down", h.down)
	t.Run("cuts and resends", h.cuts)
	t.Run("account names", h.names)
}

func (h Harness) context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// prepared builds the change of l's account to value.
func (h Harness) prepared(t *testing.T, by target.Login, account, value string) target.Change {
	t.Helper()
	p, err := h.Target.Prepare(account, Value(value))
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return target.Change{By: by, Account: account, Value: Value(value), Prepared: p}
}

func want(t *testing.T, err error, o target.Outcome) {
	t.Helper()
	if got := target.OutcomeOf(err); got != o {
		t.Errorf("outcome %q (%v), want %q", got, err, o)
	}
}

func (h Harness) change(t *testing.T) {
	ctx, l := h.context(t), h.Create(t)
	for _, by := range []string{"self", "reconcile"} {
		value := rand.Text()
		login := l
		if by == "reconcile" {
			login = h.Reconcile
		}
		want(t, h.Target.Change(ctx, h.Connection, h.prepared(t, login, l.User, value)), "")
		want(t, h.Target.Verify(ctx, h.Connection, l), target.Refused)
		l.Password = Value(value)
		want(t, h.Target.Verify(ctx, h.Connection, l), "")
		if bytes.Contains(h.Log(t), []byte(value)) {
			t.Errorf("by %s: the value stands in the server's log", by)
		}
	}
}

func (h Harness) verify(t *testing.T) {
	ctx, l := h.context(t), h.Create(t)
	want(t, h.Target.Verify(ctx, h.Connection, l), "")
	want(t, h.Target.Verify(ctx, h.Connection, target.Login{User: l.User, Password: Value(rand.Text())}), target.Refused)
	if err := h.Target.Verify(ctx, h.Connection, target.Login{User: l.User}); err == nil {
		t.Error("an empty value was proved")
	}
}

func (h Harness) values(t *testing.T) {
	ctx, l, limits := h.context(t), h.Create(t), h.Target.Spec().Limits
	for _, v := range []string{
		`'; DROP ROLE x; --`, `"quoted"`, `back\slash`, `100%@:/?#&=`, `$1 ${x} $(x)`, "md5" + strings.Repeat("0", 32),
		"SCRAM-SHA-256$x", " spaces ", "tab\there", "grüße-日本語", "nul\x00", "line\r\n", "\xff\xfe", "x²ﬁ-pass",
		"a", strings.Repeat("b", max(limits.MinLength, 127)), strings.Repeat("c", limits.MaxLength), strings.Repeat("d", limits.MaxLength+1), "",
	} {
		p, err := h.Target.Prepare(l.User, Value(v))
		if err != nil {
			want(t, err, target.Rejected)
			continue
		}
		ch := target.Change{By: h.Reconcile, Account: l.User, Value: Value(v), Prepared: p}
		want(t, h.Target.Change(ctx, h.Connection, ch), "")
		if err := h.Target.Verify(ctx, h.Connection, target.Login{User: l.User, Password: Value(v)}); err != nil {
			t.Errorf("value %q was accepted and does not log in: %v", v, err)
		}
	}
	for _, v := range []string{"", strings.Repeat("d", limits.MaxLength+1)} {
		_, err := h.Target.Prepare(l.User, Value(v))
		want(t, err, target.Rejected)
	}
}

func (h Harness) refusals(t *testing.T) {
	ctx, l, other := h.context(t), h.Create(t), h.Create(t)
	value := rand.Text()
	change := func(by target.Login, account, value string) error {
		return h.Target.Change(ctx, h.Connection, h.prepared(t, by, account, value))
	}
	want(t, change(h.Reconcile, "kt-missing", value), target.NoSuchAccount)
	want(t, change(h.Reconcile, h.Protected, value), target.NotPermitted)
	want(t, change(l, other.User, value), target.NotPermitted)
	want(t, change(target.Login{User: l.User, Password: Value("wrong")}, l.User, value), target.Refused)
	want(t, change(l, l.User, h.RejectedValue(l.User)), target.Rejected)
	ch := h.prepared(t, l, l.User, value)
	ch.Value = Value(value + "x")
	want(t, h.Target.Change(ctx, h.Connection, ch), target.Misconfigured)
	want(t, h.Target.Verify(ctx, h.Connection, l), "")
	want(t, h.Target.Verify(ctx, h.Connection, other), "")
}

// at returns Plain with another address.
func (h Harness) at(addr string) target.Connection {
	c := maps.Clone(h.Plain)
	c["host"], c["port"], _ = net.SplitHostPort(addr)
	return c
}

func (h Harness) down(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	ctx, c, account := h.context(t), h.at(l.Addr().String()), h.Create(t)
	want(t, h.Target.Verify(ctx, c, account), target.Unreachable)
	want(t, h.Target.Change(ctx, c, h.prepared(t, account, account.User, rand.Text())), target.Unreachable)
}

func (h Harness) cuts(t *testing.T) {
	ctx, l := h.context(t), h.Create(t)
	proxy := StartProxy(t, h.Addr, h.Trigger)
	c := h.at(proxy.Addr)
	ch := h.prepared(t, h.Reconcile, l.User, rand.Text())
	next := target.Login{User: l.User, Password: ch.Value}
	for _, step := range []struct {
		cut      Cut
		outcome  target.Outcome
		old, new target.Outcome
	}{
		{CutBefore, target.Unknown, "", target.Refused},
		{CutAfter, target.Unknown, target.Refused, ""},
		{CutNever, "", target.Refused, ""}, // the same change again is harmless
	} {
		proxy.Set(step.cut)
		want(t, h.Target.Change(ctx, c, ch), step.outcome)
		if (proxy.Cuts() > 0) != (step.cut != CutNever) {
			t.Errorf("cut %d: %d connections were cut", step.cut, proxy.Cuts())
		}
		want(t, h.Target.Verify(ctx, h.Connection, l), step.old)
		want(t, h.Target.Verify(ctx, h.Connection, next), step.new)
	}
}

func (h Harness) names(t *testing.T) {
	ctx, bystander := h.context(t), h.Create(t)
	names := []string{`a"b`, `a'; DROP ROLE x; --`, `a" PASSWORD 'x`, `back\slash`, "CamelCase", "with space", "müller", "current_user", "$1", strings.Repeat("n", 63)}
	for _, name := range names {
		l := h.CreateNamed(t, name)
		value := rand.Text()
		want(t, h.Target.Change(ctx, h.Connection, h.prepared(t, h.Reconcile, name, value)), "")
		want(t, h.Target.Verify(ctx, h.Connection, target.Login{User: l.User, Password: Value(value)}), "")
	}
	want(t, h.Target.Verify(ctx, h.Connection, bystander), "")
	for _, name := range []string{"", "nul\x00", strings.Repeat("n", 64)} {
		if _, err := h.Target.Prepare(name, Value("value")); err == nil {
			t.Errorf("the name %q was accepted", name)
		}
	}
}
