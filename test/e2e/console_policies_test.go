package e2e

import (
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// policies makes one that says all that a policy can say, one whose accounts are overdue and held by a blackout, and one that
// asks before the second wave of clusters. Its zone has no summer time, so that pictures of it are the same all year.
func (w *pagesWorld) policies(eu, stage *testbed.ControlPlane) {
	w.t.Helper()
	freeze := client.Blackout{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), Why: "freeze"}
	length, name := 40, true
	for _, p := range []struct {
		client.NewPolicy
		accounts []string
	}{
		{client.NewPolicy{Name: "prod", Description: "databases that customers wait for", History: 5,
			Password: client.PolicyPassword{Length: &length, Alphabets: []string{"lower", "upper", "digits"}, Forbid: []string{"orders"}, ForbidName: &name},
			Rotation: client.PolicyRotation{Every: "45d", Zone: "Asia/Tokyo", Windows: []string{"Fri 20:00-Sat 04:00"}, Jitter: "6h", MaxAge: "90d", OnReveal: "20d",
				Heartbeat: "12h", Reconcile: []string{"refused"}, Canary: []string{"stage*"}, WaveSize: "25%", WavePause: "30m",
				Blackouts: []client.Blackout{{From: freeze.From, To: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Why: "stocktaking"}}}},
			[]string{"pages_app", "pages_stale"}},
		{client.NewPolicy{Name: "frozen", Rotation: client.PolicyRotation{MaxAge: "1s", Heartbeat: "off", Blackouts: []client.Blackout{freeze}}}, []string{"pages_guarded"}},
		{client.NewPolicy{Name: "in-waves", Rotation: client.PolicyRotation{Canary: []string{"stage"}, WavePause: "ask"}}, []string{"pages_waved"}},
	} {
		_, err := w.admin.AddPolicy(w.t.Context(), p.NewPolicy)
		must(w.t, err)
		for _, account := range p.accounts {
			_, err := w.admin.AssignPolicy(w.t.Context(), p.Name, client.NewPolicyAssignment{By: "rule", Pattern: "postgresql/orders-db/" + account})
			must(w.t, err)
		}
	}
	w.role("pages_waved")
	w.secret(eu, "checkout/waved", "kubectl-create", "pages_waved", "")
	w.secret(stage, "team-001/waved", "kubectl-create", "pages_waved", "")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"checkout", "ledger"}})
	w.fetch("stage", client.Selection{Namespaces: []string{"team-001"}})
	waved := w.account("orders-db", "pages_waved", w.values["pages_waved"], "checkout/waved")
	there, err := w.admin.Secrets(w.t.Context(), client.SecretFilter{Cluster: "stage", ListOptions: client.ListOptions{Search: "waved"}})
	must(w.t, err)
	_, err = w.admin.AddMapping(w.t.Context(), client.NewMapping{AccountID: waved, SecretID: there.Items[0].ID, Key: "password"})
	must(w.t, err)
	w.reset("waved", waved, client.Reset{}, "needs_attention")
	w.eventually("what is frozen is overdue", func() bool {
		due, err := w.admin.Schedule(w.t.Context(), client.ScheduleFilter{Overdue: true})
		must(w.t, err)
		return due.Total == 1
	})
}
