package keyring

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Record is a sealed value where it stands.
type Record struct {
	vault.Record
	Sealed vault.Sealed
}

// Resealed is a record with what is to stand there instead.
type Resealed struct {
	Record
	New vault.Sealed
}

// Records is what a Resealer needs from storage.
type Records interface {
	// ClaimReseal gives a retired data key to owner for a time. It fails with fault.Conflict when somebody else has it.
	ClaimReseal(ctx context.Context, id uint32, owner string, until time.Time) error
	// SealedWith returns the next records behind after that are sealed with a data key, in a fixed order; none at the end.
	SealedWith(ctx context.Context, id uint32, after Record) ([]Record, error)
	// Reseal replaces the sealed values of a batch where they are still the same, and prolongs the claim. It fails with
	// fault.Stale when owner does not have the key any more.
	Reseal(ctx context.Context, id uint32, owner string, until time.Time, batch []Resealed, ev audit.Event) error
	// EndReseal gives the key back; nobody takes it again before notBefore.
	EndReseal(ctx context.Context, id uint32, owner string, notBefore time.Time) error
}

// Resealer seals with the active data key what retired ones have sealed. The records say themselves what is left to do,
// so whoever is killed has done so many batches, and the next one goes on.
type Resealer struct {
	Keeper *Keeper
	Store  Records
	Log    *slog.Logger
	Owner  string
	Lease  time.Duration
}

// notSoon is how long records that cannot be opened are left alone.
const notSoon = 15 * time.Minute

// Do seals again everything that a retired data key has sealed.
func (r *Resealer) Do(ctx context.Context, key string) error {
	n, err := strconv.ParseUint(key, 10, 32)
	if err != nil {
		return fault.New(fault.NotFound, "there is no such data key")
	}
	id, ring := uint32(n), r.Keeper.Ring
	if err := r.Keeper.Reload(ctx); err != nil {
		return err
	}
	if ring.Active() == id {
		return fault.New(fault.Conflict, "the data key is not retired")
	}
	if err := r.Store.ClaimReseal(ctx, id, r.Owner, time.Now().Add(r.Lease)); err != nil {
		return err
	}
	var after Record
	unreadable := 0
	for {
		found, err := r.Store.SealedWith(ctx, id, after)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			break
		}
		after = found[len(found)-1]
		batch, failed, err := reseal(ring, found)
		if err != nil {
			return err
		}
		unreadable += failed
		ev := audit.New(identity.System("key-keeper"), "key.reseal", object(id)).With("under", text(ring.Active()))
		if err := r.Store.Reseal(ctx, id, r.Owner, time.Now().Add(r.Lease), batch, ev); err != nil {
			return err
		}
	}
	if unreadable == 0 {
		return r.Store.EndReseal(ctx, id, r.Owner, time.Time{})
	}
	r.Log.Error("records cannot be opened, so they keep their data key: it cannot be removed", "key", id, "records", unreadable)
	return r.Store.EndReseal(ctx, id, r.Owner, time.Now().Add(notSoon))
}

// reseal seals records anew. Those that do not open are left out and counted.
func reseal(ring *vault.Ring, found []Record) (batch []Resealed, unreadable int, err error) {
	for _, x := range found {
		value, err := ring.Open(x.Record, x.Sealed)
		if err != nil {
			unreadable++
			continue
		}
		sealed, err := ring.Seal(x.Record, value)
		value.Wipe()
		if err != nil {
			return nil, 0, err
		}
		batch = append(batch, Resealed{x, sealed})
	}
	return batch, unreadable, nil
}
