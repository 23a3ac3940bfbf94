package keyring_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func asFault(err error) (*fault.Error, bool) { return errors.AsType[*fault.Error](err) }

// cutOff are records that are sealed again for some batches, and then the process is gone.
type cutOff struct {
	keyring.Records
	batches int
	after   bool // the last batch is stored, and nobody hears of it
}

var errGone = errors.New("the process is gone")

func (c *cutOff) Reseal(ctx context.Context, id uint32, owner string, until time.Time, batch []keyring.Resealed, ev audit.Event) error {
	if c.batches--; c.batches > 0 {
		return c.Records.Reseal(ctx, id, owner, until, batch, ev)
	}
	if c.after {
		if err := c.Records.Reseal(ctx, id, owner, until, batch, ev); err != nil {
			return err
		}
	}
	return errGone
}

// SR-23: a data key is replaced, everything is sealed again though that is cut off, and the old key is removed only then.
func TestADataKeyIsReplacedAndRemoved(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		root := found(t, s)
		r := join(t, s, root)
		e := r.fill(t, 150) // three batches
		if under := r.holds(t, e); under[1] != len(e.plain) {
			t.Fatalf("before: %v", under)
		}
		isFault(t, "the active key", r.Remove(ctx, anna, 1), fault.Conflict, "key-active")
		id, err := r.Rotate(ctx, anna)
		must(t, err)
		if k := r.key(t, 1); id != 4 || k.Active || k.RetiredAt.IsZero() || k.Records != int64(len(e.plain)) || !r.key(t, id).Active {
			t.Errorf("new key %d, the old one is %+v", id, k)
		}
		err = r.Remove(ctx, anna, 1)
		isFault(t, "a key in use", err, fault.Conflict, "key-in-use")
		if !strings.Contains(err.Error(), "303 records") {
			t.Errorf("the refusal does not say how many: %v", err)
		}
		for _, after := range []bool{false, true} { // two processes die in the middle, each after another part of its work
			if err := r.resealer(&cutOff{s, 2, after}).Do(ctx, "1"); !errors.Is(err, errGone) {
				t.Fatalf("it was not cut off: %v", err)
			}
			if under := r.holds(t, e); under[1] == 0 || under[id] == 0 {
				t.Errorf("in the middle: %v", under)
			}
			r = join(t, s, root) // the next process
		}
		if due, err := s.DueReseal(ctx, time.Now(), 10); err != nil || len(due) != 0 {
			t.Errorf("due while the lease of the dead process holds: %v, %v", due, err)
		}
		must(t, s.ReleaseLeases(ctx, "test"))
		r.settle(t)
		if under := r.holds(t, e); under[id] != len(e.plain) {
			t.Errorf("after: %v", under)
		}
		must(t, r.Remove(ctx, anna, 1))
		isFault(t, "again", r.Remove(ctx, anna, 1), fault.NotFound, "no-such-key")
		rows, _, err := s.RingKeys(ctx)
		must(t, err)
		for _, row := range rows {
			if row.ID == 1 {
				t.Error("the removed key is stored")
			}
		}
		r = join(t, s, root)
		if under := r.holds(t, e); under[id] != len(e.plain) || r.Ring.Holds(1) {
			t.Errorf("after the removal: %v", under)
		}
		recorded(t, s, map[string]int{"key.rotate": 1, "key.remove": 1})
		if n := len(events(t, s, "key.reseal")); n < 3 {
			t.Errorf("%d batches were recorded", n)
		}
	})
}

func events(t testing.TB, s *store.Store, action string) []store.AuditEntry {
	t.Helper()
	all, err := s.AuditEvents(t.Context(), store.AuditFilter{Action: action, Limit: 1000})
	must(t, err)
	return all
}

func recorded(t testing.TB, s *store.Store, want map[string]int) {
	t.Helper()
	for action, n := range want {
		if got := len(events(t, s, action)); got != n {
			t.Errorf("%s is recorded %d times, want %d", action, got, n)
		}
	}
}

