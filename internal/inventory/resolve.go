package inventory

import (
	"context"
	"errors"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

// DriftStore keeps drift policies and what people decide of divergences. Each change commits its event in the same transaction
// and fails with fault.Stale when rev is not the stored one.
type DriftStore interface {
	// Conflict returns a Secret's divergence. It fails with fault.NotFound when there never was one.
	Conflict(ctx context.Context, secretID string) (Divergence, error)
	KeepCluster(ctx context.Context, d Divergence, rev int64, ev audit.Event) error
	KeepVault(ctx context.Context, d Divergence, rev int64, by identity.Actor, ev audit.Event) error
	// SetDriftPolicy sets the policy of a cluster, a resource or a Secret.
	SetDriftPolicy(ctx context.Context, kind, id string, rev int64, p DriftPolicy, ev audit.Event) error
}

// Conflicts lets people say which side is right. It may be used by several goroutines at once.
type Conflicts struct {
	Store DriftStore
	// Wake is called when there may be something to heal.
	Wake func()
}

// Resolve ends a Secret's divergence: with KeepCluster at once, with KeepVault as soon as the vault's values are written. It
// fails with the code conflict-settled when nothing differs any more, and with mapped-keys where the cluster's value of a mapped key
// would be kept: which value an account has is for its own reset to say.
func (c *Conflicts) Resolve(ctx context.Context, actor identity.Actor, secretID string, rev int64, keep Keep) error {
	d, err := c.Store.Conflict(ctx, secretID)
	if err == nil && d.State == ConflictSettled || errors.Is(err, fault.NotFound) {
		return fault.New(fault.Conflict, "nothing differs there any more").WithCode("conflict-settled").WithUnchanged("nothing was changed")
	}
	if err != nil {
		return err
	}
	ev := audit.New(actor, "conflict.resolve", audit.Object{Kind: "secret", ID: d.Secret.ID, Name: d.Secret.Namespace + "/" + d.Secret.Name, Parent: d.Secret.ResourceID}).
		With("keep", string(keep))
	if keep == KeepVault {
		defer c.Wake()
		return c.Store.KeepVault(ctx, d, rev, actor, ev)
	}
	for _, k := range d.Keys {
		if k.AccountID != "" {
			return fault.New(fault.Conflict, "the key %s is mapped to the account %s, and what stands in the cluster is not its value", k.Name, k.AccountName).WithCode("mapped-keys").
				WithCure("keep the vault's; or reset the account; or delete the mapping and add it again with the cluster's value kept").WithUnchanged("nothing was changed")
		}
	}
	return c.Store.KeepCluster(ctx, d, rev, ev)
}

// SetPolicy sets the drift policy of a cluster, a kubernetes resource or a Secret.
func (c *Conflicts) SetPolicy(ctx context.Context, actor identity.Actor, obj audit.Object, rev int64, p DriftPolicy) error {
	defer c.Wake()
	ev := audit.New(actor, obj.Kind+".update", obj)
	if p == DriftInherit {
		return c.Store.SetDriftPolicy(ctx, obj.Kind, obj.ID, rev, p, ev.With("on_drift", "inherited"))
	}
	return c.Store.SetDriftPolicy(ctx, obj.Kind, obj.ID, rev, p, ev.With("on_drift", string(p)))
}
