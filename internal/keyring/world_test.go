package keyring_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

var databases storetest.Databases

func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &databases)) }

var anna = identity.Actor{ID: "u1", Name: "anna", Kind: identity.KindUser, Role: identity.Administrator}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func happened(action string) audit.Event {
	return audit.New(anna, action, audit.Object{Kind: "test", ID: "t"})
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newRoot(t testing.TB) vault.RootKey {
	t.Helper()
	b := make([]byte, vault.KeyLen)
	_, _ = rand.Read(b) // never fails
	root, err := vault.NewRootKey(b)
	must(t, err)
	return root
}

// replica is one server's view of a repository.
type replica struct {
	*keyring.Keeper
	store *store.Store
}

// found makes the ring of an empty repository.
func found(t testing.TB, s *store.Store) vault.RootKey {
	t.Helper()
	root := newRoot(t)
	_, rows, err := vault.NewRing(root)
	must(t, err)
	_, rev, err := s.RingKeys(t.Context())
	must(t, err, s.SaveRing(t.Context(), rev, rows, happened("ring.create")))
	return root
}

// join starts a server on the repository.
func join(t testing.TB, s *store.Store, root vault.RootKey) *replica {
	t.Helper()
	rows, _, err := s.RingKeys(t.Context())
	must(t, err)
	ring, err := vault.OpenRing(root, rows)
	must(t, err)
	r := &replica{&keyring.Keeper{Store: s, Ring: ring, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, s}
	must(t, r.Start(t.Context()))
	return r
}

func (r *replica) resealer(records keyring.Records) *keyring.Resealer {
	return &keyring.Resealer{Keeper: r.Keeper, Store: records, Log: r.Log, Owner: "test", Lease: time.Minute}
}

// settle seals again whatever is due.
func (r *replica) settle(t testing.TB) {
	t.Helper()
	for range 20 {
		due, err := r.store.DueReseal(t.Context(), time.Now(), 10)
		must(t, err)
		if len(due) == 0 {
			return
		}
		for _, id := range due {
			must(t, r.resealer(r.store).Do(t.Context(), id))
		}
	}
	t.Fatal("there is always something to seal again")
}

// estate are values of every kind that a repository keeps, by where they stand.
type estate struct {
	plain   map[vault.Record]string
	cluster string
	run     string
	db      inventory.Resource
}

// fill stores n accounts with two versions each, a cluster with a token, and a run with a prepared text.
func (r *replica) fill(t testing.TB, n int) *estate {
	t.Helper()
	ctx, s, now := t.Context(), r.store, time.Now().UTC()
	e := &estate{plain: map[vault.Record]string{}, cluster: newID()}
	seal := func(rec vault.Record, plain string) vault.Sealed {
		sealed, err := r.Ring.Seal(rec, vault.NewValue([]byte(plain)))
		must(t, err)
		e.plain[rec] = plain
		return sealed
	}
	c := inventory.Cluster{ID: e.cluster, Name: "prod", Server: "https://127.0.0.1:1", UID: newID(), State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now}
	c.Token = seal(inventory.TokenRecord(c.ID), "the token")
	must(t, s.AddCluster(ctx, c, nil, happened("cluster.create")))
	e.db = inventory.Resource{ID: newID(), Name: "db", Type: "generic", CreatedAt: now}
	must(t, s.AddResource(ctx, e.db, nil, happened("resource.create")))
	for i := range n {
		a := inventory.Account{ID: newID(), ResourceID: e.db.ID, Name: fmt.Sprintf("app-%03d", i), State: inventory.AccountUnverified, Current: 1, CreatedAt: now}
		first := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now,
			Sealed: seal(inventory.VersionRecord(a.ID, 1), fmt.Sprintf("first of %d", i))}
		second := inventory.Version{AccountID: a.ID, Number: 2, Source: inventory.Typed, CreatedAt: now, Sealed: seal(inventory.VersionRecord(a.ID, 2), fmt.Sprintf("second of %d", i))}
		must(t, s.AddAccount(ctx, a, &first, nil, happened("account.create")), s.SetAccountValue(ctx, a.ID, second, happened("account.update")))
		if i > 0 {
			continue
		}
		run := rotation.Run{ID: newID(), AccountID: a.ID, Strategy: rotation.Single, Old: 2, StartedBy: anna, CreatedAt: now}
		must(t, s.OpenRun(ctx, run, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, run.ID, "worker", time.Minute)
		must(t, err)
		run.New, run.Step, run.Begun = 3, rotation.Minted, rotation.Minted
		run.Prepared = seal(rotation.PreparedRecord(run.ID, 3), "the prepared text")
		must(t, s.Mint(ctx, run, seal(inventory.VersionRecord(a.ID, 3), "the minted value"), happened("run.minted")))
		e.run = run.ID
	}
	return e
}

// read returns what stands where a record says.
func (r *replica) read(ctx context.Context, rec vault.Record) (vault.Sealed, error) {
	switch rec.Kind {
	case "cluster-token":
		c, err := r.store.Cluster(ctx, rec.ID)
		return c.Token, err
	case "prepared":
		run, err := r.store.Run(ctx, rec.ID)
		return run.Prepared, err
	}
	return r.store.Sealed(ctx, rec.ID, rec.Version)
}

// holds fails the test unless every value opens and is what it was; it returns how many are sealed with each key.
func (r *replica) holds(t testing.TB, e *estate) map[uint32]int {
	t.Helper()
	under := map[uint32]int{}
	for rec, want := range e.plain {
		sealed, err := r.read(t.Context(), rec)
		must(t, err)
		id, _ := sealed.KeyID()
		under[id]++
		v, err := r.Ring.Open(rec, sealed)
		if err != nil {
			t.Errorf("%s %s %d, sealed with key %d, does not open: %v", rec.Kind, rec.ID, rec.Version, id, err)
			continue
		}
		if !v.Equal(vault.NewValue([]byte(want))) {
			t.Errorf("%s %s %d is not what it was", rec.Kind, rec.ID, rec.Version)
		}
	}
	return under
}

func (r *replica) key(t testing.TB, id uint32) keyring.Key {
	t.Helper()
	all, err := r.Keys(t.Context())
	must(t, err)
	for _, k := range all {
		if k.ID == id {
			return k
		}
	}
	return keyring.Key{}
}

func isFault(t testing.TB, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	f, ok := asFault(err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}
