package app

import (
	"context"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

// Writable returns the way into a cluster for whoever puts the vault's values back.
func (c *Clusters) Writable(ctx context.Context, id string) (inventory.Writable, error) {
	cluster, err := c.Store.Cluster(ctx, id)
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(cluster)
	if err != nil {
		return nil, err
	}
	return secretWriter{conn, cluster.Scope}, nil
}

// secretWriter reads and writes Secrets of one cluster for a Healer.
type secretWriter struct {
	conn  *kube.Conn
	scope inventory.Scope
}

// MayWrite implements inventory.Writable.
func (w secretWriter) MayWrite() bool { return w.scope.ReadWrite }

// Held implements inventory.Writable.
func (w secretWriter) Held(ctx context.Context, namespace, name string) (inventory.Held, error) {
	s, err := w.conn.GetSecret(ctx, namespace, name)
	if err != nil {
		return inventory.Held{}, err
	}
	held := inventory.Held{Seen: fetched(s), Writers: make(map[string]inventory.Writer, len(s.Data)), Last: kube.LastManager(s)}
	for key := range s.Data {
		o := kube.ClassifyOwner(s, key)
		held.Writers[key] = inventory.Writer{Name: o.Name, Keeps: owner(o).Kind == rotation.OwnerReconciler || owner(o).Kind == rotation.OwnerCluster, Advice: o.Advice}
	}
	return held, nil
}

// Put implements inventory.Writable.
func (w secretWriter) Put(ctx context.Context, at inventory.Seen, set map[string]vault.Value, gone []string) (inventory.Seen, error) {
	s, err := w.conn.PutKeys(ctx, at.Namespace, at.Name, at.UID, at.ResourceVersion, set, gone)
	if err != nil {
		return inventory.Seen{}, err
	}
	return fetched(s), nil
}
