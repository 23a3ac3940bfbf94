package kube

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

// rollingApps is a Deployment, a StatefulSet and a DaemonSet of three pods each, with annotations in their templates.
func rollingApps(annotations string) string {
	var b strings.Builder
	for _, w := range [][3]string{{"Deployment", "api", "replicas: 3,"}, {"StatefulSet", "db", "replicas: 3, serviceName: db,"}, {"DaemonSet", "agent", ""}} {
		b.WriteString(strings.NewReplacer("%k", w[0], "%n", w[1], "%s", w[2], "%a", annotations).Replace(`---
{apiVersion: apps/v1, kind: %k, metadata: {name: %n}, spec: {%s selector: {matchLabels: {app: %n}}, template: {
  metadata: {labels: {app: %n}, annotations: {%a}}, spec: {containers: [{name: app, image: none}]}}}}
`))
	}
	return b.String()
}

// apps are the workloads of rollingApps.
func apps(namespace string) []Workload {
	return []Workload{{Kind: KindDeployment, Namespace: namespace, Name: "api"}, {Kind: KindStatefulSet, Namespace: namespace, Name: "db"}, {Kind: KindDaemonSet, Namespace: namespace, Name: "agent"}}
}

func newApps(t *testing.T, namespace, annotations string) {
	t.Helper()
	newNamespace(t, namespace)
	kubectl(t, rollingApps(annotations), "-n", namespace, "apply", "-f", "-")
	for _, w := range apps(namespace) {
		kubectl(t, "", "-n", namespace, "rollout", "status", strings.ToLower(string(w.Kind))+"/"+w.Name, "--timeout=2m")
	}
}

// newNamespace makes a namespace that takes pods, for the time of the test: it takes none before its default ServiceAccount
// is there.
func newNamespace(t *testing.T, namespace string) {
	t.Helper()
	kubectl(t, "", "create", "namespace", namespace)
	dropLater(t, namespace)
	kubectl(t, "", "-n", namespace, "wait", "serviceaccount/default", "--for=create", "--timeout=2m")
}

// dropLater deletes a namespace when the test ends, so that its pods are no burden to the next.
func dropLater(t *testing.T, namespace string) {
	t.Cleanup(func() {
		if _, err := plane.Kubectl(context.Background(), "", "delete", "namespace", namespace, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
}

func code(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return ""
}

func TestRestart(t *testing.T) {
	const ns = "restart"
	newNamespace(t, ns)
	kubectl(t, rollingApps(""), "-n", ns, "apply", "-f", "-")
	conn := narrow(t, Scope{Namespaces: []string{ns}, Restart: true})
	for _, w := range apps(ns) {
		first, err := conn.Restart(t.Context(), w, "run-1", nil)
		if err != nil || first.Already || first.Workload.UID == "" || first.Generation < 2 || first.ResourceVersion == "" {
			t.Fatalf("%s: %+v, %v", w, first, err)
		}
		again, err := conn.Restart(t.Context(), first.Workload, "run-1", nil)
		if err != nil || !again.Already || again.Generation != first.Generation {
			t.Errorf("%s again: %+v, %v", w, again, err)
		}
		other, err := conn.Restart(t.Context(), first.Workload, "run-2", nil)
		if err != nil || other.Already || other.Generation != first.Generation+1 {
			t.Errorf("%s with another marker: %+v, %v", w, other, err)
		}
		fields := kubectl(t, "", "-n", ns, "get", string(w.Kind), w.Name, "--show-managed-fields", "-o", `jsonpath={.metadata.managedFields[?(@.manager=="keyturn")].fieldsV1}`)
		if fields != `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{".":{},"f:keyturn.dev/restarted-by":{}}}}}}` &&
			fields != `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{"f:keyturn.dev/restarted-by":{}}}}}}` {
			t.Errorf("%s: keyturn owns %s", w, fields)
		}
		w.UID = "00000000-0000-0000-0000-000000000000"
		if _, err := conn.Restart(t.Context(), w, "run-3", nil); !errors.Is(err, fault.NotFound) || code(err) != "workload-replaced" {
			t.Errorf("%s with another uid: %v", w, err)
		}
		w.UID, w.Name = "", "nobody"
		if _, err := conn.Restart(t.Context(), w, "run-3", nil); !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", w, err)
		}
	}
	t.Run("what blocks it", func(t *testing.T) { restartBlocked(t, conn, ns) })
	t.Run("against other writers", func(t *testing.T) { restartContended(t, conn, ns) })
	t.Run("refused", func(t *testing.T) {
		if _, err := conn.Restart(t.Context(), apps(ns)[0], "a marker", nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("a marker with a space: %v", err)
		}
		if _, err := conn.Restart(t.Context(), Workload{Kind: KindPod, Namespace: ns, Name: "x"}, "m", nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("a pod: %v", err)
		}
		if _, err := conn.Restart(t.Context(), Workload{Kind: KindDeployment, Namespace: "default", Name: "x"}, "m", nil); code(err) != codeRight {
			t.Errorf("another namespace: %v", err)
		}
	})
}

func restartBlocked(t *testing.T, conn *Conn, ns string) {
	for _, tt := range []struct {
		w           Workload
		patch, code string
	}{
		{apps(ns)[0], `{"spec":{"paused":true}}`, ObstaclePaused},
		{apps(ns)[1], `{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}`, ObstaclePartition},
		{apps(ns)[1], `{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}`, ObstacleOnDelete},
		{apps(ns)[2], `{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}`, ObstacleOnDelete},
	} {
		kubectl(t, "", "-n", ns, "patch", string(tt.w.Kind), tt.w.Name, "--type=merge", "-p", tt.patch)
		before := kubectl(t, "", "-n", ns, "get", string(tt.w.Kind), tt.w.Name, "-o", "jsonpath={.metadata.generation}")
		_, err := conn.Restart(t.Context(), tt.w, "run-blocked", nil)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Conflict || f.Code != tt.code || f.Cure == "" || f.Unchanged == "" {
			t.Errorf("%s: %v, want %s", tt.w, err, tt.code)
		}
		if after := kubectl(t, "", "-n", ns, "get", string(tt.w.Kind), tt.w.Name, "-o", "jsonpath={.metadata.generation}"); after != before {
			t.Errorf("%s: generation %s, then %s", tt.w, before, after)
		}
		if already, err := conn.Restart(t.Context(), tt.w, "run-2", nil); err != nil || !already.Already {
			t.Errorf("%s: the marker that it has: %+v, %v", tt.w, already, err)
		}
	}
	kubectl(t, "", "-n", ns, "patch", "deployment", "api", "--type=merge", "-p", `{"spec":{"paused":false}}`)
}

// restartContended restarts one Deployment from many sides with one marker while others write to it: its template changes
// once.
func restartContended(t *testing.T, conn *Conn, ns string) {
	w := apps(ns)[0]
	before, err := conn.Restart(t.Context(), w, "contended-0", nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	done := make([]Restarted, 6)
	for i := range done {
		wg.Go(func() {
			var err error
			if done[i], err = conn.Restart(t.Context(), w, "contended-1", nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	changed := 0
	for _, d := range done {
		if !d.Already {
			changed++
		}
		if d.Generation != before.Generation+1 {
			t.Errorf("generation %d after %d", d.Generation, before.Generation)
		}
	}
	if changed != 1 {
		t.Errorf("%d of %d say that they changed it", changed, len(done))
	}
}
