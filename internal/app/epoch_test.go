package app

import (
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// TestAStartNoticesWhatTheDataFolderKnows: before anything else of the server runs, the folder's head was compared with the
// database, and a run is handed out to nobody.
func TestAStartNoticesWhatTheDataFolderKnows(t *testing.T) {
	signer := func() *audit.Signer {
		seed := make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed)
		s, err := audit.NewSigner("repository", vault.NewValue(seed))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	own, other := signer(), signer()
	for name, tt := range map[string]struct {
		by   *audit.Signer // nil: the folder knows nothing
		lost bool
	}{"nothing": {}, "what the database does not have": {own, true}, "the head of another log": {other, false}} {
		s, dir := storetest.Open(t, storetest.SQLite(t)), t.TempDir()
		e := newEpoch(s, nil, "repository", own.Key(), dir, slog.New(slog.DiscardHandler))
		begun := false
		e.begun = func() { begun = true }
		if tt.by != nil {
			head, err := tt.by.Sign(7, tlog.Hash{1}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if err := e.file.put(t.Context(), head.Signed); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		open, there, err := s.OpenRestore(t.Context())
		if err != nil || there != tt.lost || begun != tt.lost || e.restored.Load() != tt.lost {
			t.Errorf("%s: a restore is open: %v, told: %v (%v)", name, there, begun, err)
		}
		if there && (open.SeenIn != inFolder || open.Outside != 7 || open.Inside != 0) {
			t.Errorf("%s: %+v", name, open)
		}
		again := newEpoch(s, nil, "repository", own.Key(), t.TempDir(), e.log) // the folder was lost too since
		if err := again.start(t.Context()); err != nil || again.restored.Load() != tt.lost {
			t.Errorf("%s: the next start thinks that a restore is open: %v (%v)", name, again.restored.Load(), err)
		}
	}
}
