package store_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
)

// heard gathers what a server was told.
type heard struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (h *heard) take(changes []store.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range changes {
		h.ids[c.ID] = true
	}
}

func (h *heard) has(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ids[id]
}

func TestServersHearOfEachOther(t *testing.T) {
	cfg := databases.Postgres(t)
	open := func() (*store.Store, *heard) {
		h := &heard{ids: map[string]bool{}}
		c := cfg
		c.Changed = h.take
		s, err := store.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s, h
	}
	one, _ := open()
	_, other := open()
	// The other may not listen yet when the first changes are announced.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		id := uuid.NewString()
		must(t, one.AddResource(t.Context(), inventory.Resource{ID: id, Name: id, Type: "generic"}, nil, happened("resource.create")))
		time.Sleep(200 * time.Millisecond)
		if other.has(id) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the other server was not told")
		}
	}
}

func TestPayloads(t *testing.T) {
	long := strings.Repeat("x", 300)
	var changes []store.Change
	for range 500 {
		changes = append(changes, store.Change{Kind: "account", ID: long, Rev: 1})
	}
	n := 0
	for _, p := range store.Payloads("me", changes) {
		if len(p) > 8000 {
			t.Fatalf("a notice of %d bytes", len(p))
		}
		n += strings.Count(p, long)
	}
	if n != len(changes) {
		t.Errorf("%d of %d changes", n, len(changes))
	}
}

// Whoever looks at an account is told when it was worked out that a login of it will be tried, which comes after the change
// that it follows from.
func TestAPlanIsAnnounced(t *testing.T) {
	h, cfg := &heard{ids: map[string]bool{}}, databases.Postgres(t)
	cfg.Changed = h.take
	s, err := store.Open(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	a := mapped(t, s, 0)
	before := planAll(t, s, a.ID)
	must(t, s.Checked(t.Context(), a.ID, before.CheckAt))
	h.mu.Lock()
	clear(h.ids)
	h.mu.Unlock()
	if p := planAll(t, s, a.ID); p.CheckAt.Equal(before.CheckAt) || !p.NextAt.Equal(before.NextAt) {
		t.Fatalf("%+v", p)
	}
	if !h.has(a.ID) { // a server hears of its own changes before they are answered
		t.Error("nobody was told")
	}
}
