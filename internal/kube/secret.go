package kube

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// FieldManager is the name under which Keyturn owns the keys that it wrote.
const FieldManager = "keyturn"

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Secret is a Kubernetes Secret. Its annotations lack last-applied-configuration, which may repeat the data in the clear.
type Secret struct {
	Namespace, Name, UID, ResourceVersion, Type string

	Immutable           bool
	Labels, Annotations map[string]string
	CreatedAt           time.Time
	Data                map[string]vault.Value
	Owners              []Owner
	Managers            []Manager
}

// Owner is one ownerReference.
type Owner struct {
	APIVersion, Kind, Name string
	Controller             bool
}

// Manager is who wrote which keys of data, as the API server recorded it.
type Manager struct {
	Manager, Operation string
	Time               time.Time
	Keys               []string // sorted
}

// newSecret takes over s.
func newSecret(s *corev1.Secret) Secret {
	delete(s.Annotations, lastApplied)
	out := Secret{
		Namespace: s.Namespace, Name: s.Name, UID: string(s.UID), ResourceVersion: s.ResourceVersion, Type: string(s.Type),
		Immutable: s.Immutable != nil && *s.Immutable, Labels: s.Labels, Annotations: s.Annotations,
		CreatedAt: s.CreationTimestamp.UTC(), Data: make(map[string]vault.Value, len(s.Data)),
	}
	for k, v := range s.Data {
		out.Data[k] = vault.NewValue(v)
	}
	for _, o := range s.OwnerReferences {
		out.Owners = append(out.Owners, Owner{o.APIVersion, o.Kind, o.Name, o.Controller != nil && *o.Controller})
	}
	for _, m := range s.ManagedFields {
		var at time.Time
		if m.Time != nil {
			at = m.Time.UTC()
		}
		out.Managers = append(out.Managers, Manager{m.Manager, string(m.Operation), at, managedKeys(m.FieldsV1)})
	}
	return out
}

func managedKeys(f *metav1.FieldsV1) []string {
	var set struct {
		Data map[string]json.RawMessage `json:"f:data"`
	}
	if f == nil || json.Unmarshal(f.Raw, &set) != nil {
		return nil
	}
	var keys []string
	for k := range set.Data {
		if key, ok := strings.CutPrefix(k, "f:"); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

const pageSize = 500

// ListSecrets hands every Secret of namespace ("" is all) to page, 500 or fewer at a time, and returns the
// resourceVersion that they all belong to. After any error, also one in the middle, the list is incomplete: the caller
// must not conclude that a Secret which it did not see is gone. Pages shrink when they would pass 64 MiB.
func (c *Conn) ListSecrets(ctx context.Context, namespace string, page func([]Secret) error) (string, error) {
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		l, err := c.typed.CoreV1().Secrets(namespace).List(ctx, opts)
		if errors.Is(err, errTooLarge) && opts.Limit > 1 {
			opts.Limit = max(1, opts.Limit/8)
			continue
		}
		if err != nil {
			return "", apiFault(err, "list secrets")
		}
		secrets := make([]Secret, len(l.Items))
		for i := range l.Items {
			secrets[i] = newSecret(&l.Items[i])
		}
		if err := page(secrets); err != nil {
			return "", err
		}
		if opts.Continue = l.Continue; opts.Continue == "" {
			return l.ResourceVersion, nil
		}
	}
}

// GetSecret reads one Secret.
func (c *Conn) GetSecret(ctx context.Context, namespace, name string) (Secret, error) {
	s, err := c.typed.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return Secret{}, apiFault(err, fmt.Sprintf("read secret %s/%s", namespace, name))
	}
	return newSecret(s), nil
}

// PatchSecret sets exactly the keys of data, provided that the Secret still has this uid and resourceVersion; a newer
// change fails with fault.Stale. It returns the Secret as the server stored it, for the caller to compare. A fault
// without Unchanged leaves open whether the write happened.
func (c *Conn) PatchSecret(ctx context.Context, namespace, name, uid, resourceVersion string, data map[string]vault.Value) (Secret, error) {
	if uid == "" || resourceVersion == "" || len(data) == 0 {
		return Secret{}, fault.New(fault.Invalid, "a write to secret %s/%s needs its uid, its resourceVersion and a key", namespace, name)
	}
	body, err := mergePatch(uid, resourceVersion, data)
	defer clear(body)
	if err != nil {
		return Secret{}, err
	}
	s, err := c.typed.CoreV1().Secrets(namespace).Patch(ctx, name, types.MergePatchType, body,
		metav1.PatchOptions{FieldManager: FieldManager})
	if err != nil {
		return Secret{}, apiFault(err, fmt.Sprintf("patch secret %s/%s", namespace, name))
	}
	return newSecret(s), nil
}

func mergePatch(uid, resourceVersion string, data map[string]vault.Value) ([]byte, error) {
	size := 256
	for k, v := range data {
		size += 6*len(k) + base64.StdEncoding.EncodedLen(v.Len()) + 8
	}
	b := bytes.NewBuffer(make([]byte, 0, size)) // never grows, so no copy of a value is left behind
	fmt.Fprintf(b, `{"metadata":{"uid":%q,"resourceVersion":%q},"data":{`, uid, resourceVersion)
	for i, k := range slices.Sorted(maps.Keys(data)) {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteString(`:"`)
		_ = data[k].Expose(func(v []byte) error {
			b.Write(base64.StdEncoding.AppendEncode(b.AvailableBuffer(), v))
			return nil
		})
		b.WriteByte('"')
	}
	b.WriteString("}}")
	return b.Bytes(), nil
}

// ServerVersion returns the API server's gitVersion, such as "v1.36.3". What answers in other words than a Kubernetes API
// server's, refusals included, fails with the code not-kubernetes.
func (c *Conn) ServerVersion(ctx context.Context) (string, error) {
	notKubernetes := fault.New(fault.Conflict, "something that is no Kubernetes API server answers here").WithCode("not-kubernetes").
		WithCure("give the API server's own URL")
	raw, err := c.typed.Discovery().RESTClient().Get().AbsPath("/version").SetHeader("Accept", "application/json").Do(ctx).Raw()
	if apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse) {
		return "", notKubernetes
	}
	if err != nil {
		return "", apiFault(err, "read version")
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if json.Unmarshal(raw, &v) != nil || v.GitVersion == "" {
		return "", notKubernetes
	}
	return clip(v.GitVersion), nil
}