func TestADamagedRecordKeepsItsKeyAndHoldsUpNobody(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		r := join(t, s, found(t, s))
		e := r.fill(t, 2)
		sealed, err := r.Ring.Seal(inventory.VersionRecord("another", 1), vault.NewValue([]byte("x")))
		must(t, err)
		bad := inventory.Account{ID: newID(), ResourceID: e.db.ID, Name: "bad", State: inventory.AccountUnverified, Current: 1, CreatedAt: time.Now()}
		v := inventory.Version{AccountID: bad.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: sealed}
		must(t, s.AddAccount(ctx, bad, &v, nil, happened("account.create")))
		id, err := r.Rotate(ctx, anna)
		must(t, err)
		r.settle(t)
		if under := r.holds(t, e); under[id] != len(e.plain) || r.key(t, 1).Records != 1 {
			t.Errorf("%v, the old key is %+v", under, r.key(t, 1))
		}
		isFault(t, "the key of a damaged record", r.Remove(ctx, anna, 1), fault.Conflict, "key-in-use")
	})
}

// SR-22: no key is used more often than it may. This one has two uses left, and is replaced without anybody asking.
func TestAKeyIsReplacedBeforeItIsUsedUp(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		root := found(t, s)
		must(t, s.ReserveUses(ctx, 1, vault.MaxUses-keyring.Block-2))
		r := join(t, s, root)
		if r.Ring.Active() != 1 {
			t.Fatal("replaced too early")
		}
		isFault(t, "more than there are", s.ReserveUses(ctx, 1, 3), fault.Conflict, "key-used-up")
		ctx, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		rec := vault.Record{Kind: "test", ID: "1"}
		for i := range keyring.Block { // half of it is enough to have the next block stored
			if _, err := r.Ring.Seal(rec, vault.NewValue([]byte("x"))); err != nil {
				t.Fatalf("seal %d: %v", i, err)
			}
		}
		for end := time.Now().Add(20 * time.Second); r.Ring.Active() == 1; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the key that has no uses left was not replaced")
			}
		}
		stop()
		must(t, <-done)
		sealed, err := r.Ring.Seal(rec, vault.NewValue([]byte("x")))
		must(t, err)
		if id, _ := sealed.KeyID(); id != r.Ring.Active() || id == 1 {
			t.Errorf("sealed with %d", id)
		}
		if k := r.key(t, 1); k.Uses > vault.MaxUses || k.Uses < r.Ring.Uses()[1] {
			t.Errorf("%d uses are stored, %d were made", k.Uses, r.Ring.Uses()[1])
		}
		if evs := events(t, s, "key.rotate"); len(evs) != 1 || evs[0].Actor.Name != "key-keeper" {
			t.Errorf("recorded: %+v", evs)
		}
	})
}

// Two servers share a key until it is used up: one of them replaces it, once.
func TestAKeyThatIsUsedUpIsReplacedOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		root := found(t, s)
		must(t, s.ReserveUses(t.Context(), 1, vault.MaxUses))
		var all sync.WaitGroup
		replicas := make([]*replica, 4)
		for i := range replicas {
			all.Go(func() { replicas[i] = join(t, s, root) })
		}
		all.Wait()
		for _, r := range replicas {
			must(t, r.Reload(t.Context()))
			if r.Ring.Active() != 4 {
				t.Errorf("the active key is %d", r.Ring.Active())
			}
		}
		recorded(t, s, map[string]int{"key.rotate": 1})
	})
}

func TestACrashCountsTooManyUsesAndNeverTooFew(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		root := found(t, s)
		made := uint64(0)
		for range 3 { // processes that die without a word
			r := join(t, s, root)
			for range 100 {
				_, err := r.Ring.Seal(vault.Record{Kind: "test", ID: "1"}, vault.NewValue([]byte("x")))
				must(t, err)
				made++
			}
			if k := r.key(t, 1); k.Uses < made {
				t.Fatalf("%d uses were made, %d are stored", made, k.Uses)
			}
		}
	})
}
