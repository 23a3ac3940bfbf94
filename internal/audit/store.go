package audit

import "context"

// Pending is a committed event that has no place in the log yet.
type Pending struct {
	ID   string
	Body []byte // Event.Canonical
}

// Batch is one growth of the log.
type Batch struct {
	IDs   []string // the events in their new order; the first gets the sequence number prev.Size
	Tiles []Tile   // tiles to write, over those of the same level and N
	Head  Head     // the new head, also the checkpoint to keep
}

// Store is what the log needs from storage. Sequence numbers start at 0 and have no gaps. Everything may be called by
// several goroutines and several processes at once.
type Store interface {
	// Unsequenced returns up to limit committed events without a sequence number, oldest id first.
	Unsequenced(ctx context.Context, limit int) ([]Pending, error)
	// Head returns the newest head, or the zero Head of a log without entries.
	Head(ctx context.Context) (Head, error)
	// Append does all of batch in one transaction, or nothing: it numbers the events, writes the tiles, keeps the head.
	// It fails with fault.Conflict when the newest head's size is not prev.Size, or an event is not there or numbered
	// already: somebody else was first.
	Append(ctx context.Context, prev Head, batch Batch) error
	// Tile returns a tile's data, full or partial; fault.NotFound when there is none.
	Tile(ctx context.Context, level int, n int64) ([]byte, error)
	// Entries calls fn with the stored text of each entry from ≤ seq < to, in order of seq, until fn fails; it returns fn's
	// error as it is. fn must not keep body, nor call the Store: a query may be open.
	Entries(ctx context.Context, from, to int64, fn func(seq int64, body []byte) error) error
	// Checkpoints calls fn with each signed head of from < Size ≤ to, in order of size, like Entries. It includes the newest.
	Checkpoints(ctx context.Context, from, to int64, fn func(Head) error) error
}
