package rotation

import (
	"context"
	"errors"
	"sync"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// known returns the place's Secret as the repository knows it, without its data, if that is enough to write it without
// reading it first: this run has not tried yet, the values are whole ones, and every key was Keyturn's own in the one state
// that is known. The write names that state as its precondition, so that whatever has happened to the Secret since makes it
// fail, and then it is read.
func (p place) known() (Seen, bool) {
	first := p.writes[0]
	s := Seen{Namespace: p.namespace, Name: p.name, UID: first.UID, ResourceVersion: first.Known, Owners: map[string]Owner{}}
	for _, w := range p.writes {
		if w.State != WriteToDo || w.Known == "" || w.Known != first.Known || w.UID == "" || w.UID != first.UID || w.Pair || w.to != "" || !w.Place.IsWhole() {
			return Seen{}, false
		}
		s.Owners[w.Key] = Owner{Kind: OwnerKeyturn}
	}
	return s, true
}

// writeKnown writes those places of a namespace whose Secrets are known well enough, and returns the names of the others.
// One goes first: where it has changed, the others are likely to have changed with it, and reading all of them at once is
// cheaper than a refusal of each.
func (e *Engine) writeKnown(ctx context.Context, run Run, c Cluster, ps []place, value vault.Value, limit chan struct{}) (unread []string) {
	var mu sync.Mutex
	var work sync.WaitGroup
	write := func(i int, s Seen) (written bool) {
		limit <- struct{}{}
		defer func() { <-limit }()
		writes, written := e.writeUnread(ctx, c, ps[i], s, value)
		if written {
			ps[i].writes = writes
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		unread = append(unread, ps[i].name)
		return false
	}
	first, changed := true, false
	for i := range ps {
		s, known := ps[i].known()
		switch {
		case !known || changed:
			mu.Lock()
			unread = append(unread, ps[i].name)
			mu.Unlock()
		case first:
			first, changed = false, !write(i, s)
		default:
			work.Go(func() { write(i, s) })
		}
	}
	work.Wait()
	return unread
}

// writeUnread writes a Secret that is as s unless it has changed since. It returns false when it has, or is gone.
func (e *Engine) writeUnread(ctx context.Context, c Cluster, p place, s Seen, value vault.Value) ([]Write, bool) {
	d := decide(p.writes, s, true, value)
	e.at("published:before-effect")
	reply, err := c.Patch(ctx, s, d.patch)
	e.at("published:after-effect")
	switch {
	case err == nil:
		return answered(d, reply, value), true
	case errors.Is(err, fault.Stale), errors.Is(err, fault.NotFound):
		return nil, false
	}
	return failed(d.writes, err), true
}

// ours returns the keys of the place that were Keyturn's own in the state of the Secret that was read back: that state, if
// it is still there when they are written next, need not be read.
func (p place) ours(readBack Seen) (keys []string) {
	for _, w := range p.writes {
		if w.State == WriteDone && w.ours != "" && w.ours == readBack.ResourceVersion {
			keys = append(keys, w.Key)
		}
	}
	return keys
}
