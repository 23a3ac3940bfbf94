package jobs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rows is a table of jobs: what is in it is due until it was done.
type rows struct {
	mu      sync.Mutex
	due     []string
	most    int // at a time
	running int
	fail    int
	done    []string
}

func (r *rows) Due(_ context.Context, _ time.Time, limit int) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.due[:min(limit, len(r.due))]), nil
}

func (r *rows) Do(_ context.Context, id string) error {
	r.mu.Lock()
	r.running++
	r.most = max(r.most, r.running)
	r.mu.Unlock()
	time.Sleep(time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if r.fail > 0 {
		r.fail--
		return errors.New("boom")
	}
	r.done = append(r.done, id)
	r.due = slices.DeleteFunc(r.due, func(x string) bool { return x == id })
	return nil
}

func TestWorker(t *testing.T) {
	for name, tt := range map[string]struct {
		due         []string
		slots, fail int
		within      time.Duration
	}{
		"no more at a time than slots": {[]string{"a", "b", "c", "d", "e"}, 2, 0, 4 * time.Second},
		"a failure is tried again":     {[]string{"a"}, 1, 2, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rows{due: slices.Clone(tt.due), fail: tt.fail}
				ctx, stop := context.WithTimeout(t.Context(), tt.within)
				defer stop()
				w := &Worker{Name: "test", Due: r.Due, Do: r.Do, Slots: tt.slots, Every: time.Minute, Log: slog.New(slog.DiscardHandler)}
				if err := w.Run(ctx); err != nil {
					t.Fatal(err)
				}
				slices.Sort(r.done)
				if !slices.Equal(r.done, tt.due) || len(r.due) > 0 || r.most > tt.slots {
					t.Errorf("done %v, left %v, %d at a time", r.done, r.due, r.most)
				}
			})
		})
	}
}

func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rows{}
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		w := &Worker{Name: "test", Due: r.Due, Do: r.Do, Slots: 1, Every: time.Hour, Log: slog.New(slog.DiscardHandler)}
		go func() {
			time.Sleep(time.Second)
			r.mu.Lock()
			r.due = []string{"late"}
			r.mu.Unlock()
			w.Wake()
		}()
		_ = w.Run(ctx)
		if !slices.Equal(r.done, []string{"late"}) {
			t.Errorf("done %v", r.done)
		}
	})
}
