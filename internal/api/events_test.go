package api

import (
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
)

// Who has no grant is told that a restore has begun or ended, as the server's health tells everybody, and of nobody's users.
func TestEverybodyHearsOfARestore(t *testing.T) {
	plain := call{Actor: identity.Actor{ID: "u1", Name: "uma", Kind: identity.KindUser, Role: identity.PlainUser}}
	for kind, want := range map[string]bool{"restore": true, "user": false, "ring": false} {
		if got := (&Server{}).mayKnow(t.Context(), plain, client.Change{Kind: kind, ID: "x"}); got != want {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
}
