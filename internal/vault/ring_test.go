package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
)

// A ring under the root key "0123456789abcdefghijklmnopqrstuv", and a value sealed with it, as the first release wrote them.
const (
	goldenData        = "01011a5777d0ef8471fdde6896758332ac052d67c9c059795f07d4df54af3f1f2b5a94ea2f88ab45fe49a7475f3ec876b3c5c3ce360a5a275543436cb611"
	goldenPrint       = "0101e7fa17deb1e87988716b36756a57fbb8e0cb29aef4b0c019c9c8e1bdfa0151126c3ac4f0bf15e7de50ef66970f441221d21c613dc6384bd285fe6a93"
	goldenSealed      = "4b010100000001255f040f125a03846d02b2b5075b8a9c6072686be8210fcd9547411738eac5256009bd5a58591fcdef"
	goldenFingerprint = "36d93408e5be3846b9a2de2fdf6bfde8"
)

func goldenRows(t *testing.T) []RingKey {
	t.Helper()
	return []RingKey{
		{ID: 1, Purpose: PurposeData, Wrapped: unhex(t, goldenData)},
		{ID: 2, Purpose: PurposeFingerprint, Wrapped: unhex(t, goldenPrint)},
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testRoot returns a random root key that begins with prefix.
func testRoot(t testing.TB, prefix string) RootKey {
	t.Helper()
	b := make([]byte, KeyLen)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	copy(b, prefix)
	root, err := NewRootKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func testRing(t testing.TB) (*Ring, []RingKey) {
	t.Helper()
	r, rows, err := NewRing(testRoot(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	return r, rows
}

func hasCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Sealed || f.Code != code || f.Cure == "" {
		t.Errorf("%s: got %v, want code %s", what, err, code)
	}
}

func TestRingOpensAgain(t *testing.T) {
	root := testRoot(t, "")
	ring, rows, err := NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, ring, testRecord, "hunter2")
	slices.Reverse(rows) // the order in which the store returns them does not matter
	again, err := OpenRing(root, rows)
	if err != nil {
		t.Fatal(err)
	}
	v, err := again.Open(testRecord, sealed)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, v, "hunter2")
	if ring.Fingerprint(v) != again.Fingerprint(v) {
		t.Error("the fingerprint changed")
	}
	a, errA := ring.Secret(PurposeAuditSeed)
	b, errB := again.Secret(PurposeAuditSeed)
	if errA != nil || errB != nil || a.Len() != KeyLen || !a.Equal(b) {
		t.Errorf("the audit seed changed: %v, %v", errA, errB)
	}
	a.Wipe() // a copy: the ring keeps its own
	if c, _ := ring.Secret(PurposeAuditSeed); !c.Equal(b) {
		t.Error("Secret gave the ring's own bytes away")
	}
	for _, name := range []string{PurposeData, PurposeFingerprint, "nothing", ""} {
		if _, err := ring.Secret(name); !errors.Is(err, fault.NotFound) {
			t.Errorf("Secret(%q): %v", name, err)
		}
	}
}

func TestOpenRingRefuses(t *testing.T) {
	root := testRoot(t, "")
	ring, rows, err := NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(change func(rows []RingKey) []RingKey) []RingKey {
		c := slices.Clone(rows)
		for i := range c {
			c[i].Wrapped = bytes.Clone(c[i].Wrapped)
		}
		return change(c)
	}
	for name, tc := range map[string]struct {
		root RootKey
		rows []RingKey
		code string
	}{
		"wrong root key": {testRoot(t, ""), rows, "wrong-root-key"},
		"no root key":    {RootKey{}, rows, "root-key-missing"},
		"no rows":        {root, nil, "ring-damaged"},
		"flipped byte":   {root, damage(func(r []RingKey) []RingKey { r[0].Wrapped[20] ^= 1; return r }), "ring-damaged"},
		"cut row":        {root, damage(func(r []RingKey) []RingKey { r[1].Wrapped = r[1].Wrapped[:5]; return r }), "ring-damaged"},
		"swapped rows":   {root, damage(func(r []RingKey) []RingKey { r[0].Wrapped, r[1].Wrapped = r[1].Wrapped, r[0].Wrapped; return r }), "ring-damaged"},
		"other purpose":  {root, damage(func(r []RingKey) []RingKey { r[2].Purpose = PurposeData; return r }), "ring-damaged"},
		"other id":       {root, damage(func(r []RingKey) []RingKey { r[2].ID = 9; return r }), "ring-damaged"},
		"twice the same": {root, append(slices.Clone(rows), rows[0]), "ring-damaged"},
		"no data key":    {root, rows[1:], "ring-damaged"},
		"no fingerprint": {root, []RingKey{rows[0], rows[2]}, "ring-damaged"},
		"all retired":    {root, damage(func(r []RingKey) []RingKey { r[0].RetiredAt = time.Now(); return r }), "ring-damaged"},
	} {
		opened, err := OpenRing(tc.root, tc.rows)
		hasCode(t, name, err, tc.code)
		if opened != nil {
			t.Errorf("%s: a ring came with the error", name)
		}
		hasCode(t, name+", reopen", ring.Reopen(tc.root, tc.rows), tc.code)
	}
	mustSeal(t, ring, testRecord, "still works after refused reopens")
	if _, _, err := NewRing(RootKey{}); err == nil {
		t.Error("a ring without root key")
	}
}

func TestAddDataKey(t *testing.T) {
	root := testRoot(t, "")
	ring, before, err := NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	old := mustSeal(t, ring, testRecord, "old")
	rows, err := ring.AddDataKey()
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := mustSeal(t, ring, testRecord, "").KeyID(); id != 1 || ring.Active() != 1 {
		t.Fatal("a key seals that is not stored yet")
	}
	if len(rows) != 4 || !before[0].RetiredAt.IsZero() || !rows[0].RetiredAt.Equal(rows[3].CreatedAt) || rows[3].ID != 4 {
		t.Fatalf("rows %+v", rows)
	}
	if diff := cmp.Diff(before[1:], rows[1:3]); diff != "" {
		t.Error(diff)
	}
	if err := ring.Reopen(root, rows); err != nil {
		t.Fatal(err)
	}
	fresh := mustSeal(t, ring, testRecord, "new")
	if id, ok := fresh.KeyID(); id != 4 || !ok || ring.Active() != 4 || !ring.Holds(1) || !ring.Holds(4) || ring.Holds(2) {
		t.Errorf("the new key does not seal: id %d", id)
	}
	for s, want := range map[string]string{string(old): "old", string(fresh): "new"} {
		v, err := ring.Open(testRecord, Sealed(s))
		if err != nil {
			t.Fatal(err)
		}
		holds(t, v, want)
	}
	if diff := cmp.Diff(map[uint32]uint64{1: 2, 4: 1}, ring.Uses()); diff != "" {
		t.Errorf("uses: %s", diff)
	}
	if err := ring.Reopen(root, rows[1:]); err != nil { // the old key has no references left and is removed
		t.Fatal(err)
	}
	v, err := ring.Open(testRecord, old)
	isUnreadable(t, "removed key", v, err)
}

func TestRewrap(t *testing.T) {
	oldRoot, newRoot := testRoot(t, ""), testRoot(t, "")
	ring, before, err := NewRing(oldRoot)
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, ring, testRecord, "hunter2")
	rows, err := ring.Rewrap(newRoot)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRing(oldRoot, rows); err == nil {
		t.Error("the old root key opens the new rows")
	}
	if _, err := OpenRing(oldRoot, before); err != nil {
		t.Errorf("Rewrap changed the rows that are stored: %v", err)
	}
	if err := ring.Reopen(newRoot, rows); err != nil {
		t.Fatal(err)
	}
	more, err := ring.AddSecret("cookie")
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenRing(newRoot, more)
	if err != nil {
		t.Fatal(err)
	}
	v, err := again.Open(testRecord, sealed)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, v, "hunter2")
	if s, err := again.Secret("cookie"); err != nil || s.Len() != KeyLen {
		t.Errorf("added secret: %v", err)
	}
	hasCode(t, "half rewrapped", func() error { _, err := OpenRing(newRoot, append(rows[:1:1], before[1:]...)); return err }(), "ring-damaged")
	if _, err := ring.Rewrap(RootKey{}); err == nil {
		t.Error("rewrapped with no key")
	}
	for _, name := range []string{"", PurposeData, PurposeFingerprint} {
		if _, err := ring.AddSecret(name); err == nil {
			t.Errorf("added secret %q", name)
		}
	}
}

