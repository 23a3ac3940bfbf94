package vault

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

var testRecord = Record{Kind: "credential_version.value", ID: "0190c0de", Version: 7}

func mustSeal(t testing.TB, r *Ring, rec Record, plain string) Sealed {
	t.Helper()
	s, err := r.Seal(rec, NewValue([]byte(plain)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func holds(t testing.TB, v Value, want string) {
	t.Helper()
	if !v.Equal(NewValue([]byte(want))) {
		t.Error("the value is not the one that was sealed")
	}
}

// isUnreadable fails unless err is the one fault that Open gives, word for word.
func isUnreadable(t testing.TB, what string, v Value, err error) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Conflict || f.Code != "value-unreadable" || err.Error() != unreadable().Error() || v.Len() != 0 {
		t.Errorf("%s: got %v", what, err)
	}
}

func TestSealOpen(t *testing.T) {
	ring, _ := testRing(t)
	big := make([]byte, 1<<20)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"", "x", "trailing newline\n", "\xff\x00\xfe", string(big)} {
		s := mustSeal(t, ring, testRecord, plain)
		if len(s) != Overhead+len(plain) {
			t.Errorf("%d bytes seal to %d", len(plain), len(s))
		}
		if len(plain) > 1 && bytes.Contains(s, []byte(plain)) {
			t.Error("the ciphertext holds the plaintext")
		}
		if again := mustSeal(t, ring, testRecord, plain); bytes.Equal(s, again) {
			t.Error("two seals are equal")
		}
		v, err := ring.Open(testRecord, s)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, v, plain)
	}
	if s, err := ring.Seal(testRecord, Value{}); err != nil || len(s) != Overhead {
		t.Errorf("the zero Value seals to %d bytes, %v", len(s), err)
	}
	for _, rec := range []Record{{ID: "a"}, {Kind: "a"}, {}} {
		if _, err := ring.Seal(rec, Value{}); err == nil {
			t.Errorf("sealed for %+v", rec)
		}
	}
}

func TestOpenRefusesAnotherRecord(t *testing.T) {
	ring, _ := testRing(t)
	s := mustSeal(t, ring, Record{"ab", "c", 2}, "hunter2")
	for name, rec := range map[string]Record{
		"swap of row": {"ab", "d", 2}, "swap of column": {"abc", "c", 2}, "moved border": {"a", "bc", 2},
		"rollback": {"ab", "c", 3}, "later version": {"ab", "c", 1}, "negative": {"ab", "c", -2}, "empty": {},
	} {
		v, err := ring.Open(rec, s)
		isUnreadable(t, name, v, err)
	}
	other, _ := testRing(t)
	v, err := other.Open(Record{"ab", "c", 2}, s)
	isUnreadable(t, "another ring", v, err)
}

func TestOpenRefusesEveryFlipAndCut(t *testing.T) {
	ring, _ := testRing(t)
	s := mustSeal(t, ring, testRecord, "hunter2")
	for i := range len(s) * 8 {
		bad := bytes.Clone(s)
		bad[i/8] ^= 1 << (i % 8)
		v, err := ring.Open(testRecord, bad)
		isUnreadable(t, fmt.Sprintf("bit %d flipped", i), v, err)
	}
	for n := range len(s) {
		v, err := ring.Open(testRecord, s[:n])
		isUnreadable(t, fmt.Sprintf("cut to %d bytes", n), v, err)
	}
	v, err := ring.Open(testRecord, append(bytes.Clone(s), 0))
	isUnreadable(t, "a byte more", v, err)
	v, err = ring.Open(testRecord, nil)
	isUnreadable(t, "nothing", v, err)
}

// The header's key id is bound too: the same bytes under the id of another key that the ring holds do not open.
func TestOpenRefusesAnotherKeyID(t *testing.T) {
	root := testRoot(t, "")
	ring, _, err := NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	old := mustSeal(t, ring, testRecord, "hunter2")
	rows, err := ring.AddDataKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Reopen(root, rows); err != nil {
		t.Fatal(err)
	}
	swapped := bytes.Clone(old)
	copy(swapped[3:7], mustSeal(t, ring, testRecord, "")[3:7])
	v, err := ring.Open(testRecord, swapped)
	isUnreadable(t, "key id of another key", v, err)
}

func TestRecordKeyIsHKDF(t *testing.T) {
	secret := bytes.Repeat([]byte{7, 1}, 16)
	prk, err := hkdf.Extract(sha256.New, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	info := "\x00\x00\x00\x11keyturn/record/v1" + "\x00\x00\x00\x01k" + "\x00\x00\x00\x02id"
	want, err := hkdf.Key(sha256.New, secret, nil, info, KeyLen)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := newGCM(want)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := (&dataKey{prk: newKeyedMAC(prk)}).forRecord(Record{Kind: "k", ID: "id"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Open(nil, nil, theirs.Seal(nil, nil, []byte("x"), nil), nil); err != nil {
		t.Error("the record key is not HKDF-SHA256 of the data key")
	}
}

// A stored value must still open after every later version of this code: the ring, root key and value below are fixed.
func TestSealedFormatIsFixed(t *testing.T) {
	rec := Record{Kind: "k", ID: "i", Version: 1}
	got := fmt.Sprintf("%x", rec.associated(0x01020304))
	if want := "01" + "01" + "01020304" + "00000001" + "6b" + "00000001" + "69" + "0000000000000001"; got != want {
		t.Errorf("associated data is %s, want %s", got, want)
	}
	root, err := NewRootKey([]byte("0123456789abcdefghijklmnopqrstuv"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := OpenRing(root, goldenRows(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := ring.Open(rec, unhex(t, goldenSealed))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, v, "correct horse")
	if got := ring.Fingerprint(v).String(); got != goldenFingerprint {
		t.Errorf("fingerprint is %s, want %s", got, goldenFingerprint)
	}
}

func FuzzOpen(f *testing.F) {
	ring, _ := testRing(f)
	sealed := mustSeal(f, ring, testRecord, "hunter2")
	f.Add([]byte(sealed), testRecord.Kind, testRecord.ID, testRecord.Version)
	f.Add([]byte(sealed[:Overhead]), "", "", int64(-1))
	f.Add([]byte{}, "k", "i", int64(0))
	f.Fuzz(func(t *testing.T, b []byte, kind, id string, version int64) {
		s, rec := Sealed(b), Record{kind, id, version}
		if keyID, ok := s.KeyID(); ok && len(s) < Overhead {
			t.Fatalf("KeyID %d of %d bytes", keyID, len(s))
		}
		v, err := ring.Open(rec, s)
		if err == nil {
			if rec != testRecord || !bytes.Equal(s, sealed) {
				t.Fatalf("forged: %x opens as %+v", b, rec)
			}
			return
		}
		isUnreadable(t, "fuzz", v, err)
	})
}

// The whole package again, in a process that refuses everything that FIPS 140-3 does not approve.
func TestUnderFIPSOnly(t *testing.T) {
	if os.Getenv("KEYTURN_TEST_FIPS") != "" {
		t.Skip("this is the process in FIPS mode")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(Test|Fuzz)", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "KEYTURN_TEST_FIPS=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSealOpen") {
		t.Fatalf("%v\n%s", err, out)
	}
}
