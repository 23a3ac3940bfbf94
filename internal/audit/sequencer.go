package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/fault"
)

// MaxBatch is how many events the log grows by in one transaction.
const MaxBatch = 4096

const (
	pollEvery    = time.Second            // for events of other processes, and wake-ups that were lost
	gatherFor    = 100 * time.Millisecond // after a wake-up, so that a busy second makes ten heads and not thousands
	maxConflicts = 5                      // in a row, before waiting for the next poll
)

// CodeBroken is the code of the fault that a sequencer ends a round with when the log contradicts its signed head. It
// grows no further then: signing on top would make a forgery look genuine. [Verify] says where it is broken.
const CodeBroken = "audit-log-broken"

// Config is what a Sequencer works with.
type Config struct {
	Store  Store
	Signer *Signer
	Log    *slog.Logger
	// Anchor, unless it is nil, is called with each new signed head after it was committed, to keep it where whoever can
	// write to the database cannot: it is what finds a log that was cut. A head whose anchoring failed is followed by a
	// newer one in a later round; heads in between may be skipped. Calls do not overlap.
	Anchor func(ctx context.Context, signed []byte) error
}

// Sequencer puts committed events into the log. Any number of them may work on one Store: one wins each batch. Run it
// once; Wake may be called by anyone at any time.
type Sequencer struct {
	cfg      Config
	wake     chan struct{}
	seen     Head  // the newest head this process knows of
	anchored int64 // size of the newest head that was anchored
}

// NewSequencer returns a Sequencer that does nothing until it is run.
func NewSequencer(cfg Config) *Sequencer {
	return &Sequencer{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake says that events were committed. It never blocks.
func (s *Sequencer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // a wake-up is under way already
	}
}

// Run sequences events shortly after each Wake, and every second, until ctx ends; then it returns nil. What fails is
// logged and tried again: events that wait are committed and lose nothing.
func (s *Sequencer) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		if _, err := s.Sequence(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "audit events wait to be sequenced", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
		case <-s.wake:
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(gatherFor):
			}
		}
	}
}

// Sequence puts every event that is committed now into the log and returns how many it placed itself. It must not be
// called while Run is running, except through Run.
func (s *Sequencer) Sequence(ctx context.Context) (placed int, err error) {
	conflicts := 0
	for {
		n, err := s.round(ctx)
		switch {
		case errors.Is(err, fault.Conflict) && conflicts < maxConflicts:
			conflicts++
			continue
		case err != nil:
			return placed, err
		}
		conflicts = 0
		placed += n
		if n < MaxBatch {
			return placed, nil
		}
	}
}

// round places at most one batch.
func (s *Sequencer) round(ctx context.Context) (int, error) {
	head, err := s.cfg.Store.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("audit: head: %w", err)
	}
	if head, err = s.accept(head); err != nil {
		return 0, err
	}
	s.anchor(ctx, head)
	pending, err := s.cfg.Store.Unsequenced(ctx, MaxBatch)
	if err != nil {
		return 0, fmt.Errorf("audit: unsequenced events: %w", err)
	}
	if len(pending) == 0 {
		return 0, nil
	}
	batch, err := s.grow(ctx, head, pending)
	if err != nil {
		return 0, err
	}
	if err := s.cfg.Store.Append(ctx, head, batch); err != nil {
		return 0, fmt.Errorf("audit: append %d events to the log: %w", len(pending), err)
	}
	s.seen = batch.Head
	s.anchor(ctx, batch.Head)
	return len(pending), nil
}

// accept returns head as its signature has it, or refuses a log that nobody signed or that has shrunk or forked under us.
func (s *Sequencer) accept(head Head) (Head, error) {
	if head.Size == 0 && len(head.Signed) == 0 {
		head = Head{Hash: emptyRoot()}
	} else {
		signed, err := openHead(head.Signed, s.cfg.Signer.verifier)
		if err != nil {
			return Head{}, broken("%w", err)
		}
		head = signed
	}
	if head.Size < s.seen.Size || head.Size == s.seen.Size && s.seen.Size > 0 && head.Hash != s.seen.Hash {
		return Head{}, broken("the audit log had a head of %d entries and now has another of %d", s.seen.Size, head.Size)
	}
	s.seen = head
	return head, nil
}

func emptyRoot() tlog.Hash {
	var t tree
	return t.root()
}

// grow computes the log with pending behind head.
func (s *Sequencer) grow(ctx context.Context, head Head, pending []Pending) (Batch, error) {
	t, ok, err := loadTree(ctx, s.cfg.Store, head.Size)
	if err != nil {
		return Batch{}, err
	}
	if !ok || t.root() != head.Hash {
		return Batch{}, broken("the tiles of the audit log contradict its signed head of %d entries", head.Size)
	}
	batch := Batch{IDs: make([]string, len(pending))}
	for i, p := range pending {
		batch.IDs[i] = p.ID
		t.add(tlog.RecordHash(p.Body), func(full Tile) { batch.Tiles = append(batch.Tiles, full) })
	}
	batch.Tiles = append(batch.Tiles, t.partial(head.Size)...)
	batch.Head, err = s.cfg.Signer.Sign(t.size, t.root(), time.Now())
	return batch, err
}

// anchor keeps head outside, unless that or a newer one is there already. A failure holds nothing up.
func (s *Sequencer) anchor(ctx context.Context, head Head) {
	if s.cfg.Anchor == nil || head.Size <= s.anchored {
		return
	}
	if err := s.cfg.Anchor(ctx, head.Signed); err != nil {
		s.cfg.Log.ErrorContext(ctx, "the head of the audit log could not be anchored", "size", head.Size, "err", err)
		return
	}
	s.anchored = head.Size
}

func broken(format string, args ...any) error {
	return fault.New(fault.Unavailable, format, args...).WithCode(CodeBroken).
		WithCure("run \"keyturn audit verify\" to see where; new events are kept and wait")
}
