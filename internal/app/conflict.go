package app

import (
	"context"
	"errors"

	"github.com/keyturn/keyturn/internal/fault"
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
		held.Writers[key] = writerOf(kube.ClassifyOwner(s, key))
	}
	held.Others = writerOf(kube.ClassifyOwner(s, ""))
	return held, nil
}

func writerOf(o kube.Ownership) inventory.Writer {
	return inventory.Writer{Name: o.Name, Keeps: owner(o).Kind == rotation.OwnerReconciler || owner(o).Kind == rotation.OwnerCluster, Advice: o.Advice}
}

// MayMake implements inventory.Writable. To make Secrets is a right of its own.
func (w secretWriter) MayMake() bool { return w.scope.ReadWrite && w.scope.Replace }

// Keeper implements inventory.Writable.
func (w secretWriter) Keeper(labels map[string]string) inventory.Writer {
	return writerOf(kube.ClassifyOwner(kube.Secret{Labels: labels}, ""))
}

// Create implements inventory.Writable.
func (w secretWriter) Create(ctx context.Context, x inventory.Seen) (inventory.Seen, error) {
	s, err := w.conn.CreateSecret(ctx, kube.Secret{Namespace: x.Namespace, Name: x.Name, Type: x.Type, Immutable: x.Immutable, Labels: x.Labels, Data: x.Data})
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == kube.CodeNameTaken {
		return inventory.Seen{}, f.WithCure("sync the cluster, then look at what is there")
	}
	if err != nil {
		return inventory.Seen{}, err
	}
	return fetched(s), nil
}

// Put implements inventory.Writable.
func (w secretWriter) Put(ctx context.Context, at inventory.Seen, set map[string]vault.Value, gone []string) (inventory.Seen, error) {
	s, err := w.conn.PutKeys(ctx, at.Namespace, at.Name, at.UID, at.ResourceVersion, set, gone)
	if err != nil {
		return inventory.Seen{}, err
	}
	return fetched(s), nil
}
