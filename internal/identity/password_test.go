package identity

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const passphrase = "gravel teapot Orion nineteen"

func value(s string) vault.Value { return vault.NewValue([]byte(s)) }

func TestHasherBothAlgorithms(t *testing.T) {
	for prefix, c := range map[string]cost{"$argon2id$v=19$m=19456,t=2,p=1$": argon2Cost, "$pbkdf2-sha256$i=600000$": pbkdf2Cost} {
		t.Run(c.algorithm, func(t *testing.T) {
			h := newHasher(c, 1, time.Minute)
			hash, err := h.Hash(t.Context(), value(passphrase))
			if err != nil || !strings.HasPrefix(hash, prefix) {
				t.Fatalf("Hash: %v, prefix wanted: %s", err, prefix)
			}
			if again, _ := h.Hash(t.Context(), value(passphrase)); again == hash {
				t.Error("two hashes share a salt")
			}
			for text, want := range map[string]bool{passphrase: true, passphrase + " ": false, "": false} {
				ok, rehash, err := h.Verify(t.Context(), hash, value(text))
				if err != nil || ok != want || rehash {
					t.Errorf("Verify: ok %v, want %v; rehash %v; %v", ok, want, rehash, err)
				}
			}
			if err := h.VerifyNobody(t.Context(), value(passphrase)); err != nil {
				t.Error(err)
			}
			nobody, err := parseHash(h.nobody)
			if err != nil || nobody.cost != c {
				t.Errorf("nobody's hash costs something else: %v", err)
			}
		})
	}
}

func TestVerifyAsksForRehash(t *testing.T) {
	cheap := cost{algorithm: algArgon2, memory: 64, iterations: 1}
	old, err := newHasher(cheap, 1, time.Minute).Hash(t.Context(), value(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	ok, rehash, err := newHasher(pbkdf2Cost, 1, time.Minute).Verify(t.Context(), old, value(passphrase))
	if err != nil || !ok || !rehash {
		t.Errorf("ok %v, rehash %v, %v", ok, rehash, err)
	}
}

func TestHashIsOfTheNormalForm(t *testing.T) {
	h := newHasher(cost{algorithm: algArgon2, memory: 64, iterations: 1}, 1, time.Minute)
	hash, err := h.Hash(t.Context(), value("caf\u00e9 "+passphrase))
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := h.Verify(t.Context(), hash, value("cafe\u0301 "+passphrase)); err != nil || !ok {
		t.Errorf("ok %v, %v", ok, err)
	}
}

func TestHasherBusy(t *testing.T) {
	h := newHasher(argon2Cost, 1, 10*time.Millisecond)
	h.places <- struct{}{}
	_, err := h.Hash(t.Context(), value(passphrase))
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Throttled || f.RetryAfter <= 0 {
		t.Errorf("got %v, want throttled with a wait", err)
	}
	if err := h.VerifyNobody(t.Context(), value(passphrase)); !errors.Is(err, fault.Throttled) {
		t.Errorf("nobody is told something else than somebody: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, value(passphrase)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	<-h.places
	if _, err := h.Hash(t.Context(), value(passphrase)); err != nil {
		t.Errorf("the place stayed taken: %v", err)
	}
}

func FuzzParseHash(f *testing.F) {
	salt, sum := strings.Repeat("A", 22), strings.Repeat("A", 43)
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum)
	f.Add("$pbkdf2-sha256$i=600000$" + salt + "$" + sum)
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + sum)
	f.Add("$argon2i$v=16$m=1,t=1,p=1$$")
	f.Add("$$$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseHash(s)
		if err != nil {
			return
		}
		if e.String() != s || !e.sane() {
			t.Error("accepted what String does not write")
		}
	})
}

func TestCheckPassword(t *testing.T) {
	for _, c := range []struct{ name, password, code string }{
		{"anna", passphrase, ""},
		{"anna", "aaaaabbbbbccccc", ""},
		{"a", "banana salad and a car", ""},
		{"anna", "fourteen chars", "password-short"},
		{"anna", "ÄÖÜäöüß", "password-short"}, // 14 bytes and more are not 15 characters
		{"anna", "", "password-short"},
		{"anna", "\xff\xfe" + passphrase, "password-short"},
		{"anna", "annaAnnaANNAanna", "password-guessable"},
		{"anna", "anna-anna-anna-1", "password-guessable"},
		{"anna", "Password12345678", "password-guessable"},
		{"anna", "qwertyuiopasdfghjkl", "password-guessable"},
		{"anna", strings.Repeat("z", 20), "password-guessable"},
		{"anna", "correcthorsebatterystaple", "password-guessable"},
		{"anna", strings.Repeat("x y", 342), "password-long"},
	} {
		err := CheckPassword(c.name, value(c.password))
		f, _ := errors.AsType[*fault.Error](err)
		if c.code == "" && err != nil || c.code != "" && (f == nil || f.Code != c.code || f.Kind != fault.Invalid) {
			t.Errorf("%q: got %v, want %q", c.password, err, c.code)
		}
		if err != nil && len(c.password) > 8 && strings.Contains(err.Error(), c.password) {
			t.Errorf("the error echoes the password")
		}
	}
}
