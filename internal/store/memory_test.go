package store_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

// The moment that ending a session was answered, no request may pass with it, however many are reading.
func TestAnEndedSessionIsNotRemembered(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		u := person(t, s, "anna", identity.Administrator)
		for range 20 {
			in, hash := signIn(u, "10.0.0.1")
			must(t, s.StartSession(t.Context(), in, evidence("session.start")))
			var ended atomic.Bool
			var readers sync.WaitGroup
			for range 4 {
				readers.Go(func() {
					for last := false; !last; {
						last = ended.Load() // before the read, so that the last one begins after the end
						_, _, err := s.SessionByHash(t.Context(), hash)
						if err == nil && last || err != nil && fault.KindOf(err) != fault.NotFound {
							t.Errorf("ended %v: %v", last, err)
						}
					}
				})
			}
			must(t, s.EndSession(t.Context(), in.Session.ID, evidence("session.end")))
			ended.Store(true)
			readers.Wait()
		}
	})
}

func TestAChangeIsSeenByTheNextRead(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		a := mapped(t, s, 1)
		ctx := t.Context()
		for _, name := range []string{"one", "two"} {
			_, err := s.CredentialName(ctx, a.ID)
			must(t, err)
			must(t, s.Write(ctx, func(tx *store.Tx) error {
				return tx.ExecOne(`UPDATE accounts SET name = $2 WHERE id = $1`, a.ID, name)
			}))
			if got, err := s.CredentialName(ctx, a.ID); err != nil || got != name {
				t.Errorf("got %q, %v, want %q", got, err, name)
			}
		}
		if _, err := s.CredentialName(ctx, id()); fault.KindOf(err) != fault.NotFound {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheLogAloneLeavesWhatIsRemembered(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite(t))
	a := mapped(t, s, 1)
	ctx := t.Context()
	_, err := s.CredentialName(ctx, a.ID)
	must(t, err, s.Record(ctx, happened("account.reveal")))
	if n := s.Kept(); n != 1 {
		t.Errorf("%d answers are kept after an event, want 1", n)
	}
	must(t, s.Write(ctx, func(tx *store.Tx) error { return nil }))
	if n := s.Kept(); n != 0 {
		t.Errorf("%d answers are kept after a change, want none", n)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite(t))
	a := mapped(t, s, 1)
	for version := range int64(3000) {
		_, err := s.Credential(t.Context(), a.ID, version%2)
		must(t, err)
		s.Keep(version)
	}
	if n := s.Kept(); n > 1024 {
		t.Errorf("%d answers are kept", n)
	}
}
