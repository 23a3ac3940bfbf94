package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/store"
)

func TestARepeatedRequestIsAnsweredOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		claim := func(actor, key, route, hash string) (*store.Reply, bool, string) {
			t.Helper()
			stored, fresh, err := s.ClaimKey(ctx, actor, key, route, []byte(hash))
			f, ok := errors.AsType[*fault.Error](err)
			if err != nil && !ok {
				t.Fatal(err)
			}
			if ok {
				return stored, fresh, f.Code
			}
			return stored, fresh, ""
		}
		if _, fresh, code := claim("u", "k", "POST /a", "h"); !fresh || code != "" {
			t.Fatalf("the first: %v %s", fresh, code)
		}
		if _, fresh, code := claim("u", "k", "POST /a", "h"); fresh || code != "in-progress" {
			t.Errorf("while it runs: %v %s", fresh, code)
		}
		if _, fresh, code := claim("v", "k", "POST /a", "h"); !fresh || code != "" {
			t.Errorf("another actor: %v %s", fresh, code)
		}
		must(t, s.FinishKey(ctx, "u", "k", 201, []byte("answer")))
		if stored, fresh, code := claim("u", "k", "POST /a", "h"); fresh || code != "" || stored == nil || stored.Status != 201 || string(stored.Body) != "answer" {
			t.Errorf("afterwards: %+v %v %s", stored, fresh, code)
		}
		for _, other := range [][2]string{{"POST /a", "h2"}, {"POST /b", "h"}} {
			if _, fresh, code := claim("u", "k", other[0], other[1]); fresh || code != "idempotency-key-reused" {
				t.Errorf("%v: %v %s", other, fresh, code)
			}
		}
		must(t, s.FinishKey(ctx, "u", "k", 500, nil)) // what was answered stays
		if stored, _, _ := claim("u", "k", "POST /a", "h"); stored == nil || stored.Status != 201 {
			t.Errorf("%+v", stored)
		}
		must(t, s.FinishKey(ctx, "v", "k", 0, nil))
		if _, fresh, _ := claim("v", "k", "POST /a", "h"); !fresh {
			t.Error("a key that was given back is not fresh")
		}
		// Of two keys one was answered; the other's request has died.
		if n, err := s.DropOldKeys(ctx, time.Time{}, time.Now().Add(time.Second)); err != nil || n != 1 {
			t.Errorf("dropped %d unanswered keys: %v", n, err)
		}
		if n, err := s.DropOldKeys(ctx, time.Now().Add(time.Second), time.Time{}); err != nil || n != 1 {
			t.Errorf("dropped %d, %v", n, err)
		}
	})
}

func TestOneOfManyRepetitionsIsFresh(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		fresh := make(chan bool)
		for range 16 {
			go func() {
				_, ok, err := s.ClaimKey(t.Context(), "u", "k", "POST /a", []byte("h"))
				if err != nil && fault.KindOf(err) != fault.Conflict {
					t.Error(err)
				}
				fresh <- ok
			}()
		}
		n := 0
		for range 16 {
			if <-fresh {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d are fresh", n)
		}
	})
}
