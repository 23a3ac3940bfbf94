package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

func everything(string) bool { return true }

func TestTokens(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("anna", identity.Operator)
	anna := identity.Actor{ID: u.ID, Name: "anna", Kind: identity.KindUser, Role: u.Role}
	year := h.clock.now().AddDate(1, 0, 0)
	tok, secret, err := h.CreateToken(ctx, anna, identity.NewToken{Name: "ci", Scopes: []string{"token.*", "account.reset", "account.reset"}, ExpiresAt: year}, everything)
	h.must(err)
	actor, ses, err := h.Authenticate(ctx, secret, other)
	h.must(err)
	want := identity.Actor{ID: u.ID, Name: "anna", Kind: identity.KindToken, Role: identity.Operator, Scopes: []string{"account.reset", "token.*"}, Via: tok.ID, Address: other}
	if d := cmp.Diff(want, actor); d != "" || ses != (identity.Session{}) {
		t.Error(d)
	}
	if got, err := h.Token(ctx, tok.ID); err != nil || got.LastUsedAt.IsZero() || got.UserID != u.ID {
		t.Errorf("token %+v, %v", got, err)
	}
	if err := h.Logout(ctx, actor); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a token signed out: %v", err)
	}

	_, _, err = h.CreateToken(ctx, actor, identity.NewToken{Name: "wider", Scopes: []string{"account.reveal"}, ExpiresAt: year}, everything)
	is(t, "wider", err, fault.Denied, "scopes-too-wide")
	_, _, err = h.CreateToken(ctx, actor, identity.NewToken{Name: "all", Scopes: []string{"*"}, ExpiresAt: year}, everything)
	is(t, "all", err, fault.Denied, "scopes-too-wide")
	_, _, err = h.CreateToken(ctx, actor, identity.NewToken{Name: "narrower", Scopes: []string{"token.list"}, ExpiresAt: year}, everything)
	h.must(err)
	_, _, err = h.CreateToken(ctx, anna, identity.NewToken{Name: "ci", Scopes: []string{"*"}, ExpiresAt: year}, everything)
	is(t, "same name", err, fault.Conflict, "duplicate")
	_, _, err = h.CreateToken(ctx, identity.System("janitor"), identity.NewToken{Name: "x", Scopes: []string{"*"}, ExpiresAt: year}, everything)
	is(t, "a system's", err, fault.Denied, "")
	for field, n := range map[string]identity.NewToken{
		"name":      {Scopes: []string{"*"}, ExpiresAt: year},
		"scopes":    {Name: "x", ExpiresAt: year},
		"expiresAt": {Name: "x", Scopes: []string{"*"}, ExpiresAt: year.Add(time.Second)},
	} {
		_, _, err := h.CreateToken(ctx, anna, n, everything)
		isField(t, err, field)
	}
	_, _, err = h.CreateToken(ctx, anna, identity.NewToken{Name: "x", Scopes: []string{"*"}}, everything)
	isField(t, err, "expiresAt")
	_, _, err = h.CreateToken(ctx, anna, identity.NewToken{Name: "x", Scopes: []string{"a.b"}, ExpiresAt: year}, func(s string) bool { return s != "a.b" })
	isField(t, err, "scopes")

	if all, err := h.Tokens(ctx, ""); err != nil || len(all) != 2 || all[0].Name != "narrower" {
		t.Errorf("all tokens: %+v, %v", all, err)
	}
	if none, err := h.Tokens(ctx, h.root.ID); err != nil || len(none) != 0 {
		t.Errorf("root's tokens: %+v, %v", none, err)
	}
	h.clock.advance(366 * 24 * time.Hour)
	_, _, err = h.Authenticate(ctx, secret, home)
	is(t, "expired", err, fault.Unauthenticated, "token-ended")
	_, secret, err = h.CreateToken(ctx, anna, identity.NewToken{Name: "new", Scopes: []string{"*"}, ExpiresAt: h.clock.now().Add(time.Hour)}, everything)
	h.must(err)
	a, _, err := h.Authenticate(ctx, secret, home)
	h.must(err)
	h.must(h.DeleteToken(ctx, anna, a.Via))
	_, _, err = h.Authenticate(ctx, secret, home)
	is(t, "revoked", err, fault.Unauthenticated, "token-ended")
	is(t, "twice", h.DeleteToken(ctx, anna, a.Via), fault.NotFound, "")
	if h.events("token.create", "allowed") != 3 || h.events("token.delete", "allowed") != 1 {
		t.Error("tokens were not recorded")
	}
}

