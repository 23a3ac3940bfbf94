package kube

import (
	"testing"
	"time"
)

func TestClassifyOwner(t *testing.T) {
	wrote := func(name string, at int64, keys ...string) Manager {
		return Manager{Manager: name, Operation: "Update", Time: time.Unix(at, 0), Keys: keys}
	}
	for _, tt := range []struct {
		name string
		s    Secret
		want OwnerKind
	}{
		{"no record", Secret{}, OwnedByNobody},
		{"kubectl create", Secret{Managers: []Manager{wrote("kubectl-create", 1, "password")}}, OwnedByOneShot},
		{"another key", Secret{Managers: []Manager{wrote("argocd-controller", 1, "other")}}, OwnedByNobody},
		{"ours", Secret{Managers: []Manager{wrote("keyturn", 2, "password")}}, OwnedByKeyturn},
		{"ours, then an edit", Secret{Managers: []Manager{wrote("keyturn", 2, "password"), wrote("kubectl-edit", 3, "password")}}, OwnedByOneShot},
		{"somebody unknown", Secret{Managers: []Manager{wrote("my-operator", 1, "password")}}, OwnedByReconciler},
		{"terraform", Secret{Managers: []Manager{wrote("Terraform", 1, "password")}}, OwnedByReconciler},
		{"external secret, though we wrote", Secret{Owners: []Owner{{Kind: "ExternalSecret", Name: "x"}}, Managers: []Manager{wrote("keyturn", 1, "password")}}, OwnedByReconciler},
		{"an operator's", Secret{Owners: []Owner{{Kind: "Postgresql", Name: "x", Controller: true}}}, OwnedByReconciler},
		{"a plain owner", Secret{Owners: []Owner{{Kind: "Deployment", Name: "x"}}}, OwnedByNobody},
		{"argo", Secret{Annotations: map[string]string{"argocd.argoproj.io/tracking-id": "a"}}, OwnedByReconciler},
		{"flux", Secret{Labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "a"}}, OwnedByReconciler},
		{"helm", Secret{Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}, OwnedByReconciler},
	} {
		got := ClassifyOwner(tt.s, "password")
		if got.Kind != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got.Kind, tt.want)
		}
		if got.Kind == OwnedByReconciler && (got.Name == "" || got.Advice == "") {
			t.Errorf("%s: no name or advice", tt.name)
		}
	}
}
