package app

import (
	"context"
	"fmt"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
)

// restoresAPI is what the API needs for restores.
type restoresAPI struct {
	*store.Store
	*epoch
	wake func() // who checks accounts
	goOn func() // who carries runs out
}

// Recheck implements api.Restores.
func (r restoresAPI) Recheck(ctx context.Context, actor identity.Actor, accountIDs []string) error {
	_, err := r.RecheckRestored(ctx, accountIDs, audit.New(actor, "restore.recheck", audit.Object{Kind: "repository", ID: r.repository}))
	r.wake()
	return err
}

// Accept implements api.Restores.
func (r restoresAPI) Accept(ctx context.Context, actor identity.Actor, accountIDs []string) error {
	ended, err := r.EndRestore(ctx, accountIDs, actor.Name, audit.New(actor, "restore.accept", audit.Object{Kind: "repository", ID: r.repository}))
	if err != nil {
		return err
	}
	r.restored.Store(false)
	r.log.Info(fmt.Sprintf("the restore from a backup is ended by %s; everything goes on", actor.Name), "lost", ended.Lost())
	r.goOn()
	return nil
}
