package identity_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	home  = "192.0.2.1"
	other = "198.51.100.7"

	password = "gravel teapot Orion nineteen"
	second   = "velvet anchor Tundra forty"
)

func value(s string) vault.Value { return vault.NewValue([]byte(s)) }

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is a service on a real repository.
type house struct {
	*identity.Service
	t     testing.TB
	db    *store.Store
	clock *clock
	root  identity.Actor // its first administrator
}

func empty(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, db: storetest.Open(t, storetest.SQLite(t)), clock: &clock{at: time.Now()}}
	h.Service = &identity.Service{Store: h.db, Hasher: identity.NewCheapHasher(8), At: h.clock.now}
	return h
}

// furnished has been set up, with the administrator root.
func furnished(t testing.TB) *house {
	t.Helper()
	h := empty(t)
	h.setUp()
	return h
}

func (h *house) setUp() {
	h.t.Helper()
	code, needed, err := h.SetupCode(context.Background())
	if err != nil || !needed {
		h.t.Fatalf("setup code: needed %v, %v", needed, err)
	}
	u, err := h.Setup(context.Background(), identity.Anonymous(home), code, "root", value(password))
	h.must(err)
	h.root = identity.Actor{ID: u.ID, Name: u.Name, Kind: identity.KindUser, Role: u.Role, Address: home}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) user(name string, role identity.Role) identity.User {
	h.t.Helper()
	u, err := h.CreateUser(context.Background(), h.root, identity.NewUser{Name: name, Role: role, Password: value(password)})
	h.must(err)
	return u
}

func (h *house) login(name string) (vault.Value, identity.Session) {
	h.t.Helper()
	secret, ses, _, err := h.Login(context.Background(), identity.Anonymous(home), name, value(password))
	h.must(err)
	return secret, ses
}

// events returns how many audit events of the action there are with that outcome.
func (h *house) events(action, outcome string) int {
	h.t.Helper()
	all, err := h.db.AuditEvents(context.Background(), store.AuditFilter{Action: action, Limit: 1000})
	h.must(err)
	n := 0
	for _, ev := range all {
		if string(ev.Outcome) == outcome {
			n++
		}
	}
	return n
}

// is fails the test unless err is a fault of the kind with the code.
func is(t testing.TB, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("%s: got %v, want %s %q", what, err, kind, code)
	}
}

func ptr[T any](v T) *T { return &v }

func TestSetup(t *testing.T) {
	h, ctx := empty(t), t.Context()
	stale, _, err := h.SetupCode(ctx)
	h.must(err)
	code, needed, err := h.SetupCode(ctx)
	if err != nil || !needed {
		t.Fatal(err)
	}
	guess, _ := identity.NewSecret(identity.PrefixSetup)
	token, _ := identity.NewSecret(identity.PrefixToken)
	for what, c := range map[string]vault.Value{"replaced": stale, "guessed": guess, "a token": token, "empty": value(""), "other": value("kc_x")} {
		_, err := h.Setup(ctx, identity.Anonymous(home), c, "root", value(password))
		is(t, what, err, fault.Unauthenticated, "setup-code-wrong")
	}
	_, err = h.Setup(ctx, identity.Anonymous(home), code, "root", value("short"))
	is(t, "short password", err, fault.Invalid, "password-short")
	h.clock.advance(time.Hour)
	_, err = h.Setup(ctx, identity.Anonymous(home), code, "root", value(password))
	is(t, "expired", err, fault.Unauthenticated, "setup-code-wrong")
	if n := h.events("setup.run", "refused"); n != 6 {
		t.Errorf("%d refusals recorded, want 6", n)
	}

	code, _, err = h.SetupCode(ctx)
	h.must(err)
	errs := make(chan error)
	for _, name := range []string{"a", "b", "c", "d"} {
		go func() {
			_, err := h.Setup(ctx, identity.Anonymous(home), code, name, value(password))
			errs <- err
		}()
	}
	made := 0
	for range 4 {
		if err := <-errs; err == nil {
			made++
		} else {
			is(t, "later", err, fault.Conflict, "setup-over")
		}
	}
	users, err := h.Users(ctx)
	if err != nil || made != 1 || len(users) != 1 || users[0].Role != identity.Administrator || users[0].PasswordHash != "" {
		t.Errorf("%d made, users %+v, %v", made, users, err)
	}
	if _, needed, err := h.SetupCode(ctx); needed || err != nil {
		t.Errorf("a code after setup: %v", err)
	}
	_, err = h.Setup(ctx, identity.Anonymous(home), code, "root", value(password))
	is(t, "again", err, fault.Conflict, "setup-over")
}

