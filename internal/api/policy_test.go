package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

// plan works out what follows from the policies, as the scheduler does.
func (e *estate) plan(t *testing.T) {
	t.Helper()
	_, err := e.store.Replan(t.Context(), 100, func(all []rotation.Policy, x rotation.Standing) rotation.Plan {
		return rotation.PlanOf(all, x, func(string) bool { return true }, time.Now())
	})
	ok(t, err)
}

func TestPolicies(t *testing.T) {
	e := newEstate(t)
	admin, operator := e.user("root", identity.Administrator), e.user("op", identity.Operator)
	as := func(u identity.User, method, path string, body any, want int, headers ...string) reply {
		t.Helper()
		got := e.send(method, path, body, append(headers, "Authorization", "Bearer "+e.session(u).Text())...)
		if got.status != want {
			t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
		}
		return got
	}
	words, history := 4, 5
	var p client.Policy
	decode(t, as(admin, http.MethodPost, "/policies", client.NewPolicy{Name: "prod", Password: client.PolicyPassword{Words: &words}, History: 3,
		Rotation: client.PolicyRotation{Every: "30d", Windows: []string{"Fri 20:00-Sat 04:00"}, OnReveal: "8h", Reconcile: []string{"refused"}, Immutable: "replace"}}, http.StatusCreated).body, &p)
	if p.Password.Words == nil || *p.Password.Words != 4 || p.History != 3 || p.Rotation.Every != "30d" || p.Rotation.Immutable != "replace" || p.EntropyBits == 0 || !p.Can["assign"].Allowed || p.BuiltIn {
		t.Errorf("%+v", p)
	}
	bad := as(admin, http.MethodPatch, "/policies/prod", client.PolicyChange{Rotation: &client.PolicyRotation{Cron: "never"}}, http.StatusUnprocessableEntity, "If-Match", `"1"`)
	if !strings.Contains(string(bad.body), "cron") {
		t.Errorf("%s", bad.body)
	}
	as(admin, http.MethodPatch, "/policies/prod", client.PolicyChange{Rotation: &client.PolicyRotation{Immutable: "break"}}, http.StatusUnprocessableEntity, "If-Match", `"1"`)
	decode(t, as(admin, http.MethodPatch, "/policies/prod", client.PolicyChange{History: &history}, http.StatusOK, "If-Match", `"1"`).body, &p)
	if p.Rev != 2 || p.History != 5 || p.Rotation.OnReveal != "8h" {
		t.Errorf("%+v", p)
	}
	as(admin, http.MethodPost, "/policies/prod/assignments", client.NewPolicyAssignment{By: "account", Pattern: "nobody"}, http.StatusNotFound)
	as(admin, http.MethodPost, "/policies/prod/assignments", client.NewPolicyAssignment{By: "rule", Pattern: "everything"}, http.StatusUnprocessableEntity)
	as(admin, http.MethodPost, "/policies/default/assignments", client.NewPolicyAssignment{By: "rule", Pattern: "*/*/*"}, http.StatusConflict)
	as(admin, http.MethodPost, "/policies/prod/assignments", client.NewPolicyAssignment{By: "rule", Pattern: "*/*/*"}, http.StatusCreated)
	decode(t, as(admin, http.MethodPost, "/policies/prod/assignments", client.NewPolicyAssignment{By: "resource", Pattern: e.db.Name}, http.StatusCreated).body, &p)
	if len(p.Assignments) != 2 || p.Assignments[0].Pattern != e.db.ID || p.Assignments[0].Name != e.db.Name {
		t.Errorf("%+v", p.Assignments)
	}
	e.plan(t)
	var a client.Account
	decode(t, as(admin, http.MethodGet, "/accounts/"+e.account.ID, nil, http.StatusOK).body, &a)
	if a.Policy != "prod" || a.PolicyBecause != "It is assigned to the resource "+e.db.Name || a.NextAt == nil || a.CheckAt == nil {
		t.Errorf("%+v", a)
	}
	var why client.PolicyExplanation
	decode(t, as(admin, http.MethodGet, "/accounts/"+e.account.ID+"/policy", nil, http.StatusOK).body, &why)
	if len(why.Applying) != 3 || why.Applying[0].By != "resource" || why.Applying[2].Policy != "default" || why.NextAt == nil || !why.NextAt.Equal(*a.NextAt) {
		t.Errorf("%+v", why)
	}
	var due client.Page[client.Account]
	decode(t, as(admin, http.MethodGet, "/schedule", nil, http.StatusOK).body, &due)
	if len(due.Items) != 1 || due.Items[0].ID != e.account.ID || due.Total != 1 {
		t.Errorf("%+v", due)
	}
	// An operator knows what is granted: not what else a policy is for.
	decode(t, as(operator, http.MethodGet, "/policies/prod", nil, http.StatusOK).body, &p)
	if len(p.Assignments) != 1 || p.Assignments[0].By != "rule" || p.Can["update"].Allowed {
		t.Errorf("%+v", p)
	}
	decode(t, as(operator, http.MethodGet, "/schedule", nil, http.StatusOK).body, &due)
	if len(due.Items) != 0 {
		t.Errorf("%+v", due.Items)
	}
	e.grant(operator, access.Resource, e.db.ID, policy.View)
	decode(t, as(operator, http.MethodGet, "/policies/prod", nil, http.StatusOK).body, &p)
	if len(p.Assignments) != 2 {
		t.Errorf("%+v", p.Assignments)
	}
	as(admin, http.MethodDelete, "/policies/prod/assignments/"+p.Assignments[0].ID, nil, http.StatusNoContent)
	as(admin, http.MethodDelete, "/policies/prod", nil, http.StatusNoContent, "If-Match", `"2"`)
	as(admin, http.MethodDelete, "/policies/default", nil, http.StatusConflict, "If-Match", `"1"`)
}

