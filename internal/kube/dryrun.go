package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyturn/keyturn/internal/vault"
)

// dryRun has the API server carry a write out to its end, with authorization, validation and admission, and not store it.
func dryRun() metav1.PatchOptions {
	return metav1.PatchOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}}
}

// TryPatchSecret is PatchSecret without its effect: it returns the Secret as the API server would store it, and fails as
// PatchSecret would; with the code CodeNoDryRun where an admission webhook does not let dry runs pass.
func (c *Conn) TryPatchSecret(ctx context.Context, namespace, name, uid, resourceVersion string, data map[string]vault.Value) (Secret, error) {
	return c.patchSecret(ctx, namespace, name, uid, resourceVersion, data, dryRun())
}

// TryRestart is Restart without its effect, with a marker that is nobody's.
func (c *Conn) TryRestart(ctx context.Context, w Workload, names Renames) error {
	_, err := c.restart(ctx, w, "rehearsal", names, dryRun())
	return err
}

// TryRename is Rename without its effect.
func (c *Conn) TryRename(ctx context.Context, w Workload, names Renames) error {
	return c.rename(ctx, w, names, dryRun())
}

// TryReplaceSecret is ReplaceSecret without its effect.
func (c *Conn) TryReplaceSecret(ctx context.Context, old Secret, made Replacement, data map[string]vault.Value) (Secret, error) {
	return c.replaceSecret(ctx, old, made, data, metav1.CreateOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}})
}
