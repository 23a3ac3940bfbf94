// Package targettest is the one suite that every type of target passes against its real server, and what starts such a
// server for a test.
package targettest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// Subject is a type that can do what the suite asks for.
type Subject interface {
	target.Verifier
	target.Changer
}

// Harness is a running server and how the suite gets at it.
type Harness struct {
	// Target is the type. The suite also runs what it has beyond Subject: target.Preparer, target.Overlapper,
	// target.Rehearser, target.Comparer.
	Target     Subject
	Connection target.Connection // over TLS
	Plain      target.Connection // without TLS, for the proxy; its host and port are replaced
	Addr       string            // host:port of Plain
	Trigger    []byte            // what the changing statement looks like on the wire
	// Break starts what breaks the connections of Plain where the proxy cannot, because nothing is read on the wire; nil
	// means the proxy.
	Break     func(t *testing.T) Breaker
	Reconcile target.Login
	// NewValue makes a random value that is within the type's limits; nil means random letters and digits.
	NewValue func() string
	// NoSelf says that an account made by Create has no right to change its own value.
	NoSelf bool
	// Create makes an account with a random name and returns its login.
	Create func(t *testing.T) target.Login
	// CreateNamed makes an account with this very name.
	CreateNamed func(t *testing.T, name string) target.Login
	// Names are account names that are hard to quote; BadNames are those that must be refused before anything is sent.
	Names, BadNames []string
	// Missing is the name of an account that is not there; empty means kt-missing.
	Missing string
	// Protected is an account that Reconcile may not change; empty where there is none.
	Protected string
	// RejectedValue returns a value that the server's policy rejects for account; nil where the server has no policy.
	RejectedValue func(account string) string
	// AddValue makes the account take a further value, behind the back of the target. An Overlapper needs it.
	AddValue func(t *testing.T, account, value string)
	// Log returns everything that the server logged.
	Log func(t *testing.T) []byte
	// Dump returns all that the server holds of its accounts, hashes included, the same for the same state. A Rehearser and a
	// Comparer need it.
	Dump func(t *testing.T) string
	// Strip takes the right to change values from Reconcile until restore is called, and returns Reconcile; where that is
	// not possible it returns another login of its kind, without the right. A Rehearser needs it.
	Strip func(t *testing.T) (by target.Login, restore func())
	// Rights are what a Comparer has to tell of, one after the other. Hash is what the hashes in Dump look like. OpenRights
	// says that each account may look at the rights of each.
	Rights     []Right
	Hash       *regexp.Regexp
	OpenRights bool
}

// Breaker breaks connections at the changing statement. [Proxy] is one.
type Breaker interface {
	// Address is the host and port to connect to.
	Address() string
	// Set chooses where connections break from now on.
	Set(Cut)
	// Cuts returns how often a connection was broken since Set.
	Cuts() int
}

func (h Harness) breaker(t *testing.T) Breaker {
	if h.Break != nil {
		return h.Break(t)
	}
	return StartProxy(t, h.Addr, h.Trigger)
}

func (h Harness) missing() string { return cmp.Or(h.Missing, "kt-missing") }

func (h Harness) newValue() string {
	if h.NewValue != nil {
		return h.NewValue()
	}
	return rand.Text()
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
	if o, ok := h.Target.(target.Overlapper); ok {
		t.Run("overlap", overlap{h, o}.run)
	}
	if r, ok := h.Target.(target.Rehearser); ok {
		t.Run("rehearsal", rehearsal{h, r}.run)
	}
	if c, ok := h.Target.(target.Comparer); ok {
		t.Run("rights", rights{h, c}.run)
	}
}

func (h Harness) context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// prepare returns value with what the type makes of it.
func (h Harness) prepare(account, value string) (target.Prepared, error) {
	out := target.Prepared{Value: Value(value)}
	p, ok := h.Target.(target.Preparer)
	if !ok {
		return out, h.Target.Spec().Limits.Check(out.Value)
	}
	var err error
	out.Text, err = p.Prepare(account, out.Value)
	return out, err
}

func (h Harness) prepares() bool {
	_, ok := h.Target.(target.Preparer)
	return ok
}

// prepared builds the change of l's account to value.
func (h Harness) prepared(t *testing.T, by target.Login, account, value string) target.Change {
	t.Helper()
	p, err := h.prepare(account, value)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return target.Change{By: by, Account: account, Value: p.Value, Prepared: p.Text}
}

func want(t *testing.T, err error, o target.Outcome) {
	t.Helper()
	if got := target.OutcomeOf(err); got != o {
		t.Errorf("outcome %q (%v), want %q", got, err, o)
	}
}