func TestPolicyPreview(t *testing.T) {
	e := newEstate(t)
	as := func(role identity.Role, draft client.PolicyDraft, want int) (got client.PolicyPreview, body string) {
		t.Helper()
		r := e.send(http.MethodPost, "/policies/preview", draft, "Authorization", "Bearer "+e.session(e.user("of "+string(role)+draft.Rotation.Cron+draft.Rotation.Every, role)).Text())
		if r.status != want {
			t.Fatalf("%d %s", r.status, r.body)
		}
		if want == http.StatusOK {
			decode(t, r.body, &got)
		}
		return got, string(r.body)
	}
	got, _ := as(identity.Administrator, client.PolicyDraft{Rotation: client.PolicyRotation{Cron: "30 3 * * sun", Zone: "Europe/Berlin", Jitter: "6h"}}, http.StatusOK)
	berlin, err := time.LoadLocation("Europe/Berlin")
	ok(t, err)
	if len(got.Next) != 5 || got.EntropyBits == 0 {
		t.Fatalf("%+v", got)
	}
	for i, next := range got.Next {
		if at := next.At.In(berlin); at.Weekday() != time.Sunday || at.Hour() != 3 || at.Minute() != 30 || next.Why == "" || i > 0 && !at.After(got.Next[i-1].At) {
			t.Errorf("%d: %v %s", i, at, next.Why)
		}
	}
	if got, _ = as(identity.Auditor, client.PolicyDraft{}, http.StatusOK); len(got.Next) != 0 {
		t.Errorf("never changed: %+v", got)
	}
	if _, body := as(identity.Operator, client.PolicyDraft{Rotation: client.PolicyRotation{Every: "soon"}}, http.StatusUnprocessableEntity); !strings.Contains(body, "every") {
		t.Error(body)
	}
	as(identity.PlainUser, client.PolicyDraft{}, http.StatusForbidden)
	if all, err := e.store.Policies(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("a preview stored something: %+v %v", all, err)
	}
}

func TestScheduleIsChosenFrom(t *testing.T) {
	e := newEstate(t)
	admin := e.session(e.user("root", identity.Administrator)).Text()
	get := func(path string, into any) {
		t.Helper()
		r := e.send(http.MethodGet, path, nil, "Authorization", "Bearer "+admin)
		if r.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, r.status, r.body)
		}
		decode(t, r.body, into)
	}
	total := func(path string) int64 {
		t.Helper()
		var p client.Page[client.Account]
		get(path, &p)
		return p.Total
	}
	name := "prod"
	p, err := (&rotation.Policies{Store: e.store, CheckPassword: func(string) error { return nil }, Wake: func() {}}).Create(t.Context(), identity.System("test"),
		rotation.PolicyChange{Name: &name, Rules: &rotation.Rules{Rules: schedule.Rules{Every: "30d"}}})
	ok(t, err)
	r := e.send(http.MethodPost, "/policies/prod/assignments", client.NewPolicyAssignment{By: "rule", Pattern: "*/*/*"}, "Authorization", "Bearer "+admin)
	if r.status != http.StatusCreated {
		t.Fatalf("%d %s", r.status, r.body)
	}
	e.plan(t)
	for path, want := range map[string]int64{"/schedule": 1, "/schedule?within=24h": 0, "/schedule?within=31d": 1, "/schedule?overdue=true": 0,
		"/schedule?policy=prod": 1, "/schedule?policy=" + p.ID: 1, "/schedule?policy=default": 0, "/accounts?policy=prod": 2, "/accounts?policy=default": 0} {
		if got := total(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	var policies struct{ Items []client.Policy }
	get("/policies", &policies)
	for _, x := range policies.Items {
		if want := map[string]int64{"prod": 2}[x.Name]; x.Accounts != want || (x.NextAt != nil) != (want > 0) || x.Overdue != 0 {
			t.Errorf("%+v", x)
		}
	}
	var o client.Overview
	get("/overview", &o)
	if o.Due.Overdue != 0 || o.Due.Day != 0 || o.Due.Next == nil || o.Due.Next.ID != e.account.ID || o.Due.Next.ResourceName != e.db.Name {
		t.Errorf("%+v", o.Due)
	}
	// What is older than its policy allows is due at once, and no longer first in line.
	_, err = (&rotation.Policies{Store: e.store, CheckPassword: func(string) error { return nil }, Wake: func() {}}).Change(t.Context(), identity.System("test"), p.ID, p.Rev,
		rotation.PolicyChange{Rules: &rotation.Rules{Rules: schedule.Rules{MaxAge: "1s"}}})
	ok(t, err)
	time.Sleep(1100 * time.Millisecond)
	e.plan(t)
	o = client.Overview{}
	get("/overview", &o)
	if o.Due.Overdue != 1 || o.Due.Day != 0 || o.Due.Next != nil {
		t.Errorf("%+v", o.Due)
	}
	if total("/schedule?overdue=true") != 1 || total("/schedule?within=1h") != 1 {
		t.Error("what is overdue is missing")
	}
}
