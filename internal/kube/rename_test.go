package kube

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// everyReference is a pod spec that names the Secret db in every way that there is, and others beside.
const everyReference = `
containers:
- name: app
  image: app:1
  env:
  - {name: PLAIN, value: db}
  - {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
  - {name: OTHER, valueFrom: {secretKeyRef: {name: other, key: db, optional: true}}}
  - {name: MAP, valueFrom: {configMapKeyRef: {name: db, key: db}}}
  envFrom:
  - {prefix: A_, secretRef: {name: db}}
  - {configMapRef: {name: db}}
- name: db
  image: db
initContainers:
- {name: init, image: i, env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}], envFrom: [{secretRef: {name: db}}]}
volumes:
- {name: db, secret: {secretName: db, items: [{key: password, path: db}]}}
- {name: both, projected: {sources: [{secret: {name: db}}, {secret: {name: other}}, {configMap: {name: db}}]}}
- {name: csi, csi: {driver: d, nodePublishSecretRef: {name: db}}}
- {name: azure, azureFile: {secretName: db, shareName: s}}
- {name: ceph, cephfs: {monitors: [m], secretRef: {name: db}}}
- {name: flex, flexVolume: {driver: d, secretRef: {name: db}}}
- {name: iscsi, iscsi: {targetPortal: t, iqn: i, lun: 0, secretRef: {name: db}}}
- {name: rbd, rbd: {monitors: [m], image: i, secretRef: {name: db}}}
- {name: scale, scaleIO: {gateway: g, system: s, secretRef: {name: db}}}
- {name: os, storageos: {secretRef: {name: db}}}
- {name: empty, emptyDir: {}}
imagePullSecrets: [{name: db}, {name: other}]
serviceAccountName: db
`

func objectOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = json.Unmarshal(asJSON, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever the census finds is renamed, and nothing else is touched: neither the object that was read, nor what only looks
// like the name.
func TestEveryReferenceOfATemplateIsRenamed(t *testing.T) {
	for _, kind := range []ReaderKind{KindDeployment, KindStatefulSet, KindDaemonSet, KindRollout, KindCronJob} {
		r := referrers[kind]
		u, want := &unstructured.Unstructured{Object: map[string]any{}}, &unstructured.Unstructured{Object: map[string]any{}}
		set := func(u *unstructured.Unstructured, text string) {
			if err := unstructured.SetNestedField(u.Object, objectOf(t, text), r.under...); err != nil {
				t.Fatal(err)
			}
		}
		set(u, everyReference)
		before := u.DeepCopy()
		renamed := strings.NewReplacer("secretKeyRef: {name: db,", "secretKeyRef: {name: db-1,", "secretRef: {name: db}", "secretRef: {name: db-1}",
			"secretName: db,", "secretName: db-1,", "{secret: {name: db}}", "{secret: {name: db-1}}", "nodePublishSecretRef: {name: db}", "nodePublishSecretRef: {name: db-1}",
			"imagePullSecrets: [{name: db}", "imagePullSecrets: [{name: db-1}").Replace(everyReference)
		set(want, renamed)
		got := r.patch(u, Renames{"db": "db-1"})
		if !reflect.DeepEqual(u, before) {
			t.Errorf("%s: what was read has changed", kind)
		}
		now, _, _ := unstructured.NestedMap(got, r.under...)
		wanted, _, _ := unstructured.NestedMap(want.Object, r.under...)
		for _, field := range []string{"containers", "initContainers", "volumes", "imagePullSecrets"} {
			if !reflect.DeepEqual(now[field], wanted[field]) {
				t.Errorf("%s: %s is %v, want %v", kind, field, now[field], wanted[field])
			}
			delete(now, field)
		}
		if len(now) != 0 {
			t.Errorf("%s: the patch has %v too", kind, now)
		}
		set(u, renamed)
		if again := r.patch(u, Renames{"db": "db-1"}); again != nil {
			t.Errorf("%s: what is renamed is patched again with %v", kind, again)
		}
	}
}

// The census and the renaming know the same references: what podReads finds of db is gone after it.
func TestTheCensusFindsNothingOfARenamedSecret(t *testing.T) {
	d := &unstructured.Unstructured{Object: objectOf(t, "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {}}}")}
	if err := unstructured.SetNestedField(d.Object, objectOf(t, everyReference), "spec", "template", "spec"); err != nil {
		t.Fatal(err)
	}
	count := func(name string) (n int) {
		var typed struct {
			Spec struct {
				Template corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		}
		if err := convert(d, &typed); err != nil {
			t.Fatal(err)
		}
		for _, u := range podReads("shop", &typed.Spec.Template.Spec) {
			if u.Secret.Name == name {
				n++
			}
		}
		return n
	}
	before, others := count("db"), count("other")
	patch := referrers[KindDeployment].patch(d, Renames{"db": "db-1"})
	spec, _, _ := unstructured.NestedMap(patch, "spec", "template", "spec")
	for field, value := range spec {
		if err := unstructured.SetNestedField(d.Object, value, "spec", "template", "spec", field); err != nil {
			t.Fatal(err)
		}
	}
	if left, moved := count("db"), count("db-1"); before != 15 || left != 0 || moved != before || count("other") != others {
		t.Errorf("%d references were found; after the renaming %d are left and %d have the new name", before, left, moved)
	}
}

func TestReferencesOfAccountsAndIngresses(t *testing.T) {
	for name, tt := range map[string]struct {
		kind     ReaderKind
		is, want string
	}{
		"an account": {KindServiceAccount, "imagePullSecrets: [{name: other}, {name: db}]\nsecrets: [{name: db}]", "imagePullSecrets: [{name: other}, {name: db-1}]\nsecrets: [{name: db-1}]"},
		"an account that has the new name already": {KindServiceAccount, "imagePullSecrets: [{name: db-1}, {name: db}]", "imagePullSecrets: [{name: db-1}]"},
		"an ingress": {KindIngress, "spec: {rules: [{host: db}], tls: [{hosts: [a], secretName: db}, {hosts: [b], secretName: other}]}",
			"spec: {tls: [{hosts: [a], secretName: db-1}, {hosts: [b], secretName: other}]}"},
		"an ingress of another Secret": {KindIngress, "spec: {tls: [{hosts: [a], secretName: other}]}", "{}"},
		"an ingress without TLS":       {KindIngress, "spec: {}", "{}"},
		"an object without a spec":     {KindIngress, "{}", "{}"},
		"a list that is none":          {KindIngress, "spec: {tls: db}", "{}"},
	} {
		got := referrers[tt.kind].patch(&unstructured.Unstructured{Object: objectOf(t, tt.is)}, Renames{"db": "db-1"})
		if want := objectOf(t, tt.want); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
