package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

func TestAProgramSignsInWithASecret(t *testing.T) {
	w := newWorld(t)
	u := w.user("anna", identity.Operator)
	ctx := t.Context()
	ses, err := w.with(client.Value{}).Login(ctx, client.Login{Name: "Anna", Password: client.NewValue(password)})
	ok(t, err)
	if ses.User.ID != u.ID || ses.Kind != "user" || ses.Secret.Text() == "" || ses.ExpiresAt == nil || ses.IdleUntil == nil {
		t.Fatalf("session: %+v", ses)
	}
	c := w.with(ses.Secret)
	got, err := c.Session(ctx)
	ok(t, err)
	if !got.Secret.IsZero() || !got.Can["cluster.create"].Allowed || got.Can["user.create"].Allowed || got.Can["user.create"].Reason == "" ||
		len(got.Can) != len(policy.Operations()) || !got.Can["token.create"].Allowed {
		t.Errorf("who am I: %+v", got)
	}
	if until := time.Until(*got.IdleUntil); until > identity.SessionIdle || until < identity.SessionIdle-time.Minute {
		t.Errorf("idle in %v", until)
	}
	ok(t, c.Logout(ctx))
	_, err = c.Session(ctx)
	refused(t, err, http.StatusUnauthorized, "session-ended")
}

func TestABrowserSignsInWithACookie(t *testing.T) {
	w := newWorld(t)
	w.user("anna", identity.PlainUser)
	login := map[string]string{"name": "anna", "password": password}
	r := w.send("POST", "/session", login, "Sec-Fetch-Site", "same-origin")
	set := r.header.Get("Set-Cookie")
	if r.status != http.StatusOK || bytes.Contains(r.body, []byte(`"secret":`)) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	cookie, err := http.ParseSetCookie(set)
	ok(t, err)
	if cookie.Name != CookieName || cookie.Path != "/" || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode ||
		!cookie.Expires.IsZero() || cookie.MaxAge != 0 || cookie.Domain != "" {
		t.Errorf("cookie: %+v", cookie)
	}
	if r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", r.header.Get("Cache-Control"))
	}
	with := []string{"Cookie", cookie.Name + "=" + cookie.Value, "Sec-Fetch-Site", "same-origin"}
	if r = w.send("GET", "/session", nil, with...); r.status != http.StatusOK {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r = w.send("DELETE", "/session", nil, with...); r.status != http.StatusNoContent || !strings.Contains(r.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%d %v", r.status, r.header)
	}
	if r = w.send("GET", "/session", nil, with...); r.status != http.StatusUnauthorized {
		t.Errorf("after the end: %d %s", r.status, r.body)
	}
	foreign := w.send("POST", "/session", login, "Sec-Fetch-Site", "cross-site")
	if foreign.status != http.StatusForbidden {
		t.Errorf("from another site: %d", foreign.status)
	}
}

func TestAWrongPasswordSaysNothingAndIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.user("anna", identity.PlainUser)
	c := w.with(client.Value{})
	_, wrong := c.Login(t.Context(), client.Login{Name: "anna", Password: client.NewValue("canary-91-password")})
	_, nobody := c.Login(t.Context(), client.Login{Name: "canary-92-name", Password: client.NewValue("x")})
	refused(t, wrong, http.StatusUnauthorized, "wrong-credentials")
	refused(t, nobody, http.StatusUnauthorized, "wrong-credentials")
	if evs := w.events("session.create"); len(evs) != 2 || evs[0].Outcome != "refused" {
		t.Errorf("events: %+v", evs)
	}
	body, err := json.Marshal(wrong)
	ok(t, err)
	if strings.Contains(string(body)+w.logs.String(), "canary") {
		t.Error("what was typed is repeated")
	}
}

func TestTheFirstAdministratorIsMadeAndSignedIn(t *testing.T) {
	w := newWorld(t)
	code, needed, err := w.people.SetupCode(t.Context())
	ok(t, err)
	if !needed {
		t.Fatal("setup is not needed")
	}
	setup := client.Setup{Code: sent(code), Name: "root", Password: client.NewValue(password)}
	ses, err := w.with(client.Value{}).Setup(t.Context(), setup)
	ok(t, err)
	if ses.User.Role != "administrator" || ses.Secret.Text() == "" {
		t.Errorf("%+v", ses)
	}
	_, err = w.with(ses.Secret).Users(t.Context())
	ok(t, err)
	_, err = w.with(client.Value{}).Setup(t.Context(), setup)
	refused(t, err, http.StatusConflict, "setup-over")
}

