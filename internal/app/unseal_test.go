package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// SR-40: each try to unseal leaves exactly one event with the id of its request. The first one of all makes the ring too,
// which is a second.
func TestUnsealingIsRecordedOnce(t *testing.T) {
	st := storetest.Open(t, storetest.SQLite(t))
	file := filepath.Join(t.TempDir(), "passphrase.json")
	start := func() *sealing {
		s := &sealing{store: st, file: file, passphrase: true, log: slog.New(slog.NewTextHandler(t.Output(), nil)),
			opened: func(context.Context, *vault.Ring) error { return nil }}
		s.start(t.Context())
		return s
	}
	try := func(s *sealing, request, passphrase string) (error, []store.AuditEntry) {
		by := identity.Anonymous("192.0.2.1")
		by.Request = request
		err := s.Unseal(t.Context(), client.NewValue(passphrase), by)
		all, listErr := st.AuditEvents(t.Context(), store.AuditFilter{})
		if listErr != nil {
			t.Fatal(listErr)
		}
		var out []store.AuditEntry
		for _, ev := range all {
			if ev.RequestID == request {
				out = append(out, ev)
			}
		}
		return err, out
	}
	const right = "gravel teapot Orion nineteen"
	err, evs := try(start(), "first", right)
	if err != nil || len(evs) != 2 || evs[0].Action != "server.unseal" || evs[1].Action != "ring.create" {
		t.Fatalf("the first time: %v, %+v", err, evs)
	}
	s := start()
	if err, evs = try(s, "wrong", "another passphrase"); err == nil || len(evs) != 1 || evs[0].Outcome != audit.Refused {
		t.Errorf("a wrong passphrase: %v, %+v", err, evs)
	}
	if err, evs = try(s, "right", right); err != nil || len(evs) != 1 || evs[0].Outcome != audit.Allowed || evs[0].Address != "192.0.2.1" {
		t.Errorf("the right one: %v, %+v", err, evs)
	}
	if err, evs = try(s, "again", right); err != nil || len(evs) != 0 {
		t.Errorf("a server that is open: %v, %+v", err, evs)
	}
}
