package identity_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
)

func TestTidyForgetsWhatHasRunOut(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("anna", identity.PlainUser)
	sessions := func() int {
		t.Helper()
		all, err := h.db.Sessions(ctx, u.ID)
		h.must(err)
		return len(all)
	}
	passes := func() []store.AuditEntry {
		t.Helper()
		all, err := h.db.AuditEvents(ctx, store.AuditFilter{Action: "session.expire"})
		h.must(err)
		return all
	}
	_, old := h.login("anna")
	h.clock.advance(14 * time.Minute)
	secret, _ := h.login("anna")
	actor, _, err := h.Authenticate(ctx, secret, home)
	h.must(err)
	known := func(string) bool { return true }
	_, _, err = h.CreateToken(ctx, actor, identity.NewToken{Name: "ci", Scopes: []string{"*"}, ExpiresAt: h.clock.now().Add(time.Hour)}, known)
	h.must(err)
	h.must(h.Tidy(ctx))
	if sessions() != 2 || len(passes()) != 0 {
		t.Errorf("%d sessions and %d events when nothing has run out", sessions(), len(passes()))
	}
	h.clock.advance(time.Minute)
	h.must(h.Tidy(ctx))
	h.must(h.Tidy(ctx))
	if _, err := h.Session(ctx, old.ID); sessions() != 1 || fault.KindOf(err) != fault.NotFound || len(passes()) != 1 || passes()[0].Details["sessions"] != "1" {
		t.Errorf("%d sessions, %v, events %+v", sessions(), err, passes())
	}
	h.clock.advance(identity.TokenMemory + time.Hour - 2*time.Minute)
	h.must(h.Tidy(ctx))
	if all, err := h.Tokens(ctx, u.ID); err != nil || len(all) != 1 || sessions() != 0 {
		t.Errorf("%d tokens, %d sessions, %v", len(all), sessions(), err)
	}
	h.clock.advance(2 * time.Minute)
	h.must(h.Tidy(ctx))
	if all, err := h.Tokens(ctx, u.ID); err != nil || len(all) != 0 || len(passes()) != 3 || passes()[0].Details["tokens"] != "1" || passes()[0].Actor.Name != "janitor" {
		t.Errorf("%d tokens, %v, events %+v", len(all), err, passes())
	}
}