func TestNewRootKey(t *testing.T) {
	for _, b := range [][]byte{nil, {}, make([]byte, 31), make([]byte, 33), make([]byte, 32), []byte(strings.Repeat("a", 32))} {
		_, err := NewRootKey(b)
		hasCode(t, "root key", err, "root-key-malformed")
	}
	root := testRoot(t, "")
	root.Wipe()
	_, _, err := NewRing(root)
	hasCode(t, "wiped", err, "root-key-missing")
}

func TestFingerprint(t *testing.T) {
	ring, _ := testRing(t)
	other, _ := testRing(t)
	seen := map[Fingerprint]string{}
	for _, plain := range []string{"", "\x00", "a", "b", "aa", strings.Repeat("a", 1<<20)} {
		v := NewValue([]byte(plain))
		fp := ring.Fingerprint(v)
		if was, dup := seen[fp]; dup {
			t.Errorf("%d and %d bytes share a fingerprint", len(was), len(plain))
		}
		seen[fp] = plain
		if fp == (Fingerprint{}) || fp != ring.Fingerprint(NewValue([]byte(plain))) || fp == other.Fingerprint(v) {
			t.Errorf("%d bytes: the fingerprint is zero, not stable, or not keyed", len(plain))
		}
	}
	if ring.Fingerprint(Value{}) != ring.Fingerprint(NewValue([]byte{})) {
		t.Error("two empty values differ")
	}
}

