package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/seal"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// sealing keeps the server sealed until the ring is open. It implements api.Sealing.
type sealing struct {
	store      *store.Store
	file       string // of the root key, or of the passphrase's parameters
	passphrase bool
	version    string
	log        *slog.Logger
	// opened is called once, with the open ring, before the server answers as unsealed.
	opened func(ctx context.Context, ring *vault.Ring) error

	needsSetup bool   // set by opened: there is no user yet
	epoch      *epoch // set by opened

	state atomic.Pointer[client.Health]
	once  sync.Mutex // one derivation at a time: each takes much memory
	last  time.Time  // of the last try; guarded by once
}

const betweenTries = time.Second

// Health implements api.Sealing.
func (s *sealing) Health() client.Health {
	h := *s.state.Load()
	h.Restored = !h.Sealed && s.epoch != nil && s.epoch.restored.Load()
	return h
}

// close records why the server is sealed.
func (s *sealing) close(err error) {
	now := time.Now().UTC()
	h := client.Health{Sealed: true, Since: &now, Passphrase: s.passphrase, Version: s.version, Cause: "the repository could not be opened"}
	if old := s.state.Load(); old != nil && old.Since != nil {
		h.Since = old.Since
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		h.Cause, h.Cure = f.Msg, f.Cure
	}
	s.state.Store(&h)
}

// Unseal implements api.Sealing.
func (s *sealing) Unseal(ctx context.Context, passphrase client.Value, by identity.Actor) error {
	s.once.Lock()
	defer s.once.Unlock()
	if !s.Health().Sealed {
		return nil
	}
	if wait := betweenTries - time.Since(s.last); wait > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	s.last = time.Now()
	if s.passphrase && passphrase.Text() == "" {
		return fault.New(fault.Invalid, "the passphrase is missing").WithField("passphrase")
	}
	err := s.open(ctx, passphrase, by)
	if err != nil {
		if f, ok := errors.AsType[*fault.Error](err); ok && s.passphrase && f.Code == "wrong-root-key" {
			err = fault.New(fault.Sealed, "this is not the passphrase that the repository was sealed with").WithCode("wrong-passphrase").
				WithCure("type it again; upper and lower case count").WithUnchanged("nothing was written")
		}
		refused := audit.New(by, "server.unseal", audit.Object{Kind: "repository"}).Refused("the root key is missing or wrong, or the repository does not answer")
		if err := s.store.Record(context.WithoutCancel(ctx), refused); err != nil {
			s.log.Warn("a try to unseal was not recorded", "err", err)
		}
		s.log.Warn("not unsealed", "err", err)
		s.close(err)
	}
	return err
}

// start opens the ring from the root key's file at the start of the process. A server with a passphrase waits for it.
func (s *sealing) start(ctx context.Context) {
	s.once.Lock()
	defer s.once.Unlock()
	if s.passphrase {
		s.close(fault.New(fault.Sealed, "this server is unsealed with a passphrase after each start").
			WithCure("give it on this page, or with POST /api/v1/unseal"))
		return
	}
	if err := s.open(ctx, client.Value{}, identity.System("server")); err != nil {
		s.log.Error("the server is sealed", "err", err)
		s.close(err)
	}
}

// open opens the ring, makes it in a new repository, and opens the server.
func (s *sealing) open(ctx context.Context, passphrase client.Value, by identity.Actor) error {
	keys, rev, err := s.store.RingKeys(ctx)
	if err != nil {
		return err
	}
	var ring *vault.Ring
	if len(keys) == 0 {
		ring, err = s.create(ctx, passphrase, rev, by)
	} else {
		ring, err = s.openStored(ctx, passphrase, keys)
	}
	if err != nil {
		return err
	}
	if err := s.store.Record(ctx, audit.New(by, "server.unseal", audit.Object{Kind: "repository"})); err != nil {
		return err
	}
	if err := s.opened(ctx, ring); err != nil {
		return err
	}
	s.setup(s.needsSetup)
	return nil
}

// create makes the ring of a new repository, and its root key if there is none yet.
func (s *sealing) create(ctx context.Context, passphrase client.Value, rev int64, by identity.Actor) (*vault.Ring, error) {
	root, err := seal.Obtain(ctx, s.source(s.file, passphrase), true)
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	ring, keys, err := vault.NewRing(root)
	if err != nil {
		return nil, err
	}
	err = s.store.SaveRing(ctx, rev, keys, audit.New(by, "ring.create", audit.Object{Kind: "repository"}))
	if errors.Is(err, fault.Stale) { // another server was faster
		if keys, _, err = s.store.RingKeys(ctx); err == nil {
			return vault.OpenRing(root, keys)
		}
	}
	return ring, err
}

// setup opens the server, and says whether the first administrator is still missing.
func (s *sealing) setup(needed bool) {
	s.state.Store(&client.Health{Setup: needed, Version: s.version})
}
