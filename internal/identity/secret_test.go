package identity

import (
	"errors"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func plain(t *testing.T, v vault.Value) string {
	t.Helper()
	var s string
	if err := v.Expose(func(b []byte) error { s = string(b); return nil }); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSecretComesBack(t *testing.T) {
	seen := map[SecretHash]bool{}
	for _, p := range []Prefix{PrefixToken, PrefixSession, PrefixSetup} {
		for range 100 {
			secret, hash := NewSecret(p)
			gotPrefix, gotHash, err := ParseSecret(secret)
			if err != nil || gotPrefix != p || !gotHash.Equal(hash) {
				t.Fatalf("%s: got %s, %v", p, gotPrefix, err)
			}
			if seen[hash] {
				t.Fatal("the same secret twice")
			}
			seen[hash] = true
		}
	}
}

func TestParseSecretRefusesEveryChangedCharacter(t *testing.T) {
	secret, hash := NewSecret(PrefixToken)
	s := plain(t, secret)
	for i := range len(s) {
		for _, c := range []byte("A7a1_ \x00") {
			if s[i] == c {
				continue
			}
			_, got, err := ParseSecret(value(s[:i] + string(c) + s[i+1:]))
			if !errors.Is(err, fault.Unauthenticated) || got != (SecretHash{}) {
				t.Errorf("position %d changed to %q: %v", i, c, err)
			}
			if got.Equal(hash) {
				t.Error("equal to something else")
			}
		}
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, p := range []Prefix{PrefixToken, PrefixSession, PrefixSetup, "xx_"} {
		secret, _ := NewSecret(p)
		_ = secret.Expose(func(b []byte) error { f.Add(string(b)); return nil })
	}
	for _, s := range []string{"", "kt_", "kt_" + strings.Repeat("A", 33), strings.Repeat("k", 1<<16)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, hash, err := ParseSecret(value(s))
		if err != nil {
			if p != "" || hash != (SecretHash{}) || !errors.Is(err, fault.Unauthenticated) {
				t.Error("a refusal that is none")
			}
			return
		}
		if len(s) != secretSize || !strings.HasPrefix(s, string(p)) || strings.ToUpper(s[3:]) != s[3:] {
			t.Error("accepted another form")
		}
	})
}
