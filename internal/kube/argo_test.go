package kube

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

// The controller of Argo Rollouts is no part of the test bed: the test does by hand what it does, a ReplicaSet for the new
// template and the status, and the cluster's own controllers do the rest.
func TestARolloutOfArgo(t *testing.T) {
	const ns = "argo"
	defineRollouts(t)
	newNamespace(t, ns)
	kubectl(t, `{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {replicas: 2, selector: {matchLabels: {app: web}},
		template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: none, env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]}]}}}}`, "-n", ns, "create", "-f", "-")
	conn := narrow(t, Scope{Namespaces: []string{ns}, Restart: true})
	w := Workload{Kind: KindRollout, Namespace: ns, Name: "web"}
	first, err := conn.Restart(t.Context(), w, "run-1", nil)
	if err != nil || first.Already || first.Wanted != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := conn.Restart(t.Context(), w, "run-1", nil); err != nil || !again.Already {
		t.Errorf("again: %+v, %v", again, err)
	}
	set := func(name, annotation string, replicas int) {
		kubectl(t, fmt.Sprintf(`{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: %s, labels: {app: web}, ownerReferences: [{apiVersion: argoproj.io/v1alpha1,
			kind: Rollout, name: web, uid: %s, controller: true}]}, spec: {replicas: %d, selector: {matchLabels: {app: web, set: %s}},
			template: {metadata: {labels: {app: web, set: %s}, annotations: {%s}}, spec: {containers: [{name: app, image: none}]}}}}`,
			name, first.Workload.UID, replicas, name, name, annotation), "-n", ns, "apply", "-f", "-")
	}
	status := func(s string) {
		kubectl(t, "", "-n", ns, "patch", "rollouts.argoproj.io", "web", "--subresource=status", "--type=merge", "-p", `{"status":`+s+`}`)
	}
	observed := fmt.Sprintf(`"observedGeneration":"%d"`, first.Generation)
	set("web-old", "", 2)
	set("web-new", "keyturn.dev/restarted-by: run-1", 2)
	status(`{` + observed + `,"phase":"Paused","pauseConditions":[{"reason":"CanaryPauseStep"}]}`)

	var once sync.Once
	var wg sync.WaitGroup
	got, err := conn.RolledOut(minutes(t), w, "run-1", func(r Rollout) {
		if r.Ready == 2 && r.Old == 2 && slices.ContainsFunc(r.Stuck, func(s Stuck) bool { return s.Code == StuckPaused }) {
			once.Do(func() {
				wg.Go(func() {
					set("web-old", "", 0)
					status(`{` + observed + `,"phase":"Healthy","pauseConditions":null}`)
				})
			})
		}
	})
	wg.Wait()
	if err != nil || got.State != RolledDone || got.New != 2 || got.Old != 0 {
		t.Errorf("%+v, %v", got, err)
	}

	renamed, err := conn.Restart(t.Context(), w, "run-1", Renames{"db": "db-1"}) // with the same mark: the name alone is not right yet
	if err != nil || renamed.Already {
		t.Errorf("%+v, %v", renamed, err)
	}
	if name := kubectl(t, "", "-n", ns, "get", "rollouts.argoproj.io", "web", "-o", "jsonpath={.spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name}"); name != "db-1" {
		t.Errorf("it names %q", name)
	}

	kubectl(t, "", "-n", ns, "patch", "rollouts.argoproj.io", "web", "--type=merge", "-p", `{"spec":{"workloadRef":{"kind":"Deployment","name":"api"}}}`)
	if _, err := conn.Restart(t.Context(), w, "run-2", nil); code(err) != ObstacleElsewhere || fault.KindOf(err) != fault.Conflict {
		t.Errorf("with a template elsewhere: %v", err)
	}
}
