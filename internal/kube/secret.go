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
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

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
	// Base and MadeBy are what ReplaceSecret said of a Secret that it made; empty of any other.
	Base, MadeBy string
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
	out := withoutManagers(s)
	for _, m := range s.ManagedFields {
		var at time.Time
		if m.Time != nil {
			at = m.Time.UTC()
		}
		out.Managers = append(out.Managers, Manager{m.Manager, string(m.Operation), at, managedKeys(m.FieldsV1)})
	}
	return out
}

// withoutManagers takes over s but for who wrote what, which takes longer to read than all the rest.
func withoutManagers(s *corev1.Secret) Secret {
	delete(s.Annotations, lastApplied)
	out := Secret{
		Base: s.Annotations[annotationBase], MadeBy: s.Annotations[annotationMadeBy],
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
	return c.listSecrets(ctx, namespace, newSecret, page)
}

// ListValues is ListSecrets for whom it is all the same who wrote a key: Managers stay empty.
func (c *Conn) ListValues(ctx context.Context, namespace string, page func([]Secret) error) (string, error) {
	return c.listSecrets(ctx, namespace, withoutManagers, page)
}

// FirstSecrets reads the first Secrets of namespace in the order of their names, limit at most, and whether there may be
// more. When they would pass 64 MiB it returns none, and more.
func (c *Conn) FirstSecrets(ctx context.Context, namespace string, limit int) (secrets []Secret, more bool, err error) {
	return c.firstSecrets(ctx, namespace, limit, newSecret)
}

// FirstValues is FirstSecrets as ListValues is ListSecrets.
func (c *Conn) FirstValues(ctx context.Context, namespace string, limit int) (secrets []Secret, more bool, err error) {
	return c.firstSecrets(ctx, namespace, limit, withoutManagers)
}

func (c *Conn) firstSecrets(ctx context.Context, namespace string, limit int, take func(*corev1.Secret) Secret) (secrets []Secret, more bool, err error) {
	l, err := c.typed.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{Limit: int64(limit)})
	if errors.Is(err, errTooLarge) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, c.faultOf(ctx, err, "list secrets")
	}
	if l.ResourceVersion == "" {
		return nil, false, noAnswer("list secrets")
	}
	secrets = make([]Secret, len(l.Items))
	for i := range l.Items {
		secrets[i] = take(&l.Items[i])
	}
	return secrets, l.Continue != "", nil
}

func (c *Conn) listSecrets(ctx context.Context, namespace string, take func(*corev1.Secret) Secret, page func([]Secret) error) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	opts, pages := metav1.ListOptions{Limit: pageSize}, newPages("list secrets")
	for {
		l, err := c.typed.CoreV1().Secrets(namespace).List(ctx, opts)
		if errors.Is(err, errTooLarge) && opts.Limit > 1 {
			opts.Limit = max(1, opts.Limit/8)
			continue
		}
		if err != nil {
			return "", c.faultOf(ctx, err, "list secrets")
		}
		if l.ResourceVersion == "" { // taken for an empty list, it would say that every Secret is gone
			return "", noAnswer("list secrets")
		}
		secrets := make([]Secret, len(l.Items))
		for i := range l.Items {
			secrets[i] = take(&l.Items[i])
		}
		if err := page(secrets); err != nil {
			return "", err
		}
		if err := pages.next(l.Continue); err != nil {
			return "", err
		}
		if opts.Continue = l.Continue; opts.Continue == "" {
			return l.ResourceVersion, nil
		}
	}
}

// GetSecret reads one Secret.
func (c *Conn) GetSecret(ctx context.Context, namespace, name string) (Secret, error) {
	return c.getSecret(ctx, namespace, name, newSecret)
}

// GetValues is GetSecret as ListValues is ListSecrets.
func (c *Conn) GetValues(ctx context.Context, namespace, name string) (Secret, error) {
	return c.getSecret(ctx, namespace, name, withoutManagers)
}

func (c *Conn) getSecret(ctx context.Context, namespace, name string, take func(*corev1.Secret) Secret) (Secret, error) {
	s, err := c.typed.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return Secret{}, c.faultOf(ctx, err, fmt.Sprintf("read secret %s/%s", namespace, name))
	}
	if s.UID == "" || s.Name != name || s.Namespace != namespace {
		return Secret{}, noAnswer(fmt.Sprintf("read secret %s/%s", namespace, name))
	}
	return take(s), nil
}

// PatchSecret sets exactly the keys of data, provided that the Secret still has this uid and resourceVersion; a newer
// change fails with fault.Stale. It returns the Secret as the server stored it, for the caller to compare. The write is sent
// once, so a fault with Unchanged is about this very write; one without leaves open whether it happened.
func (c *Conn) PatchSecret(ctx context.Context, namespace, name, uid, resourceVersion string, data map[string]vault.Value) (Secret, error) {
	return c.patchSecret(ctx, namespace, name, uid, resourceVersion, data, metav1.PatchOptions{FieldManager: FieldManager})
}

