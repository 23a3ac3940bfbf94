package kube

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// frozen is an immutable Secret of a type of its own, with labels, annotations and a binary key.
const frozen = `{apiVersion: v1, kind: Secret, metadata: {name: db, labels: {app: shop}, annotations: {team: a}}, type: example.com/login, immutable: true,
	data: {password: b2xk, blob: AP8KAQ==, empty: ""}}`

func TestASecretIsMadeInPlaceOfAnImmutableOne(t *testing.T) {
	const ns = "replace"
	newNamespace(t, ns)
	kubectl(t, frozen, "-n", ns, "apply", "-f", "-") // which repeats the data in an annotation
	conn := narrow(t, Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true, Replace: true})
	old, err := conn.GetSecret(t.Context(), ns, "db")
	if err != nil {
		t.Fatal(err)
	}
	made := Replacement{Name: "db-1", Base: "db", By: "run-1"}
	data := map[string]vault.Value{"password": vault.NewValue([]byte("n\x00ew"))}
	tried, err := conn.TryReplaceSecret(t.Context(), old, made, data)
	if err != nil || !tried.Data["password"].Equal(data["password"]) {
		t.Fatalf("tried: %v", err)
	}
	if _, err := conn.GetSecret(t.Context(), ns, "db-1"); !errors.Is(err, fault.NotFound) {
		t.Fatalf("what was only tried is there: %v", err)
	}
	got, err := conn.ReplaceSecret(t.Context(), old, made, data)
	if err != nil {
		t.Fatal(err)
	}
	read, err := conn.GetSecret(t.Context(), ns, "db-1")
	if err != nil || read.UID != got.UID || read.UID == old.UID {
		t.Fatalf("%s, %v", read.UID, err)
	}
	want := maps.Clone(old.Data)
	maps.Copy(want, data)
	if !maps.EqualFunc(read.Data, want, vault.Value.Equal) || !read.Immutable || read.Type != old.Type || !maps.Equal(read.Labels, old.Labels) || read.Base != "db" || read.MadeBy != "run-1" {
		t.Errorf("it was made with %d keys, immutable %v, type %s, labels %v, of %q by %q", len(read.Data), read.Immutable, read.Type, read.Labels, read.Base, read.MadeBy)
	}
	if notes := kubectl(t, "", "-n", ns, "get", "secret", "db-1", "-o", "jsonpath={.metadata.annotations}"); !strings.Contains(notes, `"team":"a"`) || strings.Contains(notes, "last-applied") {
		t.Errorf("its annotations are %s", notes)
	}
	if owner := ClassifyOwner(read, "password"); owner.Kind != OwnedByKeyturn {
		t.Errorf("its key belongs to %+v", owner)
	}
	if _, err := conn.ReplaceSecret(t.Context(), old, made, data); code(err) != CodeNameTaken || !errors.Is(err, fault.Conflict) {
		t.Errorf("a name that is taken: %v", err)
	}

	if err := conn.DeleteSecret(t.Context(), ns, "db", read.UID, old.ResourceVersion); !errors.Is(err, fault.Stale) {
		t.Errorf("another Secret's uid: %v", err)
	}
	if err := conn.DeleteSecret(t.Context(), ns, "db", old.UID, read.ResourceVersion); !errors.Is(err, fault.Stale) {
		t.Errorf("another state's version: %v", err)
	}
	if err := conn.DeleteSecret(t.Context(), ns, "db", old.UID, old.ResourceVersion); err != nil {
		t.Error(err)
	}
	if err := conn.DeleteSecret(t.Context(), ns, "db", old.UID, old.ResourceVersion); !errors.Is(err, fault.NotFound) {
		t.Errorf("one that is gone: %v", err)
	}
}

