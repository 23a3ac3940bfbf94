package policy

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

var update = flag.Bool("update", false, "write testdata/matrix.golden")

// cell has one letter a level that allows (none, view, use, reveal, manage), without and with ownership.
func cell(role identity.Role, op Operation) string {
	var out [2]string
	for i, owner := range []string{"other", "me"} {
		for n, l := range Levels() {
			c := "-"
			if Decide(identity.Actor{ID: "me", Kind: identity.KindUser, Role: role}, op, Object{ID: "o", Level: l, Owner: owner}).Allowed {
				c = "nvurm"[n : n+1]
			}
			out[i] += c
		}
	}
	if out[0] == out[1] {
		return out[0]
	}
	return out[0] + "/" + out[1]
}

func TestMatrix(t *testing.T) {
	var b strings.Builder
	for _, op := range Operations() {
		fmt.Fprintf(&b, "%-17s", op)
		for _, role := range append(identity.Roles(), "") {
			fmt.Fprintf(&b, " %-11s", cell(role, op))
		}
		fmt.Fprintf(&b, " anonymous=%v\n", Decide(identity.Anonymous(""), op, Object{}).Allowed)
	}
	for _, s := range Systems() {
		fmt.Fprintf(&b, "%s: %v\n", s, systems[s])
	}
	if *update {
		if err := os.WriteFile("testdata/matrix.golden", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/matrix.golden")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("the policy changed; run with -update if that is meant (-want +got):\n%s", d)
	}
}

func TestTokens(t *testing.T) {
	for _, tt := range []struct {
		scope string
		role  identity.Role
		op    Operation
		want  bool
	}{
		{"*", identity.Administrator, AccountReveal, true},
		{"*", identity.PlainUser, AccountReveal, false},
		{"account.*", identity.Administrator, AccountReveal, true},
		{"account.get", identity.Administrator, AccountReveal, false},
		{"*", identity.Administrator, UserCreate, false},
		{"*", identity.Administrator, TokenCreate, false},
		{"*", identity.Administrator, GrantCreate, false},
		{"user.create", identity.Administrator, UserCreate, true},
		{"user.*", identity.Operator, UserCreate, false},
		{"*", "", AccountGet, false},
		{"account.get", identity.PlainUser, SessionGet, true},
	} {
		a := identity.Actor{ID: "me", Kind: identity.KindToken, Role: tt.role, Scopes: []string{tt.scope}}
		if got := Decide(a, tt.op, Object{Owner: "me"}).Allowed; got != tt.want {
			t.Errorf("%s token of %q: %s = %v, want %v", tt.scope, tt.role, tt.op, got, tt.want)
		}
	}
}

func TestErr(t *testing.T) {
	user := identity.Actor{ID: "u", Kind: identity.KindUser, Role: identity.PlainUser}
	for _, tt := range []struct {
		actor identity.Actor
		level Level
		want  error
	}{
		{user, None, fault.NotFound}, {user, View, fault.Denied}, {user, Reveal, nil},
		{identity.Anonymous(""), None, fault.Unauthenticated}, {identity.System("nobody"), Manage, fault.Denied},
	} {
		if err := Decide(tt.actor, AccountReveal, Object{ID: "a", Level: tt.level}).Err(tt.actor); !errors.Is(err, tt.want) {
			t.Errorf("%s at %s: %v, want %v", tt.actor.Kind, tt.level, err, tt.want)
		}
	}
	if Decide(user, "no.such", Object{}).Allowed || Visible(user).All || !Visible(identity.System("cluster-sync")).All {
		t.Error("an unknown operation is allowed, or visibility is wrong")
	}
}
