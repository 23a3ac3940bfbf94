package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
)

// frozen is a world whose first Secret is immutable, with everything that names it.
type frozen struct {
	readers
	world
}

// names are an object of each kind that names the Secret in ways of its own.
const names = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api-%[1]s}
spec:
  replicas: 3
  selector: {matchLabels: {app: api-%[1]s}}
  template:
    metadata: {labels: {app: api-%[1]s, reads: %[1]s}}
    spec:
      containers:
      - {name: app, image: none, env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: %[1]s, key: password}}}], volumeMounts: [{name: files, mountPath: /files}]}
      volumes: [{name: files, secret: {secretName: %[1]s}}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: report-%[1]s}
spec: {schedule: 0 0 1 1 *, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: none, envFrom: [{secretRef: {name: %[1]s}}]}]}}}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: puller-%[1]s}
imagePullSecrets: [{name: %[1]s}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web-%[1]s}
spec: {tls: [{hosts: [a.example.com], secretName: %[1]s}], rules: [{host: a.example.com}]}
`

// newFrozen gives the connector of the first cluster its rights for scope, which the repository knows of too.
func newFrozen(t *testing.T, repository, name string, scope inventory.Scope) frozen {
	t.Helper()
	f := newReplacing(t, repository, name, scope)
	f.immutable = string(rotation.ImmutableReplace)
	f.kubectl("", "patch", "secret", f.secret, "-p", `{"immutable":true,"metadata":{"labels":{"tier":"data"}}}`)
	f.named()
	return f
}

// newReplacing is a world whose first cluster's connector has its rights for scope, which the repository knows of too.
func newReplacing(t *testing.T, repository, name string, scope inventory.Scope) frozen {
	t.Helper()
	w := newWorld(t, repository, name)
	plane := bed.clusters.Planes[0]
	f := frozen{readers{t, plane, w.secrets[0][1]}, w}
	f.rights(scope)
	t.Cleanup(func() { f.rights(inventory.Scope{Namespaces: []string{"shop"}, ReadWrite: true, Restart: true}) })
	s := w.open(t)
	defer s.Close()
	page, err := s.Clusters(t.Context(), store.Viewer{All: true}, store.ClusterQuery{ListQuery: store.ListQuery{Limit: 10}})
	must(t, err)
	for _, row := range page.Items {
		c, err := s.Cluster(t.Context(), row.ID)
		must(t, err)
		if c.Name == plane.Name {
			c.Scope = scope
			must(t, s.UpdateCluster(t.Context(), c, c.Rev, happened("cluster.update")))
		}
	}
	return f
}

// named makes an object of each kind that names the Secret.
func (f frozen) named() {
	f.t.Helper()
	text := fmt.Sprintf(names, f.secret)
	f.kubectl(text, "create", "-f", "-")
	f.t.Cleanup(func() {
		if _, err := f.plane.Kubectl(context.Background(), text, "-n", "shop", "delete", "--wait=false", "-f", "-"); err != nil {
			f.t.Error(err)
		}
	})
	f.kubectl("", "rollout", "status", "deployment/api-"+f.secret, "--timeout=120s")
}

func (f frozen) rights(scope inventory.Scope) {
	f.t.Helper()
	manifest, err := kube.Manifest(kube.Scope{Namespaces: scope.Namespaces, ReadWrite: scope.ReadWrite, Restart: scope.Restart, Replace: scope.Replace})
	must(f.t, err)
	_, err = f.plane.Kubectl(context.Background(), string(manifest), "apply", "-f", "-")
	must(f.t, err)
	if scope.Replace {
		ahead{t: f.t}.awaitRight(f.plane, "create", "secrets", true)
		ahead{t: f.t}.awaitRight(f.plane, "patch", "ingresses", true)
	}
}

// follows has the account's policy say what is done with immutable Secrets.
func (f frozen) follows(says rotation.Immutable) {
	f.t.Helper()
	s := f.open(f.t)
	defer s.Close()
	all, err := s.Policies(f.t.Context())
	must(f.t, err)
	p := all[0]
	p.Rules.Immutable = says
	must(f.t, s.UpdatePolicy(f.t.Context(), p, p.Rev, happened("policy.update")))
}

func replacing() inventory.Scope {
	return inventory.Scope{Namespaces: []string{"shop"}, ReadWrite: true, Restart: true, Replace: true}
}

// replaced proves with kubectl that the Secret of another name took the old one's place, and that everything names it.
func (f frozen) replaced(run string) {
	f.t.Helper()
	next := f.secret + "-1"
	if out := f.kubectl("", "get", "secrets", f.secret, "--ignore-not-found", "-o", "name"); out != "" {
		f.t.Errorf("the old one is there: %s", out)
	}
	if got, want := f.kubectl("", "get", "secret", next, "-o", `jsonpath={.immutable} {.type} {.metadata.labels.tier} {.metadata.annotations.keyturn\.dev/made-by} {.metadata.annotations.keyturn\.dev/replacement-of}`),
		"true Opaque data "+run+" "+f.secret; got != want {
		f.t.Errorf("the new Secret is %q, want %q", got, want)
	}
	f.renamed(run, next)
	f.world.secrets[0][1] = next
	f.turned(f.t, run)
	s := f.open(f.t)
	defer s.Close()
	writes, err := s.Writes(f.t.Context(), rotation.Run{ID: run, AccountID: f.account})
	must(f.t, err)
	moved := 0
	for _, w := range writes {
		if w.Name == next {
			moved++
		}
		if w.State != rotation.WriteDone {
			f.t.Errorf("%s: %s", w.Name, w.State)
		}
	}
	if moved != 1 || len(writes) != 3 {
		f.t.Errorf("%d of %d keys are mapped to the new Secret", moved, len(writes))
	}
	for action, want := range map[string]int64{"secret.replace": 1, "secret.delete": 1} {
		if n, err := s.CountAuditEvents(f.t.Context(), store.AuditFilter{Action: action}); err != nil || n != want {
			f.t.Errorf("%d events %s, want %d: %v", n, action, want, err)
		}
	}
}

// renamed proves with kubectl that everything that named the Secret names next, and that the Deployment was rolled once for it.
func (f frozen) renamed(run, next string) {
	f.t.Helper()
	for what, want := range map[string][2]string{
		"deployment/api-":        {`{.spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name} {.spec.template.spec.volumes[0].secret.secretName} {.metadata.generation}`, next + " " + next + " 2"},
		"cronjob/report-":        {`{.spec.jobTemplate.spec.template.spec.containers[0].envFrom[0].secretRef.name}`, next},
		"serviceaccount/puller-": {`{.imagePullSecrets[*].name}`, next},
		"ingress/web-":           {`{.spec.tls[0].secretName}`, next},
	} {
		if got := f.kubectl("", "get", what+f.secret, "-o", "jsonpath="+want[0]); got != want[1] {
			f.t.Errorf("%s names %q, want %q", what, got, want[1])
		}
	}
	if pods := f.pods(`{.metadata.annotations.keyturn\.dev/restarted-by}={.spec.volumes[0].secret.secretName}={.status.conditions[?(@.type=="Ready")].status}`); strings.Join(pods, " ") != strings.TrimSpace(strings.Repeat(run+"="+next+"=True ", 3)) {
		f.t.Errorf("the pods are %v", pods)
	}
}

func TestAnImmutableSecretIsReplacedByOneOfAnotherName(t *testing.T) {
	for _, repository := range repositories {
		t.Run(repository, func(t *testing.T) {
			f := newFrozen(t, repository, "frozen", replacing())
			run := f.order(t)
			if out, err := f.work(t, run, ""); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			f.replaced(run)
			// The next one counts on.
			before, next := f.world.secrets[0][1], f.secret+"-2"
			again := f.orderFrom(t, 2)
			if out, err := f.work(t, again, ""); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := f.kubectl("", "get", "secrets", before, next, "--ignore-not-found", "-o", "name"); strings.TrimSpace(got) != "secret/"+next {
				t.Errorf("after the second run there is %q", got)
			}
		})
	}
}

// orderFrom stores a run of the account whose current version is old.
func (w world) orderFrom(t *testing.T, old int64) string {
	t.Helper()
	s := w.open(t)
	defer s.Close()
	r := rotation.Run{ID: newID(), AccountID: w.account, Strategy: rotation.Single, Old: old, StartedBy: identity.Actor{ID: "u1", Name: "anna"}}
	r.CreatedAt = happened("").At
	must(t, s.OpenRun(t.Context(), r, "", nil, happened("account.reset")))
	return r.ID
}

// One run is killed at each point at which a Secret is replaced, one after the other.
func TestAKilledRunReplacesASecretOnce(t *testing.T) {
	f := newFrozen(t, "sqlite", "frozenkilled", replacing())
	run := f.order(t)
	for _, point := range []string{"published:before-choice", "published:choice", "published:before-replacement", "published:replacement", "published:before-proof", "published:stored",
		"rolled_out:before-census", "rolled_out:census", "rolled_out:before-effect", "rolled_out:after-effect", "rolled_out:before-proof", "rolled_out:stored",
		"retired:before-delete", "retired:deleted", "retired:delete-stored"} {
		out, err := f.work(t, run, point)
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the worker was not killed at %s: %v\n%s", point, err, out)
		}
	}
	if out, err := f.work(t, run, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.replaced(run)
}

// Without the policy or the right a plan says why not, and a run stops there without having made or changed anything.
func TestAnImmutableSecretStopsARunUnlessPolicyAndRightsAllowIt(t *testing.T) {
	for name, tt := range map[string]struct {
		policy       rotation.Immutable
		replace      bool
		reason, cure string
	}{
		"refused": {rotation.ImmutableRefuse, true, "policy does not say", "--immutable replace"},
		"noright": {rotation.ImmutableReplace, false, "no right to replace", "--replace"},
	} {
		t.Run(name, func(t *testing.T) {
			scope := replacing()
			scope.Replace = tt.replace
			f := newFrozen(t, "sqlite", name, scope)
			f.immutable = string(tt.policy)
			f.follows(tt.policy)
			a := f.ahead(t)
			f.rights(scope)
			plan := a.foresee()
			says := 0
			for _, k := range plan.Keys {
				if k.State == rotation.KeyBlocked && strings.Contains(k.Reason, tt.reason) && strings.Contains(k.Cure, tt.cure) && k.Immutable && k.Instead == "" {
					says++
				}
			}
			if says != 1 || plan.Blast.Blocked != 1 {
				t.Errorf("the plan says it of %d keys, and that %d are blocked: %+v", says, plan.Blast.Blocked, plan.Keys)
			}
			must(t, a.store.Close()) // the worker is alone with it
			run := f.order(t)
			if out, err := f.work(t, run, ""); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			s := f.open(t)
			defer s.Close()
			r, err := s.Run(t.Context(), run)
			must(t, err)
			if r.State != rotation.NeedsAttention || !strings.Contains(r.Reason, tt.reason) || !strings.Contains(r.Cure, tt.cure) {
				t.Errorf("the run is %s: %s; %s", r.State, r.Reason, r.Cure)
			}
			if got := f.kubectl("", "get", "secrets", f.secret, f.secret+"-1", "--ignore-not-found", "-o", "name"); strings.TrimSpace(got) != "secret/"+f.secret {
				t.Errorf("there is %q", got)
			}
		})
	}
}

// A bare pod cannot be told another name, so the run stops with its workloads moved; rolled back, everything names the old
// Secret again, which was not touched, and the new one is gone.
func TestAStuckReplacementIsRolledBack(t *testing.T) {
	f := newFrozen(t, "sqlite", "frozenback", replacing())
	uid := f.kubectl("", "get", "secret", f.secret, "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion}")
	bare := "bare-" + f.secret
	f.kubectl(fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {containers: [{name: app, image: none, envFrom: [{secretRef: {name: %s}}]}]}}", bare, f.secret), "create", "-f", "-")
	run := f.order(t)
	if out, err := f.work(t, run, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a := f.ahead(t)
	f.rights(replacing())
	stuck, err := a.store.Run(t.Context(), run)
	must(t, err)
	if stuck.State != rotation.NeedsAttention || !strings.Contains(stuck.Reason, "Pod shop/"+bare) || stuck.Cure == "" {
		t.Fatalf("the run is %s: %s; %s", stuck.State, stuck.Reason, stuck.Cure)
	}
	named := func(want string) {
		t.Helper()
		if got := f.kubectl("", "get", "deployment/api-"+f.secret, "-o", `jsonpath={.spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name}`); got != want {
			t.Errorf("the Deployment names %s, want %s", got, want)
		}
		if got := f.kubectl("", "get", "ingress/web-"+f.secret, "-o", `jsonpath={.spec.tls[0].secretName}`); got != want {
			t.Errorf("the Ingress names %s, want %s", got, want)
		}
	}
	named(f.secret + "-1")
	f.kubectl("", "get", "secret", f.secret, f.secret+"-1")

	f.kubectl("", "delete", "pod", bare, "--wait")
	back, err := a.resets.RollBack(t.Context(), anna, run)
	must(t, err)
	must(t, a.store.Close())
	if out, err := f.work(t, back.ID, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := f.open(t)
	defer s.Close()
	for id, want := range map[string]rotation.State{run: rotation.RolledBack, back.ID: rotation.Finished} {
		if r, err := s.Run(t.Context(), id); err != nil || r.State != want {
			t.Errorf("a run is %s, want %s: %s; %s (%v)", r.State, want, r.Reason, r.Cure, err)
		}
	}
	named(f.secret)
	if got := f.kubectl("", "get", "secret", f.secret, "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion}"); got != uid {
		t.Errorf("the old Secret was %s and is %s", uid, got)
	}
	if got := f.kubectl("", "get", "secrets", f.secret+"-1", "--ignore-not-found", "-o", "name"); got != "" {
		t.Errorf("%s is left", got)
	}
	f.letsIn(t, "rolled back")
	for _, at := range f.world.secrets {
		if _, password := f.holds(t, at); password != firstPassword {
			t.Errorf("%s does not hold the first password", at[1])
		}
	}
}

// A plan names the Secret that would be made and everything that would be told of it; a rehearsal tries both, and leaves no trace.
func TestReplacingIsForeseenAndRehearsed(t *testing.T) {
	f := newFrozen(t, "sqlite", "frozentried", replacing())
	f.follows(rotation.ImmutableReplace)
	a := f.ahead(t)
	f.rights(replacing())
	before := a.untouched(firstPassword)
	plan := a.foresee()
	actions := map[string]rotation.Action{}
	for _, w := range plan.Workloads {
		actions[w.Kind] = w.Action
	}
	for kind, want := range map[string]rotation.Action{"Deployment": rotation.ActionRestart, "CronJob": rotation.ActionRename, "ServiceAccount": rotation.ActionRename, "Ingress": rotation.ActionRename} {
		if actions[kind] != want {
			t.Errorf("the plan says of the %s %q, want %q", kind, actions[kind], want)
		}
	}
	if plan.Blast.Blocked != 0 || plan.Keys[0].Instead+plan.Keys[1].Instead+plan.Keys[2].Instead != f.secret+"-1" {
		t.Errorf("the plan: %+v", plan.Keys)
	}
	got := a.rehearse()
	tried := 0
	for _, step := range got.Steps {
		if step.State != rotation.StepDone {
			t.Errorf("%s of %s is %s: %s", step.Name, step.Object, step.State, step.Reason)
		}
		if strings.Contains(step.Proved, "a new Secret "+f.secret+"-1") || step.Name == rotation.RehearseRestart {
			tried++
		}
	}
	if got.State != rotation.Ready || tried != 5 {
		t.Errorf("%d of 5 were tried; %s: %s", tried, got.State, got.Reason)
	}
	if after := a.untouched(firstPassword); after != before {
		t.Errorf("before: %s\nafter:  %s", before, after)
	}
	if left := f.kubectl("", "get", "secrets", f.secret+"-1", "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("%s is left", left)
	}
}
