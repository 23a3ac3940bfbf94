package vault

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestAKeySealsNoMoreThanWasAllotted(t *testing.T) {
	root := testRoot(t, "")
	ring, _, err := NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	if ring.Left() != MaxUses {
		t.Errorf("a ring that nobody counts may seal %d times", ring.Left())
	}
	mustSeal(t, ring, testRecord, "before")
	ring.Allot(1, 50)
	if ring.Left() != 50 {
		t.Errorf("%d left, want 50", ring.Left())
	}
	var sealed, refused atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				_, err := ring.Seal(testRecord, val("x"))
				switch fault.KindOf(err) {
				case fault.Unavailable:
					refused.Add(1)
				default:
					if err != nil {
						t.Error(err)
					}
					sealed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if sealed.Load() != 50 || refused.Load() != 110 || ring.Left() != 0 || ring.Uses()[1] != 51 {
		t.Errorf("%d sealed, %d refused, %d left, %d uses", sealed.Load(), refused.Load(), ring.Left(), ring.Uses()[1])
	}
	ring.Allot(1, 1)
	mustSeal(t, ring, testRecord, "again")

	rows, err := ring.AddDataKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Refresh(rows); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Seal(testRecord, val("x")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a new key sealed before its uses were stored: %v", err)
	}
	ring.Allot(ring.Active(), 1)
	if id, _ := mustSeal(t, ring, testRecord, "new").KeyID(); id != ring.Active() {
		t.Errorf("sealed with %d", id)
	}
	if rows, err = ring.AddDataKey(); err != nil {
		t.Fatal(err)
	}
	ring.Allot(rows[len(rows)-1].ID, 1) // before the ring has it
	if err := ring.Refresh(rows); err != nil {
		t.Fatal(err)
	}
	mustSeal(t, ring, testRecord, "newest")
}

func TestAKeyThatAnotherServerMadeIsAskedFor(t *testing.T) {
	root := testRoot(t, "")
	mine, rows, err := NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := OpenRing(root, rows)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err = theirs.AddDataKey(); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Refresh(rows); err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, theirs, testRecord, "theirs")
	v, err := mine.Open(testRecord, sealed)
	isUnreadable(t, "nobody is asked", v, err)
	asked := []uint32{}
	mine.OnMissing(func(id uint32) {
		asked = append(asked, id)
		if err := mine.Refresh(rows); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		if v, err = mine.Open(testRecord, sealed); err != nil {
			t.Fatal(err)
		}
		holds(t, v, "theirs")
	}
	if len(asked) != 1 || asked[0] != theirs.Active() {
		t.Errorf("asked for %v", asked)
	}
}

func TestRefreshKeepsToItsRootKey(t *testing.T) {
	ring, before, err := NewRing(testRoot(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := ring.Rewrap(testRoot(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Refresh(rows); fault.KindOf(err) != fault.Sealed {
		t.Errorf("rows of another root key were taken over: %v", err)
	}
	holds(t, mustOpen(t, ring, mustSeal(t, ring, testRecord, "still")), "still")
	if err := ring.Refresh(before); err != nil {
		t.Error(err)
	}
}

func mustOpen(t *testing.T, ring *Ring, s Sealed) Value {
	t.Helper()
	v, err := ring.Open(testRecord, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRemove(t *testing.T) {
	ring, _, err := NewRing(testRoot(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Remove(1); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the active key: %v", err)
	}
	rows, err := ring.AddDataKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Refresh(rows); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint32{2, 3, 9} { // the fingerprint key, the audit log's seed, nothing
		if _, err := ring.Remove(id); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%d: %v", id, err)
		}
	}
	left, err := ring.Remove(1)
	if err != nil || len(left) != len(rows)-1 || !ring.Holds(1) {
		t.Errorf("%d rows, %v", len(left), err)
	}
	sealed := mustSeal(t, ring, testRecord, "x")
	if id, _ := sealed.KeyID(); !bytes.Equal(sealed[3:7], RingKey{ID: id}.Tag()) {
		t.Error("the tag is not what stands in a sealed value")
	}
}
