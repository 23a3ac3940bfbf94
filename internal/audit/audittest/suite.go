package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Opened is a store under test, empty, and the way its events are committed.
type Opened struct {
	Store  audit.Store
	Record func(ctx context.Context, events ...audit.Event) error
}

// RunStore checks that a store keeps what audit.Store promises. open returns a new, empty one each time.
func RunStore(t *testing.T, open func(t *testing.T) Opened) {
	for name, test := range map[string]func(*testing.T, Opened){
		"Empty":              empty,
		"GrowsAndVerifies":   growsAndVerifies,
		"AppendIsExclusive":  appendIsExclusive,
		"RacingSequencers":   racing,
		"RangesAndCallbacks": ranges,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func newSigner(t *testing.T) *audit.Signer {
	t.Helper()
	s, err := audit.NewSigner("suite", vault.NewValue(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSequencer(t *testing.T, s audit.Store) *audit.Sequencer {
	return audit.NewSequencer(audit.Config{Store: s, Signer: newSigner(t), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

func record(t *testing.T, o Opened, n int) {
	t.Helper()
	for i := range n {
		e := audit.New(identity.System("suite"), "account.reveal", audit.Object{Kind: "account", ID: fmt.Sprint(i), Name: "ünï\n"})
		if err := o.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func sequence(t *testing.T, s *audit.Sequencer, want int) {
	t.Helper()
	if n, err := s.Sequence(t.Context()); err != nil || n != want {
		t.Fatalf("sequenced %d, want %d: %v", n, want, err)
	}
}

func verified(t *testing.T, o Opened, want int64) {
	t.Helper()
	r, err := audit.Verify(t.Context(), o.Store, audit.Trust{Key: newSigner(t).Key()})
	if err != nil || !r.OK() || r.Entries != want {
		t.Fatalf("verified %d entries, want %d; bad: %v; %v", r.Entries, want, r.Bad, err)
	}
}

func empty(t *testing.T, o Opened) {
	if h, err := o.Store.Head(t.Context()); err != nil || h.Size != 0 || len(h.Signed) != 0 {
		t.Errorf("head of an empty log: %+v, %v", h, err)
	}
	if _, err := o.Store.Tile(t.Context(), 0, 0); !errors.Is(err, fault.NotFound) {
		t.Errorf("a tile that is not there: %v, want not found", err)
	}
	sequence(t, newSequencer(t, o.Store), 0)
	verified(t, o, 0)
}

func growsAndVerifies(t *testing.T, o Opened) {
	seq := newSequencer(t, o.Store)
	var total int64
	for _, n := range []int{1, 254, 1, 1, 300} {
		record(t, o, n)
		sequence(t, seq, n)
		total += int64(n)
		verified(t, o, total)
	}
	sequence(t, seq, 0)
}

func appendIsExclusive(t *testing.T, o Opened) {
	record(t, o, 2)
	ctx := t.Context()
	waiting, err := o.Store.Unsequenced(ctx, 10)
	if err != nil || len(waiting) != 2 || waiting[0].ID >= waiting[1].ID {
		t.Fatalf("unsequenced: %v, %v; want two by id", waiting, err)
	}
	if one, err := o.Store.Unsequenced(ctx, 1); err != nil || len(one) != 1 || one[0].ID != waiting[0].ID {
		t.Errorf("with a limit of one: %v, %v", one, err)
	}
	sequence(t, newSequencer(t, o.Store), 2)
	head, err := o.Store.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	record(t, o, 1)
	fresh, err := o.Store.Unsequenced(ctx, 10)
	if err != nil || len(fresh) != 1 {
		t.Fatalf("unsequenced: %v, %v", fresh, err)
	}
	next, err := newSigner(t).Sign(head.Size+1, head.Hash, head.At)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := newSigner(t).Sign(head.Size+2, head.Hash, head.At)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prev  audit.Head
		batch audit.Batch
	}{
		"old head":           {audit.Head{}, audit.Batch{IDs: []string{fresh[0].ID}, Head: next}},
		"numbered event":     {head, audit.Batch{IDs: []string{fresh[0].ID, waiting[0].ID}, Head: twice}},
		"event not there":    {head, audit.Batch{IDs: []string{"no-such-event"}, Head: next}},
		"head of the future": {next, audit.Batch{IDs: []string{fresh[0].ID}, Head: twice}},
	} {
		if err := o.Store.Append(ctx, c.prev, c.batch); !errors.Is(err, fault.Conflict) {
			t.Errorf("append with %s: %v, want conflict", name, err)
		}
	}
	verified(t, o, 2) // nothing of the refused batches is there
	sequence(t, newSequencer(t, o.Store), 1)
	verified(t, o, 3)
}

func racing(t *testing.T, o Opened) {
	const each, replicas = 100, 2
	var wg sync.WaitGroup
	for range replicas {
		seq := newSequencer(t, o.Store)
		wg.Go(func() {
			for range each {
				if err := o.Record(t.Context(), audit.New(identity.System("suite"), "race.run", audit.Object{Kind: "race"})); err != nil {
					t.Error(err)
					return
				}
				// Losing every race of a round is allowed; what waits is placed in a later one.
				if _, err := seq.Sequence(t.Context()); err != nil && !errors.Is(err, fault.Conflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := newSequencer(t, o.Store).Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, o, each*replicas)
}

func ranges(t *testing.T, o Opened) {
	ctx := t.Context()
	seq := newSequencer(t, o.Store)
	for range 3 {
		record(t, o, 2)
		sequence(t, seq, 2)
	}
	var seqs, sizes []int64
	err := o.Store.Entries(ctx, 1, 4, func(seq int64, body []byte) error {
		seqs = append(seqs, seq)
		_, err := audit.Parse(body)
		return err
	})
	if err != nil || fmt.Sprint(seqs) != "[1 2 3]" {
		t.Errorf("entries 1 to 4: %v, %v", seqs, err)
	}
	err = o.Store.Checkpoints(ctx, 2, 6, func(h audit.Head) error {
		sizes = append(sizes, h.Size)
		_, err := audit.OpenHead(h.Signed, newSigner(t).Key())
		return err
	})
	if err != nil || fmt.Sprint(sizes) != "[4 6]" {
		t.Errorf("checkpoints 2 to 6: %v, %v", sizes, err)
	}
	stop := errors.New("stop")
	if err := o.Store.Entries(ctx, 0, 6, func(int64, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("entries: %v, want the callback's error", err)
	}
	if err := o.Store.Checkpoints(ctx, 0, 6, func(audit.Head) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("checkpoints: %v, want the callback's error", err)
	}
}
