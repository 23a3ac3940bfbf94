package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/seal"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// rooted is a repository and the folder of its root key, without the rest of a server.
type rooted struct {
	t          *testing.T
	store      *store.Store
	file       string
	passphrase string // of a server that is unsealed with one; empty for a key file
	sealed     vault.Sealed
}

var rootedRecord = vault.Record{Kind: "test", ID: "1"}

func newRooted(t *testing.T, passphrase string) *rooted {
	t.Helper()
	w := &rooted{t: t, store: storetest.Open(t, storetest.SQLite(t)), file: filepath.Join(t.TempDir(), "root.key"), passphrase: passphrase}
	_, keeper, err := w.start(w.file, passphrase)
	w.do(err)
	w.sealed, err = keeper.Ring.Seal(rootedRecord, vault.NewValue([]byte("kept")))
	w.do(err)
	return w
}

func (w *rooted) do(errs ...error) {
	w.t.Helper()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

// start begins a server on the repository, and unseals it where that takes a passphrase.
func (w *rooted) start(file, passphrase string) (*sealing, *keyring.Keeper, error) {
	w.t.Helper()
	var keeper *keyring.Keeper
	s := &sealing{store: w.store, file: file, passphrase: w.passphrase != "", log: slog.New(slog.NewTextHandler(w.t.Output(), nil))}
	s.opened = func(ctx context.Context, ring *vault.Ring) error {
		keeper = &keyring.Keeper{Store: w.store, Ring: ring, Root: s.rootFor, Log: s.log}
		return keeper.Start(ctx)
	}
	s.start(w.t.Context())
	if s.passphrase {
		if err := s.Unseal(w.t.Context(), client.NewValue(passphrase), identity.Anonymous("192.0.2.1")); err != nil {
			return s, nil, err
		}
	}
	if h := s.Health(); h.Sealed {
		return s, nil, fault.New(fault.Sealed, "%s", h.Cause)
	}
	return s, keeper, nil
}

// opens fails the test unless a server that starts now reads what was sealed at first.
func (w *rooted) opens(what, passphrase string) {
	w.t.Helper()
	_, keeper, err := w.start(w.file, passphrase)
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	v, err := keeper.Ring.Open(rootedRecord, w.sealed)
	if err != nil || !v.Equal(vault.NewValue([]byte("kept"))) {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// next makes the next root key, as keyturn server next-root-key does.
func (w *rooted) next() {
	w.t.Helper()
	_, err := seal.NewFile(seal.Next(w.file)).Create(w.t.Context())
	w.do(err)
}

func (w *rooted) read(file string) string {
	w.t.Helper()
	b, err := os.ReadFile(file)
	w.do(err)
	return string(b)
}

var rooter = identity.Actor{ID: "u1", Name: "anna", Kind: identity.KindUser, Role: identity.Administrator}

// SR-23: the root key in a file is replaced under a running server, the old one opens nothing any more, and says so.
func TestTheRootKeyFileIsReplaced(t *testing.T) {
	w := newRooted(t, "")
	s, keeper, err := w.start(w.file, "")
	w.do(err)
	keys := keysAPI{keeper, s}
	_, err = keys.ChangeRoot(t.Context(), rooter, client.Value{})
	if codeOf(err) != "no-next-root-key" {
		t.Fatalf("without a next root key: %v", err)
	}
	if _, err = keys.ChangeRoot(t.Context(), rooter, client.NewValue("gravel teapot Orion nineteen")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a passphrase for a key file: %v", err)
	}
	w.next()
	w.opens("the next root key is made, and not used", "")
	before, after := w.read(w.file), w.read(seal.Next(w.file))
	change, err := keys.ChangeRoot(t.Context(), rooter, client.Value{})
	if err != nil || !change.Changed || change.File != w.file || change.Advice != "" {
		t.Fatalf("%+v, %v", change, err)
	}
	if w.read(w.file) != after || w.read(change.Old) != before {
		t.Error("the files are not what they should be")
	}
	if _, err := os.Stat(seal.Next(w.file)); !os.IsNotExist(err) {
		t.Errorf("the next root key is there still: %v", err)
	}
	w.opens("after the change", "")
	old, _, err := w.start(change.Old, "")
	if h := old.Health(); err == nil || !h.Sealed || !strings.Contains(h.Cause, "the root key is not the one that this repository was sealed with") || h.Cure == "" {
		t.Errorf("with the old root key: %+v, %v", h, err)
	}
	v, err := keeper.Ring.Open(rootedRecord, w.sealed) // the server that was running all the time
	if err != nil || !v.Equal(vault.NewValue([]byte("kept"))) {
		t.Errorf("the running server: %v", err)
	}
	if _, err := keeper.Rotate(t.Context(), rooter); err != nil {
		t.Errorf("a data key under the new root key: %v", err)
	}
	w.opens("with a data key that is made afterwards", "")
}

// At no moment is there a repository that no root key on the disk opens: a process that dies between any two steps leaves
// one that the next start opens, and which it brings to its end.
func TestAChangeOfTheRootKeyMayBeCutOffAnywhere(t *testing.T) {
	steps := map[string]func(w *rooted, keeper *keyring.Keeper){
		"the next key is made":        func(*rooted, *keyring.Keeper) {},
		"the repository is wrapped":   func(w *rooted, keeper *keyring.Keeper) { w.wrap(keeper) },
		"the key before is kept":      func(w *rooted, keeper *keyring.Keeper) { w.wrap(keeper); w.do(os.Link(w.file, w.file+".old-x")) },
		"the next key is in place":    func(w *rooted, keeper *keyring.Keeper) { w.wrap(keeper); w.promote() },
		"and is put in place again":   func(w *rooted, keeper *keyring.Keeper) { w.wrap(keeper); w.promote(); w.next() },
		"the key before was lost too": func(w *rooted, keeper *keyring.Keeper) { w.wrap(keeper); w.do(os.Remove(w.file)) },
	}
	for what, step := range steps {
		t.Run(what, func(t *testing.T) {
			w := newRooted(t, "")
			_, keeper, err := w.start(w.file, "")
			w.do(err)
			w.next()
			step(w, keeper)
			w.opens("the next start", "")
			w.opens("the one after", "")
			if _, err := os.Stat(w.file); err != nil {
				t.Error(err)
			}
		})
	}
}

func (w *rooted) wrap(keeper *keyring.Keeper) {
	w.t.Helper()
	root, err := seal.NewFile(seal.Next(w.file)).Root(w.t.Context())
	w.do(err)
	changed, err := keeper.ChangeRoot(w.t.Context(), rooter, root)
	w.do(err)
	if !changed {
		w.t.Fatal("nothing was changed")
	}
}

func (w *rooted) promote() {
	w.t.Helper()
	_, err := seal.Promote(w.file, time.Now())
	w.do(err)
}

// A next root key that others could have read is not used, neither for a change nor at a start.
func TestAnExposedNextRootKeyIsRefused(t *testing.T) {
	w := newRooted(t, "")
	s, keeper, err := w.start(w.file, "")
	w.do(err)
	w.next()
	w.do(os.Chmod(seal.Next(w.file), 0o644))
	if _, err := (keysAPI{keeper, s}).ChangeRoot(t.Context(), rooter, client.Value{}); codeOf(err) != "root-key-exposed" {
		t.Errorf("a change: %v", err)
	}
	w.opens("nothing was changed", "")
	w.do(os.Chmod(seal.Next(w.file), 0o600))
	w.wrap(keeper)
	w.do(os.Chmod(seal.Next(w.file), 0o644))
	if s, _, err = w.start(w.file, ""); err == nil || !strings.Contains(s.Health().Cause, "mode 0644") {
		t.Errorf("a start: %v", err)
	}
}

func TestThePassphraseIsReplaced(t *testing.T) {
	const before, after = "gravel teapot Orion nineteen", "another nineteen teapots of gravel"
	w := newRooted(t, before)
	s, keeper, err := w.start(w.file, before)
	w.do(err)
	keys := keysAPI{keeper, s}
	if _, err := keys.ChangeRoot(t.Context(), rooter, client.NewValue("short")); codeOf(err) != "passphrase-too-short" {
		t.Errorf("a short one: %v", err)
	}
	_, err = seal.NewPassphrase(seal.Next(w.file), vault.NewValue([]byte("of a try that broke off"))).Create(t.Context())
	w.do(err)
	change, err := keys.ChangeRoot(t.Context(), rooter, client.NewValue(after))
	if err != nil || !change.Changed || change.Old == "" {
		t.Fatalf("%+v, %v", change, err)
	}
	w.opens("with the new passphrase", after)
	if _, _, err := w.start(w.file, before); codeOf(err) != "wrong-passphrase" {
		t.Errorf("with the old one: %v", err)
	}
	// Another server that was running cannot know the new one. It goes on, and changes nothing.
	if _, err := s.rootFor(t.Context(), nil); codeOf(err) != "root-key-replaced" {
		t.Errorf("%v", err)
	}
	root, err := seal.NewPassphrase(w.file, vault.NewValue([]byte(after))).Root(t.Context())
	w.do(err)
	rows, _, err := w.store.RingKeys(t.Context())
	w.do(err)
	if _, err := vault.OpenRing(root, rows); err != nil {
		t.Error(err)
	}
}

// A change of the passphrase that was cut off before the parameters were put in their place.
func TestAChangeOfThePassphraseMayBeCutOff(t *testing.T) {
	const before, after = "gravel teapot Orion nineteen", "another nineteen teapots of gravel"
	w := newRooted(t, before)
	s, keeper, err := w.start(w.file, before)
	w.do(err)
	root, err := s.nextRoot(t.Context(), client.NewValue(after))
	w.do(err)
	w.opens("before the repository is wrapped", before)
	_, err = keeper.ChangeRoot(t.Context(), rooter, root)
	w.do(err)
	w.opens("after it", after)
	w.opens("once more", after)
}

// Another server finds the new root key beside its own.
func TestAnotherServerFindsTheNextRootKey(t *testing.T) {
	w := newRooted(t, "")
	_, first, err := w.start(w.file, "")
	w.do(err)
	_, second, err := w.start(w.file, "")
	w.do(err)
	w.next()
	w.wrap(first)
	_, err = first.Rotate(t.Context(), rooter)
	w.do(err, second.Reload(t.Context()))
	if second.Ring.Active() != first.Ring.Active() {
		t.Error("the other server did not follow")
	}
	if _, err := os.Stat(seal.Next(w.file)); !os.IsNotExist(err) {
		t.Errorf("it did not put the key in its place: %v", err)
	}
}