func (h Harness) change(t *testing.T) {
	ctx, l := h.context(t), h.Create(t)
	if h.NoSelf {
		want(t, h.Target.Change(ctx, h.Connection, h.prepared(t, l, l.User, h.newValue())), target.NotPermitted)
	}
	for _, by := range []string{"self", "reconcile"} {
		value := h.newValue()
		login := l
		switch {
		case by == "reconcile":
			login = h.Reconcile
		case h.NoSelf:
			continue
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
	want(t, h.Target.Verify(ctx, h.Connection, target.Login{User: l.User, Password: Value(h.newValue())}), target.Refused)
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
		p, err := h.prepare(l.User, v)
		if err != nil {
			want(t, err, target.Rejected)
			continue
		}
		ch := target.Change{By: h.Reconcile, Account: l.User, Value: p.Value, Prepared: p.Text}
		want(t, h.Target.Change(ctx, h.Connection, ch), "")
		if err := h.Target.Verify(ctx, h.Connection, target.Login{User: l.User, Password: Value(v)}); err != nil {
			t.Errorf("value %q was accepted and does not log in: %v", v, err)
		}
	}
	for _, v := range []string{"", strings.Repeat("d", limits.MaxLength+1)} {
		_, err := h.prepare(l.User, v)
		want(t, err, target.Rejected)
	}
}

func (h Harness) refusals(t *testing.T) {
	ctx, l, other := h.context(t), h.Create(t), h.Create(t)
	value := h.newValue()
	change := func(by target.Login, account, value string) error {
		return h.Target.Change(ctx, h.Connection, h.prepared(t, by, account, value))
	}
	want(t, change(h.Reconcile, h.missing(), value), target.NoSuchAccount)
	want(t, change(h.Reconcile, h.missing(), value), target.NoSuchAccount) // nothing was created by the first try
	if h.Protected != "" {
		want(t, change(h.Reconcile, h.Protected, value), target.NotPermitted)
	}
	want(t, change(l, other.User, value), target.NotPermitted)
	want(t, change(target.Login{User: l.User, Password: Value(h.newValue())}, l.User, value), target.Refused)
	if h.RejectedValue != nil {
		want(t, change(l, l.User, h.RejectedValue(l.User)), target.Rejected)
	}
	if h.prepares() {
		ch := h.prepared(t, h.Reconcile, l.User, value)
		ch.Value = Value(h.newValue())
		want(t, h.Target.Change(ctx, h.Connection, ch), target.Misconfigured)
	}
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
	want(t, h.Target.Change(ctx, c, h.prepared(t, account, account.User, h.newValue())), target.Unreachable)

	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	const patience = 300 * time.Millisecond
	short, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	want(t, h.Target.Verify(short, h.at(silent.Addr().String()), account), target.Unreachable)
	if took := time.Since(began); took < patience/2 || took > 10*patience {
		t.Errorf("a silent server was given up after %s", took)
	}
}

func (h Harness) cuts(t *testing.T) {
	ctx, l := h.context(t), h.Create(t)
	proxy := h.breaker(t)
	c := h.at(proxy.Address())
	ch := h.prepared(t, h.Reconcile, l.User, h.newValue())
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
	want(t, h.Target.Verify(ctx, h.Connection, target.Login{User: next.User, Password: next.Password, Before: l.Password}), "")
	proxy.Set(Stall)
	late := h.prepared(t, h.Reconcile, l.User, h.newValue())
	want(t, h.Target.Change(untilCut(ctx, proxy), c, late), target.Unknown)
	want(t, h.Target.Verify(ctx, h.Connection, target.Login{User: l.User, Password: late.Value}), "")
}

// untilCut is a context that ends soon after the server has carried out what the breaker waits for, however slow the
// machine is.
func untilCut(ctx context.Context, b Breaker) context.Context {
	short, cancel := context.WithTimeout(ctx, 30*time.Second)
	go func() {
		defer cancel()
		for b.Cuts() == 0 && short.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
	}()
	return short
}

func (h Harness) names(t *testing.T) {
	ctx, bystander := h.context(t), h.Create(t)
	for _, name := range h.Names {
		l := h.CreateNamed(t, name)
		value := h.newValue()
		want(t, h.Target.Change(ctx, h.Connection, h.prepared(t, h.Reconcile, name, value)), "")
		want(t, h.Target.Verify(ctx, h.Connection, target.Login{User: l.User, Password: Value(value)}), "")
		if t.Failed() {
			t.Fatalf("the name was %q", name)
		}
	}
	want(t, h.Target.Verify(ctx, h.Connection, bystander), "")
	some := h.newValue()
	for _, name := range h.BadNames {
		if _, err := h.prepare(name, some); err == nil && h.prepares() {
			t.Errorf("the name %q was accepted", name)
		}
		want(t, h.Target.Change(ctx, h.Connection, target.Change{By: h.Reconcile, Account: name, Value: Value(some)}), target.Misconfigured)
		want(t, h.Target.Verify(ctx, h.Connection, target.Login{User: name, Password: Value(some)}), target.Misconfigured)
	}
}
