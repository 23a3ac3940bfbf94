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
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		raw, err := c.typed.CoreV1().RESTClient().Get().NamespaceIfScoped(namespace, namespace != "").Resource("secrets").
			VersionedParams(&opts, scheme.ParameterCodec).Param("includeObject", "Metadata").
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
		if err != nil {
			return apiFault(err, "list secrets")
		}
		var table metav1.Table
		if json.Unmarshal(raw, &table) != nil || table.Kind != "Table" {
			return fault.New(fault.Unavailable, "list secrets: the server's answer is no table").WithCode("cluster-error")
		}
		metas := make([]Meta, 0, len(table.Rows))
		for _, row := range table.Rows {
			var o metav1.PartialObjectMetadata
			if json.Unmarshal(row.Object.Raw, &o) != nil {
				return fault.New(fault.Unavailable, "list secrets: the server's answer cannot be read").WithCode("cluster-error")
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
		if opts.Continue = table.Continue; opts.Continue == "" {
			return nil
		}
	}
}

// TokenRequest returns a new token of the connector's own account and when it expires. The server may give it another
// life than ttl, which must be at least 10 minutes.
func (c *Conn) TokenRequest(ctx context.Context, ttl time.Duration) (vault.Value, time.Time, error) {
	seconds := int64(ttl / time.Second)
	t, err := c.typed.CoreV1().ServiceAccounts(ConnectorNamespace).CreateToken(ctx, ConnectorAccount,
		&authn.TokenRequest{Spec: authn.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return vault.Value{}, time.Time{}, apiFault(err, "renew the connector's token")
	}
	return vault.NewValue([]byte(t.Status.Token)), t.Status.ExpirationTimestamp.UTC(), nil
}