func TestSetupIsThrottled(t *testing.T) {
	h, ctx := empty(t), t.Context()
	code, _, err := h.SetupCode(ctx)
	h.must(err)
	for range 30 {
		guess, _ := identity.NewSecret(identity.PrefixSetup)
		_, err := h.Setup(ctx, identity.Anonymous(other), guess, "root", value(password))
		is(t, "guess", err, fault.Unauthenticated, "setup-code-wrong")
	}
	_, err = h.Setup(ctx, identity.Anonymous(home), code, "root", value(password))
	is(t, "beyond", err, fault.Throttled, "login-throttled")
	h.clock.advance(15 * time.Minute)
	_, err = h.Setup(ctx, identity.Anonymous(home), code, "root", value(password))
	h.must(err)
}

func TestEveryWrongPairGetsOneReply(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("anna", identity.PlainUser)
	off := h.user("off", identity.PlainUser)
	_, err := h.UpdateUser(ctx, h.root, off.ID, off.Rev, identity.UserChange{Disabled: ptr(true)})
	h.must(err)
	const typed = "My secret, in the wrong field"
	var first error
	n := 0
	for what, c := range map[string][2]string{
		"wrong password": {"anna", second}, "unknown name": {"nobody", password}, "disabled": {"off", password}, "no name": {"", password},
		"no password": {"anna", ""}, "huge password": {"anna", strings.Repeat("x", 2000)}, "id as name": {u.ID, password}, "password as name": {typed, password},
	} {
		secret, ses, got, err := h.Login(ctx, identity.Anonymous(home), c[0], value(c[1]))
		is(t, what, err, fault.Unauthenticated, "wrong-credentials")
		if first == nil {
			first = err
		}
		if err.Error() != first.Error() || secret.Len() != 0 || ses != (identity.Session{}) || got != (identity.User{}) {
			t.Errorf("%s: the reply differs: %v", what, err)
		}
		n++
	}
	if got := h.events("session.create", "refused"); got != n {
		t.Errorf("%d refusals recorded, want %d", got, n)
	}
	all, err := h.db.AuditEvents(ctx, store.AuditFilter{Limit: 1000})
	h.must(err)
	reasons := map[string]int{}
	for _, ev := range all {
		reasons[ev.Reason]++
		if text := string(ev.Canonical()); strings.Contains(text, "wrong field") || strings.Contains(text, "nobody") || strings.Contains(text, "gravel") {
			t.Errorf("the log keeps what was typed: %s", text)
		}
	}
	if reasons["there is no such user"] != 4 || reasons["the password is wrong"] != 3 || reasons["the user is disabled"] != 1 {
		t.Errorf("recorded reasons: %v", reasons)
	}
}

func TestLoginAndAuthenticate(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("anna", identity.Operator)
	g, err := h.CreateGroup(ctx, h.root, "Ops", "on call", []string{u.ID})
	h.must(err)
	secret, ses, got, err := h.Login(ctx, identity.Anonymous(home), " Anna ", value(password))
	h.must(err)
	if got.ID != u.ID || got.PasswordHash != "" || ses.UserID != u.ID || ses.ExpiresAt.Sub(ses.CreatedAt) != 12*time.Hour {
		t.Errorf("signed in as %+v with %+v", got, ses)
	}
	actor, again, err := h.Authenticate(ctx, secret, other)
	h.must(err)
	want := identity.Actor{ID: u.ID, Name: "anna", Kind: identity.KindUser, Role: identity.Operator, Groups: []string{g.ID}, Via: ses.ID, Address: other}
	if d := cmp.Diff(want, actor) + cmp.Diff(ses, again); d != "" {
		t.Error(d)
	}
	if h.events("session.create", "allowed") != 1 {
		t.Error("the sign-in was not recorded")
	}
	if shown, err := h.User(ctx, "ANNA"); err != nil || !shown.LastLoginAt.Equal(ses.CreatedAt) || shown.Rev != u.Rev || shown.PasswordHash != "" {
		t.Errorf("user %+v, %v", shown, err)
	}

	_, err = h.UpdateUser(ctx, h.root, u.ID, u.Rev, identity.UserChange{Role: ptr(identity.Auditor)})
	h.must(err)
	_, err = h.UpdateGroup(ctx, h.root, g.ID, g.Rev, identity.GroupChange{Members: &[]string{}})
	h.must(err)
	if actor, _, err := h.Authenticate(ctx, secret, home); err != nil || actor.Role != identity.Auditor || len(actor.Groups) != 0 {
		t.Errorf("the next request comes from %+v, %v", actor, err)
	}
	unknown, _ := identity.NewSecret(identity.PrefixSession)
	_, _, err = h.Authenticate(ctx, unknown, home)
	is(t, "unknown", err, fault.Unauthenticated, "session-ended")
	code, _ := identity.NewSecret(identity.PrefixSetup)
	_, _, err = h.Authenticate(ctx, code, home)
	is(t, "setup code", err, fault.Unauthenticated, "secret-malformed")
}

