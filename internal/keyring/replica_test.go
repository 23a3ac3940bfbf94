package keyring_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// eachPair runs f with two servers on one repository. On SQLite they share the store, as only one process may have it.
func eachPair(t *testing.T, f func(t *testing.T, a, b *replica, root vault.RootKey)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		s := storetest.Open(t, storetest.SQLite(t))
		root := found(t, s)
		f(t, join(t, s, root), join(t, s, root), root)
	})
	t.Run("postgres", func(t *testing.T) {
		cfg := databases.Postgres(t)
		s := storetest.Open(t, cfg)
		root := found(t, s)
		f(t, join(t, s, root), join(t, storetest.Open(t, cfg), root), root)
	})
}

func TestAnotherServersKeyIsTakenOver(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b *replica, _ vault.RootKey) {
		ctx := t.Context()
		id, err := a.Rotate(ctx, anna)
		must(t, err)
		e := a.fill(t, 3)
		if b.Ring.Holds(id) {
			t.Fatal("the other server has the key already, so this shows nothing")
		}
		if under := b.holds(t, e); under[id] != len(e.plain) || b.Ring.Active() != id {
			t.Errorf("%v, active %d", under, b.Ring.Active())
		}
		sealed, err := b.Ring.Seal(vault.Record{Kind: "test", ID: "1"}, vault.NewValue([]byte("x")))
		must(t, err)
		if got, _ := sealed.KeyID(); got != id {
			t.Errorf("sealed with %d", got)
		}
		if k := a.key(t, id); k.Uses < a.Ring.Uses()[id]+b.Ring.Uses()[id] {
			t.Errorf("%d uses are stored", k.Uses)
		}
	})
}

// Servers that replace keys at once end with one ring, and every key that any of them sealed with is in it.
func TestServersThatRotateAtOnceLoseNoKey(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b *replica, root vault.RootKey) {
		ctx := t.Context()
		type sealing struct {
			rec    vault.Record
			sealed vault.Sealed
		}
		var mu sync.Mutex
		var all []sealing
		var busy sync.WaitGroup
		for _, r := range []*replica{a, b} {
			busy.Go(func() {
				for range 6 {
					if _, err := r.Rotate(ctx, anna); err != nil {
						t.Error(err)
						return
					}
				}
			})
			busy.Go(func() {
				for range 500 {
					rec := vault.Record{Kind: "test", ID: newID()}
					sealed, err := r.Ring.Seal(rec, vault.NewValue([]byte(rec.ID)))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					all = append(all, sealing{rec, sealed})
					mu.Unlock()
				}
			})
		}
		busy.Wait()
		fresh := join(t, a.store, root)
		for _, x := range all {
			for name, r := range map[string]*replica{"a": a, "b": b, "the next": fresh} {
				v, err := r.Ring.Open(x.rec, x.sealed)
				if err != nil || !v.Equal(vault.NewValue([]byte(x.rec.ID))) {
					t.Fatalf("%s does not open what was sealed meanwhile: %v", name, err)
				}
			}
		}
		if keys, err := a.Keys(ctx); err != nil || len(keys) != 13 {
			t.Errorf("%d data keys, %v", len(keys), err)
		}
	})
}

// A server that has not heard of a new key seals with the old one. What it stores after that key was removed is refused.
func TestALateValueIsRefusedRatherThanLost(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b *replica, _ vault.RootKey) {
		ctx := t.Context()
		e := a.fill(t, 1)
		account := func(name string) (inventory.Account, *inventory.Version) {
			x := inventory.Account{ID: newID(), ResourceID: e.db.ID, Name: name, State: inventory.AccountUnverified, Current: 1, CreatedAt: time.Now()}
			sealed, err := b.Ring.Seal(inventory.VersionRecord(x.ID, 1), vault.NewValue([]byte("late")))
			must(t, err)
			return x, &inventory.Version{AccountID: x.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: sealed}
		}
		stale, v := account("late")
		c, err := a.store.Cluster(ctx, e.cluster)
		must(t, err)
		_, err = a.Rotate(ctx, anna)
		must(t, err)
		early, w := account("early") // between the two: allowed, and sealed again
		if id, _ := w.Sealed.KeyID(); id != 1 {
			t.Fatalf("the other server seals with %d already, so this shows nothing", id)
		}
		must(t, b.store.AddAccount(ctx, early, w, nil, happened("account.create")))
		a.settle(t)
		must(t, a.Remove(ctx, anna, 1))
		isFault(t, "an account", b.store.AddAccount(ctx, stale, v, nil, happened("account.create")), fault.Unavailable, "key-removed")
		isFault(t, "a cluster", b.store.UpdateCluster(ctx, c, c.Rev, happened("cluster.update")), fault.Unavailable, "key-removed")
		must(t, b.Reload(ctx))
		again, v := account("late")
		must(t, b.store.AddAccount(ctx, again, v, nil, happened("account.create")))
		if under := b.holds(t, e); under[1] != 0 {
			t.Errorf("%v", under)
		}
	})
}

