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
		Rotation: client.PolicyRotation{Every: "30d", Windows: []string{"Fri 20:00-Sat 04:00"}, OnReveal: "8h", Reconcile: []string{"refused"}}}, http.StatusCreated).body, &p)
	if p.Password.Words == nil || *p.Password.Words != 4 || p.History != 3 || p.Rotation.Every != "30d" || p.EntropyBits == 0 || !p.Can["assign"].Allowed || p.BuiltIn {
		t.Errorf("%+v", p)
	}
	bad := as(admin, http.MethodPatch, "/policies/prod", client.PolicyChange{Rotation: &client.PolicyRotation{Cron: "never"}}, http.StatusUnprocessableEntity, "If-Match", `"1"`)
	if !strings.Contains(string(bad.body), "cron") {
		t.Errorf("%s", bad.body)
	}
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
