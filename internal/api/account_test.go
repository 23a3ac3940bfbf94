package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

func TestAListHoldsWhatWasGranted(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	vera, u := e.as(identity.PlainUser, "vera")
	e.grant(u, access.Account, e.account.ID, policy.Use)
	page, err := vera.Accounts(ctx, client.AccountFilter{Resource: "orders-db"})
	ok(t, err)
	if len(page.Items) != 1 || page.Total != 1 || page.Items[0].ID != e.account.ID {
		t.Fatalf("accounts: %+v", page)
	}
	can := page.Items[0].Can
	if !can["reset"].Allowed || can["reveal"].Allowed || can["delete"].Allowed || !strings.Contains(can["reveal"].Reason, "reveal") {
		t.Errorf("can: %+v", can)
	}
	secrets, err := vera.Secrets(ctx, client.SecretFilter{})
	ok(t, err)
	if secrets.Total != 0 {
		t.Errorf("secrets: %+v", secrets)
	}
	admin, _ := e.as(identity.Administrator)
	for _, filter := range []client.AccountFilter{
		{State: []string{"verified", "unverified"}}, {State: []string{"verified,unverified"}}, {ListOptions: client.ListOptions{Sort: "-createdAt"}},
		{Type: []string{"mysql", "postgresql"}}, {ListOptions: client.ListOptions{Sort: "verifiedAt", Search: "app_"}},
	} {
		if page, err = admin.Accounts(ctx, filter); err != nil || len(page.Items) != 2 {
			t.Errorf("%+v: %d rows, %v", filter, len(page.Items), err)
		}
	}
	_, err = admin.Accounts(ctx, client.AccountFilter{ListOptions: client.ListOptions{Sort: "password"}})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
}

func TestReveal(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	rita, u := e.as(identity.PlainUser, "rita")
	vera, v := e.as(identity.PlainUser, "vera")
	auditor, _ := e.as(identity.Auditor)
	e.grant(u, access.Account, e.account.ID, policy.Reveal)
	e.grant(u, access.Resource, e.space.ID, policy.Reveal)
	e.grant(v, access.Account, e.account.ID, policy.View)
	got, err := rita.Reveal(ctx, e.account.ID, client.Reveal{Reason: "ticket 7"})
	ok(t, err)
	if got.Value.Text() != accountValue || got.Version != 1 || got.Base64 {
		t.Errorf("version %d, base64 %v", got.Version, got.Base64)
	}
	if got, err = rita.Reveal(ctx, e.secret.ID, client.Reveal{Key: "binary"}); err != nil || got.Value.Text() != "/wA=" || !got.Base64 {
		t.Errorf("binary: base64 %v, %v", got.Base64, err)
	}
	_, err = rita.Reveal(ctx, e.secret.ID, client.Reveal{})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	_, err = vera.Reveal(ctx, e.account.ID, client.Reveal{})
	refused(t, err, http.StatusForbidden, "denied")
	_, err = vera.Reveal(ctx, e.secret.ID, client.Reveal{Key: "password"})
	refused(t, err, http.StatusNotFound, "not-found")
	_, err = auditor.Reveal(ctx, e.account.ID, client.Reveal{})
	refused(t, err, http.StatusForbidden, "denied")
	seen := map[string]int{}
	for _, ev := range e.events("account.reveal") {
		seen[ev.Actor.Name+" "+string(ev.Outcome)]++
	}
	if seen["rita allowed"] != 2 || seen["vera refused"] != 2 || seen["auditor1 refused"] != 1 {
		t.Errorf("recorded: %v", seen)
	}
	if last := e.events("account.reveal"); last[len(last)-1].Details["why"] != "ticket 7" {
		t.Errorf("the reason is not recorded: %+v", last[len(last)-1])
	}
	e.quiet()
}

