package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// What Keyturn writes on a Secret that it makes in place of an immutable one: the name that its number follows, and the run
// that made it.
const (
	annotationBase   = "keyturn.dev/replacement-of"
	annotationMadeBy = "keyturn.dev/made-by"
)

// CodeNameTaken is the code of a Secret that could not be made because another has its name.
const CodeNameTaken = "secret-name-taken"

// Replacement is a Secret that is made in place of another.
type Replacement struct {
	// Name is its own, Base the name that its number follows, By the run that makes it.
	Name, Base, By string
}

// ReplaceSecret makes an immutable Secret of another name that is old but for data: the same type, labels, annotations and
// keys. Annotations that may repeat the data, and those of Keyturn about old, are not taken over; neither are owners. It
// fails with fault.Conflict and CodeNameTaken when there is a Secret of that name, which may be the one that an earlier call
// made: whoever called reads it and looks at MadeBy. As for PatchSecret, a fault without Unchanged leaves open whether it
// was made. It returns the Secret as the server stored it, for the caller to compare.
func (c *Conn) ReplaceSecret(ctx context.Context, old Secret, made Replacement, data map[string]vault.Value) (Secret, error) {
	return c.replaceSecret(ctx, old, made, data, metav1.CreateOptions{FieldManager: FieldManager})
}

func (c *Conn) replaceSecret(ctx context.Context, old Secret, made Replacement, data map[string]vault.Value, opts metav1.CreateOptions) (Secret, error) {
	body, err := made.body(old, data)
	defer clear(body)
	if err != nil {
		return Secret{}, err
	}
	return c.makeSecret(ctx, old.Namespace, made.Name, body, opts, slices.AppendSeq(slices.Collect(maps.Values(data)), maps.Values(old.Data)))
}

// makeSecret sends the body of a Secret that holds the values.
func (c *Conn) makeSecret(ctx context.Context, namespace, name string, body []byte, opts metav1.CreateOptions, values []vault.Value) (Secret, error) {
	what := fmt.Sprintf("make secret %s/%s", namespace, name)
	s, err := sendOnce(ctx, func() *rest.Request {
		return c.typed.CoreV1().RESTClient().Post().Namespace(namespace).Resource("secrets").VersionedParams(&opts, scheme.ParameterCodec).Body(body)
	})
	switch {
	case err == nil && (s.Name != name || s.Namespace != namespace || s.UID == ""):
		return Secret{}, noAnswer(what)
	case err == nil:
		return newSecret(s), nil
	case apierrors.IsAlreadyExists(err):
		return Secret{}, fault.New(fault.Conflict, "%s: there is a Secret of that name", what).WithCode(CodeNameTaken).
			WithCure("take another name").WithUnchanged("nothing was changed in the cluster")
	}
	f, ok := errors.AsType[*fault.Error](apiFault(err, what))
	if !ok || f.Code != codeAdmission {
		return Secret{}, c.faultOf(ctx, err, what)
	}
	f.Msg += ": " + denialOf(err, values...)
	return Secret{}, f
}

// CreateSecret makes a Secret of the name, type, labels and data of x, and fails as ReplaceSecret does.
func (c *Conn) CreateSecret(ctx context.Context, x Secret) (Secret, error) {
	head, err := json.Marshal(object{
		"apiVersion": "v1", "kind": "Secret", "type": x.Type, "immutable": x.Immutable,
		"metadata": object{"name": x.Name, "namespace": x.Namespace, "labels": x.Labels},
	})
	if err != nil {
		return Secret{}, err
	}
	body, err := withData(head, x.Data)
	defer clear(body)
	if err != nil {
		return Secret{}, err
	}
	return c.makeSecret(ctx, x.Namespace, x.Name, body, metav1.CreateOptions{FieldManager: FieldManager}, slices.Collect(maps.Values(x.Data)))
}

// body is the text of the Secret that is made in place of old.
func (r Replacement) body(old Secret, data map[string]vault.Value) ([]byte, error) {
	annotations := maps.Clone(old.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	delete(annotations, lastApplied)
	annotations[annotationBase], annotations[annotationMadeBy] = r.Base, r.By
	head, err := json.Marshal(object{
		"apiVersion": "v1", "kind": "Secret", "type": old.Type, "immutable": true,
		"metadata": object{"name": r.Name, "namespace": old.Namespace, "labels": old.Labels, "annotations": annotations},
	})
	if err != nil {
		return nil, err
	}
	all := maps.Clone(old.Data)
	if all == nil {
		all = map[string]vault.Value{}
	}
	maps.Copy(all, data)
	return withData(head, all)
}

// withData is the text of the object head with data.
func withData(head []byte, data map[string]vault.Value) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, len(head)+dataSize(data))) // never grows, so no copy of a value is left behind
	b.Write(head[:len(head)-1])
	b.WriteByte(',')
	return appendData(b, data)
}

// DeleteSecret deletes a Secret that still has this uid and resourceVersion; a newer change fails with fault.Stale, one
// that is gone with fault.NotFound.
func (c *Conn) DeleteSecret(ctx context.Context, namespace, name, uid, resourceVersion string) error {
	what := fmt.Sprintf("delete secret %s/%s", namespace, name)
	if uid == "" || resourceVersion == "" {
		return fault.New(fault.Invalid, "%s: that needs its uid and its resourceVersion", what)
	}
	id := types.UID(uid)
	err := c.typed.CoreV1().Secrets(namespace).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &id, ResourceVersion: &resourceVersion}})
	if err != nil {
		return c.faultOf(ctx, err, what)
	}
	return nil
}