func TestADisabledUsersTokenIsDead(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("anna", identity.Operator)
	anna := identity.Actor{ID: u.ID, Kind: identity.KindUser}
	_, secret, err := h.CreateToken(ctx, anna, identity.NewToken{Name: "ci", Scopes: []string{"*"}, ExpiresAt: h.clock.now().Add(time.Hour)}, everything)
	h.must(err)
	u, err = h.UpdateUser(ctx, h.root, u.ID, u.Rev, identity.UserChange{Disabled: ptr(true)})
	h.must(err)
	_, _, err = h.Authenticate(ctx, secret, home)
	is(t, "disabled", err, fault.Unauthenticated, "token-ended")
	_, err = h.UpdateUser(ctx, h.root, u.ID, u.Rev, identity.UserChange{Disabled: ptr(false)})
	h.must(err)
	if _, _, err = h.Authenticate(ctx, secret, home); err != nil {
		t.Errorf("enabled again: %v", err)
	}
}

func isField(t *testing.T, err error, field string) {
	t.Helper()
	f, ok := err.(*fault.Error)
	if !ok || f.Kind != fault.Invalid || f.Field != field {
		t.Errorf("got %v, want %s to be invalid", err, field)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	h.user("anna", identity.Operator)
	root, err := h.User(ctx, h.root.ID)
	h.must(err)
	attempts := func(id string, rev int64) map[string]error {
		_, disable := h.UpdateUser(ctx, h.root, id, rev, identity.UserChange{Disabled: ptr(true)})
		_, demote := h.UpdateUser(ctx, h.root, id, rev, identity.UserChange{Role: ptr(identity.Operator)})
		return map[string]error{"disable": disable, "demote": demote, "delete": h.DeleteUser(ctx, h.root, id, rev)}
	}
	for what, err := range attempts(root.ID, root.Rev) {
		is(t, what, err, fault.Conflict, "last-administrator")
	}
	other := h.user("bob", identity.Administrator)
	other, err = h.UpdateUser(ctx, h.root, other.ID, other.Rev, identity.UserChange{Disabled: ptr(true)})
	h.must(err)
	for what, err := range attempts(root.ID, root.Rev) {
		is(t, what+" with another who is disabled", err, fault.Conflict, "last-administrator")
	}
	_, err = h.UpdateUser(ctx, h.root, other.ID, other.Rev, identity.UserChange{Disabled: ptr(false)})
	h.must(err)
	h.must(h.DeleteUser(ctx, h.root, root.ID, root.Rev))
}

func TestUsers(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("Anna", identity.PlainUser)
	_, err := h.CreateUser(ctx, h.root, identity.NewUser{Name: "ANNA", Role: identity.PlainUser, Password: value(password)})
	is(t, "same name", err, fault.Conflict, "duplicate")
	for field, n := range map[string]identity.NewUser{
		"name":        {Name: "a b", Role: identity.PlainUser, Password: value(password)},
		"role":        {Name: "x", Role: "king", Password: value(password)},
		"password":    {Name: "x", Role: identity.PlainUser, Password: value("x")},
		"displayName": {Name: "x", DisplayName: "a\x1b[2J", Role: identity.PlainUser, Password: value(password)},
	} {
		_, err := h.CreateUser(ctx, h.root, n)
		isField(t, err, field)
	}
	_, err = h.CreateUser(ctx, h.root, identity.NewUser{Name: strings.ToUpper(u.ID), Role: identity.PlainUser, Password: value(password)})
	isField(t, err, "name")
	if _, err := h.UpdateUser(ctx, h.root, u.ID, u.Rev+1, identity.UserChange{}); fault.KindOf(err) != fault.Stale {
		t.Errorf("another revision: %v", err)
	}
	got, err := h.UpdateUser(ctx, h.root, u.ID, u.Rev, identity.UserChange{DisplayName: ptr(" Anna A. ")})
	h.must(err)
	if read, err := h.User(ctx, u.ID); err != nil || !cmp.Equal(got, read) || read.DisplayName != "Anna A." {
		t.Errorf("answered %+v, stored %+v, %v", got, read, err)
	}
	if all, err := h.Users(ctx); err != nil || len(all) != 2 || all[0].Name != "anna" || all[0].PasswordHash != "" {
		t.Errorf("users %+v, %v", all, err)
	}
	if _, err := h.User(ctx, "no such"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such user: %v", err)
	}
}

func TestChangingOnesOwnPassword(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	u := h.user("anna", identity.PlainUser)
	anna := identity.Actor{ID: u.ID, Name: "anna", Kind: identity.KindUser, Address: home}
	isField(t, h.SetPassword(ctx, anna, u.ID, value(password), value("short")), "password")
	isField(t, h.SetPassword(ctx, anna, u.ID, value(password), value(password)), "password")
	for range 5 {
		is(t, "wrong", h.SetPassword(ctx, anna, u.ID, vault.Value{}, value(second)), fault.Invalid, "wrong-password")
	}
	is(t, "sixth", h.SetPassword(ctx, anna, u.ID, value(password), value(second)), fault.Throttled, "login-throttled")
	if n := h.events("user.password", "refused"); n != 6 {
		t.Errorf("%d refusals recorded, want 6", n)
	}
	h.clock.advance(15 * time.Minute)
	h.must(h.SetPassword(ctx, anna, u.ID, value(password), value(second)))
	_, _, _, err := h.Login(ctx, identity.Anonymous(home), "anna", value(password))
	is(t, "old password", err, fault.Unauthenticated, "wrong-credentials")
	if _, _, _, err = h.Login(ctx, identity.Anonymous(home), "anna", value(second)); err != nil {
		t.Error(err)
	}
}

func TestGroups(t *testing.T) {
	h, ctx := furnished(t), t.Context()
	a, b := h.user("anna", identity.PlainUser), h.user("bob", identity.PlainUser)
	g, err := h.CreateGroup(ctx, h.root, "Ops", "d", []string{b.ID, a.ID, b.ID})
	h.must(err)
	if got, err := h.Group(ctx, "OPS"); err != nil || !cmp.Equal(g, got) || len(got.Members) != 2 {
		t.Errorf("made %+v, stored %+v, %v", g, got, err)
	}
	_, err = h.CreateGroup(ctx, h.root, "ops", "", nil)
	is(t, "same name", err, fault.Conflict, "duplicate")
	_, err = h.CreateGroup(ctx, h.root, "x", "", []string{"nobody"})
	isField(t, err, "members")
	x, err := h.CreateGroup(ctx, h.root, "x", "", nil)
	h.must(err)
	_, err = h.UpdateGroup(ctx, h.root, x.ID, x.Rev, identity.GroupChange{Name: ptr("ops")})
	is(t, "renamed to another's name", err, fault.Conflict, "duplicate")
	if _, err := h.UpdateGroup(ctx, h.root, g.ID, 9, identity.GroupChange{}); fault.KindOf(err) != fault.Stale {
		t.Errorf("another revision: %v", err)
	}
	h.must(h.DeleteUser(ctx, h.root, b.ID, b.Rev))
	g, err = h.UpdateGroup(ctx, h.root, g.ID, g.Rev, identity.GroupChange{Name: ptr("night")})
	h.must(err)
	all, err := h.Groups(ctx)
	if err != nil || len(all) != 2 || !cmp.Equal(all[0], g) || len(g.Members) != 1 {
		t.Errorf("groups %+v, %v", all, err)
	}
	if err := h.DeleteGroup(ctx, h.root, g.ID, 9); fault.KindOf(err) != fault.Stale {
		t.Errorf("another revision: %v", err)
	}
	h.must(h.DeleteGroup(ctx, h.root, g.ID, g.Rev))
	if _, err := h.Group(ctx, "night"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("still there: %v", err)
	}
}