func TestDownload(t *testing.T) {
	e := newEstate(t)
	u := e.user("rita", identity.PlainUser)
	e.grant(u, access.Account, e.secret.ID, policy.Reveal)
	auth := []string{"Authorization", "Bearer " + e.session(u).Text()}
	r := e.send("POST", "/secrets/"+e.secret.ID+"/download", nil, auth...)
	var m struct {
		APIVersion, Kind, Type string
		Metadata               map[string]any
		Data                   map[string][]byte
	}
	ok(t, json.Unmarshal(r.body, &m))
	if r.status != http.StatusOK || m.APIVersion != "v1" || m.Kind != "Secret" || m.Metadata["name"] != "db" || string(m.Data["password"]) != keyValue ||
		len(m.Data) != 3 || len(m.Metadata) != 3 {
		t.Errorf("%d, %d keys, metadata %v", r.status, len(m.Data), m.Metadata)
	}
	if r.header.Get("Content-Disposition") != `attachment; filename="shop-db.json"` || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", r.header)
	}
	// Each download is one of its own, so each is recorded, whatever key it comes with.
	for range 2 {
		if r = e.send("POST", "/secrets/"+e.secret.ID+"/download", nil, append(auth, "Idempotency-Key", "one")...); r.status != http.StatusOK {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if got := len(e.events("account.download")); got != 3 {
		t.Errorf("%d downloads are recorded", got)
	}
	r = e.send("POST", "/secrets/"+e.account.ID+"/download", nil, auth...)
	if r.status != http.StatusNotFound {
		t.Errorf("an account as a Secret: %d", r.status)
	}
	e.quiet()
}

func TestASecretShowsKeysAndNoExactSizes(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	auditor, _ := e.as(identity.Auditor)
	s, err := auditor.Secret(ctx, e.secret.ID)
	ok(t, err)
	if len(s.Keys) != 3 || s.Keys[1].Name != "password" || s.Keys[1].Size != 64 || s.Size != 64 || s.ClusterName != "prod" || s.ResourceName != "shop-prod" ||
		s.Can["reveal"].Allowed || s.Can["download"].Allowed {
		t.Errorf("secret: %+v", s)
	}
	found, err := auditor.FindAccount(ctx, "shop-prod/db")
	ok(t, err)
	versions, err := auditor.Versions(ctx, found.ID())
	ok(t, err)
	if len(versions) != 1 || versions[0].Stage != "current" || versions[0].Source != "fetched" || len(versions[0].Can) != 1 {
		t.Errorf("versions: %+v", versions)
	}
}

func TestResourcesAndAccountsAreChanged(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	olga, _ := e.as(identity.Operator, "olga")
	res, err := olga.AddResource(ctx, client.NewResource{Name: "billing-db", Type: "postgresql", Settings: map[string]string{"host": "db"}})
	ok(t, err)
	if !res.Can["createAccount"].Allowed || res.Settings["host"] != "db" || res.Rev != 1 {
		t.Errorf("resource: %+v", res)
	}
	account, err := olga.AddAccount(ctx, "billing-db", client.NewAccount{Name: "admin", Value: client.NewValue("canary-typed")})
	ok(t, err)
	if account.Current != 1 || account.ResourceName != "billing-db" || account.State != "unverified" || account.ChangedAt == nil {
		t.Errorf("account: %+v", account)
	}
	bare, err := olga.AddAccount(ctx, res.ID, client.NewAccount{Name: "app"})
	ok(t, err)
	if bare.Current != 0 || bare.Can["reveal"].Allowed || bare.Can["reveal"].Reason != "No value is stored yet" || !bare.Can["reset"].Allowed {
		t.Errorf("bare account: %+v", bare)
	}
	name := "billing"
	res, err = olga.UpdateResource(ctx, "billing-db", res.Rev, client.ResourceChange{Name: &name, ReconcileAccountID: &account.ID})
	ok(t, err)
	if res.Name != name || res.ReconcileAccountName != "admin" || res.Accounts != 2 {
		t.Errorf("changed resource: %+v", res)
	}
	vera, v := e.as(identity.PlainUser, "vera")
	e.grant(v, access.Account, bare.ID, policy.View)
	seen, err := vera.Resource(ctx, name)
	ok(t, err)
	if seen.Accounts != 1 || seen.ReconcileAccountID != "" || seen.ReconcileAccountName != "" || seen.Can["update"].Allowed {
		t.Errorf("who knows of one account sees %+v", seen)
	}
	renamed := "root"
	account, err = olga.UpdateAccount(ctx, account.ID, account.Rev, client.AccountChange{Name: &renamed})
	ok(t, err)
	_, err = olga.UpdateAccount(ctx, account.ID, account.Rev-1, client.AccountChange{Value: client.NewValue("canary-second")})
	refused(t, err, http.StatusPreconditionFailed, "stale")
	_, err = olga.UpdateAccount(ctx, account.ID, account.Rev, client.AccountChange{Value: client.NewValue("canary-second")})
	ok(t, err)
	value, err := olga.Reveal(ctx, account.ID, client.Reveal{})
	ok(t, err)
	if value.Value.Text() != "canary-second" || value.Version != 2 {
		t.Errorf("version %d", value.Version)
	}
	err = olga.DeleteAccount(ctx, bare.ID, 0)
	refused(t, err, http.StatusPreconditionRequired, "precondition-required")
	ok(t, olga.DeleteAccount(ctx, bare.ID, bare.Rev))
	_, err = olga.UpdateResource(ctx, e.db.ID, 1, client.ResourceChange{Name: &name}) // not hers
	refused(t, err, http.StatusNotFound, "not-found")
	admin, _ := e.as(identity.Administrator)
	made, err := admin.Resource(ctx, "shop-prod")
	ok(t, err)
	if made.ClusterName != "prod" || made.Accounts != 1 || made.States["in_sync"] != 1 || made.Can["update"].Allowed || !made.Can["delete"].Allowed {
		t.Errorf("a fetched resource: %+v", made)
	}
	_, err = olga.AddResource(ctx, client.NewResource{Name: "x-prod", Type: "kubernetes"})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	e.quiet()
}
