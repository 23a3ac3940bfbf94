package inventory

import (
	"context"
	"slices"
	"sync"
	"time"
)

// expectFor bounds how long a watch waits for what Keyturn itself stores of a Secret.
const expectFor = 500 * time.Millisecond

// Expected are the Secrets that this process is about to write, or has written and not stored yet. The zero value is ready, and a
// nil one knows of none. It may be used by several goroutines at once.
type Expected struct {
	mu   sync.Mutex
	at   map[expectedAt]int
	less chan struct{} // closed when one is not expected any more
}

type expectedAt struct {
	clusterID string
	Place
}

// Expect says that Secrets are about to be written and handed to Saw, or not written after all; then done is to be called. What
// a watch shows of them meanwhile waits for that, a moment at most, so that it is not stored twice.
func (x *Expected) Expect(clusterID string, places []Place) (done func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.at == nil {
		x.at, x.less = map[expectedAt]int{}, make(chan struct{})
	}
	for _, p := range places {
		x.at[expectedAt{clusterID, p}]++
	}
	return sync.OnceFunc(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, p := range places {
			if at := (expectedAt{clusterID, p}); x.at[at] > 1 {
				x.at[at]--
			} else {
				delete(x.at, at)
			}
		}
		close(x.less)
		x.less = make(chan struct{})
	})
}

// any reports whether one of the changes is expected, and what is closed when that may have ended.
func (x *Expected) any(clusterID string, all []Change) (bool, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.at) > 0 && slices.ContainsFunc(all, func(c Change) bool { return x.at[expectedAt{clusterID, c.Seen.place()}] > 0 }), x.less
}

// wait returns when none of the changes is expected any more, or it has waited long enough.
func (x *Expected) wait(ctx context.Context, clusterID string, all []Change) {
	if x == nil {
		return
	}
	enough := time.After(expectFor)
	for {
		is, less := x.any(clusterID, all)
		if !is {
			return
		}
		select {
		case <-less:
		case <-enough:
			return
		case <-ctx.Done():
			return
		}
	}
}
