package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
)

// The pods that are to take up a new password never become ready. The run stops, and both passwords are valid; it is rolled
// back, and the old one stands everywhere, is alone valid, and no program was ever refused.
func TestAStuckRolloutIsRolledBack(t *testing.T) {
	w, account, port := newCacheWorld(t, "rollback")
	plane, ctx, old := bed.clusters.Planes[0], t.Context(), w.values["shop"]
	w.kubectl(plane, `apiVersion: apps/v1
kind: Deployment
metadata: {namespace: rollback, name: shop}
spec:
  replicas: 3
  progressDeadlineSeconds: 5
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: app, image: none, env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: cache, key: password}}}]}]}
`, "create", "-f", "-")
	w.kubectl(plane, "", "-n", "rollback", "rollout", "status", "deployment/shop", "--timeout=2m")
	broken := func(reason string) { // a change of its own that comes with the restart
		w.kubectl(plane, "", "-n", "rollback", "patch", "deployment", "shop", "--type=merge", "-p",
			fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"testbed.keyturn.dev/waits":%s}}}}}`, reason))
	}
	reader := readSecret(t, plane, "rollback", "cache", "config", cacheLogin)
	broken(`"CrashLoopBackOff"`)
	w.reset("stuck", account, client.Reset{}, "needs_attention")
	stuck, err := w.admin.Run(ctx, w.facts.IDs["stuck"])
	must(t, err)
	if stuck.Step != "published" || len(stuck.Rollouts) != 1 || stuck.Rollouts[0].State != "stuck" || stuck.Rollouts[0].Old == 0 || !stuck.Can["rollback"].Allowed {
		t.Fatalf("the run: %+v", stuck)
	}
	if err := redisLogin(ctx, port, old); err != nil {
		t.Fatalf("the old password while the rollout is stuck: %v", err)
	}

	broken("null")
	back, err := w.admin.RollBackRun(ctx, stuck.ID)
	must(t, err)
	back = w.undone(stuck.ID, back.ID)
	reader.stop()
	if reader.refused.Load() != 0 || reader.logins.Load() == 0 || reader.last != old {
		t.Errorf("%d of %d logins were refused; the reader ends with the old password: %v", reader.refused.Load(), reader.logins.Load(), reader.last == old)
	}
	for value := range reader.values {
		if err := redisLogin(ctx, port, value); (err == nil) != (value == old) {
			t.Errorf("in the end a login with the old password: %v; was it the old: %v", err, value == old)
		}
	}
	marks := w.kubectl(plane, "", "-n", "rollback", "get", "pods", "-l", "app=shop", "-o", `jsonpath={range .items[*]}{.metadata.annotations.keyturn\.dev/restarted-by}{"\n"}{end}`)
	if got := strings.Fields(marks); len(got) != 3 || got[0] != back.ID || got[1] != back.ID || got[2] != back.ID {
		t.Errorf("the pods carry %v, should carry %s", got, back.ID)
	}

	// The same once more, and nobody asks for the roll-back: the policy does.
	w.say("policy", "create", "careful", "--on-stuck", "rollback")
	w.say("policy", "assign", "careful", "--account", "cache/shop")
	broken(`"CrashLoopBackOff"`)
	run, err := w.admin.Reset(ctx, account, client.Reset{})
	must(t, err)
	var by client.Run
	w.eventually("the policy rolls the run back", func() bool {
		for _, r := range w.runs(account) {
			if r.Reverts == run.ID {
				by = r
			}
		}
		return by.ID != ""
	})
	broken("null")
	w.undone(run.ID, by.ID)
	if now, err := w.admin.Reveal(ctx, account, client.Reveal{}); err != nil || now.Value.Text() != old || redisLogin(ctx, port, old) != nil || by.Actor != "rotation-worker" {
		t.Errorf("the vault has the old password: %v (%v); %s began the roll-back", now.Value.Text() == old, err, by.Actor)
	}
}

// undone waits until the second run is done, and returns it; the first then counts as rolled back.
func (w *pagesWorld) undone(first, second string) (back client.Run) {
	w.t.Helper()
	w.eventually("the roll-back is done", func() (done bool) {
		var err error
		back, err = w.admin.Run(w.t.Context(), second)
		must(w.t, err)
		if back.State == "needs_attention" {
			w.t.Fatalf("the roll-back: %+v", back)
		}
		return back.State == "done"
	})
	if got, err := w.admin.Run(w.t.Context(), first); err != nil || got.State != "rolled_back" {
		w.t.Errorf("the first run is %s (%s): %v", got.State, got.Reason, err)
	}
	return back
}