func TestASealedServerIsOpened(t *testing.T) {
	seal := &testSeal{sealed: true}
	server := New(Config{Log: slog.New(slog.DiscardHandler), Version: "test", Seal: seal, Events: NewEvents()}) // nothing else is there yet
	served := httptest.NewServer(server.Handler())
	defer served.Close()
	c, err := client.New(client.Config{URL: served.URL})
	ok(t, err)
	_, err = c.Login(t.Context(), client.Login{Name: "anna", Password: client.NewValue(password)})
	refused(t, err, http.StatusServiceUnavailable, "sealed")
	for _, ask := range []client.Unseal{{}, {Passphrase: client.NewValue("p")}} { // without one when the key file was put back
		h, err := c.Unseal(t.Context(), ask)
		ok(t, err)
		if h.Sealed {
			t.Errorf("%+v", h)
		}
	}
	if len(seal.asked) != 2 || seal.asked[0] != "127.0.0.1" {
		t.Errorf("asked from %v", seal.asked)
	}
}

func TestIdleEnd(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct{ seen, expires, want time.Time }{
		{at, at.Add(time.Hour), at.Add(identity.SessionIdle)},
		{at, at.Add(time.Minute), at.Add(time.Minute)},
	} {
		if got := idleEnd(identity.Session{LastSeenAt: tt.seen, ExpiresAt: tt.expires}); !got.Equal(tt.want) {
			t.Errorf("%v, want %v", got, tt.want)
		}
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	anna, u := w.as(identity.PlainUser, "anna")
	other := w.with(w.session(u))
	admin, _ := w.as(identity.Administrator)
	eve, _ := w.as(identity.PlainUser, "eve")
	mine, err := anna.Sessions(ctx, "")
	ok(t, err)
	if len(mine) != 2 || mine[0].Current || !mine[1].Current || !mine[0].Can["delete"].Allowed || mine[0].User.Name != "anna" || mine[0].User.ID != u.ID ||
		mine[1].CreatedAt.IsZero() || !mine[1].IdleUntil.After(mine[1].LastSeenAt) || mine[1].ExpiresAt.Before(mine[1].IdleUntil) {
		t.Fatalf("own sessions: %+v", mine)
	}
	seen, err := admin.Sessions(ctx, "anna")
	ok(t, err)
	if len(seen) != 2 || seen[0].Current || seen[1].Current {
		t.Errorf("an administrator sees %+v", seen)
	}
	for _, name := range []string{"anna", "nobody"} {
		_, err = eve.Sessions(ctx, name)
		refused(t, err, http.StatusNotFound, "not-found")
	}
	refused(t, eve.EndSession(ctx, mine[0].ID), http.StatusNotFound, "not-found")
	ok(t, anna.EndSession(ctx, mine[0].ID))
	_, err = other.Session(ctx)
	refused(t, err, http.StatusUnauthorized, "session-ended")
	refused(t, anna.EndSession(ctx, mine[0].ID), http.StatusNotFound, "not-found")
	ok(t, admin.EndSession(ctx, mine[1].ID))
	_, err = anna.Session(ctx)
	refused(t, err, http.StatusUnauthorized, "session-ended")
	if evs := w.events("session.delete"); len(evs) != 4 || evs[0].Object.Name != "anna" || evs[0].Actor.Name != "administrator1" {
		t.Errorf("recorded: %+v", evs)
	}
}

// A page that listens connects again whenever its stream breaks; that is nobody at work.
func TestListeningPutsOffNoEnd(t *testing.T) {
	w := newWorld(t)
	u := w.user("anna", identity.PlainUser)
	auth := []string{"Authorization", "Bearer " + w.sessionAt(u, time.Now().Add(-2*time.Minute)).Text()}
	seen := func() time.Time {
		t.Helper()
		all, err := w.people.Sessions(t.Context(), u.ID)
		ok(t, err)
		return all[0].LastSeenAt
	}
	if r := w.send("GET", "/events?after=1", nil, auth...); r.status != http.StatusGone || time.Since(seen()) < time.Minute {
		t.Errorf("%d, seen %v ago", r.status, time.Since(seen()))
	}
	if r := w.send("GET", "/session", nil, auth...); r.status != http.StatusOK || time.Since(seen()) > time.Minute {
		t.Errorf("%d, seen %v ago", r.status, time.Since(seen()))
	}
}
