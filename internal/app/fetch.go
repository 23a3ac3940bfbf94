package app

import (
	"context"
	"errors"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
)

var _ inventory.Remotes = (*Clusters)(nil)

// Remote implements inventory.Remotes.
func (c *Clusters) Remote(ctx context.Context, id string) (inventory.Remote, error) {
	conn, err := c.conn(ctx, id)
	if err != nil {
		return nil, err
	}
	return clusterReader{conn}, nil
}

// StateAfter implements inventory.Remotes.
func (c *Clusters) StateAfter(err error) inventory.ClusterState {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return ""
	}
	switch f.Code {
	case "cluster-unreachable", "cluster-timeout", "cluster-address-refused", "cluster-redirects":
		return inventory.ClusterUnreachable
	case "cluster-untrusted":
		return inventory.ClusterUntrusted
	case "cluster-token-refused":
		return inventory.ClusterUnauthorised
	case "cluster-right-missing":
		return inventory.ClusterDegraded
	default:
		return ""
	}
}

// clusterReader reads the Secrets of one cluster for a fetch.
type clusterReader struct{ conn *kube.Conn }

// Namespaces implements inventory.Remote.
func (r clusterReader) Namespaces(ctx context.Context) ([]string, error) {
	return r.conn.Namespaces(ctx)
}

// List implements inventory.Remote.
func (r clusterReader) List(ctx context.Context, namespace string, page func([]inventory.Seen) error) error {
	_, err := r.conn.ListValues(ctx, namespace, func(secrets []kube.Secret) error {
		all := make([]inventory.Seen, len(secrets))
		for i, s := range secrets {
			all[i] = fetched(s)
		}
		return page(all)
	})
	return err
}

// Get implements inventory.Remote.
func (r clusterReader) Get(ctx context.Context, namespace, name string) (inventory.Seen, error) {
	s, err := r.conn.GetSecret(ctx, namespace, name)
	if err != nil {
		return inventory.Seen{}, err
	}
	return fetched(s), nil
}

func fetched(s kube.Secret) inventory.Seen {
	return inventory.Seen{Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion, Type: s.Type,
		Immutable: s.Immutable, Labels: s.Labels, CreatedAt: s.CreatedAt, Data: s.Data}
}
