package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// repository is the store as inventory asks for it: who makes an object is granted it in the same transaction.
type repository struct{ *store.Store }

var (
	_ inventory.ClusterStore = repository{}
	_ inventory.AccountStore = repository{}
	_ inventory.MapStore     = repository{}
)

// AddCluster implements inventory.ClusterStore.
func (r repository) AddCluster(ctx context.Context, c inventory.Cluster, ownerID string, ev audit.Event) error {
	return r.Store.AddCluster(ctx, c, ownersGrant(ownerID, access.Cluster, c.ID), ev)
}

// ClusterByUID implements inventory.ClusterStore.
func (r repository) ClusterByUID(ctx context.Context, uid string) (inventory.Cluster, error) {
	c, err := r.ConnectedClusterByUID(ctx, uid)
	if errors.Is(err, fault.NotFound) {
		return r.RemovedClusterByUID(ctx, uid)
	}
	return c, err
}

// AddResource implements inventory.ResourceStore.
func (r repository) AddResource(ctx context.Context, x inventory.Resource, ownerID string, ev audit.Event) error {
	return r.Store.AddResource(ctx, x, ownersGrant(ownerID, access.Resource, x.ID), ev)
}

// AddAccount implements inventory.AccountStore: whoever may make an account manages its resource.
func (r repository) AddAccount(ctx context.Context, a inventory.Account, first *inventory.Version, ev audit.Event) error {
	return r.Store.AddAccount(ctx, a, first, nil, ev)
}

func ownersGrant(ownerID, kind, id string) *access.Grant {
	if ownerID == "" {
		return nil
	}
	return &access.Grant{ID: uuid.Must(uuid.NewV7()).String(), SubjectKind: access.User, SubjectID: ownerID, ObjectKind: kind, ObjectID: id,
		Level: policy.Manage, GrantedBy: ownerID, CreatedAt: time.Now().UTC()}
}

// needsGrant reports whether an actor manages what it made only with a grant.
func needsGrant(a identity.Actor) bool {
	return (a.Kind == identity.KindUser || a.Kind == identity.KindToken) && a.Role != identity.Administrator
}
