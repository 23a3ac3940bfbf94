package keyring

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Keeper keeps one process's ring equal to the stored one, and changes both. Set its fields, then call Start once.
type Keeper struct {
	Store Store
	Ring  *vault.Ring
	// Root finds the root key that opens rows, after it was replaced. It fails with fault.Sealed when this server has none
	// that does.
	Root func(ctx context.Context, rows []vault.RingKey) (vault.RootKey, error)
	Log  *slog.Logger
	// Retired, if set, is called after a data key was retired here: there is something to seal again.
	Retired func()

	mu       sync.Mutex // one reading or change at a time
	rev      int64      // of the rows that Ring holds; 0: not known
	counting bool       // uses are stored before they are made

	once sync.Once
	woke chan struct{}
}

// How often the ring is looked after without a wake-up, and how long a value that is to be opened waits for it.
const (
	countEvery   = 500 * time.Millisecond
	reloadEvery  = 10 * time.Second
	openPatience = 10 * time.Second
	mostTries    = 8
)

// Start has uses stored for the active key before anything is sealed, and has Ring ask for the stored keys when it meets
// one that it does not hold.
func (k *Keeper) Start(ctx context.Context) error {
	k.Ring.OnMissing(func(uint32) {
		ctx, stop := context.WithTimeout(context.Background(), openPatience)
		defer stop()
		if err := k.Reload(ctx); err != nil {
			k.Log.Error("the keys that another server has made could not be read", "err", err)
		}
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(ctx); err != nil {
		return err
	}
	return k.ahead(ctx)
}

// Wake says that the stored ring may be another. It never blocks.
func (k *Keeper) Wake() {
	select {
	case k.woken() <- struct{}{}:
	default:
	}
}

func (k *Keeper) woken() chan struct{} {
	k.once.Do(func() { k.woke = make(chan struct{}, 1) })
	return k.woke
}

// Run follows the stored ring and stores uses ahead until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	counting, reloading := time.NewTicker(countEvery), time.NewTicker(reloadEvery)
	defer counting.Stop()
	defer reloading.Stop()
	for {
		look := k.Reload
		select {
		case <-ctx.Done():
			return nil
		case <-counting.C:
			look = k.count
		case <-reloading.C:
		case <-k.woken():
		}
		if err := look(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("the key ring cannot be looked after; it will be tried again", "err", err)
		}
	}
}

// Reload takes over the stored ring if it is another than the one that is open. Values are opened and sealed meanwhile.
func (k *Keeper) Reload(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reload(ctx)
}

func (k *Keeper) reload(ctx context.Context) error {
	rows, rev, err := k.Store.RingKeys(ctx)
	if err != nil || rev == k.rev {
		return err
	}
	if id := activeOf(rows); k.counting && !k.Ring.Holds(id) { // it seals as soon as the ring has it
		if err := k.reserve(ctx, id); err != nil && !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	if err := k.open(ctx, rows); err != nil {
		return err
	}
	k.rev = rev
	return nil
}

func (k *Keeper) open(ctx context.Context, rows []vault.RingKey) error {
	err := k.Ring.Refresh(rows)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != "wrong-root-key" || k.Root == nil {
		return err
	}
	root, err := k.Root(ctx, rows)
	if err != nil {
		return err
	}
	defer root.Wipe()
	return k.Ring.Reopen(root, rows)
}

// activeOf returns the id of the data key that seals.
func activeOf(rows []vault.RingKey) (id uint32) {
	for _, row := range rows {
		if row.Purpose == vault.PurposeData && row.RetiredAt.IsZero() {
			id = max(id, row.ID)
		}
	}
	return id
}

func (k *Keeper) count(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ahead(ctx)
}

// ahead has the next uses of the active key stored when those before are half used up. A key that has none left is
// replaced.
func (k *Keeper) ahead(ctx context.Context) error {
	if k.counting && k.Ring.Left() >= Block/2 {
		return nil
	}
	id := k.Ring.Active()
	err := k.reserve(ctx, id)
	if !errors.Is(err, fault.Conflict) {
		return err
	}
	k.counting = true
	// Whatever comes, the key seals no more than was stored.
	k.Ring.Allot(id, 0)
	if err := k.reload(ctx); err != nil || k.Ring.Active() != id { // another server was faster
		return err
	}
	k.Log.Info("the data key has been used as often as it may, and is replaced", "key", id)
	_, err = k.rotate(ctx, identity.System("key-keeper"), id)
	return err
}

func (k *Keeper) reserve(ctx context.Context, id uint32) error {
	if err := k.Store.ReserveUses(ctx, id, Block); err != nil {
		return err
	}
	k.counting = true
	k.Ring.Allot(id, Block)
	return nil
}

// Keys returns the data keys, the newest first.
func (k *Keeper) Keys(ctx context.Context) ([]Key, error) { return k.Store.DataKeys(ctx) }

// Rotate makes a new data key, which seals from now on, and returns its id. The one before still opens what it has sealed.
func (k *Keeper) Rotate(ctx context.Context, actor identity.Actor) (uint32, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rotate(ctx, actor, 0)
}

// rotate is Rotate, but only while the active key is instead, if that is not 0.
func (k *Keeper) rotate(ctx context.Context, actor identity.Actor, instead uint32) (id uint32, err error) {
	err = k.change(ctx, func() ([]vault.RingKey, audit.Event, error) {
		before := k.Ring.Active()
		if instead != 0 && before != instead {
			return nil, audit.Event{}, errDone
		}
		rows, err := k.Ring.AddDataKey()
		if err != nil {
			return nil, audit.Event{}, err
		}
		id = activeOf(rows)
		return rows, audit.New(actor, "key.rotate", object(id)).With("before", text(before)), nil
	}, nil)
	if err == nil && k.Retired != nil {
		k.Retired()
	}
	return id, err
}

// Remove deletes a retired data key. It fails with fault.Conflict while anything refers to it: the answer says how much.
func (k *Keeper) Remove(ctx context.Context, actor identity.Actor, id uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(ctx); err != nil {
		return err
	}
	if _, err := k.Ring.Remove(id); err != nil {
		return err
	}
	if err := k.Store.RemoveKey(ctx, id, audit.New(actor, "key.remove", object(id))); err != nil {
		return err
	}
	k.follow(ctx)
	return nil
}

// ChangeRoot has every key wrapped by another root key, in one transaction: before it only the old one opens the
// repository, afterwards only the new one. The caller has made sure that the new one outlives a crash. It reports false
// when the keys were wrapped by it already.
func (k *Keeper) ChangeRoot(ctx context.Context, actor identity.Actor, root vault.RootKey) (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err = k.change(ctx, func() ([]vault.RingKey, audit.Event, error) {
		stored, _, err := k.Store.RingKeys(ctx)
		if err != nil {
			return nil, audit.Event{}, err
		}
		if _, err := vault.OpenRing(root, stored); err == nil {
			return nil, audit.Event{}, errDone
		}
		rows, err := k.Ring.Rewrap(root)
		if err != nil {
			return nil, audit.Event{}, err
		}
		if _, err := vault.OpenRing(root, rows); err != nil { // proved before the old way in is given up
			return nil, audit.Event{}, err
		}
		changed = true
		return rows, audit.New(actor, "key.root", audit.Object{Kind: "repository"}).With("keys", strconv.Itoa(len(rows))), nil
	}, &root)
	return changed && err == nil, err
}

// errDone says that there is nothing to be changed any more.
var errDone = errors.New("it is as it should be")

// change stores what do makes of the newest ring, again when another server was faster, and takes it over. root is the key
// that wraps the new rows, nil for the present one.
func (k *Keeper) change(ctx context.Context, do func() ([]vault.RingKey, audit.Event, error), root *vault.RootKey) error {
	for try := 1; ; try++ {
		if err := k.reload(ctx); err != nil {
			return err
		}
		rows, ev, err := do()
		if errors.Is(err, errDone) {
			return nil
		}
		if err != nil {
			return err
		}
		err = k.Store.SaveRing(ctx, k.rev, rows, ev)
		if errors.Is(err, fault.Stale) && try < mostTries {
			continue
		}
		if err != nil {
			return err
		}
		if root != nil {
			if err := k.Ring.Reopen(*root, rows); err != nil {
				return err
			}
		}
		k.follow(ctx)
		return nil
	}
}

// follow takes over what was just stored. If that fails it is no failure of the change, and Run does it again.
func (k *Keeper) follow(ctx context.Context) {
	if err := k.reload(context.WithoutCancel(ctx)); err != nil {
		k.Log.Warn("the ring was changed, and this server has not taken it over yet", "err", err)
	}
}

func object(id uint32) audit.Object {
	return audit.Object{Kind: "key", ID: text(id), Name: "data key " + text(id)}
}

func text(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