func TestLoginMakesAnOldHashAnew(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	h.user("anna", identity.PlainUser)
	before, err := h.db.User(ctx, "anna")
	h.must(err)
	h.Hasher = identity.NewCheapHasher(16)
	h.login("anna")
	after, err := h.db.User(ctx, "anna")
	h.must(err)
	if !strings.Contains(after.PasswordHash, "m=16,") || before.PasswordHash == after.PasswordHash || !before.PasswordSetAt.Equal(after.PasswordSetAt) {
		t.Error("the hash is still the old one")
	}
	h.login("anna")
}

func TestSessionsEnd(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("anna", identity.PlainUser)
	ended := func(what string, secret vault.Value) {
		t.Helper()
		_, _, err := h.Authenticate(ctx, secret, home)
		is(t, what, err, fault.Unauthenticated, "session-ended")
	}
	actorOf := func(secret vault.Value) identity.Actor {
		t.Helper()
		a, _, err := h.Authenticate(ctx, secret, home)
		h.must(err)
		return a
	}
	secret, _ := h.login("anna")
	h.clock.advance(14 * time.Minute)
	actorOf(secret)
	h.clock.advance(14 * time.Minute)
	actorOf(secret)
	h.clock.advance(15 * time.Minute)
	ended("idle", secret)

	secret, _ = h.login("anna")
	for range 2 { // a page that listens is nobody at work
		h.clock.advance(5 * time.Minute)
		_, _, err := h.Recognise(ctx, secret, home)
		h.must(err)
	}
	h.clock.advance(5 * time.Minute)
	ended("listening", secret)

	secret, _ = h.login("anna")
	for range 72 {
		h.clock.advance(10*time.Minute - time.Second)
		actorOf(secret)
	}
	h.clock.advance(time.Minute + 12*time.Second)
	ended("too old", secret)

	secret, _ = h.login("anna")
	h.must(h.Logout(ctx, actorOf(secret)))
	ended("signed out", secret)

	one, _ := h.login("anna")
	two, _ := h.login("anna")
	a := actorOf(one)
	if all, err := h.Sessions(ctx, u.ID); err != nil || len(all) != 2 {
		t.Errorf("%d sessions, %v", len(all), err)
	}
	h.must(h.SetPassword(ctx, a, u.ID, value(password), value(second)))
	ended("password changed", two)
	actorOf(one)
	h.must(h.SetPassword(ctx, h.root, u.ID, vault.Value{}, value(password)))
	ended("password reset", one)

	secret, ses := h.login("anna")
	h.must(h.EndSession(ctx, h.root, ses.ID))
	ended("ended by an administrator", secret)
	is(t, "twice", h.EndSession(ctx, h.root, ses.ID), fault.NotFound, "")

	secret, _ = h.login("anna")
	now, err := h.User(ctx, u.ID)
	h.must(err)
	now, err = h.UpdateUser(ctx, h.root, u.ID, now.Rev, identity.UserChange{Disabled: ptr(true)})
	h.must(err)
	ended("disabled", secret)
	now, err = h.UpdateUser(ctx, h.root, u.ID, now.Rev, identity.UserChange{Disabled: ptr(false)})
	h.must(err)
	ended("enabled again", secret)
	secret, _ = h.login("anna")
	h.must(h.DeleteUser(ctx, h.root, u.ID, now.Rev))
	ended("deleted", secret)
}
