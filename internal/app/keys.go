package app

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/keyturn/keyturn/internal/jobs"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// news wakes whoever looks after one kind of object when the stored ones may be others. There is nobody while the server is
// sealed.
type news struct {
	kind string
	wake atomic.Pointer[func()]
}

func (n *news) changed(changes []store.Change) {
	if slices.ContainsFunc(changes, func(c store.Change) bool { return c.Kind == n.kind }) {
		n.missed()
	}
}

func (n *news) missed() {
	if wake := n.wake.Load(); wake != nil {
		(*wake)()
	}
}

// keep has the ring looked after, and returns who seals again what old keys have sealed.
func (s *server) keep(ctx context.Context, sealed *sealing, ring *vault.Ring, owner string) (*jobs.Worker, error) {
	s.keeper = &keyring.Keeper{Store: s.store, Ring: ring, Root: sealed.rootFor, Log: s.log}
	resealer := &keyring.Resealer{Keeper: s.keeper, Store: s.store, Log: s.log, Owner: owner, Lease: lease}
	worker := &jobs.Worker{Name: "reseal", Due: s.store.DueReseal, Do: resealer.Do, Slots: 1, Every: dueEvery, Log: s.log}
	s.keeper.Retired = worker.Wake
	if err := s.keeper.Start(ctx); err != nil {
		return nil, err
	}
	wake := s.keeper.Wake
	s.ring.wake.Store(&wake)
	return worker, nil
}
