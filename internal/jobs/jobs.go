// Package jobs carries out what rows say is due. A row is its own job: it says when it is due and who works on it until
// when, so a job survives any process, and losing a wake-up costs a moment and nothing else.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// Worker works on one kind of row. Set its fields, then call Run once; Wake may be called by anyone at any time.
type Worker struct {
	Name string
	// Due returns the ids of up to limit rows that somebody should work on now.
	Due func(ctx context.Context, now time.Time, limit int) ([]string, error)
	// Do works on a row until it has ended or waits. It claims the row: that somebody else has it is fault.Conflict.
	Do func(ctx context.Context, id string) error
	// Slots is how many rows are worked on at a time.
	Slots int
	// Every is how often Due is asked without a wake-up, for rows whose time has come.
	Every time.Duration
	Log   *slog.Logger

	wake chan struct{}
	once sync.Once
}

func (w *Worker) woken() chan struct{} {
	w.once.Do(func() { w.wake = make(chan struct{}, 1) })
	return w.wake
}

// Wake says that a row may be due. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.woken() <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, and then waits for what is under way.
func (w *Worker) Run(ctx context.Context) error {
	var (
		mu      sync.Mutex
		busy    = map[string]bool{}
		working sync.WaitGroup
	)
	defer working.Wait()
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		mu.Lock()
		free := w.Slots - len(busy)
		mu.Unlock()
		var ids []string
		if free > 0 {
			var err error
			// Rows that are worked on here may be due too, until their lease is stored.
			if ids, err = w.Due(ctx, time.Now(), w.Slots+free); err != nil && ctx.Err() == nil {
				w.Log.Warn("what is due could not be read", "job", w.Name, "err", err)
			}
		}
		for _, id := range ids {
			mu.Lock()
			taken := busy[id] || len(busy) >= w.Slots
			if !taken {
				busy[id] = true
			}
			mu.Unlock()
			if taken {
				continue
			}
			working.Go(func() {
				defer func() {
					mu.Lock()
					delete(busy, id)
					mu.Unlock()
					w.Wake() // a slot is free
				}()
				w.do(ctx, id)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.woken():
		case <-tick.C:
		}
	}
}

func (w *Worker) do(ctx context.Context, id string) {
	err := w.Do(ctx, id)
	switch {
	case err == nil, ctx.Err() != nil:
	case errors.Is(err, fault.Conflict), errors.Is(err, fault.Stale):
		w.Log.Debug("somebody else works on it", "job", w.Name, "id", id)
	default:
		w.Log.Error("a job failed and will be tried again", "job", w.Name, "id", id, "err", err)
		select { // a fault that lasts must not spin
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
