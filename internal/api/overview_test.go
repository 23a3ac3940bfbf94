package api

import (
	"net/http"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
)

func TestTheOverviewIsLimitedToWhatOneMaySee(t *testing.T) {
	w := newWorld(t)
	admin, _ := w.as(identity.Administrator)
	eve, eveUser := w.as(identity.PlainUser, "eve")
	_, a := w.resource("db")
	ctx := t.Context()
	o, err := admin.Overview(ctx)
	ok(t, err)
	want := client.Need{Kind: "account", ID: a.ID, Name: "db/app", State: "out_of_sync", Reason: "refused"}
	if o.Accounts["out_of_sync"] != 1 || o.NeedsTotal != 1 || len(o.Needs) != 1 || o.Needs[0] != want || o.Clusters == nil || o.LastProof != nil || o.AsOf.IsZero() {
		t.Errorf("administrator: %+v", o)
	}
	o, err = eve.Overview(ctx)
	ok(t, err)
	if len(o.Accounts) != 0 || o.NeedsTotal != 0 || o.Needs == nil {
		t.Errorf("without a grant: %+v", o)
	}
	_, err = admin.AddGrant(ctx, client.NewGrant{SubjectKind: "user", SubjectID: eveUser.ID, ObjectKind: "account", ObjectID: a.ID, Level: "view"})
	ok(t, err)
	o, err = eve.Overview(ctx)
	ok(t, err)
	if o.Accounts["out_of_sync"] != 1 || o.NeedsTotal != 1 {
		t.Errorf("with one: %+v", o)
	}
}

func TestATokenNeedsTheScopesOfAllThatTheOverviewSumsUp(t *testing.T) {
	w := newWorld(t)
	c, _ := w.as(identity.Auditor)
	few, err := c.AddToken(t.Context(), newToken("few", "account.list"))
	ok(t, err)
	_, err = w.with(few.Secret).Overview(t.Context())
	refused(t, err, http.StatusForbidden, "denied")
	all, err := c.AddToken(t.Context(), newToken("all", "account.list", "cluster.list", "run.list"))
	ok(t, err)
	_, err = w.with(all.Secret).Overview(t.Context())
	ok(t, err)
}

func TestTypes(t *testing.T) {
	w := newWorld(t)
	c, _ := w.as(identity.PlainUser)
	got, err := c.Types(t.Context())
	ok(t, err)
	if len(got) != 1 || got[0].Type != "postgresql" {
		t.Errorf("%+v", got)
	}
	_, err = w.with(client.Value{}).Types(t.Context())
	refused(t, err, http.StatusUnauthorized, "unauthenticated")
}
