package kube

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// found is the census of objects, given in the order that the finder asks for.
func found(t *testing.T, objects ...string) string {
	t.Helper()
	f := newFinder("shop", map[SecretRef]bool{{"shop", "db"}: true, {"shop", "registry"}: true})
	for _, text := range objects {
		var m metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		var err error
		take := func(o any, add func()) {
			if err = yaml.UnmarshalStrict([]byte(text), o); err == nil {
				add()
			}
		}
		switch m.Kind {
		case "ServiceAccount":
			o := &corev1.ServiceAccount{}
			take(o, func() { f.serviceAccount(o) })
		case "Deployment":
			o := &appsv1.Deployment{}
			take(o, func() { f.deployment(o) })
		case "CronJob":
			o := &batchv1.CronJob{}
			take(o, func() { f.cronJob(o) })
		case "ReplicaSet":
			o := &appsv1.ReplicaSet{}
			take(o, func() { f.replicaSet(o) })
		case "Job":
			o := &batchv1.Job{}
			take(o, func() { f.job(o) })
		case "Pod":
			o := &corev1.Pod{}
			take(o, func() { f.pod(o) })
		case "PodDisruptionBudget":
			o := &policyv1.PodDisruptionBudget{}
			take(o, func() { f.budget(o) })
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	return story(Census{Readers: f.readers()})
}

func TestFinder(t *testing.T) {
	const (
		reads  = `{containers: [{name: app, envFrom: [{secretRef: {name: db}}]}]}`
		none   = `{containers: [{name: app}]}`
		api    = `{kind: Deployment, metadata: {name: api, uid: d}, spec: {replicas: 2, selector: {}, template: {metadata: {labels: {app: api}}, spec: SPEC}}}`
		set    = `{kind: ReplicaSet, metadata: {name: api-1, uid: r, ownerReferences: [{apiVersion: apps/v1, kind: KIND, name: api, uid: d, controller: true}]}, spec: {replicas: N, selector: {}, template: {spec: ` + reads + `}}}`
		pod    = `{kind: Pod, metadata: {name: api-1-x, uid: p, ownerReferences: [{apiVersion: v1, kind: KIND, name: NAME, uid: UID, controller: true}]}, spec: ` + reads + `, status: {phase: PHASE}}`
		budget = `{kind: PodDisruptionBudget, metadata: {name: b}, spec: SPEC, status: {disruptionsAllowed: N, expectedPods: 2}}`
	)
	with := func(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
	for _, tt := range []struct {
		name    string
		objects []string
		want    string
	}{
		{"nobody", []string{with(api, "SPEC", none)}, ""},
		{"the pull secret of the account that nobody names", []string{`{kind: ServiceAccount, metadata: {name: default, uid: s}, imagePullSecrets: [{name: registry}]}`, with(api, "SPEC", none)},
			"Deployment api 0/2\n  registry all pull secret refreshes\nServiceAccount default 0/0\n  registry all pull secret refreshes\n"},
		{"a template with pull secrets of its own", []string{`{kind: ServiceAccount, metadata: {name: default, uid: s}, imagePullSecrets: [{name: registry}]}`, with(api, "SPEC", `{imagePullSecrets: [{name: other}]}`)},
			"ServiceAccount default 0/0\n  registry all pull secret refreshes\n"},
		{"a ReplicaSet and a pod of a Deployment are the Deployment's", []string{with(api, "SPEC", reads), with(set, "KIND", "Deployment", "N", "2"), with(pod, "KIND", "ReplicaSet", "NAME", "api-1", "UID", "r", "PHASE", "Running")},
			"Deployment api 0/2\n  db all envFrom app\n"},
		{"a pod reads more than the template says", []string{with(api, "SPEC", none), with(set, "KIND", "Deployment", "N", "2"), with(pod, "KIND", "ReplicaSet", "NAME", "api-1", "UID", "r", "PHASE", "Running")},
			"Deployment api 0/2\n  db all envFrom app in pods only\n"},
		{"a ReplicaSet of somebody unknown", []string{with(set, "KIND", "Fleet", "N", "2")}, "ReplicaSet api-1 0/2\n  db all envFrom app\n  ! workload-foreign-controller blocks=true\n"},
		{"an old one of somebody unknown", []string{with(set, "KIND", "Fleet", "N", "0")}, ""},
		{"a run of a CronJob", []string{`{kind: CronJob, metadata: {name: c, uid: c}, spec: {schedule: "", jobTemplate: {spec: {template: {spec: ` + none + `}}}}}`,
			`{kind: Job, metadata: {name: c-1, uid: j, ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: c, uid: c, controller: true}]}, spec: {template: {spec: ` + reads + `}}}`,
			with(pod, "KIND", "Job", "NAME", "c-1", "UID", "j", "PHASE", "Pending")}, "CronJob c 0/0\n  db all envFrom app in pods only\n  ! workload-starts-later blocks=true\n"},
		{"a failed Job", []string{`{kind: Job, metadata: {name: j, uid: j}, spec: {template: {spec: ` + reads + `}}, status: {conditions: [{type: Failed, status: "True"}]}}`}, ""},
		{"a pod that ended", []string{with(pod, "KIND", "Node", "NAME", "n", "UID", "n", "PHASE", "Succeeded")}, ""},
		{"a pod of a node", []string{with(pod, "KIND", "Node", "NAME", "n", "UID", "n", "PHASE", "Running")}, "Pod api-1-x 0/1\n  db all envFrom app\n  ! workload-foreign-controller blocks=true\n"},
		{"a budget over all pods", []string{with(api, "SPEC", reads), with(budget, "SPEC", "{selector: {}}", "N", "0")}, "Deployment api 0/2\n  db all envFrom app\n  ! workload-disruption-budget blocks=false\n"},
		{"a budget over none", []string{with(api, "SPEC", reads), with(budget, "SPEC", "{}", "N", "0")}, "Deployment api 0/2\n  db all envFrom app\n"},
		{"a budget that allows one", []string{with(api, "SPEC", reads), with(budget, "SPEC", "{selector: {}}", "N", "1")}, "Deployment api 0/2\n  db all envFrom app\n"},
	} {
		if d := cmp.Diff(tt.want, found(t, tt.objects...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// Without the right to list ReplicaSets a pod is led to its Deployment by the name that the Deployment's controller gives.
func TestFinderWithoutReplicaSets(t *testing.T) {
	f := newFinder("shop", map[SecretRef]bool{{"shop", "db"}: true})
	f.setsHidden = true
	f.deployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "api", UID: "d"}})
	yes := true
	for _, name := range []string{"api", "apis"} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name + "-1-x", UID: types.UID(name), Labels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "1"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: name + "-1", UID: "unknown", Controller: &yes}}}}
		p.Spec.Containers = []corev1.Container{{Name: "app", EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}}}}}
		f.pod(p)
	}
	want := "Deployment api 0/1\n  db all envFrom app in pods only\n  ! workload-single-replica blocks=false\n" +
		"Pod apis-1-x 0/1\n  db all envFrom app\n  ! workload-foreign-controller blocks=true\n"
	if d := cmp.Diff(want, story(Census{Readers: f.readers()})); d != "" {
		t.Error(d)
	}
}
