package rotation

import "sync"

// inFlight is how many Secrets of one cluster are written at once. API servers answer 16 to 64 at their best rate.
const inFlight = 32

// underWay is how many Secrets of one cluster are begun and not proved yet, whole namespaces at a time. It keeps the
// requests at their limit while some namespaces are read or proved, and every namespace is proved soon after it was begun.
const underWay = 6 * inFlight

// limit bounds what is done in one cluster at a time.
type limit struct {
	requests chan struct{}
	secrets  *budget
}

// budget is a number of things that may be had at a time.
type budget struct {
	mu   sync.Mutex
	free int
	more *sync.Cond
}

func newBudget(n int) *budget {
	b := &budget{free: n}
	b.more = sync.NewCond(&b.mu)
	return b
}

// take waits until n are free; there must be as many.
func (b *budget) take(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.free < n {
		b.more.Wait()
	}
	b.free -= n
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	b.more.Broadcast()
}