// PutKeys is PatchSecret that also takes away the keys in gone.
func (c *Conn) PutKeys(ctx context.Context, namespace, name, uid, resourceVersion string, data map[string]vault.Value, gone []string) (Secret, error) {
	return c.patchSecret(ctx, namespace, name, uid, resourceVersion, data, metav1.PatchOptions{FieldManager: FieldManager}, gone...)
}

func (c *Conn) patchSecret(ctx context.Context, namespace, name, uid, resourceVersion string, data map[string]vault.Value, opts metav1.PatchOptions, gone ...string) (Secret, error) {
	if uid == "" || resourceVersion == "" || len(data)+len(gone) == 0 {
		return Secret{}, fault.New(fault.Invalid, "a write to secret %s/%s needs its uid, its resourceVersion and a key", namespace, name)
	}
	body, err := mergePatch(uid, resourceVersion, data, gone...)
	defer clear(body)
	if err != nil {
		return Secret{}, err
	}
	what := fmt.Sprintf("patch secret %s/%s", namespace, name)
	s, err := c.patch(ctx, namespace, name, body, opts)
	if err == nil && string(s.UID) != uid {
		return Secret{}, noAnswer(what) // the caller reads what was stored
	}
	if err == nil {
		return newSecret(s), nil
	}
	f, ok := errors.AsType[*fault.Error](apiFault(err, what))
	if !ok || f.Code != codeAdmission {
		return Secret{}, c.faultOf(ctx, err, what)
	}
	f.Msg += ": " + c.denial(ctx, err, namespace, name, data)
	return Secret{}, f
}

// maxThrottled is how often a write is sent again that the API server had no time for.
const maxThrottled = 10

// patch sends a merge patch. client-go would send it again after any status from 500 on that comes with Retry-After, and
// the answer to the second would hide that the first was stored. Only a throttled one is repeated here: 429 says that
// nothing was begun.
func (c *Conn) patch(ctx context.Context, namespace, name string, body []byte, opts metav1.PatchOptions) (*corev1.Secret, error) {
	return sendOnce(ctx, func() *rest.Request {
		return c.typed.CoreV1().RESTClient().Patch(types.MergePatchType).Namespace(namespace).Resource("secrets").Name(name).
			VersionedParams(&opts, scheme.ParameterCodec).Body(body)
	})
}

// sendOnce sends a write of a Secret as patch says.
func sendOnce(ctx context.Context, request func() *rest.Request) (*corev1.Secret, error) {
	for try := 1; ; try++ {
		s := &corev1.Secret{}
		err := request().MaxRetries(0).Do(ctx).Into(s)
		if err == nil {
			return s, nil
		}
		if !apierrors.IsTooManyRequests(err) || try == maxThrottled {
			return nil, err
		}
		wait, _ := apierrors.SuggestsClientDelay(err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(max(wait, 1)) * time.Second):
		}
	}
}

// denial says why an admission policy refused to write data, if that tells nothing of a value: neither of a new one nor of
// one that the Secret holds.
func (c *Conn) denial(ctx context.Context, err error, namespace, name string, data map[string]vault.Value) string {
	now, readErr := c.GetSecret(ctx, namespace, name)
	if readErr != nil {
		return "its reason is not shown, because the Secret could not be read to see that it repeats no value"
	}
	return denialOf(err, slices.AppendSeq(slices.Collect(maps.Values(data)), maps.Values(now.Data))...)
}

func mergePatch(uid, resourceVersion string, data map[string]vault.Value, gone ...string) ([]byte, error) {
	size := 256 + dataSize(data)
	for _, key := range gone {
		size += 6*len(key) + 8
	}
	b := bytes.NewBuffer(make([]byte, 0, size)) // never grows, so no copy of a value is left behind
	fmt.Fprintf(b, `{"metadata":{"uid":%q,"resourceVersion":%q},`, uid, resourceVersion)
	return appendData(b, data, gone...)
}

// dataSize is how much room appendData needs at most.
func dataSize(data map[string]vault.Value) int {
	size := 16
	for k, v := range data {
		size += 6*len(k) + base64.StdEncoding.EncodedLen(v.Len()) + 8
	}
	return size
}

// appendData ends an object's text with its data, and with null for the keys in gone, which a merge patch takes away. b must
// have the room for it.
func appendData(b *bytes.Buffer, data map[string]vault.Value, gone ...string) ([]byte, error) {
	b.WriteString(`"data":{`)
	for i, k := range slices.Concat(slices.Sorted(maps.Keys(data)), gone) {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		if i >= len(data) {
			b.WriteString(`:null`)
			continue
		}
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
