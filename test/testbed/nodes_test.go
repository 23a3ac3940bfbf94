package testbed

import (
	"strings"
	"testing"
	"time"
)

func TestWorkloadsRollOnNodes(t *testing.T) {
	began := time.Now()
	c, err := StartControlPlane(t.Context(), Options{Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	t.Logf("a cluster of three nodes is ready after %v", time.Since(began).Round(time.Millisecond))
	kubectl(t, c, "", "create", "namespace", "shop")
	kubectl(t, c, workloads(), "-n", "shop", "apply", "-f", "-")
	for _, what := range []string{"deployment/api", "statefulset/db", "daemonset/agent"} {
		kubectl(t, c, "", "-n", "shop", "rollout", "status", what, "--timeout=2m")
		kubectl(t, c, "", "-n", "shop", "rollout", "restart", what)
		kubectl(t, c, "", "-n", "shop", "rollout", "status", what, "--timeout=2m")
	}
	if got := kubectl(t, c, "", "-n", "shop", "get", "pods", "-o", "jsonpath={range .items[*]}{.spec.nodeName}{'\\n'}{end}"); strings.Count(got, "node-") < 9 {
		t.Errorf("the pods run on these nodes, want nine of them:\n%s", got)
	}
	t.Run("a pod waits, and another lingers", func(t *testing.T) { badDaysComeTrue(t, c) })

	procs := []*process{c.kwok.proc, c.scheduler.proc, c.kcm.proc, c.apiProc}
	if err := c.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for _, p := range procs {
		mustBeGone(t, p)
	}
}

func badDaysComeTrue(t *testing.T, c *ControlPlane) {
	const form = `{apiVersion: v1, kind: Pod, metadata: {name: %n, annotations: {%a}}, spec: {containers: [{name: app, image: none}]}}`
	pod := func(name, annotation string) {
		kubectl(t, c, strings.NewReplacer("%n", name, "%a", annotation).Replace(form), "-n", "shop", "apply", "-f", "-")
	}
	reason := func() string {
		return kubectl(t, c, "", "-n", "shop", "get", "pod", "waiting", "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}")
	}
	pod("waiting", Waits+": ImagePullBackOff")
	eventually(t, "the pod waits", func() bool { return reason() == "ImagePullBackOff" })
	pod("lingering", Lingers+`: "yes"`)
	kubectl(t, c, "", "-n", "shop", "wait", "pod/lingering", "--for=condition=Ready", "--timeout=2m")
	kubectl(t, c, "", "-n", "shop", "delete", "pod", "lingering", "--wait=false")
	time.Sleep(time.Second)
	if got := reason(); got != "ImagePullBackOff" {
		t.Errorf("a second later the pod waits for %q", got)
	}
	kubectl(t, c, "", "-n", "shop", "get", "pod", "lingering")
	kubectl(t, c, "", "-n", "shop", "annotate", "pod", "lingering", Lingers+"-")
	kubectl(t, c, "", "-n", "shop", "wait", "pod/lingering", "--for=delete", "--timeout=2m")
}

// workloads is a Deployment, a StatefulSet and a DaemonSet of three pods each on three nodes.
func workloads() string {
	var b strings.Builder
	for _, w := range []string{"Deployment api replicas: 3,", "StatefulSet db replicas: 3, serviceName: db,", "DaemonSet agent "} {
		f := strings.SplitN(w, " ", 3)
		b.WriteString(strings.NewReplacer("%k", f[0], "%n", f[1], "%s", f[2]).Replace(`---
{apiVersion: apps/v1, kind: %k, metadata: {name: %n}, spec: {%s selector: {matchLabels: {app: %n}}, template: {
  metadata: {labels: {app: %n}}, spec: {containers: [{name: app, image: none}]}}}}
`))
	}
	return b.String()
}
