package store_test

import (
	"crypto/rand"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestTheRingIsKeptAndReplacedByCompareAndSet(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		none, rev, err := s.RingKeys(ctx)
		must(t, err)
		if len(none) != 0 {
			t.Fatalf("a new repository has %d keys", len(none))
		}
		b := make([]byte, vault.KeyLen)
		_, _ = rand.Read(b)
		root, err := vault.NewRootKey(b)
		must(t, err)
		ring, keys, err := vault.NewRing(root)
		must(t, err)
		sealed, err := ring.Seal(vault.Record{Kind: "test", ID: "1"}, vault.NewValue([]byte("kept")))
		must(t, err)
		must(t, s.SaveRing(ctx, rev, keys, happened("ring.create")))
		if err := s.SaveRing(ctx, rev, nil, happened("ring.create")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision replaced the ring: %v", err)
		}
		stored, rev, err := s.RingKeys(ctx)
		must(t, err)
		again, err := vault.OpenRing(root, stored)
		must(t, err)
		if v, err := again.Open(vault.Record{Kind: "test", ID: "1"}, sealed); err != nil || !v.Equal(vault.NewValue([]byte("kept"))) {
			t.Errorf("the stored ring does not open what the first one sealed: %v", err)
		}
		more, err := again.AddDataKey()
		must(t, err)
		must(t, s.SaveRing(ctx, rev, more, happened("ring.rotate")))
		if stored, _, err = s.RingKeys(ctx); err != nil || len(stored) != len(keys)+1 {
			t.Errorf("%d keys, %v", len(stored), err)
		}
		if evs, _ := s.AuditEvents(ctx, store.AuditFilter{Action: "ring.rotate"}); len(evs) != 1 {
			t.Errorf("%d events", len(evs))
		}
	})
}
