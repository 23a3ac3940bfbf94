package app

import (
	"context"
	"sync/atomic"

	"github.com/keyturn/keyturn/internal/jobs"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// ringNews wakes who looks after the ring when the stored one may be another. There is nobody while the server is sealed.
type ringNews struct{ wake atomic.Pointer[func()] }

func (n *ringNews) changed(changes []store.Change) {
	for _, c := range changes {
		if c.Kind == "ring" {
			n.missed()
			return
		}
	}
}

func (n *ringNews) missed() {
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
