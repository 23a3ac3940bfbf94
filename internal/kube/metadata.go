package kube

import (
	"context"
	"encoding/json"
	"time"

	authn "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/client-go/kubernetes/scheme"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Namespaces returns the names of all namespaces. A connector of named namespaces gets fault.Denied.
func (c *Conn) Namespaces(ctx context.Context) ([]string, error) {
	l, err := c.meta.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, apiFault(err, "list namespaces")
	}
	out := make([]string, len(l.Items))
	for i, n := range l.Items {
		out[i] = n.Name
	}
	return out, nil
}

// Meta describes a Secret without its values.
type Meta struct {
	Namespace, Name, UID, ResourceVersion, Type string

	Keys      int
	Labels    map[string]string
	CreatedAt time.Time
}

// SecretMeta hands what describes the Secrets of namespace ("" is all) to page, 500 or fewer at a time. It asks for the
// server's table, which leaves data out. After an error the list is incomplete.
func (c *Conn) SecretMeta(ctx context.Context, namespace string, page func([]Meta) error) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	opts, pages := metav1.ListOptions{Limit: pageSize}, newPages("list secrets")
	for {
		raw, err := c.typed.CoreV1().RESTClient().Get().NamespaceIfScoped(namespace, namespace != "").Resource("secrets").
			VersionedParams(&opts, scheme.ParameterCodec).Param("includeObject", "Metadata").
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
		if err != nil {
			return apiFault(err, "list secrets")
		}
		var table metav1.Table
		if json.Unmarshal(raw, &table) != nil || table.Kind != "Table" {
			return fault.New(fault.Unavailable, "list secrets: the server's answer is no table").WithCode("cluster-answer-unreadable").WithCure(noAPIServer)
		}
		metas := make([]Meta, 0, len(table.Rows))
		for _, row := range table.Rows {
			var o metav1.PartialObjectMetadata
			if json.Unmarshal(row.Object.Raw, &o) != nil {
				return fault.New(fault.Unavailable, "list secrets: the server's answer cannot be read").WithCode("cluster-answer-unreadable").WithCure(noAPIServer)
			}
			m := Meta{Namespace: o.Namespace, Name: o.Name, UID: string(o.UID), ResourceVersion: o.ResourceVersion,
				Labels: o.Labels, CreatedAt: o.CreationTimestamp.UTC()}
			for i, col := range table.ColumnDefinitions[:min(len(row.Cells), len(table.ColumnDefinitions))] {
				switch v := row.Cells[i].(type) {
				case string:
					if col.Name == "Type" {
						m.Type = v
					}
				case float64:
					if col.Name == "Data" {
						m.Keys = int(v)
					}
				case int64:
					if col.Name == "Data" {
						m.Keys = int(v)
					}
				}
			}
			metas = append(metas, m)
		}
		if err := page(metas); err != nil {
			return err
		}
		if err := pages.next(table.Continue); err != nil {
			return err
		}
		if opts.Continue = table.Continue; opts.Continue == "" {
			return nil
		}
	}
}

// TokenRequest returns a new token of the connector's own account, for the API server as audience, and how long it lives
// from now on. The server may give it another life than ttl, which must be at least 10 minutes. The token is bound to the
// Secret of that name in the connector's namespace, so that deleting it revokes the token; "" binds it to the account only.
func (c *Conn) TokenRequest(ctx context.Context, ttl time.Duration, secret string) (vault.Value, time.Duration, error) {
	const what = "ask for a short token"
	seconds := int64(ttl / time.Second)
	ask := &authn.TokenRequest{Spec: authn.TokenRequestSpec{ExpirationSeconds: &seconds}}
	if secret != "" {
		ask.Spec.BoundObjectRef = &authn.BoundObjectReference{Kind: "Secret", APIVersion: "v1", Name: secret}
	}
	t, err := c.typed.CoreV1().ServiceAccounts(ConnectorNamespace).CreateToken(ctx, ConnectorAccount, ask, metav1.CreateOptions{})
	if err != nil {
		return vault.Value{}, 0, apiFault(err, what)
	}
	v := vault.NewValue([]byte(t.Status.Token))
	claims, ok := readClaims(v)
	if !ok || !claims.IssuedAt.Before(claims.ExpiresAt) {
		return vault.Value{}, 0, fault.New(fault.Unavailable, "%s: the API server's answer holds none", what).WithCode("cluster-error")
	}
	// The two clocks may differ; how long it lives is the same by both.
	return v, claims.ExpiresAt.Sub(claims.IssuedAt), nil
}
