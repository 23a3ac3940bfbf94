package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

type nobodys struct{}

func (nobodys) KeyOwner(context.Context, string, string, string, string) (owner, advice string, err error) {
	return "", "", nil
}

// A mapping of a part of a value is judged by that part alone.
func TestAPartOfAValueIsJudgedAlone(t *testing.T) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	root, err := vault.NewRootKey(key)
	must(t, err)
	ring, keys, err := vault.NewRing(root)
	must(t, err)
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, anna := t.Context(), identity.Actor{ID: "u1", Name: "anna"}
		must(t, s.SaveRing(ctx, 1, keys, happened("ring.create")))
		f := &inventory.Fetcher{Store: s, Ring: ring, Log: slog.New(slog.DiscardHandler), Owner: "w"}
		other := mapped(t, s, 1) // an account with one Secret; another key of it is mapped here
		writes, err := s.Writes(ctx, rotation.Run{ID: "none", AccountID: other.ID})
		must(t, err)
		sec, err := s.Secret(ctx, writes[0].SecretID)
		must(t, err)
		a := inventory.Account{ID: id(), ResourceID: other.ResourceID, Name: "app_dsn", State: inventory.AccountUnverified, CreatedAt: time.Now()}
		must(t, s.AddAccount(ctx, a, nil, nil, happened("account.create")))
		mapper := &inventory.Mapper{Store: s, Vault: ring, Owners: nobodys{}}
		version := 5
		saw := func(dsn string) {
			t.Helper()
			version++
			must(t, f.Saw(ctx, sec.ClusterID, []inventory.Seen{{Namespace: sec.Namespace, Name: sec.Name, UID: "uid", ResourceVersion: fmt.Sprint(version), Type: "Opaque",
				CreatedAt: time.Now(), Data: map[string]vault.Value{"password": vault.NewValue([]byte("x")), "dsn": vault.NewValue([]byte(dsn))}}}))
		}
		saw("postgres://app:first@db/orders")
		// What has read the Secret before it was mapped decides again: it does not know the place.
		had, err := s.Histories(ctx, []string{sec.ID})
		must(t, err)
		if len(had[sec.ID].Places) != 0 {
			t.Errorf("places before: %v", had[sec.ID].Places)
		}
		before, err := s.Secret(ctx, sec.ID)
		must(t, err)
		m, err := mapper.Map(ctx, anna, a.ID, inventory.Entry{SecretID: sec.ID, Key: "dsn", Place: composite.Spec{Format: composite.URL}}, inventory.KeepCluster)
		must(t, err)
		after, err := s.Secret(ctx, sec.ID)
		must(t, err)
		if after.Rev == before.Rev || m.Place.Format != composite.URL || m.State != inventory.InSync {
			t.Fatalf("revision %d → %d, %+v", before.Rev, after.Rev, m)
		}
		for _, tt := range []struct {
			dsn    string
			want   inventory.KeyState
			reason string
		}{
			{"postgres://app:first@elsewhere:5433/orders?sslmode=require", inventory.InSync, ""},
			{"postgres://app:second@db/orders", inventory.Drift, "changed"},
			{"postgres://app:%66irst@db/orders", inventory.InSync, ""},
			{"host=db password=first", inventory.Drift, "cannot be read as url"},
			{"postgres://app:first@db/orders", inventory.InSync, ""},
		} {
			saw(tt.dsn)
			m, err := s.Mapping(ctx, m.ID)
			must(t, err)
			if m.State != tt.want || !strings.Contains(m.Reason, tt.reason) || (tt.reason == "") != (m.Reason == "") {
				t.Errorf("%s: %s (%s), want %s (%s)", tt.dsn, m.State, m.Reason, tt.want, tt.reason)
			}
		}
	})
}
