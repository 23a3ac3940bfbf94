package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxGroup     = 512
	maxGroupTime = 5 * time.Millisecond
)

const (
	waiting int32 = iota
	started
	withdrawn
)

// call is one write that waits for its answer.
type call struct {
	ctx     context.Context
	fn      func(*Tx) error
	alone   bool
	state   atomic.Int32
	answer  chan error
	paniced any
	logOnly bool // it wrote nothing but the audit log
}

// group runs the writes of all callers on one connection, many to a COMMIT.
type group struct {
	on      *connRunner
	memory  *memory
	changed func([]Change)
	written atomic.Bool // there were commits since somebody set it to false

	mu     sync.Mutex
	queue  []*call
	closed bool
	// broken is set once the disk failed: what was written since the last good COMMIT is not known, so nothing follows.
	broken error

	wake chan struct{}
	done chan struct{}
}

func startGroup(on *connRunner, memory *memory, changed func([]Change)) *group {
	g := &group{on: on, memory: memory, changed: changed, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go g.loop()
	return g
}

func (g *group) write(ctx context.Context, fn func(*Tx) error, alone bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{ctx: ctx, fn: fn, alone: alone, answer: make(chan error, 1)}
	g.mu.Lock()
	if g.closed || g.broken != nil {
		err := g.broken
		g.mu.Unlock()
		if err == nil {
			err = errClosed()
		}
		return err
	}
	g.queue = append(g.queue, c)
	g.mu.Unlock()
	g.signal()

	select {
	case err := <-c.answer:
		return c.finish(err)
	case <-ctx.Done():
		if c.state.CompareAndSwap(waiting, withdrawn) {
			return ctx.Err()
		}
		return c.finish(<-c.answer)
	}
}

// finish hands a panic of the caller's function back to the caller's goroutine.
func (c *call) finish(err error) error {
	if c.paniced != nil {
		panic(c.paniced)
	}
	return err
}

func (g *group) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// close lets the calls that wait finish and then stops.
func (g *group) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.signal()
	<-g.done
}

func (g *group) loop() {
	defer close(g.done)
	for range g.wake {
		for calls := g.take(maxGroup, true); len(calls) > 0; calls = g.take(maxGroup, true) {
			g.transact(calls)
		}
		g.mu.Lock()
		end := g.closed && len(g.queue) == 0
		g.mu.Unlock()
		if end {
			return
		}
	}
}

// take removes up to n calls from the queue: either one that wants to be alone, if that is allowed, or some that do not.
func (g *group) take(n int, alone bool) []*call {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := 0
	for k < len(g.queue) && k < n && !g.queue[k].alone {
		k++
	}
	if k == 0 && alone && len(g.queue) > 0 {
		k = 1
	}
	calls := g.queue[:k:k]
	g.queue = g.queue[k:]
	if len(g.queue) == 0 {
		g.queue = nil
	}
	return calls
}

// result is a call whose function has run and that waits for COMMIT.
type result struct {
	*call
	err     error
	changes []Change
}

// transact runs calls, and those that come in meanwhile, in one transaction, and answers all of them.
func (g *group) transact(calls []*call) {
	err := g.brokenErr()
	if err == nil {
		err = g.control("BEGIN IMMEDIATE")
	}
	if err != nil {
		g.refuse(calls, err)
		return
	}
	var ran []result
	var lost error
	begun := time.Now()
	for len(calls) > 0 && lost == nil {
		for i, c := range calls {
			if !c.state.CompareAndSwap(waiting, started) {
				continue
			}
			r := result{call: c}
			r.changes, r.err, lost = g.run(c)
			ran = append(ran, r)
			if lost != nil {
				g.putBack(calls[i+1:])
				break
			}
		}
		if lost != nil || calls[0].alone || time.Since(begun) > maxGroupTime {
			break
		}
		calls = g.take(maxGroup-len(ran), false)
	}
	if lost == nil {
		lost = g.commit()
	} else {
		g.on.exec(context.Background(), "ROLLBACK", nil) // most often there is nothing left to roll back
	}
	g.conclude(ran, lost)
}

// commit returns nil if everything is on the disk.
func (g *group) commit() error {
	err := g.control("COMMIT")
	if err == nil {
		g.written.Store(true)
		return nil
	}
	g.on.exec(context.Background(), "ROLLBACK", nil)
	if hasCode(err, CodeFailed) {
		// The pages may be in the log, unsynced: after a restart they may be there or not.
		return errUnknown()
	}
	return err
}

func (g *group) conclude(ran []result, lost error) {
	if slices.ContainsFunc(ran, func(r result) bool { return !r.logOnly }) {
		g.memory.forget() // also when nobody knows whether it was kept
	}
	if lost == nil {
		var all []Change
		for _, r := range ran {
			all = append(all, r.changes...)
		}
		if len(all) > 0 {
			g.changed(all)
		}
	}
	for _, r := range ran {
		if r.err == nil {
			r.err = lost
		}
		r.answer <- r.err
	}
}

// run runs one call within its savepoint. err is the call's own; lost is set when the whole transaction is gone.
func (g *group) run(c *call) (changes []Change, err, lost error) {
	if !c.alone {
		if err := g.control("SAVEPOINT one"); err != nil {
			return nil, err, err
		}
	}
	tx := &Tx{on: g.on, maxParams: maxSQLiteParams}
	err = c.call(tx)
	c.logOnly = tx.logOnly
	if err == nil {
		err = tx.doomed
	}
	switch {
	case hasCode(tx.doomed, CodeFailed):
		g.breakDown(tx.doomed)
		lost = tx.doomed
	case c.alone:
		lost = err // there is nobody else in the transaction
	case err == nil:
		lost = g.control("RELEASE one")
	default:
		lost = g.undo(tx)
	}
	if err == nil {
		err = lost
	}
	if err != nil {
		return nil, err, lost
	}
	return tx.changes, nil, nil
}

// undo rolls back to the savepoint. Some errors, such as a full disk, make SQLite roll back everything: then the
// savepoint is gone, and with it what the calls before have done.
func (g *group) undo(tx *Tx) error {
	err := g.control("ROLLBACK TO one")
	if err == nil {
		err = g.control("RELEASE one")
	}
	if err != nil && tx.doomed != nil {
		return tx.doomed
	}
	return err
}

func (c *call) call(tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.paniced = p
			err = fmt.Errorf("panic in a transaction")
		}
	}()
	return c.fn(tx)
}

// control runs a statement that frames transactions. An error of the disk breaks the store for good.
func (g *group) control(text string) error {
	_, err := g.on.exec(context.Background(), text, nil)
	if err = translate(err); hasCode(err, CodeFailed) {
		g.breakDown(err)
	}
	return err
}

// refuse answers calls and everybody else who waits, so that nobody waits for one lock timeout after another.
func (g *group) refuse(calls []*call, err error) {
	g.mu.Lock()
	calls = append(calls, g.queue...)
	g.queue = nil
	g.mu.Unlock()
	for _, c := range calls {
		if c.state.CompareAndSwap(waiting, started) {
			c.answer <- err
		}
	}
}

func (g *group) putBack(calls []*call) {
	g.mu.Lock()
	g.queue = append(calls[:len(calls):len(calls)], g.queue...)
	g.mu.Unlock()
	g.signal()
}

func (g *group) breakDown(err error) {
	g.mu.Lock()
	if g.broken == nil {
		g.broken = err
	}
	g.mu.Unlock()
}

func (g *group) brokenErr() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}
