package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

const leaked = "leaked gravel teapot nineteen"

func leakOf(value string) client.LeakQuery {
	return client.LeakQuery{Value: client.NewValue(value)}
}

// leakWorld has the leaked value in an account, which an administrator of the database repairs who has it too, in a mapped and an
// unmapped key, and in a key that holds another one by now.
type leakWorld struct {
	*estate
	admin      *client.Client
	app, super client.Account
	shop       inventory.Secret
}

func newLeakWorld(t *testing.T) leakWorld {
	e := newEstate(t)
	w := leakWorld{estate: e}
	ctx := t.Context()
	w.admin, _ = e.as(identity.Administrator, "root")
	w.shop = e.addData("leaky", map[string]vault.Value{"mapped": vault.NewValue([]byte(leaked)), "loose": vault.NewValue([]byte(leaked + "\n"))})
	var err error
	w.app, err = w.admin.AddAccount(ctx, e.db.ID, client.NewAccount{Name: "leaky", Value: client.NewValue(leaked)})
	ok(t, err)
	w.super, err = w.admin.AddAccount(ctx, e.db.ID, client.NewAccount{Name: "a-super", Value: client.NewValue(leaked)})
	ok(t, err)
	db, err := w.admin.Resource(ctx, e.db.ID)
	ok(t, err)
	_, err = w.admin.UpdateResource(ctx, e.db.ID, db.Rev, client.ResourceChange{ReconcileAccountID: &w.super.ID})
	ok(t, err)
	_, err = w.admin.AddMapping(ctx, client.NewMapping{AccountID: w.app.ID, SecretID: w.shop.ID, Key: "mapped"})
	ok(t, err)
	return w
}

// setAnother stores another value of an account.
func (w leakWorld) setAnother(id string) {
	w.t.Helper()
	a, err := w.admin.Account(w.t.Context(), id)
	ok(w.t, err)
	_, err = w.admin.UpdateAccount(w.t.Context(), id, a.Rev, client.AccountChange{Value: client.NewValue("another gravel teapot")})
	ok(w.t, err)
}

func placesOf(all []client.Holder) (out []string) {
	for _, h := range all {
		name := h.ResourceName + "/" + h.AccountName
		if h.Kind == "key" {
			name = h.Namespace + "/" + h.Secret + "/" + h.Key
		}
		out = append(out, fmt.Sprintf("%s v%d %s", name, h.Version, h.Stage))
	}
	return out
}

func TestALeakedValueIsFound(t *testing.T) {
	w := newLeakWorld(t)
	ctx := t.Context()
	// The account gets another value: the leaked one is its previous version.
	w.setAnother(w.super.ID)
	want := []string{"orders-db/a-super v1 previous", "orders-db/leaky v1 current", "shop/leaky/loose v1 current", "shop/leaky/mapped v1 current"}
	for _, given := range []string{leaked, leaked + "\n", leaked + "\r\n"} {
		found, err := w.admin.FindLeak(ctx, leakOf(given))
		ok(t, err)
		if d := cmp.Diff(want, placesOf(found.Places)); d != "" || found.Total != 4 || found.Partial {
			t.Errorf("%q: %d (-want +got):\n%s", given, found.Total, d)
		}
		if found.Counts["versions"] != 2 || found.Counts["keys"] != 2 || found.ConsumersNote == "" {
			t.Errorf("%q: %v", given, found.Counts)
		}
		more, err := w.admin.LeakPlaces(ctx, found.ID, client.HolderFilter{Limit: 3})
		ok(t, err)
		if len(more.Items) != 3 || more.Next == "" || more.Total != 4 {
			t.Errorf("a page of places: %+v", more)
		}
	}
	hash := sha256.Sum256([]byte(leaked))
	found, err := w.admin.FindLeak(ctx, client.LeakQuery{SHA256: strings.ToUpper(hex.EncodeToString(hash[:]))})
	ok(t, err)
	if len(found.Places) != 3 { // the hash is that of the value without a line's end
		t.Errorf("by hash: %v", placesOf(found.Places))
	}
	none, err := w.admin.FindLeak(ctx, leakOf(leaked+"!"))
	if err != nil || none.Total != 0 || len(none.Places) != 0 {
		t.Errorf("a value that nobody holds: %+v, %v", none, err)
	}

	// An operator finds what he may reveal, and is told that this may not be all.
	op, who := w.as(identity.Operator, "op")
	w.grant(who, access.Resource, w.db.ID, policy.Use)
	if found, err = op.FindLeak(ctx, leakOf(leaked)); err != nil || found.Total != 0 || !found.Partial {
		t.Errorf("who may not reveal anything: %+v, %v", found, err)
	}
	w.grant(who, access.Resource, w.space.ID, policy.Reveal)
	if found, err = op.FindLeak(ctx, leakOf(leaked)); err != nil || found.Total != 2 || found.Places[1].AccountID != "" || !found.Places[1].Mapped {
		t.Errorf("who may reveal the keys: %+v, %v", found, err)
	}
}

