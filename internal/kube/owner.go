package kube

import (
	"fmt"
	"slices"
	"strings"
)

// OwnerKind is what sort of writer a key of a Secret belongs to.
type OwnerKind string

// The kinds of owner.
const (
	OwnedByNobody     OwnerKind = "nobody"     // no writer is recorded for the key
	OwnedByKeyturn    OwnerKind = "keyturn"    // written by Keyturn
	OwnedByOneShot    OwnerKind = "one-shot"   // written by a person's tool, which does not write again by itself
	OwnedByReconciler OwnerKind = "reconciler" // kept by a controller, which would undo a write
	OwnedByCluster    OwnerKind = "cluster"    // filled in by the cluster itself: a ServiceAccount's token
)

// Ownership is who owns one key of a Secret, and for a reconciler what to do instead of writing.
type Ownership struct {
	Kind         OwnerKind
	Name, Advice string
}

// reconcilers are the kinds of ownerReference whose controllers write the Secret's data again, with what to do instead.
var reconcilers = map[string]string{
	"ExternalSecret":        "change the value in the store that the ExternalSecret reads, or point its mapping there",
	"ClusterExternalSecret": "change the value in the store that the ExternalSecret reads, or point its mapping there",
	"VaultStaticSecret":     "change the value in Vault, where the VaultStaticSecret reads it",
	"VaultDynamicSecret":    "the value is leased from Vault and renewed there; do not map it",
	"SealedSecret":          "seal the new value into the SealedSecret and apply that",
	"Certificate":           "cert-manager renews this key pair; use cmctl renew, or change the Certificate",
	"InfisicalSecret":       "change the value in Infisical, where the InfisicalSecret reads it",
	"OnePasswordItem":       "change the item in 1Password",
}

// oneShots are the beginnings of the names under which people's tools write.
var oneShots = []string{"kubectl", "dashboard", "headlamp", "lens", "k9s", "rancher", "node-fetch", "Mozilla", "curl", "unknown", "python-requests", "OpenAPI-Generator"}

// ClassifyOwner says who owns a key of s, from what is recorded on it: ownerReferences first, then the marks of GitOps and
// Helm, then who last wrote the key. A writer that is not known is taken for a reconciler, so that nothing is fought over
// by mistake.
func ClassifyOwner(s Secret, key string) Ownership {
	for _, o := range s.Owners {
		if advice, ok := reconcilers[o.Kind]; ok {
			return Ownership{OwnedByReconciler, o.Kind + " " + o.Name, advice}
		}
	}
	for _, o := range s.Owners {
		if o.Controller {
			return Ownership{OwnedByReconciler, o.Kind + " " + o.Name, "change the value where its controller takes it from"}
		}
	}
	if o, ok := marked(s); ok {
		return o
	}
	last, ok := lastWriter(s.Managers, key)
	switch {
	case !ok:
		return Ownership{Kind: OwnedByNobody}
	case last == FieldManager:
		return Ownership{Kind: OwnedByKeyturn, Name: last}
	case slices.ContainsFunc(oneShots, func(p string) bool { return strings.HasPrefix(last, p) }):
		return Ownership{Kind: OwnedByOneShot, Name: last}
	case s.Type == typeToken && slices.Contains(filledIn, key):
		return Ownership{OwnedByCluster, "the cluster", "map it to an account of type kubernetes-token: the cluster makes another token then"}
	default:
		return Ownership{OwnedByReconciler, "the field manager " + last,
			fmt.Sprintf("if %s does not write the key again, take it over with kubectl, then resume", last)}
	}
}

// marked looks at the labels and annotations that deployment tools leave.
func marked(s Secret) (Ownership, bool) {
	switch tool, name := managedBy(s.Labels, s.Annotations); tool {
	case toolArgoCD:
		return Ownership{OwnedByReconciler, "Argo CD",
			"add ignoreDifferences for /data of this Secret with RespectIgnoreDifferences=true and ServerSideApply=true, or leave the Secret out of the application"}, true
	case toolFluxKustomize:
		return Ownership{OwnedByReconciler, "Flux Kustomization " + name,
			"annotate the Secret with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent, or leave it out of the Kustomization"}, true
	case toolFluxHelm:
		return Ownership{OwnedByReconciler, "Flux HelmRelease " + name,
			"give the chart an existing Secret, or leave drift detection off for it"}, true
	case toolHelm:
		return Ownership{OwnedByReconciler, "Helm release " + name,
			"the next helm upgrade may write the value again: give the chart an existing Secret instead"}, true
	}
	return Ownership{}, false
}

// tool is a deployment tool that keeps objects equal to a source.
type tool string

const (
	toolArgoCD        tool = "Argo CD"
	toolFluxKustomize tool = "Flux Kustomization"
	toolFluxHelm      tool = "Flux HelmRelease"
	toolHelm          tool = "Helm"
)

// managedBy returns which tool an object's labels and annotations name as its own, and the name of what it belongs to
// there; both are empty when none does.
func managedBy(labels, annotations map[string]string) (by tool, name string) {
	switch {
	case annotations["argocd.argoproj.io/tracking-id"] != "" || labels["argocd.argoproj.io/instance"] != "":
		return toolArgoCD, ""
	case labels["kustomize.toolkit.fluxcd.io/name"] != "":
		return toolFluxKustomize, labels["kustomize.toolkit.fluxcd.io/name"]
	case labels["helm.toolkit.fluxcd.io/name"] != "":
		return toolFluxHelm, labels["helm.toolkit.fluxcd.io/name"]
	case labels["app.kubernetes.io/managed-by"] == "Helm" || annotations["meta.helm.sh/release-name"] != "":
		return toolHelm, annotations["meta.helm.sh/release-name"]
	}
	return "", ""
}

// LastManager returns the field manager that wrote s last; empty if none is recorded.
func LastManager(s Secret) string {
	last := Manager{}
	for _, m := range s.Managers {
		if last.Manager == "" || m.Time.After(last.Time) {
			last = m
		}
	}
	return last.Manager
}

// lastWriter returns the manager that wrote key last.
func lastWriter(managers []Manager, key string) (string, bool) {
	var last *Manager
	for i, m := range managers {
		if _, has := slices.BinarySearch(m.Keys, key); has && (last == nil || m.Time.After(last.Time)) {
			last = &managers[i]
		}
	}
	if last == nil {
		return "", false
	}
	return last.Manager, true
}
