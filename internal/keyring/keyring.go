// Package keyring looks after the repository's keys while the server runs: it replaces data keys and the root key, counts
// uses, and seals again what old keys have sealed, until those can be removed.
//
//	data key:  active ──Rotate──▶ retired ──Resealer──▶ nothing refers to it ──Remove──▶ gone
//	root key:  the next one is on the disk ──ChangeRoot──▶ it wraps every key ──▶ the one before opens nothing
//
// Invariants: a value is sealed only with a key that is stored, and only as often as was stored before; a key is removed
// only when no record refers to it, in the transaction that has looked; each change is whole or has not happened, so a
// process that dies leaves nothing to be repaired. Any number of servers share a repository: the stored rows and their
// revision are the truth, and each server follows them.
package keyring

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/vault"
)

// Block is how many uses of a data key a server stores at a time, before it makes them. What it has not made when it
// stops stays counted.
const Block = 1 << 16

// Key is a data key as people see it.
type Key struct {
	ID        uint32
	Active    bool // it seals every new value; the others only open
	MadeAt    time.Time
	RetiredAt time.Time // zero while it is active
	Records   int64     // that are sealed with it
	Uses      uint64    // at most so many values were ever sealed with it
}

// Store is what this package needs from storage for the ring itself.
type Store interface {
	// RingKeys returns every wrapped key and their revision.
	RingKeys(ctx context.Context) ([]vault.RingKey, int64, error)
	// SaveRing stores keys. It fails with fault.Stale when rev is not the stored revision.
	SaveRing(ctx context.Context, rev int64, keys []vault.RingKey, ev audit.Event) error
	// ReserveUses adds n to the uses of an active data key. It fails with fault.Conflict when they would be more than
	// vault.MaxUses or the key is not active any more.
	ReserveUses(ctx context.Context, id uint32, n uint64) error
	// RemoveKey deletes a retired data key. It fails with fault.Conflict while any record refers to it, with their number.
	RemoveKey(ctx context.Context, id uint32, ev audit.Event) error
	// DataKeys returns the data keys, the newest first.
	DataKeys(ctx context.Context) ([]Key, error)
}
