package app

import (
	"testing"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

// Whoever looks after the ring is woken by a change of it, by notices that were missed, and by nothing else.
func TestAChangeOfTheRingIsHeardOf(t *testing.T) {
	news, woken := &news{kind: "ring"}, 0
	cfg := storetest.SQLite(t)
	cfg.Changed = news.changed
	s := storetest.Open(t, cfg)
	news.missed() // nobody looks after it while the server is sealed
	wake := func() { woken++ }
	news.wake.Store(&wake)
	news.changed([]store.Change{{Kind: "cluster", ID: "1"}, {Kind: "account", ID: "2"}})
	if woken != 0 {
		t.Error("woken by something else")
	}
	if err := s.SaveRing(t.Context(), 1, nil, audit.New(identity.System("test"), "key.rotate", audit.Object{Kind: "repository"})); err != nil {
		t.Fatal(err)
	}
	if woken != 1 {
		t.Errorf("woken %d times by a change of the ring", woken)
	}
	if news.missed(); woken != 2 {
		t.Error("not woken by notices that were missed")
	}
}