// Values are sealed, opened and fingerprinted while the ring changes under them.
func TestRingConcurrently(t *testing.T) {
	root := testRoot(t, "")
	ring, _, err := NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	want := ring.Fingerprint(NewValue([]byte("hunter2")))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				v, err := ring.Open(testRecord, mustSeal(t, ring, testRecord, "hunter2"))
				if err != nil || ring.Fingerprint(v) != want {
					t.Errorf("open: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		rows, err := ring.AddDataKey()
		if err != nil {
			t.Fatal(err)
		}
		next := testRoot(t, "")
		if err := ring.Reopen(root, rows); err != nil {
			t.Fatal(err)
		}
		if rows, err = ring.Rewrap(next); err != nil {
			t.Fatal(err)
		}
		if err := ring.Reopen(next, rows); err != nil {
			t.Fatal(err)
		}
		root = next
	}
	wg.Wait()
	var uses uint64
	for _, n := range ring.Uses() {
		uses += n
	}
	if uses != 800 {
		t.Errorf("%d uses were counted, want 800", uses)
	}
}

func BenchmarkSeal(b *testing.B) {
	ring, _ := testRing(b)
	v := NewValue(bytes.Repeat([]byte("v"), 1024))
	b.SetBytes(1024)
	for b.Loop() {
		if _, err := ring.Seal(testRecord, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	ring, _ := testRing(b)
	s := mustSeal(b, ring, testRecord, strings.Repeat("v", 1024))
	b.SetBytes(1024)
	for b.Loop() {
		if _, err := ring.Open(testRecord, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	ring, _ := testRing(b)
	v := NewValue(bytes.Repeat([]byte("v"), 32))
	for b.Loop() {
		ring.Fingerprint(v)
	}
}
