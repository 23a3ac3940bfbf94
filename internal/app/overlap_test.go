package app

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/target/mysql"
	"github.com/keyturn/keyturn/internal/target/redis"
	"github.com/keyturn/keyturn/internal/vault"
)

// shelf has one account of one resource, and perhaps a reconcile account.
type shelf struct {
	account  inventory.Account
	resource inventory.Resource
	ring     *vault.Ring
}

func (s shelf) Account(_ context.Context, id string) (inventory.Account, error) {
	a := s.account
	a.ID = id
	return a, nil
}
func (s shelf) Resource(context.Context, string) (inventory.Resource, error) { return s.resource, nil }
func (s shelf) Sealed(_ context.Context, id string, version int64) (vault.Sealed, error) {
	return s.ring.Seal(inventory.VersionRecord(id, version), vault.NewValue([]byte("of the login")))
}
func (s shelf) Login(context.Context, string, int64) (string, error) { return "", nil }

// An account of MariaDB may not give itself a second value, so it is asked to only by a reconcile account, or if somebody
// has chosen that; one of Redis may.
func TestWithoutAChoiceAnAccountTakesTwoValuesOnlyWhereItMay(t *testing.T) {
	registry, err := target.NewRegistry(mysql.New(dial.Config{}), redis.New(dial.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	root, err := vault.NewRootKey(key)
	if err != nil {
		t.Fatal(err)
	}
	ring, _, err := vault.NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		kind, strategy, reconcile string
		current                   int64
		want                      bool
	}{
		{"mysql", "", "", 1, false},
		{"mysql", "", "admin", 1, true},
		{"redis", "", "", 0, false},   // there is no value to keep
		{"mysql", "", "a1", 1, false}, // it is its own reconcile account
		{"mysql", string(rotation.Overlap), "", 1, true},
		{"mysql", string(rotation.Single), "admin", 1, false},
		{"redis", "", "", 1, true},
		{"redis", string(rotation.Single), "", 1, false},
	} {
		s := shelf{inventory.Account{Name: "app", Current: x.current, Strategy: x.strategy}, inventory.Resource{Type: x.kind, ReconcileAccountID: x.reconcile}, ring}
		got, err := Targets{Store: s, Ring: ring, Registry: registry}.Open(t.Context(), "a1")
		if err != nil || got.Overlaps() != x.want {
			t.Errorf("%+v: %v", x, err)
		}
	}
}
