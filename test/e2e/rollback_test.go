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
	w.kubectl(plane, "", "-n", "rollback", "rollout", "status", "deployment/shop", "--timeout=60s")
	broken := func(reason string) { // a change of its own that comes with the restart
		w.kubectl(plane, "", "-n", "rollback", "patch", "deployment", "shop", "--type=merge", "-p",
			fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"testbed.keyturn.dev/waits":%s}}}}}`, reason))
	}
	reader := readSecret(t, plane, "rollback", "cache")
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
	w.eventually("the roll-back is done", func() bool {
		back, err = w.admin.Run(ctx, back.ID)
		must(t, err)
		if back.State == "needs_attention" {
			t.Fatalf("the roll-back: %+v", back)
		}
		return back.State == "done"
	})
	reader.stop()
	if stuck, err = w.admin.Run(ctx, stuck.ID); err != nil || stuck.State != "rolled_back" {
		t.Errorf("the first run is %s (%s): %v", stuck.State, stuck.Reason, err)
	}
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
}
