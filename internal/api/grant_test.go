package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
)

// resource stores a resource with one account.
func (w *world) resource(name string) (inventory.Resource, inventory.Account) {
	w.t.Helper()
	now := time.Now().UTC()
	r := inventory.Resource{ID: uuid.Must(uuid.NewV7()).String(), Name: name, Type: "postgresql", CreatedAt: now}
	a := inventory.Account{ID: uuid.Must(uuid.NewV7()).String(), ResourceID: r.ID, Name: "app", State: inventory.AccountOutOfSync, Reason: "refused", CreatedAt: now}
	made := func(action string) audit.Event { return audit.New(identity.System("test"), action, audit.Object{}) }
	ok(w.t, w.store.AddResource(w.t.Context(), r, nil, made("resource.create")), w.store.AddAccount(w.t.Context(), a, nil, nil, made("account.create")))
	return r, a
}

func TestARightIsGivenUsedAndTakenBack(t *testing.T) {
	w := newWorld(t)
	admin, adminUser := w.as(identity.Administrator)
	anna, annaUser := w.as(identity.PlainUser, "anna")
	r, a := w.resource("db")
	ctx := t.Context()
	g, err := admin.AddGrant(ctx, client.NewGrant{SubjectKind: "user", SubjectID: "Anna", ObjectKind: "resource", ObjectID: "db", Level: "manage"})
	ok(t, err)
	if g.SubjectID != annaUser.ID || g.SubjectName != "anna" || g.ObjectID != r.ID || g.ObjectName != "db" || g.GrantedBy != adminUser.Name ||
		g.ExpiresAt != nil || g.Rev != 1 || !g.Can["delete"].Allowed {
		t.Errorf("made: %+v", g)
	}
	evs := w.events("grant.create")
	if len(evs) != 1 || evs[0].Object.Parent != r.ID || evs[0].Details["level"] != "manage" || evs[0].Details["subject"] != annaUser.ID {
		t.Errorf("events: %+v", evs)
	}
	_, err = admin.AddGrant(ctx, client.NewGrant{SubjectKind: "user", SubjectID: annaUser.ID, ObjectKind: "resource", ObjectID: r.ID, Level: "view"})
	refused(t, err, http.StatusConflict, "grant-exists")

	// Who manages it may share it, and the account in it too.
	w.user("ben", identity.PlainUser)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	shared, err := anna.AddGrant(ctx, client.NewGrant{SubjectKind: "user", SubjectID: "ben", ObjectKind: "account", ObjectID: a.ID, Level: "reveal", ExpiresAt: &end})
	ok(t, err)
	if shared.ObjectName != "app" || shared.Level != "reveal" || shared.ExpiresAt == nil || !shared.ExpiresAt.Equal(end) {
		t.Errorf("shared: %+v", shared)
	}
	mine, err := anna.Grants(ctx, client.GrantFilter{ObjectKind: "resource", ObjectID: "db"})
	ok(t, err)
	if mine.Total != 1 || !mine.Items[0].Can["delete"].Allowed || !mine.Can["create"].Allowed || mine.Items[0].GrantedBy != adminUser.Name {
		t.Errorf("of the resource: %+v", mine)
	}
	_, err = anna.Grants(ctx, client.GrantFilter{})
	refused(t, err, http.StatusForbidden, "denied")
	ok(t, anna.DeleteGrant(ctx, shared.ID, 0))
	refused(t, admin.DeleteGrant(ctx, g.ID, 7), http.StatusPreconditionFailed, "stale")
	ok(t, admin.DeleteGrant(ctx, g.ID, g.Rev))
	_, err = anna.Grants(ctx, client.GrantFilter{ObjectKind: "resource", ObjectID: "db"})
	refused(t, err, http.StatusNotFound, "not-found")
	if n := len(w.events("grant.delete")); n != 2 {
		t.Errorf("%d events of the end, want 2", n)
	}
}

func TestGrantsTellNothingOfHiddenObjects(t *testing.T) {
	w := newWorld(t)
	eve, _ := w.as(identity.PlainUser, "eve")
	w.resource("db")
	ask := client.NewGrant{SubjectKind: "user", SubjectID: "eve", ObjectKind: "resource", ObjectID: "db", Level: "manage"}
	_, hidden := eve.AddGrant(t.Context(), ask)
	ask.ObjectID = "nothing"
	_, missing := eve.AddGrant(t.Context(), ask)
	refused(t, hidden, http.StatusNotFound, "not-found")
	if hidden.Error() != missing.Error() {
		t.Errorf("one can tell them apart: %v, %v", hidden, missing)
	}
	refused(t, eve.DeleteGrant(t.Context(), uuid.NewString(), 0), http.StatusNotFound, "not-found")
	if evs := w.events("grant.create"); len(evs) != 2 || evs[0].Outcome != audit.Refused || evs[0].Object.ID != "" || evs[1].Object.Name != "db" {
		t.Errorf("events: %+v", evs)
	}
}

func TestGrantsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	admin, _ := w.as(identity.Administrator)
	r, _ := w.resource("db")
	past := time.Now().Add(-time.Hour)
	good := client.NewGrant{SubjectKind: "user", SubjectID: "administrator1", ObjectKind: "resource", ObjectID: r.ID, Level: "view"}
	for name, change := range map[string]func(*client.NewGrant){
		"nobody":     func(g *client.NewGrant) { g.SubjectID = "canary-81" },
		"no group":   func(g *client.NewGrant) { g.SubjectKind = "group" },
		"no level":   func(g *client.NewGrant) { g.Level = "canary-82" },
		"over":       func(g *client.NewGrant) { g.ExpiresAt = &past },
		"other kind": func(g *client.NewGrant) { g.ObjectKind = "canary-83" },
	} {
		g := good
		change(&g)
		_, err := admin.AddGrant(t.Context(), g)
		refused(t, err, http.StatusUnprocessableEntity, "invalid")
		if err != nil && strings.Contains(fmt.Sprintf("%+v", *err.(*client.Problem)), "canary") {
			t.Errorf("%s: it repeats what was sent: %v", name, err)
		}
	}
	_, err := admin.Grants(t.Context(), client.GrantFilter{ObjectID: r.ID})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	all, err := admin.Grants(t.Context(), client.GrantFilter{SubjectKind: "user", SubjectID: "administrator1"})
	ok(t, err)
	if all.Total != 0 {
		t.Errorf("%+v", all)
	}
}
