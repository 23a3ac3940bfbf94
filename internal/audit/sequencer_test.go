package audit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/audit/audittest"
	"github.com/keyturn/keyturn/internal/fault"
)

func TestMemoryStore(t *testing.T) {
	audittest.RunStore(t, func(*testing.T) audittest.Opened {
		m := audittest.NewMemory()
		return audittest.Opened{Store: m, Record: m.Record}
	})
}

// flaky fails its next appends, before or after they are done.
type flaky struct {
	*audittest.Memory
	before, after int
}

func (f *flaky) Append(ctx context.Context, prev audit.Head, b audit.Batch) error {
	if f.before > 0 {
		f.before--
		return errors.New("connection refused")
	}
	err := f.Memory.Append(ctx, prev, b)
	if f.after > 0 && err == nil {
		f.after--
		return errors.New("connection lost")
	}
	return err
}

func TestCrashBetweenBatches(t *testing.T) {
	for name, f := range map[string]*flaky{"before": {before: 1}, "after": {after: 1}} {
		t.Run(name, func(t *testing.T) {
			f.Memory = audittest.NewMemory()
			if err := f.Record(t.Context(), events(audit.MaxBatch+10)...); err != nil {
				t.Fatal(err)
			}
			seq := sequencer(t, f, signer(t, 1))
			if _, err := seq.Sequence(t.Context()); err == nil {
				t.Fatal("the fault was not injected")
			}
			for _, s := range []*audit.Sequencer{seq, sequencer(t, f, signer(t, 1))} { // the same process, and the next
				if _, err := s.Sequence(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r := must(audit.Verify(t.Context(), f, audit.Trust{Key: signer(t, 1).Key()}))(t)
			if !r.OK() || r.Entries != audit.MaxBatch+10 {
				t.Errorf("%+v %v", r, r.Bad)
			}
		})
	}
}

func TestSequencerRefusesABrokenLog(t *testing.T) {
	for name, tamper := range map[string]func(*audittest.State){
		"tile":                   func(s *audittest.State) { s.Tiles[audittest.TileID{}][0]++ },
		"tile gone":              func(s *audittest.State) { clear(s.Tiles) },
		"head signed by another": func(s *audittest.State) { resign(t, s, signer(t, 2), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			m := filled(t, 10)
			m.Tamper(tamper)
			if err := m.Record(t.Context(), events(1)...); err != nil {
				t.Fatal(err)
			}
			_, err := sequencer(t, m, signer(t, 1)).Sequence(t.Context())
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != audit.CodeBroken {
				t.Errorf("got %v, want %s", err, audit.CodeBroken)
			}
		})
	}
}

func TestSequencerNoticesThatTheLogShrank(t *testing.T) {
	m := audittest.NewMemory()
	seq := sequencer(t, m, signer(t, 1))
	for range 2 {
		if err := m.Record(t.Context(), events(5)...); err != nil {
			t.Fatal(err)
		}
		if _, err := seq.Sequence(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m.Tamper(func(s *audittest.State) { s.Entries, s.Heads = s.Entries[:5], s.Heads[:1] })
	_, err := seq.Sequence(t.Context())
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != audit.CodeBroken {
		t.Errorf("got %v, want %s", err, audit.CodeBroken)
	}
}

func TestRunSequencesWithinASecondAndAnchors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		m := audittest.NewMemory()
		var anchored []byte
		fail := true
		cfg := audit.Config{Store: m, Signer: signer(t, 1), Log: logger(t), Anchor: func(_ context.Context, signed []byte) error {
			if fail {
				fail = false
				return errors.New("disk full")
			}
			anchored = signed
			return nil
		}}
		seq := audit.NewSequencer(cfg)
		done := make(chan error, 1)
		go func() { done <- seq.Run(ctx) }()
		synctest.Wait()
		if err := m.Record(ctx, events(3)...); err != nil {
			t.Fatal(err)
		}
		seq.Wake()
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if h, _ := m.Head(ctx); h.Size != 3 {
			t.Errorf("after a wake-up the log has %d entries, want 3", h.Size)
		}
		if err := m.Record(ctx, events(3)...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		h, _ := m.Head(ctx)
		if h.Size != 6 || string(anchored) != string(h.Signed) {
			t.Errorf("after a second the log has %d entries, want 6; anchored %q", h.Size, anchored)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
