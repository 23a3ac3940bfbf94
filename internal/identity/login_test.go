package identity_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

// inBubble runs f with a service whose time is the bubble's.
func inBubble(t *testing.T, f func(*testing.T, *house)) {
	t.Helper()
	cfg := storetest.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		h := &house{t: t, db: db, Service: &identity.Service{Store: db, Hasher: identity.NewCheapHasher(8)}}
		h.setUp()
		f(t, h)
	})
}

// wait returns how long a throttled sign-in has to wait, and 0 for one that was not throttled.
func (h *house) wait(address, name, pass string) time.Duration {
	h.t.Helper()
	_, _, _, err := h.Login(h.t.Context(), identity.Anonymous(address), name, value(pass))
	f, ok := errors.AsType[*fault.Error](err)
	if err != nil && !ok {
		h.t.Fatal(err)
	}
	if ok && f.Kind == fault.Throttled {
		return f.RetryAfter
	}
	return 0
}

func TestThrottleGrowsAndHeals(t *testing.T) {
	inBubble(t, func(t *testing.T, h *house) {
		h.user("anna", identity.PlainUser)
		for i, want := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, time.Hour} {
			for range 5 {
				if w := h.wait(other, "anna", second); w != 0 {
					t.Fatalf("round %d: has to wait %v", i, w)
				}
			}
			if w := h.wait(other, "anna", password); w != want {
				t.Errorf("round %d: has to wait %v, want %v", i, w, want)
			}
			time.Sleep(want - time.Second)
			if w := h.wait("203.0.113.9", " ANNA", password); w != time.Second {
				t.Errorf("round %d: another unknown address has to wait %v", i, w)
			}
			time.Sleep(time.Second)
		}
		if w := h.wait(other, "anna", password); w != 0 {
			t.Errorf("has to wait %v", w)
		}
	})
}

func TestThrottleWindowSlides(t *testing.T) {
	inBubble(t, func(t *testing.T, h *house) {
		h.user("anna", identity.PlainUser)
		for range 20 { // one every three minutes and a bit never is a sixth in fifteen
			if w := h.wait(other, "anna", second); w != 0 {
				t.Fatalf("has to wait %v", w)
			}
			time.Sleep(3*time.Minute + time.Second)
		}
	})
}

func TestAnAttackerElsewhereLocksNobodyOut(t *testing.T) {
	inBubble(t, func(t *testing.T, h *house) {
		h.login("root") // from home
		for i := range 6 {
			h.wait(fmt.Sprintf("198.51.100.%d", i), "root", second)
		}
		for i := range 300 {
			h.wait(other, fmt.Sprintf("guess%d", i), second)
		}
		if w := h.wait("203.0.113.9", "root", password); w == 0 {
			t.Error("the attacker was not stopped")
		}
		if w := h.wait("203.0.113.9", "somebody", password); w == 0 {
			t.Error("nothing bounds the tries on all names together")
		}
		h.login("root")
		for range 4 {
			h.wait(home, "root", second)
		}
		for range 20 { // a success takes back its own try only: four failed ones stay
			h.login("root")
		}
		h.wait(home, "root", second)
		if w := h.wait(home, "root", password); w != 15*time.Minute {
			t.Errorf("the own address has to wait %v after its own failures", w)
		}
		time.Sleep(15 * time.Minute)
		h.login("root")
	})
}

func TestATryThatToldNothingIsTakenBack(t *testing.T) {
	h := furnished(t)
	h.user("anna", identity.PlainUser)
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		s := identity.Service{Store: hangUp{h.db, cancel}, Hasher: h.Hasher, At: h.At}
		if _, _, _, err := s.Login(ctx, identity.Anonymous(other), "anna", value(password)); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	if n := h.events("session.create", "refused"); n != 10 {
		t.Errorf("%d attempts recorded, want 10", n)
	}
	if w := h.wait(other, "anna", password); w != 0 {
		t.Errorf("has to wait %v", w)
	}
}

// hangUp is a client that goes away when its try was counted.
type hangUp struct {
	*store.Store
	cancel func()
}

func (s hangUp) ChargeTry(ctx context.Context, t identity.Try, decide func(identity.TryState) identity.TryAnswer, ev identity.Evidence) (identity.TryAnswer, error) {
	a, err := s.Store.ChargeTry(ctx, t, decide, ev)
	s.cancel()
	return a, err
}

func TestTheTimeOfTheReplyTellsNobodyWhoExists(t *testing.T) {
	h := furnished(t)
	const memory = 8 * 1024 // KiB of one hash, beside which all else that a sign-in allocates is little
	h.Hasher = identity.NewCheapHasher(memory)
	h.user("anna", identity.PlainUser)
	// A hash is most of the time that a sign-in takes, and it is known by the memory it takes: clocks of a busy machine are not asked.
	for _, name := range []string{"anna", "nobody", "not a name"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, _, err := h.Login(t.Context(), identity.Anonymous(other), name, value(second)); fault.KindOf(err) != fault.Unauthenticated {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		h.clock.advance(16 * time.Minute)
		if hashes := float64(after.TotalAlloc-before.TotalAlloc) / (memory * 1024); hashes < 1 || hashes > 1.5 {
			t.Errorf("%q: %.2f hashes were computed, want 1", name, hashes)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	h := furnished(b)
	u := h.user("anna", identity.PlainUser)
	for _, name := range []string{"a", "b", "c"} {
		_, err := h.CreateGroup(b.Context(), h.root, name, "", []string{u.ID})
		h.must(err)
	}
	secret, _ := h.login("anna")
	for b.Loop() {
		if _, _, err := h.Authenticate(b.Context(), secret, home); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSecret(b *testing.B) {
	secret, _ := identity.NewSecret(identity.PrefixSession)
	for b.Loop() {
		if _, _, err := identity.ParseSecret(secret); err != nil {
			b.Fatal(err)
		}
	}
}
