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

// Watched returns the way into a cluster for whoever follows it.
func (c *Clusters) Watched(ctx context.Context, id string) (inventory.Watched, error) {
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

// Position implements inventory.Watched.
func (r clusterReader) Position(ctx context.Context, namespace string) (string, error) {
	return r.conn.Position(ctx, namespace)
}

// Watch implements inventory.Watched.
func (r clusterReader) Watch(ctx context.Context, namespace, from string, values bool, take func([]inventory.Change, string) error) error {
	watch := r.conn.WatchMeta
	if values {
		watch = r.conn.WatchSecrets
	}
	return watch(ctx, namespace, from, func(changes []kube.Change, position string) error {
		all := make([]inventory.Change, len(changes))
		for i, c := range changes {
			all[i] = inventory.Change{Seen: fetched(c.Secret), Gone: c.Gone}
			if !values {
				all[i].Seen.Data = nil
			}
		}
		return take(all, position)
	})
}

func fetched(s kube.Secret) inventory.Seen {
	return inventory.Seen{Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion, Type: s.Type,
		Immutable: s.Immutable, Labels: s.Labels, CreatedAt: s.CreatedAt, Data: s.Data}
}