func TestASearchIsRecordedWithoutTheValue(t *testing.T) {
	w := newLeakWorld(t)
	ctx := t.Context()
	hash := sha256.Sum256([]byte(leaked))
	_, err := w.admin.FindLeak(ctx, leakOf(leaked))
	ok(t, err)
	_, err = w.admin.FindLeak(ctx, client.LeakQuery{SHA256: hex.EncodeToString(hash[:])})
	ok(t, err)
	all, err := w.store.AuditEvents(ctx, store.AuditFilter{Action: "leak.find"})
	ok(t, err)
	if len(all) != 2 || all[0].Details["by"] != "sha256" || all[1].Details["by"] != "value" || all[1].Details["hits"] != "4" || all[1].Actor.Name != "root" {
		t.Errorf("the searches are recorded as %+v", all)
	}
	everything, err := w.store.AuditEvents(ctx, store.AuditFilter{Limit: 500})
	ok(t, err)
	print := w.ring.Fingerprint(vault.NewValue([]byte(leaked)))
	for _, e := range everything {
		text := string(e.Canonical())
		for what, secret := range map[string]string{"the value": leaked, "its hash": hex.EncodeToString(hash[:]), "its fingerprint": print.String(), "its alias": w.ring.Alias(print).String()} {
			if strings.Contains(text, secret) {
				t.Errorf("%s stands in the log: %s", what, text)
			}
		}
	}
	for name, q := range map[string]client.LeakQuery{"nothing": {}, "both": {Value: leakOf(leaked).Value, SHA256: hex.EncodeToString(hash[:])}, "no hash": {SHA256: leaked[:20]},
		"empty": leakOf(""), "a line's end": leakOf("\n")} {
		_, err := w.admin.FindLeak(ctx, q)
		if err == nil || strings.Contains(err.Error(), leaked[:20]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Guesses are limited: a search answers the same question as a comparison.
func TestSearchesAreLimited(t *testing.T) {
	w := newEstate(t)
	w.server.limits = newLimits(Limits{Compare: Rate{PerSecond: 0.001, Burst: 3}})
	secret := w.session(w.user("root", identity.Administrator)).Text()
	var got []int
	for range 5 {
		got = append(got, w.send(http.MethodPost, "/leaks/find", leakOf(leaked), "Authorization", "Bearer "+secret).status)
	}
	if d := cmp.Diff([]int{200, 200, 200, 429, 429}, got); d != "" {
		t.Errorf("answers (-want +got):\n%s", d)
	}
}

func stepsOfLeak(p client.LeakPlan) (out []string) {
	for _, s := range p.Steps {
		out = append(out, strings.TrimRight(fmt.Sprintf("%d %s %s %s", s.Order, s.AccountName, s.Action, strings.Join(s.After, ",")), " "))
	}
	return out
}

func TestALeakIsPlannedAndRotated(t *testing.T) {
	w := newLeakWorld(t)
	ctx := t.Context()
	found, err := w.admin.FindLeak(ctx, leakOf(leaked))
	ok(t, err)
	plan, err := w.admin.LeakPlan(ctx, found.ID)
	ok(t, err)
	if d := cmp.Diff([]string{"1 leaky turn", "2 a-super waits orders-db/leaky"}, stepsOfLeak(plan)); d != "" {
		t.Errorf("the plan (-want +got):\n%s", d)
	}
	if s := plan.Steps[0]; s.Keys != 1 || s.Namespaces != 1 || s.Clusters != 1 || s.Reason == "" {
		t.Errorf("the first step: %+v", s)
	}
	if plan.UnmappedTotal != 1 || plan.Unmapped[0].Key != "loose" || !plan.Can["rotate"].Allowed {
		t.Errorf("the rest of the plan: %+v", plan)
	}
	begun, err := w.admin.RotateLeak(ctx, found.ID)
	ok(t, err)
	if d := cmp.Diff([]string{"1 leaky started", "2 a-super waits orders-db/leaky"}, stepsOfLeak(begun)); d != "" {
		t.Errorf("begun (-want +got):\n%s", d)
	}
	run, err := w.admin.Run(ctx, begun.Steps[0].Run)
	if err != nil || run.AccountID != w.app.ID {
		t.Errorf("the run: %+v, %v", run, err)
	}
	again, err := w.admin.RotateLeak(ctx, found.ID)
	ok(t, err)
	if d := cmp.Diff([]string{"1 leaky runs", "2 a-super waits orders-db/leaky"}, stepsOfLeak(again)); d != "" || again.Steps[0].Run != run.ID {
		t.Errorf("again (-want +got):\n%s", d)
	}

	// The run ends, and the account holds another value: those that come after it are next.
	r, err := w.store.Claim(ctx, run.ID, "test", time.Minute)
	ok(t, err)
	happened := audit.New(identity.System("test"), "run.cancelled", audit.Object{Kind: "account", ID: w.app.ID})
	r.State, r.Reason = "cancelled", "the test says so"
	ok(t, w.store.Advance(ctx, r, happened))
	w.setAnother(w.app.ID)
	m, err := w.admin.Mappings(ctx, client.MappingFilter{Account: w.app.ID})
	ok(t, err)
	ok(t, w.admin.DeleteMapping(ctx, m.Items[0].ID, m.Items[0].Rev))
	next, err := w.admin.RotateLeak(ctx, found.ID)
	ok(t, err)
	if d := cmp.Diff([]string{"1 a-super started", "0 leaky skip"}, stepsOfLeak(next)); d != "" || next.UnmappedTotal != 2 {
		t.Errorf("next (-want +got):\n%s", d)
	}
}

// Who may find a leak and not reset what holds it starts nothing, is told so, and the refusal is recorded.
func TestALeakIsRotatedByWhoMayReset(t *testing.T) {
	w := newLeakWorld(t)
	ctx := t.Context()
	found, err := w.admin.FindLeak(ctx, leakOf(leaked))
	ok(t, err)
	op, _ := w.as(identity.Operator, "op")
	begun, err := op.RotateLeak(ctx, found.ID)
	if err != nil || len(begun.Steps) != 0 || !begun.Partial {
		t.Errorf("without a grant: %+v, %v", begun, err)
	}
	auditor, _ := w.as(identity.Auditor, "auditor")
	if _, err := auditor.FindLeak(ctx, leakOf(leaked)); err == nil {
		t.Error("an auditor tries values")
	}
	if _, err := auditor.RotateLeak(ctx, found.ID); err == nil {
		t.Error("an auditor starts runs")
	}
	for _, id := range []string{"", "x", found.ID + ".", strings.Repeat(found.ID+".", 2) + found.ID, w.app.ID} {
		if _, err := w.admin.LeakPlan(ctx, id); err == nil {
			t.Errorf("there is a plan of %q", id)
		}
	}
}
