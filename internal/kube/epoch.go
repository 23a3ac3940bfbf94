package kube

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyturn/keyturn/internal/fault"
)

// ConnectorEpoch is the ConfigMap beside the connector in which how far a repository has come is kept outside of it: one
// entry for each repository, by its id. The manifest makes it, so that Keyturn need not be able to make others.
const ConnectorEpoch = "keyturn-restore-epoch"

// maxEpoch bounds what is read of somebody's entry.
const maxEpoch = 4096

// epochRules are the rights to that one object.
func epochRules() []rule {
	return []rule{{"Keep outside of Keyturn's database how far it has come, so that one restored from an old backup is noticed. It gives this one object.",
		"", []string{"configmaps"}, []string{"get", "patch"}, []string{ConnectorEpoch}}}
}

// Epoch is what the cluster keeps of one repository, and in which state of the object it was read.
type Epoch struct{ Text, resourceVersion string }

// Epoch reads what is kept of a repository; its Text is empty if nothing is.
func (c *Conn) Epoch(ctx context.Context, repository string) (Epoch, error) {
	m, err := c.typed.CoreV1().ConfigMaps(ConnectorNamespace).Get(ctx, ConnectorEpoch, metav1.GetOptions{})
	if err != nil {
		return Epoch{}, c.faultOf(ctx, err, "read config map "+ConnectorNamespace+"/"+ConnectorEpoch)
	}
	text := m.Data[repository]
	if len(text) > maxEpoch {
		text = ""
	}
	return Epoch{text, m.ResourceVersion}, nil
}

// SetEpoch replaces what was read as was. It fails with fault.Stale when the object changed since.
func (c *Conn) SetEpoch(ctx context.Context, repository, text string, was Epoch) error {
	if was.resourceVersion == "" {
		return fault.New(fault.Invalid, "what a cluster keeps is replaced only after it was read")
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]string{"resourceVersion": was.resourceVersion}, "data": map[string]string{repository: text}})
	if err != nil {
		return err
	}
	_, err = c.typed.CoreV1().ConfigMaps(ConnectorNamespace).Patch(ctx, ConnectorEpoch, types.MergePatchType, body, metav1.PatchOptions{FieldManager: FieldManager})
	if err != nil {
		return c.faultOf(ctx, err, "patch config map "+ConnectorNamespace+"/"+ConnectorEpoch)
	}
	return nil
}
