package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
)

func newToken(name string, scopes ...string) client.NewToken {
	return client.NewToken{Name: name, Scopes: scopes, ExpiresAt: time.Now().Add(time.Hour)}
}

func TestATokenIsMadeUsedAndRevoked(t *testing.T) {
	w := newWorld(t)
	c, u := w.as(identity.Operator)
	ctx := t.Context()
	made, err := c.AddToken(ctx, newToken("ci", "user.list", "account.*"))
	ok(t, err)
	if made.Secret.Text() == "" || made.Owner != (client.Member{ID: u.ID, Name: u.Name}) || !slices.Equal(made.Scopes, []string{"account.*", "user.list"}) {
		t.Errorf("made: %+v", made)
	}
	token := w.with(made.Secret)
	ses, err := token.Session(ctx)
	ok(t, err)
	if ses.Kind != "token" || len(ses.Scopes) != 2 || ses.IdleUntil != nil || ses.ExpiresAt == nil || !ses.ExpiresAt.Equal(made.ExpiresAt) ||
		ses.Can["group.list"].Allowed || !ses.Can["user.list"].Allowed {
		t.Errorf("who am I: %+v", ses)
	}
	_, err = token.Users(ctx)
	ok(t, err)
	_, err = token.Groups(ctx)
	refused(t, err, http.StatusForbidden, "denied")
	_, err = token.AddToken(ctx, newToken("more", "*"))
	refused(t, err, http.StatusForbidden, "denied")

	all, err := c.Tokens(ctx, "")
	ok(t, err)
	if all.Total != 1 || all.Items[0].ID != made.ID || !all.Items[0].Secret.IsZero() || all.Items[0].LastUsedAt == nil || !all.Can["create"].Allowed {
		t.Errorf("list: %+v", all)
	}
	ok(t, c.DeleteToken(ctx, made.ID))
	_, err = token.Session(ctx)
	refused(t, err, http.StatusUnauthorized, "token-ended")
	if strings.Contains(w.logs.String(), made.Secret.Text()) {
		t.Error("the secret is in the log")
	}
}

func TestTokensOfOthers(t *testing.T) {
	w := newWorld(t)
	anna, annaUser := w.as(identity.Operator, "anna")
	eve, eveUser := w.as(identity.PlainUser, "eve")
	admin, _ := w.as(identity.Administrator)
	ctx := t.Context()
	made, err := anna.AddToken(ctx, newToken("ci", "account.list"))
	ok(t, err)
	_, err = eve.AddToken(ctx, newToken("mine", "account.list"))
	ok(t, err)

	_, hidden := eve.Tokens(ctx, "anna")
	_, missing := eve.Tokens(ctx, "nobody")
	refused(t, hidden, 404, "not-found")
	refused(t, missing, 404, "not-found")
	if hidden.Error() != missing.Error() {
		t.Errorf("one can tell them apart: %v, %v", hidden, missing)
	}
	refused(t, eve.DeleteToken(ctx, made.ID), 404, "not-found")
	for _, tt := range []struct {
		c     *client.Client
		owner string
		want  int64
	}{{eve, "", 1}, {eve, eveUser.ID, 1}, {admin, "", 2}, {admin, "anna", 1}, {admin, annaUser.ID, 1}} {
		got, err := tt.c.Tokens(ctx, tt.owner)
		ok(t, err)
		if got.Total != tt.want {
			t.Errorf("tokens of %q: %d, want %d", tt.owner, got.Total, tt.want)
		}
	}
	ok(t, admin.DeleteToken(ctx, made.ID))
}

func TestKnownScope(t *testing.T) {
	for scope, want := range map[string]bool{"*": true, "account.*": true, "account.reveal": true,
		"account": false, "accoun.*": false, "account.fly": false, ".*": false} {
		if got := knownScope(scope); got != want {
			t.Errorf("%q: %v", scope, got)
		}
	}
}
