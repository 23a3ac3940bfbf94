package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
)

func TestUsersAreMadeChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	c, admin := w.as(identity.Administrator)
	ctx := t.Context()
	u, err := c.AddUser(ctx, client.NewUser{Name: "Anna", DisplayName: "Anna B", Role: "operator", Password: client.NewValue(password)})
	ok(t, err)
	if u.Name != "anna" || u.Role != "operator" || u.Rev != 1 || !u.Can["delete"].Allowed {
		t.Errorf("made: %+v", u)
	}
	byName, err := c.User(ctx, "ANNA")
	ok(t, err)
	if byName.ID != u.ID {
		t.Errorf("by name: %+v", byName)
	}
	off := true
	changed, err := c.UpdateUser(ctx, "anna", u.Rev, client.UserChange{Disabled: &off})
	ok(t, err)
	if !changed.Disabled || changed.DisplayName != "Anna B" || changed.Rev != 2 {
		t.Errorf("changed: %+v", changed)
	}
	_, err = c.UpdateUser(ctx, u.ID, 1, client.UserChange{Disabled: &off})
	refused(t, err, http.StatusPreconditionFailed, "stale")
	all, err := c.Users(ctx)
	ok(t, err)
	if all.Total != 2 || len(all.Items) != 2 || !all.Can["create"].Allowed || all.AsOf.IsZero() {
		t.Errorf("list: %+v", all)
	}
	ok(t, c.DeleteUser(ctx, u.ID, 2))
	_, err = c.User(ctx, "anna")
	refused(t, err, http.StatusNotFound, "not-found")
	refused(t, c.DeleteUser(ctx, admin.ID, 1), http.StatusConflict, "last-administrator")
	if got := len(w.events("user.delete")); got != 1 {
		t.Errorf("%d events of the deletion, want 1", got)
	}
}

func TestAChangeNeedsTheRevision(t *testing.T) {
	w := newWorld(t)
	_, admin := w.as(identity.Administrator)
	bearer := "Bearer " + w.session(admin).Text()
	for _, r := range []reply{
		w.send("PATCH", "/users/"+admin.ID, client.UserChange{}, "Authorization", bearer),
		w.send("DELETE", "/users/"+admin.ID, nil, "Authorization", bearer),
	} {
		if r.status != http.StatusPreconditionRequired || !strings.Contains(string(r.body), "precondition-required") {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	got := w.send("GET", "/users/"+admin.ID, nil, "Authorization", bearer)
	if got.header.Get("ETag") != `"1"` {
		t.Errorf("ETag %q", got.header.Get("ETag"))
	}
}

func TestWhoMayDoWhatToPeople(t *testing.T) {
	w := newWorld(t)
	_, admin := w.as(identity.Administrator)
	ctx := t.Context()
	for _, tt := range []struct {
		role              identity.Role
		list, get, create int
	}{
		{identity.Operator, 0, 0, 403},
		{identity.Auditor, 0, 0, 403},
		{identity.PlainUser, 403, 404, 403},
	} {
		c, u := w.as(tt.role)
		status := func(err error) int {
			if err == nil {
				return 0
			}
			return err.(*client.Problem).Status
		}
		_, list := c.Users(ctx)
		_, get := c.User(ctx, admin.ID)
		_, own := c.User(ctx, u.ID)
		_, create := c.AddUser(ctx, client.NewUser{Name: "x", Role: "user", Password: client.NewValue(password)})
		if status(list) != tt.list || status(get) != tt.get || status(create) != tt.create || own != nil {
			t.Errorf("%s: list %v, get %v, own %v, create %v", tt.role, list, get, own, create)
		}
	}
	c, _ := w.as(identity.PlainUser, "eve")
	_, hidden := c.User(ctx, admin.ID)
	_, missing := c.User(ctx, "nobody")
	if hidden.Error() != missing.Error() {
		t.Errorf("one can tell them apart: %v, %v", hidden, missing)
	}
	_, err := w.with(client.Value{}).Users(ctx)
	refused(t, err, http.StatusUnauthorized, "unauthenticated")
}

func TestPasswords(t *testing.T) {
	w := newWorld(t)
	admin, _ := w.as(identity.Administrator)
	anna, u := w.as(identity.PlainUser, "anna")
	ctx := t.Context()
	next := client.NewValue("nine slow boats drift")
	refused(t, anna.SetPassword(ctx, "anna", client.NewPassword{Current: client.NewValue("not the right one"), Password: next}), 422, "wrong-password")
	ok(t, anna.SetPassword(ctx, "anna", client.NewPassword{Current: client.NewValue(password), Password: next}))
	_, err := anna.Session(ctx)
	ok(t, err) // the session that it came with goes on
	ok(t, admin.SetPassword(ctx, u.ID, client.NewPassword{Password: client.NewValue("four red lamps glow")}))
	_, err = anna.Session(ctx)
	refused(t, err, http.StatusUnauthorized, "session-ended")
	if strings.Contains(w.logs.String(), next.Text()) {
		t.Error("a password is in the log")
	}
}

func TestGroupsHaveMembersByIDOrName(t *testing.T) {
	w := newWorld(t)
	c, admin := w.as(identity.Administrator)
	u := w.user("anna", identity.PlainUser)
	ctx := t.Context()
	g, err := c.AddGroup(ctx, client.NewGroup{Name: "Shop", Description: "d", Members: []string{"Anna", admin.ID}})
	ok(t, err)
	if g.Name != "shop" || len(g.Members) != 2 {
		t.Errorf("made: %+v", g)
	}
	_, err = c.AddGroup(ctx, client.NewGroup{Name: "other", Members: []string{"nobody-here"}})
	refused(t, err, 422, "invalid")
	if strings.Contains(err.Error(), "nobody-here") {
		t.Errorf("it repeats what was sent: %v", err)
	}
	only := []string{"anna"}
	g, err = c.UpdateGroup(ctx, "SHOP", g.Rev, client.GroupChange{Members: &only})
	ok(t, err)
	if len(g.Members) != 1 || g.Members[0] != (client.Member{ID: u.ID, Name: "anna"}) || g.Description != "d" {
		t.Errorf("changed: %+v", g)
	}
	all, err := c.Groups(ctx)
	ok(t, err)
	if all.Total != 1 || all.Items[0].Members[0].Name != "anna" {
		t.Errorf("list: %+v", all)
	}
	ok(t, c.DeleteGroup(ctx, g.ID, g.Rev))
	_, err = c.Group(ctx, g.ID)
	refused(t, err, 404, "not-found")
}
