package vault

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

// Who knows a value only by its SHA-256 finds it too.
func TestFingerprintOfHash(t *testing.T) {
	ring, _ := testRing(t)
	for _, plain := range []string{"", "hunter2", strings.Repeat("x", 1<<16)} {
		if got, want := ring.FingerprintOfHash(sha256.Sum256([]byte(plain))), ring.Fingerprint(NewValue([]byte(plain))); got != want {
			t.Errorf("%d bytes: the hash has the fingerprint %s, the value %s", len(plain), got, want)
		}
	}
}

func TestAlias(t *testing.T) {
	ring, _ := testRing(t)
	other, _ := testRing(t)
	fp := ring.Fingerprint(NewValue([]byte("hunter2")))
	a := ring.Alias(fp)
	if a == Alias(fp) || a == other.Alias(fp) {
		t.Error("an alias is the fingerprint, or is not keyed")
	}
	if ring.Unalias(a) != fp || other.Unalias(a) == fp {
		t.Error("an alias does not stand for its fingerprint, or does so under another key")
	}
	back, err := ParseAlias(a.String())
	if err != nil || back != a {
		t.Errorf("ParseAlias: %v, %v", back, err)
	}
	for _, bad := range []string{"", "00", a.String()[1:], a.String() + "0", a.String() + "00", strings.Repeat("g", 32), "../" + a.String()[3:]} {
		if _, err := ParseAlias(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q is an alias: %v", bad, err)
		}
	}
}

func TestMarkOf(t *testing.T) {
	ring, _ := testRing(t)
	for plain, common := range map[string]bool{
		"": true, "x": true, "abc": true, " \n": true, "ab \n": true, // too short
		"5432": true, "65535": true, "2026\n": true, "123456": false, // a number of six digits may be a PIN
		"true": true, "False": true, "LOCALHOST": true, "{}": true, "trueish": false,
		"hunter2": false, "p4ss": false, "postgres": false,
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n":                                                            true,
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----": false,
	} {
		v := NewValue([]byte(plain))
		if got, want := MarkOf(ring, v), (Mark{Print: ring.Fingerprint(v), Common: common}); got != want {
			t.Errorf("%q: common is %v, want %v", plain, got.Common, want.Common)
		}
	}
}
