package rotation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestTheOrderOfRestarts(t *testing.T) {
	var all []Rollout
	for _, name := range []string{"shop/Deployment/web", "shop/StatefulSet/db", "shop/Deployment/api-1", "billing/Deployment/api-2"} {
		part := strings.Split(name, "/")
		all = append(all, Rollout{Workload: Workload{Namespace: part[0], Kind: part[1], Name: part[2]}})
	}
	for _, tt := range []struct {
		order []string
		want  [][]string
	}{
		{nil, [][]string{{"web", "db", "api-1", "api-2"}}},
		{[]string{"*/StatefulSet/*", "shop/Deployment/api-*"}, [][]string{{"db"}, {"api-1"}, {"web", "api-2"}}},
		{[]string{"none/Deployment/*", "*/*/*", "shop/*/*"}, [][]string{{"web", "db", "api-1", "api-2"}}},
	} {
		var got [][]string
		for _, group := range (Restarts{Order: tt.order}).groups(all) {
			var names []string
			for _, r := range group {
				names = append(names, r.Name)
			}
			got = append(got, names)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.order, diff)
		}
	}
	for field, r := range map[string]Restarts{"restartOrder": {Order: []string{"api-*"}}, "restartWindows": {Windows: []string{"at night"}}} {
		err := Policy{Name: "p", Rules: Rules{Restarts: r}}.Check()
		if f := asFault(err); f == nil || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestWorkloadsAreRestartedInOrder(t *testing.T) {
	w := newWorld(t).withWorkloads()
	w.run.Strategy, w.policy.Rules.Restarts = Overlap, Restarts{Order: []string{"ns/*/worker"}}
	w.workloads["worker"].stuck = "2 pods cannot pull their image"
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention || w.workloads["worker"].marks != 1 || w.workloads["api"].marks != 0 {
		t.Fatalf("%s (%s); api was restarted %d times", w.run.State, w.run.Reason, w.workloads["api"].marks)
	}
	w.workloads["worker"].stuck, w.workloads["worker"].holds = "", []string{w.accepted, w.accepted}
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("mended")
	w.onTheNewValue("mended")
}

func TestRestartsWaitForTheirWindow(t *testing.T) {
	w := newWorld(t).withWorkloads()
	opens := time.Now().UTC().Truncate(24 * time.Hour).Add(48 * time.Hour)
	day := opens.Format("Mon")
	w.run.Strategy, w.policy.Rules.Restarts = Overlap, Restarts{Windows: []string{day + " 00:00-" + day + " 12:00"}}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != Waiting || w.run.Step != Published || !w.run.NotBefore.Equal(opens) || w.run.Tries != 0 || w.workloads["api"].marks != 0 || w.also == "" {
		t.Fatalf("%s after %s until %v (%s)", w.run.State, w.run.Step, w.run.NotBefore, w.run.Reason)
	}
	if want := "2 of 2 workloads wait for the window in which they may be restarted"; w.run.Reason != want {
		t.Errorf("it says %q", w.run.Reason)
	}
	w.policy.Rules.Restarts = Restarts{}
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("the policy changed")
	w.onTheNewValue("the policy changed")
}