func TestWithoutTheRightNothingIsReplaced(t *testing.T) {
	const ns = "replace-denied"
	newNamespace(t, ns)
	kubectl(t, frozen, "-n", ns, "create", "-f", "-")
	has, wants := Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true}, Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true, Replace: true}
	conn := narrow(t, has)
	report := Check(t.Context(), connector(t, has), wants)
	if want := (Right{Verb: "create", Resource: "secrets", Namespace: ns}); report.OK() || len(report.Missing) != 8 || report.Missing[0] != want {
		t.Errorf("the check: %v", report.Missing)
	}
	if more, err := MissingManifest(wants, report.Missing); err != nil || !strings.Contains(string(more), "verbs: [create, delete]") || strings.Contains(string(more), "serviceaccounts/token") {
		t.Errorf("what adds it: %s, %v", more, err)
	}
	old, err := conn.GetSecret(t.Context(), ns, "db")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ReplaceSecret(t.Context(), old, Replacement{Name: "db-1", Base: "db", By: "run-1"}, nil); code(err) != codeRight {
		t.Errorf("make: %v", err)
	}
	if err := conn.DeleteSecret(t.Context(), ns, "db", old.UID, old.ResourceVersion); code(err) != codeRight {
		t.Errorf("delete: %v", err)
	}
	for _, kind := range []ReaderKind{KindServiceAccount, KindCronJob, KindIngress} {
		if err := conn.Rename(t.Context(), Workload{Kind: kind, Namespace: ns, Name: "default"}, Renames{"db": "db-1"}); code(err) != codeRight {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := (Scope{Namespaces: []string{ns}, ReadWrite: true, Replace: true}).Validate(); !errors.Is(err, fault.Invalid) {
		t.Errorf("replacing without restarts: %v", err)
	}
}

// One write brings a workload both its mark and the new names, so that it is rolled once; what has no pods to roll is only
// renamed.
func TestReferencesAreRenamedInOneWrite(t *testing.T) {
	const ns = "rename"
	newNamespace(t, ns)
	const reads = `{containers: [{name: app, image: none, ports: [{containerPort: 80}], env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}, {name: Q, valueFrom: {secretKeyRef: {name: other, key: password}}}],
		volumeMounts: [{name: v, mountPath: /v}]}], initContainers: [{name: init, image: none, envFrom: [{secretRef: {name: db}}]}],
		volumes: [{name: v, secret: {secretName: db}}, {name: w, projected: {sources: [{secret: {name: db}}]}}], imagePullSecrets: [{name: db}]`
	kubectl(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec: {replicas: 1, selector: {matchLabels: {app: api}}, template: {metadata: {labels: {app: api}, annotations: {a: b}}, spec: `+reads+`}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec: {serviceName: db, replicas: 1, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: `+reads+`}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: `+reads+`}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: report}
spec: {schedule: 0 0 1 1 *, jobTemplate: {spec: {template: {spec: `+reads+`, restartPolicy: Never}}}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: puller}
imagePullSecrets: [{name: db}, {name: other}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {tls: [{hosts: [a.example.com], secretName: db}], rules: [{host: a.example.com}]}
`, "-n", ns, "create", "-f", "-")
	conn := narrow(t, Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true, Replace: true})
	want := []SecretRef{{ns, "db"}}
	before, err := conn.Readers(t.Context(), want)
	if err != nil || len(before.Unreadable) > 0 {
		t.Fatalf("%v, %v", before.Unreadable, err)
	}
	names, found := Renames{"db": "db-1"}, 0
	for _, r := range before.Readers {
		if r.Kind == KindPod || r.Kind == KindJob {
			continue
		}
		found++
		w := r.Workload()
		if r.Kind.TakesNames() {
			if err := errors.Join(conn.TryRename(t.Context(), w, names), conn.Rename(t.Context(), w, names), conn.Rename(t.Context(), w, names)); err != nil {
				t.Errorf("%s: %v", w, err)
			}
			continue
		}
		if err := conn.TryRestart(t.Context(), w, names); err != nil {
			t.Errorf("try %s: %v", w, err)
		}
		first, err := conn.Restart(t.Context(), w, "run-1", names)
		if err != nil || first.Already || first.Generation != 2 {
			t.Errorf("%s: %+v, %v", w, first, err)
		}
		again, err := conn.Restart(t.Context(), w, "run-1", names)
		if err != nil || !again.Already || again.Generation != first.Generation {
			t.Errorf("%s again: %+v, %v", w, again, err)
		}
	}
	if found != 6 {
		t.Errorf("%d objects name the Secret, want 6", found)
	}
	after, err := conn.Readers(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range after.Readers {
		for _, u := range r.Uses {
			if !u.InPodsOnly && r.Kind != KindPod {
				t.Errorf("%s %s still names it: %+v", r.Kind, r.Name, u)
			}
		}
	}
	if got := kubectl(t, "", "-n", ns, "get", "deployment", "api", "-o", "jsonpath={.spec.template.metadata.annotations} {.spec.template.spec.containers[0].ports[0].containerPort} {.spec.template.spec.containers[0].env[*].valueFrom.secretKeyRef.name}"); !strings.Contains(got, `"a":"b"`) || !strings.HasSuffix(got, " 80 db-1 other") {
		t.Errorf("the Deployment is %s", got)
	}
	if got := kubectl(t, "", "-n", ns, "get", "serviceaccount", "puller", "-o", "jsonpath={.imagePullSecrets[*].name}"); got != "db-1 other" {
		t.Errorf("the account names %s", got)
	}
}

func TestWhoWouldPutAnOldNameBack(t *testing.T) {
	for want, x := range map[string]traits{
		"":                        {kind: KindDeployment, labels: map[string]string{"app": "a"}},
		"Database main":           {kind: KindStatefulSet, controller: "Database main"},
		"Argo CD":                 {kind: KindCronJob, labels: map[string]string{"argocd.argoproj.io/instance": "shop"}},
		"Flux Kustomization shop": {kind: KindServiceAccount, labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "shop"}},
		"Helm release shop":       {kind: KindIngress, annotations: map[string]string{"meta.helm.sh/release-name": "shop"}},
	} {
		if got := x.kept(); got != want {
			t.Errorf("%+v: %q, want %q", x, got, want)
		}
	}
}