// However a removal and a late value meet, the value is refused or the key stays.
func TestRemovingAKeyAndStoringAValueExcludeEachOther(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b *replica, _ vault.RootKey) {
		ctx := t.Context()
		e := a.fill(t, 1)
		stored, refused := 0, 0
		for range 25 {
			must(t, a.Reload(ctx), b.Reload(ctx))
			old := b.Ring.Active()
			x := inventory.Account{ID: newID(), ResourceID: e.db.ID, Name: newID(), State: inventory.AccountUnverified, Current: 1, CreatedAt: time.Now()}
			rec := inventory.VersionRecord(x.ID, 1)
			sealed, err := b.Ring.Seal(rec, vault.NewValue([]byte("late")))
			must(t, err)
			_, err = a.Rotate(ctx, anna)
			must(t, err)
			a.settle(t)
			var add, remove error
			var both sync.WaitGroup
			both.Go(func() {
				v := inventory.Version{AccountID: x.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: sealed}
				add = b.store.AddAccount(ctx, x, &v, nil, happened("account.create"))
			})
			both.Go(func() { remove = a.Remove(ctx, anna, old) })
			both.Wait()
			switch {
			case add == nil && errors.Is(remove, fault.Conflict):
				stored++
				e.plain[rec] = "late"
			case errors.Is(add, fault.Unavailable) && remove == nil:
				refused++
			default:
				t.Fatalf("add: %v, remove: %v", add, remove)
			}
			a.holds(t, e)
		}
		t.Logf("%d were stored, %d refused", stored, refused)
	})
}

// SR-23: the root key is replaced under a running server; the old one opens nothing any more, and no value is sealed anew.
func TestTheRootKeyIsReplaced(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b *replica, old vault.RootKey) {
		ctx := t.Context()
		e := a.fill(t, 3)
		raw := make([]byte, vault.KeyLen)
		_, _ = rand.Read(raw) // never fails
		next := rootOf(t, raw)
		changed, err := a.ChangeRoot(ctx, anna, next)
		if err != nil || !changed {
			t.Fatalf("%v, %v", changed, err)
		}
		if changed, err := a.ChangeRoot(ctx, anna, next); err != nil || changed {
			t.Errorf("again: %v, %v", changed, err)
		}
		rows, _, err := a.store.RingKeys(ctx)
		must(t, err)
		_, err = vault.OpenRing(old, rows)
		isFault(t, "the old root key", err, fault.Sealed, "wrong-root-key")
		if under := join(t, a.store, next).holds(t, e); under[1] != len(e.plain) {
			t.Errorf("%v", under)
		}
		a.holds(t, e)

		// The other server goes on with what it has, and changes nothing as long as it does not have the new root key.
		b.holds(t, e)
		_, err = b.Rotate(ctx, anna)
		isFault(t, "a new key under the old root key", err, fault.Sealed, "wrong-root-key")
		if still, _, err := b.store.RingKeys(ctx); err != nil || len(still) != len(rows) {
			t.Errorf("%d rows, %v", len(still), err)
		}
		b.Root = func(context.Context, []vault.RingKey) (vault.RootKey, error) { return rootOf(t, raw), nil }
		id, err := a.Rotate(ctx, anna)
		must(t, err, b.Reload(ctx))
		if b.Ring.Active() != id {
			t.Errorf("the other server did not follow")
		}
		if _, err := b.Rotate(ctx, anna); err != nil {
			t.Error(err)
		}
		join(t, b.store, next).holds(t, e)
		if evs := events(t, a.store, "key.root"); len(evs) != 1 || evs[0].Actor.Name != "anna" {
			t.Errorf("recorded: %+v", evs)
		}
	})
}

// rootOf returns the root key of these bytes, whose copy it keeps: who uses it wipes it.
func rootOf(t testing.TB, raw []byte) vault.RootKey {
	t.Helper()
	root, err := vault.NewRootKey(bytes.Clone(raw))
	must(t, err)
	return root
}

// A server on PostgreSQL hears of another's key without being asked to open anything.
func TestAnotherServersKeyIsHeardOf(t *testing.T) {
	cfg := databases.Postgres(t)
	first := storetest.Open(t, cfg)
	root := found(t, first)
	a := join(t, first, root)
	var b *replica
	ready := make(chan struct{})
	cfg.Changed = func(changes []store.Change) {
		<-ready
		for _, c := range changes {
			if c.Kind == "ring" {
				b.Wake()
			}
		}
	}
	b = join(t, storetest.Open(t, cfg), root)
	close(ready)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	defer func() { stop(); must(t, <-done) }()
	heard := 0
	for range 20 { // a notice may be lost while the listener connects; that costs ten seconds and nothing else
		id, err := a.Rotate(t.Context(), anna)
		must(t, err)
		for end := time.Now().Add(2 * time.Second); b.Ring.Active() != id && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		if b.Ring.Active() == id {
			heard++
		}
		if heard == 3 {
			return
		}
	}
	t.Errorf("%d of 20 new keys were heard of within two seconds", heard)
}
