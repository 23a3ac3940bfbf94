package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

func TestARunTellsWhatIsKnown(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	uma, u := e.as(identity.PlainUser, "uma")
	e.grant(u, access.Account, e.account.ID, policy.Use)
	run, err := uma.Reset(ctx, e.account.ID, client.Reset{Policy: &client.PasswordPolicy{Length: 24}})
	ok(t, err)
	if run.State != "queued" || run.Step != "planned" || run.Old != 1 || run.Actor != "uma" || len(run.Steps) != 8 || run.Steps[0].State != "done" ||
		run.Can["resume"].Allowed || run.Can["resume"].Reason != "The run neither waits nor needs attention" || run.Rev == 0 {
		t.Errorf("run: %+v", run)
	}
	account, err := uma.Account(ctx, e.account.ID)
	ok(t, err)
	if account.Run != run.ID || account.Can["reset"].Allowed {
		t.Errorf("account: %+v", account)
	}
	_, err = uma.Reset(ctx, e.account.ID, client.Reset{})
	refused(t, err, http.StatusConflict, "run-open")
	e.turn(run.ID)
	before := run.Rev
	run, err = uma.Run(ctx, run.ID)
	ok(t, err)
	var states []string
	for _, s := range run.Steps {
		states = append(states, s.State)
		if s.State == "done" && s.At == nil {
			t.Errorf("%s has no time", s.Name)
		}
	}
	if diff := cmp.Diff("done done skipped skipped done skipped skipped done", strings.Join(states, " ")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"There is no system to log in to: version 2 is stored, not proved.", "Version 2 is stored as current.",
		"Version 1 is stored as retired.", "No Secret key is mapped to the account."}, run.Facts); diff != "" {
		t.Error(diff)
	}
	if run.State != "done" || run.Proved || run.EndedAt == nil || run.Rev <= before || run.New != 2 {
		t.Errorf("run: %+v", run)
	}
	_, err = uma.ResumeRun(ctx, run.ID)
	refused(t, err, http.StatusConflict, "conflict")
	page, err := uma.Runs(ctx, client.RunFilter{Account: e.account.ID, State: []string{"done", "waiting"}, ListOptions: client.ListOptions{Sort: "-updatedAt"}})
	ok(t, err)
	if page.Total != 1 || page.Items[0].Steps != nil {
		t.Errorf("page: %+v", page)
	}
	e.quiet()
}

func TestWhoMayReset(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	vera, v := e.as(identity.PlainUser, "vera")
	e.grant(v, access.Account, e.account.ID, policy.View)
	_, err := vera.Reset(ctx, e.account.ID, client.Reset{})
	refused(t, err, http.StatusForbidden, "denied")
	_, err = vera.Verify(ctx, e.account.ID)
	refused(t, err, http.StatusForbidden, "denied")
	eve, _ := e.as(identity.PlainUser, "eve")
	_, err = eve.Reset(ctx, e.account.ID, client.Reset{})
	refused(t, err, http.StatusNotFound, "not-found")
	admin, _ := e.as(identity.Administrator)
	_, err = admin.Reset(ctx, e.account.ID, client.Reset{Policy: &client.PasswordPolicy{}, Value: client.NewValue("canary-given")})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	_, err = admin.Reset(ctx, e.account.ID, client.Reset{Value: client.NewValue("canary-given"), Version: 1})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	run, err := admin.Reset(ctx, e.account.ID, client.Reset{Value: client.NewValue("canary-given")})
	ok(t, err)
	_, err = eve.Run(ctx, run.ID)
	refused(t, err, http.StatusNotFound, "not-found")
	if !run.Typed || run.New != 2 {
		t.Errorf("run: %+v", run)
	}
	e.turn(run.ID)
	got, err := admin.Reveal(ctx, e.account.ID, client.Reveal{})
	ok(t, err)
	if got.Value.Text() != "canary-given" {
		t.Error("the given value is not current")
	}
	checked, err := admin.Verify(ctx, e.account.ID)
	ok(t, err)
	if checked.State != "unverified" || checked.Reason == "" || checked.Cure == "" {
		t.Errorf("verified: %+v", checked)
	}
	if _, err = admin.Reset(ctx, e.secret.ID, client.Reset{}); err == nil {
		t.Error("a Secret was reset")
	}
	e.quiet()
}
