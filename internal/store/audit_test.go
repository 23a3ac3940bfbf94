package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/audit/audittest"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

func event(action, object string) audit.Event {
	return audit.New(identity.Actor{ID: "u1", Name: "ada", Kind: identity.KindUser}, action, audit.Object{Kind: "account", ID: object})
}

func TestRecordTogetherAndList(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		twice := event("account.reveal", "twice")
		if err := s.Record(t.Context(), twice); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 150 {
			wg.Go(func() {
				ev := event("account.reveal", fmt.Sprint("a", i%3))
				if i%10 == 9 {
					ev = twice
				}
				err := s.Record(context.Background(), ev)
				if (i%10 == 9) != errors.Is(err, fault.Conflict) || i%10 != 9 && err != nil {
					t.Errorf("event %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		got, err := s.AuditEvents(t.Context(), store.AuditFilter{Limit: 1000})
		if err != nil || len(got) != 136 {
			t.Fatalf("%d events are listed, want 136: %v", len(got), err)
		}
		var paged []store.AuditEntry
		filter := store.AuditFilter{Actor: "u1", ObjectKind: "account", ObjectID: "a1", Outcome: audit.Allowed, Limit: 7,
			From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
		total, err := s.CountAuditEvents(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		for {
			page, err := s.AuditEvents(t.Context(), filter)
			if err != nil {
				t.Fatal(err)
			}
			if paged = append(paged, page...); len(page) < 7 {
				break
			}
			filter.Before = page[6].ID
		}
		for i, e := range paged {
			if e.Object.ID != "a1" || e.Seq != -1 || i > 0 && e.ID >= paged[i-1].ID {
				t.Errorf("entry %d is %+v", i, e)
			}
		}
		if len(paged) < 40 || int64(len(paged)) != total {
			t.Errorf("%d events on all pages, %d counted", len(paged), total)
		}
	})
}

func TestRecordTakesAnyText(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		for _, bad := range []string{"a\x00b", "\xff\xfe", strings.Repeat("é", 100_000), "'; DROP TABLE audit_events; --"} {
			ev := event("login", bad)
			if err := s.Record(t.Context(), ev); err != nil {
				t.Errorf("%.10q: %v", bad, err)
			}
			if n, err := s.CountAuditEvents(t.Context(), store.AuditFilter{ObjectID: bad}); err != nil || n != 1 {
				t.Errorf("%.10q was found %d times, %v", bad, n, err)
			}
		}
	})
}

func TestRecordInATransactionThatFails(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		boom := errors.New("boom")
		err := s.Write(t.Context(), func(tx *store.Tx) error { return errors.Join(tx.Record(event("x", "y")), boom) })
		if !errors.Is(err, boom) {
			t.Error(err)
		}
		if n, err := s.CountAuditEvents(t.Context(), store.AuditFilter{}); err != nil || n != 0 {
			t.Errorf("%d events, %v", n, err)
		}
	})
}

func TestAuditStoreKeepsItsPromises(t *testing.T) {
	suite := func(cfg func(testing.TB) store.Config) func(*testing.T) {
		return func(t *testing.T) {
			audittest.RunStore(t, func(t *testing.T) audittest.Opened {
				s := storetest.Open(t, cfg(t))
				return audittest.Opened{Store: s, Record: func(ctx context.Context, events ...audit.Event) error {
					return s.Write(ctx, func(tx *store.Tx) error { return tx.Record(events...) })
				}}
			})
		}
	}
	t.Run("sqlite", suite(storetest.SQLite))
	t.Run("postgres", suite(databases.Postgres))
}

func TestAppendNumbersOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		for i := range 300 {
			if err := s.Record(t.Context(), event("a", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		pending, err := s.Unsequenced(t.Context(), 299)
		if err != nil || len(pending) != 299 {
			t.Fatalf("%d pending, %v", len(pending), err)
		}
		batch := audit.Batch{
			Tiles: []audit.Tile{{Level: 0, N: 0, Data: make([]byte, 256*32)}, {Level: 0, N: 1, Data: make([]byte, 43*32)}},
			Head:  audit.Head{Size: 299, At: time.UnixMicro(1700000000000001).UTC(), Signed: []byte("note")},
		}
		batch.Head.Hash[3] = 9
		for _, p := range pending {
			batch.IDs = append(batch.IDs, p.ID)
		}
		var wg sync.WaitGroup
		won := make(chan error, 4)
		for range 4 { // several sequencers at once: one wins
			wg.Go(func() { won <- s.Append(context.Background(), audit.Head{}, batch) })
		}
		wg.Wait()
		close(won)
		good := 0
		for err := range won {
			if err == nil {
				good++
			} else if !errors.Is(err, fault.Conflict) {
				t.Error(err)
			}
		}
		if good != 1 {
			t.Errorf("%d sequencers won", good)
		}
		head, err := s.Head(t.Context())
		if err != nil || head.Size != 299 || head.Hash != batch.Head.Hash || !head.At.Equal(batch.Head.At) || string(head.Signed) != "note" {
			t.Errorf("head is %+v, %v", head, err)
		}
		// Numbered already: nothing of it may stay.
		again := audit.Batch{IDs: batch.IDs[:1], Head: audit.Head{Size: 300}}
		if err := s.Append(t.Context(), head, again); !errors.Is(err, fault.Conflict) {
			t.Errorf("numbering twice gave %v", err)
		}
		next := int64(0)
		err = s.Entries(t.Context(), 0, 299, func(seq int64, body []byte) error {
			if seq != next || string(body) != string(pending[next].Body) {
				t.Errorf("entry %d is %d", next, seq)
			}
			next++
			return nil
		})
		if err != nil || next != 299 {
			t.Errorf("%d entries, %v", next, err)
		}
		if tile, err := s.Tile(t.Context(), 0, 1); err != nil || len(tile) != 43*32 {
			t.Errorf("tile of %d bytes, %v", len(tile), err)
		}
		if _, err := s.Tile(t.Context(), 5, 1); !errors.Is(err, fault.NotFound) {
			t.Errorf("a missing tile gave %v", err)
		}
		rest, err := s.Unsequenced(t.Context(), 10)
		if err != nil || len(rest) != 1 {
			t.Errorf("%d events are left, %v", len(rest), err)
		}
	})
}
