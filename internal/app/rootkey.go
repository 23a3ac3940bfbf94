package app

import (
	"context"
	"errors"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/config"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/seal"
	"github.com/keyturn/keyturn/internal/vault"
)

// NewNextRootKey makes the root key that is to take the place of a server's present one, and returns its file. Nothing uses
// it before an administrator asks for that.
func NewNextRootKey(ctx context.Context, cfg config.Server) (file string, err error) {
	if cfg, err = cfg.Complete(); err != nil {
		return "", err
	}
	if _, err := seal.NewFile(cfg.RootKeyFile).Root(ctx); err != nil {
		return "", err
	}
	root, err := seal.NewFile(seal.Next(cfg.RootKeyFile)).Create(ctx)
	if err != nil {
		return "", err
	}
	root.Wipe()
	return seal.Next(cfg.RootKeyFile), nil
}

func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return ""
}

// source is where the root key at file comes from.
func (s *sealing) source(file string, passphrase client.Value) seal.Source {
	if s.passphrase {
		return seal.NewPassphrase(file, vault.NewValue([]byte(passphrase.Text())))
	}
	return seal.NewFile(file)
}

// openStored opens the stored ring. When the next root key is the one that wraps it, a change of the root key was cut off
// before its end, which is made up for.
func (s *sealing) openStored(ctx context.Context, passphrase client.Value, rows []vault.RingKey) (*vault.Ring, error) {
	ring, err := s.openFrom(ctx, s.file, passphrase, rows)
	if code := codeOf(err); code != "wrong-root-key" && code != "root-key-missing" {
		return ring, err
	}
	next, nextErr := s.openFrom(ctx, seal.Next(s.file), passphrase, rows)
	switch code := codeOf(nextErr); {
	case code == "wrong-root-key" || code == "root-key-missing":
		return nil, err
	case nextErr != nil:
		return nil, nextErr
	}
	s.promote()
	return next, nil
}

func (s *sealing) openFrom(ctx context.Context, file string, passphrase client.Value, rows []vault.RingKey) (*vault.Ring, error) {
	root, err := s.source(file, passphrase).Root(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return vault.OpenRing(root, rows)
}

// promote puts the next root key in the place of the present one. The repository is wrapped by it already, so that it
// cannot be done is no failure: it is tried again at each start.
func (s *sealing) promote() (old string, err error) {
	if old, err = seal.Promote(s.file, time.Now()); err != nil {
		s.log.Warn("the repository is sealed with the next root key, which could not be put in the place of the one before; do it by hand", "file", s.file, "next", seal.Next(s.file), "err", err)
		return "", err
	}
	s.log.Info("the next root key is in its place", "file", s.file, "old", old)
	return old, nil
}

// rootFor finds the root key of rows after another server has replaced it. It is what keyring.Keeper asks.
func (s *sealing) rootFor(ctx context.Context, rows []vault.RingKey) (vault.RootKey, error) {
	if s.passphrase {
		return vault.RootKey{}, fault.New(fault.Sealed, "another server has changed the passphrase of the repository").WithCode("root-key-replaced").
			WithCure("restart this server, and unseal it with the new passphrase")
	}
	for _, file := range []string{s.file, seal.Next(s.file)} {
		root, err := seal.NewFile(file).Root(ctx)
		if err != nil {
			continue // the answer below says what to do
		}
		if _, err := vault.OpenRing(root, rows); err != nil {
			root.Wipe()
			continue
		}
		if file != s.file {
			_, _ = s.promote() // it has logged why not
		}
		return root, nil
	}
	return vault.RootKey{}, fault.New(fault.Sealed, "another server has replaced the root key, and this one does not have the new one").WithCode("root-key-replaced").
		WithCure("put the new root key at %s, with mode 0600", seal.Next(s.file))
}

// keysAPI is what the API needs for keys.
type keysAPI struct {
	*keyring.Keeper
	sealed *sealing
}

// ChangeRoot implements api.Keys. The order is what makes it safe: the next key is on the disk before the repository is
// wrapped by it, and the one before stays there afterwards.
func (k keysAPI) ChangeRoot(ctx context.Context, actor identity.Actor, passphrase client.Value) (client.RootChange, error) {
	s := k.sealed
	s.once.Lock()
	defer s.once.Unlock()
	root, err := s.nextRoot(ctx, passphrase)
	if err != nil {
		return client.RootChange{}, err
	}
	defer root.Wipe()
	if err := seal.Sync(seal.Next(s.file)); err != nil {
		return client.RootChange{}, err
	}
	out := client.RootChange{File: s.file}
	if out.Changed, err = k.Keeper.ChangeRoot(ctx, actor, root); err != nil {
		return client.RootChange{}, err
	}
	if out.Old, err = s.promote(); err != nil {
		out.Advice = "the next root key could not be put in its place: move " + seal.Next(s.file) + " to " + s.file + ", and keep what is there now for older backups"
	}
	return out, nil
}

// nextRoot returns the root key that is to take over. One that is derived from a passphrase gets its parameters now; a
// file is never made here, as it has to be in a backup before it is used.
func (s *sealing) nextRoot(ctx context.Context, passphrase client.Value) (vault.RootKey, error) {
	next := seal.Next(s.file)
	switch {
	case s.passphrase && len(passphrase.Text()) < seal.MinPassphrase:
		return vault.RootKey{}, fault.New(fault.Invalid, "the new passphrase is shorter than %d bytes", seal.MinPassphrase).
			WithCode("passphrase-too-short").WithField("passphrase").WithCure("choose a longer one, such as six random words").WithUnchanged("the root key is the one before")
	case s.passphrase:
		return seal.Obtain(ctx, s.source(next, passphrase), true)
	case passphrase.Text() != "":
		return vault.RootKey{}, fault.New(fault.Invalid, "this server reads its root key from a file, and takes no passphrase").WithField("passphrase").
			WithUnchanged("the root key is the one before")
	}
	root, err := seal.NewFile(next).Root(ctx)
	if codeOf(err) == "root-key-missing" {
		err = fault.New(fault.Conflict, "there is no next root key: %s does not exist", next).WithCode("no-next-root-key").
			WithCure("make it on the server's machine with keyturn server next-root-key, put a copy of it where the backups of the root key are, and ask again").
			WithUnchanged("the root key is the one before")
	}
	return root, err
}
