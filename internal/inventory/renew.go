package inventory

import (
	"context"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Issuer makes and ends long-lived tokens of a connector's account, as which it connects.
type Issuer interface {
	// Issue makes another token beside c's, which goes on to work.
	Issue(ctx context.Context, c Connection) (vault.Value, error)
	// Discard ends a token, with the rights of c's. One that has ended is no error.
	Discard(ctx context.Context, c Connection, token vault.Value) error
}

// RenewToken replaces a cluster's long-lived token: another is made, proved by all checks and stored, and only then the one
// before is ended. It fails with fault.Stale when rev is not the stored one, and with NotPassed when the new token does not
// pass; the token before then goes on to work, and the new one is ended. If the one before cannot be ended, the new one is
// in use all the same and the fault says what to do.
func (s *Connections) RenewToken(ctx context.Context, actor identity.Actor, id string, rev int64) (Cluster, error) {
	have, err := s.cluster(ctx, id)
	if err != nil {
		return Cluster{}, err
	}
	if have.Rev != rev { // before anything is made in the cluster
		return Cluster{}, fault.New(fault.Stale, "the cluster has changed").WithCure("look at it again").WithUnchanged("nothing was changed")
	}
	if !have.Scope.Renew {
		return Cluster{}, fault.New(fault.Conflict, "the connector of %s may not renew its token", have.Name).WithCode("cluster-right-missing").
			WithCure("allow it in the cluster's scope, and apply the manifest for it").WithUnchanged("nothing was changed")
	}
	_, c, err := s.Edited(have, ClusterEdit{})
	if err != nil {
		return Cluster{}, err
	}
	next, err := s.Issuer.Issue(ctx, c)
	if err != nil {
		return Cluster{}, err
	}
	renewed, err := s.Change(ctx, actor, id, rev, ClusterEdit{Token: &next})
	if err != nil {
		// What stays behind if this fails too is replaced by the next renewal.
		_ = s.Issuer.Discard(context.WithoutCancel(ctx), c, next)
		return Cluster{}, err
	}
	before := c.Token
	c.Token = next
	if err := s.Issuer.Discard(ctx, c, before); err != nil {
		return Cluster{}, fault.New(fault.Conflict, "the new token is in use, and the one before could not be ended").WithCode("token-not-removed").
			WithCure("delete the older one of the Secrets keyturn-token and keyturn-token-2 in namespace keyturn")
	}
	return renewed, nil
}
