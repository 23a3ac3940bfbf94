package kube

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Renames say which Secrets of a namespace are to be named in place of others: the new name by the old one.
type Renames map[string]string

// podReferences are all places of a pod template's spec that name a Secret. A star is every element of a list.
var podReferences = slices.Concat(containerReferences("containers"), containerReferences("initContainers"), []string{
	"volumes.*.secret.secretName",
	"volumes.*.projected.sources.*.secret.name",
	"volumes.*.csi.nodePublishSecretRef.name",
	"volumes.*.azureFile.secretName",
	"volumes.*.cephfs.secretRef.name",
	"volumes.*.flexVolume.secretRef.name",
	"volumes.*.iscsi.secretRef.name",
	"volumes.*.rbd.secretRef.name",
	"volumes.*.scaleIO.secretRef.name",
	"volumes.*.storageos.secretRef.name",
	"imagePullSecrets.*.name",
})

func containerReferences(list string) []string {
	return []string{list + ".*.env.*.valueFrom.secretKeyRef.name", list + ".*.envFrom.*.secretRef.name"}
}

// referrer is how objects of a kind refer to Secrets.
type referrer struct {
	resource schema.GroupVersionResource
	// under leads to the object that the references are places of.
	under      []string
	references []string
	// rolls says that its controller replaces its pods when the references change.
	rolls bool
}

var referrers = map[ReaderKind]referrer{
	KindDeployment:  {appsv1.SchemeGroupVersion.WithResource("deployments"), []string{"spec", "template", "spec"}, podReferences, true},
	KindStatefulSet: {appsv1.SchemeGroupVersion.WithResource("statefulsets"), []string{"spec", "template", "spec"}, podReferences, true},
	KindDaemonSet:   {appsv1.SchemeGroupVersion.WithResource("daemonsets"), []string{"spec", "template", "spec"}, podReferences, true},
	KindRollout:     {argoRollouts, []string{"spec", "template", "spec"}, podReferences, true},
	KindCronJob: {batchv1.SchemeGroupVersion.WithResource("cronjobs"), []string{"spec", "jobTemplate", "spec", "template", "spec"},
		podReferences, false},
	KindServiceAccount: {corev1.SchemeGroupVersion.WithResource("serviceaccounts"), nil, []string{"imagePullSecrets.*.name", "secrets.*.name"}, false},
	KindIngress:        {networkingv1.SchemeGroupVersion.WithResource("ingresses"), []string{"spec"}, []string{"tls.*.secretName"}, false},
}

// TakesNames reports whether Rename changes references of objects of the kind without anything being restarted.
func (k ReaderKind) TakesNames() bool {
	r, known := referrers[k]
	return known && !r.rolls
}

// patch returns the part of a merge patch that gives u's references their new names; nil when it names none of the old
// ones. A merge patch replaces lists as a whole, so they come as they were read but for the names.
func (r referrer) patch(u *unstructured.Unstructured, names Renames) map[string]any {
	at, ok, err := unstructured.NestedFieldNoCopy(u.Object, r.under...)
	if len(r.under) == 0 {
		at, ok, err = u.Object, true, nil
	}
	spec, isMap := at.(map[string]any)
	if err != nil || !ok || !isMap {
		return nil
	}
	changed := map[string]any{}
	for _, reference := range r.references {
		path := strings.Split(reference, ".")
		field := path[0]
		now, has := changed[field]
		if !has {
			now = spec[field]
		}
		if next, renamed := names.in(now, path[1:]); renamed {
			changed[field] = next
		}
	}
	if len(changed) == 0 {
		return nil
	}
	for _, name := range slices.Backward(r.under) {
		changed = map[string]any{name: changed}
	}
	return changed
}

// in returns value with what stands at path renamed, and whether anything was. What it was given stays as it is.
func (n Renames) in(value any, path []string) (any, bool) {
	if len(path) == 0 {
		old, _ := value.(string)
		name, renamed := n[old]
		return name, renamed
	}
	if path[0] == "*" {
		list, _ := value.([]any)
		return n.inList(list, path[1:])
	}
	fields, _ := value.(map[string]any)
	next, renamed := n.in(fields[path[0]], path[1:])
	if !renamed {
		return value, false
	}
	fields = maps.Clone(fields)
	fields[path[0]] = next
	return fields, true
}

// inList renames in each element. A list of nothing but names keeps each once.
func (n Renames) inList(list []any, path []string) (any, bool) {
	out, changed := slices.Clone(list), false
	for i := range out {
		if next, renamed := n.in(out[i], path); renamed {
			out[i], changed = next, true
		}
	}
	if changed && len(path) == 1 && path[0] == "name" {
		out = once(out)
	}
	return out, changed
}

// once leaves the first of equal elements.
func once(list []any) []any {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(x any) bool {
		text, err := json.Marshal(x)
		again := err == nil && seen[string(text)]
		seen[string(text)] = true
		return again
	})
}
