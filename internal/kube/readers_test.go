package kube

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func admin(t *testing.T) *Conn {
	t.Helper()
	conn, err := Dial(Config{Server: plane.URL, CAPEM: plane.CAPEM, Token: vault.NewValue([]byte(plane.AdminToken)), AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// narrow is a connection as the connector of a scope.
func narrow(t *testing.T, s Scope) *Conn {
	t.Helper()
	cfg := connector(t, s)
	raw, err := NormaliseToken(cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token = raw
	conn, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func applyFile(t *testing.T, namespace, file string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(b), "-n", namespace, "apply", "-f", "-")
}

func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// story tells a census in lines.
func story(c Census) string {
	var b strings.Builder
	generated := regexp.MustCompile(`^(legacy|api-[0-9a-f]+)-[0-9a-z]{5}$`)
	for _, r := range c.Readers {
		name := generated.ReplaceAllString(r.Name, "$1-*")
		fmt.Fprintf(&b, "%s %s %d/%d\n", r.Kind, name, r.Ready, r.Wanted)
		for _, u := range r.Uses {
			fmt.Fprintf(&b, "  %s\n", describe(u))
		}
		for _, o := range r.Obstacles {
			fmt.Fprintf(&b, "  ! %s blocks=%v\n", o.Code, o.Blocks)
		}
	}
	for _, u := range c.Unreadable {
		fmt.Fprintf(&b, "? %s: %s\n", u.Kind, u.Right)
	}
	return b.String()
}

const wantReaders = `CronJob nightly 0/0
  db all envFrom app
  ! workload-starts-later blocks=true
DaemonSet agent 3/3
  registry all pull secret refreshes
Deployment api 3/3
  db all envFrom init migrate
  db [password] env app at PW
  registry all pull secret refreshes
  ! workload-disruption-budget blocks=false
  ! workload-by-argo-cd blocks=false
Deployment paused 0/1
  db all volume app at /v refreshes
  ! workload-paused blocks=true
  ! workload-single-replica blocks=false
  ! workload-by-helm blocks=false
Ingress web 0/0
  tls [tls.crt tls.key] ingress at shop.example refreshes
Job running 0/1
  db all envFrom app
  ! workload-not-rolled blocks=true
Pod bare 1/1
  db all envFrom app optional
  ! workload-no-controller blocks=true
Pod legacy-* 1/1
  db all envFrom app
  ! workload-foreign-controller blocks=true
ReplicaSet alone 1/1
  db all envFrom app
  ! workload-not-rolled blocks=true
ServiceAccount puller 0/0
  registry all pull secret refreshes
  db all service account
StatefulSet queue 2/2
  db [password] projected app at /v refreshes
  ! workload-on-delete blocks=true
`

func TestReaders(t *testing.T) {
	const ns = "readers"
	newNamespace(t, ns)
	applyFile(t, ns, "readers.yaml")
	for _, name := range []string{"db", "tls", "registry"} {
		kubectl(t, "", "-n", ns, "create", "secret", "generic", name, "--from-literal=password=x")
	}
	kubectl(t, "", "-n", ns, "wait", "job/finished", "--for=condition=Complete", "--timeout=2m")
	want := []SecretRef{{ns, "db"}, {ns, "tls"}, {ns, "registry"}, {"no-such-namespace", "db"}}
	conn := admin(t)
	look := func(c *Conn) string {
		census, err := c.Readers(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range census.Readers {
			for _, o := range r.Obstacles {
				if o.Says == "" || strings.HasSuffix(o.Says, ".") {
					t.Errorf("%s says %q", o.Code, o.Says)
				}
			}
		}
		return story(census)
	}
	var got string
	defer func() {
		if d := cmp.Diff(wantReaders, got); d != "" {
			t.Errorf("readers (-want +got):\n%s", d)
		}
	}()
	within(t, 30*time.Second, "every pod runs", func() bool { got = look(conn); return got == wantReaders })

	t.Run("a pod with more than its template", func(t *testing.T) { olderTemplate(t, conn, ns) })
	t.Run("a connector that may not restart", func(t *testing.T) { seesLess(t, ns) })
	t.Run("one that may", func(t *testing.T) {
		scope := Scope{Namespaces: []string{ns}, Restart: true}
		c := narrow(t, scope)
		within(t, 20*time.Second, "the check finds every right", func() bool { return Check(t.Context(), connector(t, scope), scope).OK() })
		census, err := c.Readers(t.Context(), want[:3])
		if err != nil || len(census.Unreadable) > 0 || len(census.Readers) != 11 {
			t.Errorf("%d readers, unreadable %v, %v", len(census.Readers), census.Unreadable, err)
		}
	})
	t.Run("Argo Rollouts", func(t *testing.T) { readersOfArgo(t, conn, ns) })
	if _, err := conn.Readers(t.Context(), []SecretRef{{Name: "db"}}); !errors.Is(err, fault.Invalid) {
		t.Errorf("no namespace: %v", err)
	}
}

// olderTemplate has a Deployment that was paused when its template stopped to name the Secret: its pod still reads it.
func olderTemplate(t *testing.T, conn *Conn, ns string) {
	const form = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: left}, spec: {paused: %s, selector: {matchLabels: {app: left}},
		template: {metadata: {labels: {app: left}}, spec: {containers: [{name: app, image: none, envFrom: [%s]}]}}}}`
	kubectl(t, fmt.Sprintf(form, "false", "{secretRef: {name: older}}"), "-n", ns, "apply", "-f", "-")
	kubectl(t, "", "-n", ns, "rollout", "status", "deployment/left", "--timeout=2m")
	kubectl(t, fmt.Sprintf(form, "true", ""), "-n", ns, "apply", "-f", "-")
	census, err := conn.Readers(t.Context(), []SecretRef{{ns, "older"}})
	want := "Deployment left 1/1\n  older all envFrom app in pods only\n  ! workload-paused blocks=true\n  ! workload-single-replica blocks=false\n"
	if got := story(census); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func seesLess(t *testing.T, ns string) {
	dropRights(t, ns)
	c := narrow(t, Scope{Namespaces: []string{ns}})
	lacks := Check(t.Context(), connector(t, Scope{Namespaces: []string{ns}}), Scope{Namespaces: []string{ns}, Restart: true}).Missing
	if want := (Right{Verb: "patch", Group: "apps", Resource: "statefulsets", Namespace: ns}); !slices.Contains(lacks, want) {
		t.Errorf("the check misses %v, not %v", lacks, want)
	}
	var census Census
	within(t, 20*time.Second, "the rights are there", func() bool {
		var err error
		census, err = c.Readers(t.Context(), []SecretRef{{ns, "db"}})
		return err == nil && len(census.Unreadable) >= 6 // with Rollouts, if another test had them defined, seven
	})
	got := story(census)
	for _, want := range []string{"? ReplicaSet: list replicasets in namespace " + ns, "? ServiceAccount: ", "? CronJob: ", "? Job: ", "? Ingress: ", "? PodDisruptionBudget: ",
		"Deployment api 3/3\n", "Pod alone-"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "Pod api-") {
		t.Errorf("a pod is not led to its Deployment without ReplicaSets:\n%s", got)
	}
}

// defineRollouts has the API server know Argo Rollouts from now on. Their controller does not run here.
func defineRollouts(t *testing.T) {
	t.Helper()
	applyFile(t, "default", "rollout-crd.yaml")
	kubectl(t, "", "wait", "crd/rollouts.argoproj.io", "--for=condition=Established", "--timeout=2m")
	within(t, 20*time.Second, "the API server serves Rollouts", func() bool {
		_, err := plane.Kubectl(t.Context(), "", "get", "rollouts.argoproj.io", "-A")
		return err == nil
	})
}

func readersOfArgo(t *testing.T, conn *Conn, ns string) {
	defined := kubectl(t, "", "get", "crd", "rollouts.argoproj.io", "--ignore-not-found") != ""
	if has, err := conn.hasArgo(t.Context()); has != defined || err != nil {
		t.Errorf("before: %v, %v", has, err)
	}
	defineRollouts(t)
	if has, err := conn.hasArgo(t.Context()); !has || err != nil {
		t.Errorf("after: %v, %v", has, err)
	}
	kubectl(t, `{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: canary}, spec: {replicas: 4, selector: {matchLabels: {app: canary}},
		template: {metadata: {labels: {app: canary}}, spec: {containers: [{name: app, image: none, envFrom: [{secretRef: {name: argo}}]}]}}}}
---
{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: elsewhere}, spec: {workloadRef: {kind: Deployment, name: api},
		template: {metadata: {}, spec: {containers: [{name: app, image: none, envFrom: [{secretRef: {name: argo}}]}]}}}}`, "-n", ns, "create", "-f", "-")
	census, err := conn.Readers(t.Context(), []SecretRef{{ns, "argo"}})
	if err != nil {
		t.Fatal(err)
	}
	got := story(census)
	want := "Rollout canary 0/4\n  argo all envFrom app\n" +
		"Rollout elsewhere 0/1\n  argo all envFrom app\n  ! workload-template-elsewhere blocks=true\n  ! workload-single-replica blocks=false\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
