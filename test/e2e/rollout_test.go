package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/keyturn/keyturn/test/testbed"
)

// Three Deployment pods and three StatefulSet pods read the key as a variable. The worker is killed at every point of the
// restarts, one after the other; in the end each was restarted once, and no pod is left that was made before the write.
func TestAKilledRunRestartsEachWorkloadOnce(t *testing.T) {
	for _, repository := range repositories {
		t.Run(repository, func(t *testing.T) {
			w := newWorld(t, repository, "rolled")
			plane, secret := bed.clusters.Planes[0], w.secrets[0][1]
			r := readersOf(t, plane, secret)
			before := r.pods("{.metadata.uid}")
			run := w.order(t)
			for _, point := range []string{"rolled_out:before-census", "rolled_out:census", "rolled_out:before-effect", "rolled_out:after-effect",
				"rolled_out:before-proof", "rolled_out:before-store", "rolled_out:stored"} {
				out, err := w.work(t, run, point)
				if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the worker was not killed at %s: %v\n%s", point, err, out)
				}
			}
			if out, err := w.work(t, run, ""); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w.turned(t, run)

			if marks := r.pods(`{.metadata.annotations.keyturn\.dev/restarted-by}`); len(marks) != 6 || strings.Join(marks, " ") != strings.Repeat(run+" ", 5)+run {
				t.Errorf("the pods carry %v, should all carry %s", marks, run)
			}
			for _, uid := range r.pods("{.metadata.uid}") {
				for _, old := range before {
					if uid == old {
						t.Errorf("pod %s was there before the write", uid)
					}
				}
			}
			if ready := r.pods(`{.status.conditions[?(@.type=="Ready")].status}`); strings.Join(ready, "") != strings.Repeat("True", 6) {
				t.Errorf("ready: %v", ready)
			}
			for what, want := range map[string]string{"deployment/api-": "2", "statefulset/db-": "2", "deployment/other-": "1"} {
				got := r.kubectl("", "get", what+secret, "-o", "jsonpath={.metadata.generation}")
				if got != want {
					t.Errorf("%s is of generation %s, should be %s: it is restarted once, or not at all", what+secret, got, want)
				}
			}
		})
	}
}

// readers are workloads that read a Secret, and one that does not.
type readers struct {
	t      *testing.T
	plane  *testbed.ControlPlane
	secret string
}

func readersOf(t *testing.T, plane *testbed.ControlPlane, secret string) readers {
	t.Helper()
	r := readers{t, plane, secret}
	var text strings.Builder
	for _, x := range [][3]string{{"Deployment", "api", "3"}, {"StatefulSet", "db", "3"}, {"Deployment", "other", "1"}} {
		env := fmt.Sprintf("{name: PASSWORD, valueFrom: {secretKeyRef: {name: %s, key: password}}}", secret)
		if x[1] == "other" {
			env = fmt.Sprintf("{name: USER, valueFrom: {secretKeyRef: {name: %s, key: user}}}", secret)
		}
		fmt.Fprintf(&text, `---
apiVersion: apps/v1
kind: %s
metadata: {name: %s-%s}
spec:
  replicas: %s
  selector: {matchLabels: {app: %[2]s-%[3]s}}
  template:
    metadata: {labels: {app: %[2]s-%[3]s, reads: %[5]s}}
    spec: {containers: [{name: app, image: none, env: [%[6]s]}]}
`, x[0], x[1], secret, x[2], map[bool]string{true: "nothing", false: secret}[x[1] == "other"], env)
	}
	r.kubectl(text.String(), "create", "-f", "-")
	t.Cleanup(func() {
		if _, err := plane.Kubectl(context.Background(), text.String(), "-n", "shop", "delete", "--wait=false", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
	for _, what := range []string{"deployment/api-", "statefulset/db-", "deployment/other-"} {
		r.kubectl("", "rollout", "status", what+secret, "--timeout=120s")
	}
	return r
}

func (r readers) kubectl(stdin string, args ...string) string {
	r.t.Helper()
	out, err := r.plane.Kubectl(r.t.Context(), stdin, append([]string{"-n", "shop"}, args...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// pods returns a field of each pod that reads the key.
func (r readers) pods(field string) []string {
	r.t.Helper()
	return strings.Fields(r.kubectl("", "get", "pods", "-l", "reads="+r.secret, "-o", "jsonpath={range .items[*]}"+field+"{\"\\n\"}{end}"))
}
