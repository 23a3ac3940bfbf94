// Package audittest has what tests of the audit log need: a store in memory, and the suite that every audit.Store passes.
package audittest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

// Entry is an event as Memory stores it. Seq is -1 until it is sequenced.
type Entry struct {
	Seq  int64
	ID   string
	Body []byte
}

// TileID is where a tile stands.
type TileID struct {
	Level int
	N     int64
}

// State is all that Memory stores, for tests that tamper with it.
type State struct {
	Entries []Entry // by Seq, the unsequenced ones anywhere
	Tiles   map[TileID][]byte
	Heads   []audit.Head // by size; the last is the newest
}

// Memory is an audit.Store that forgets everything. Use NewMemory. It may be used by several goroutines at once.
type Memory struct {
	mu    sync.Mutex
	state State
}

var _ audit.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{state: State{Tiles: map[TileID][]byte{}}}
}

// Record commits events.
func (m *Memory) Record(_ context.Context, events ...audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		m.state.Entries = append(m.state.Entries, Entry{Seq: -1, ID: e.ID, Body: e.Canonical()})
	}
	return nil
}

// Tamper changes what is stored behind the log's back.
func (m *Memory) Tamper(f func(*State)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.state)
}

// Unsequenced implements audit.Store.
func (m *Memory) Unsequenced(_ context.Context, limit int) ([]audit.Pending, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []audit.Pending
	for _, e := range m.state.Entries {
		if e.Seq < 0 {
			out = append(out, audit.Pending{ID: e.ID, Body: slices.Clone(e.Body)})
		}
	}
	slices.SortFunc(out, func(a, b audit.Pending) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(limit, len(out))], nil
}

// Head implements audit.Store.
func (m *Memory) Head(context.Context) (audit.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head(), nil
}

func (m *Memory) head() audit.Head {
	if len(m.state.Heads) == 0 {
		return audit.Head{}
	}
	return m.state.Heads[len(m.state.Heads)-1]
}

// Append implements audit.Store.
func (m *Memory) Append(_ context.Context, prev audit.Head, batch audit.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.head().Size != prev.Size {
		return fault.New(fault.Conflict, "the audit log has grown meanwhile")
	}
	waiting := map[string]int{}
	for i, e := range m.state.Entries {
		if e.Seq < 0 {
			waiting[e.ID] = i
		}
	}
	for _, id := range batch.IDs {
		if _, ok := waiting[id]; !ok {
			return fault.New(fault.Conflict, "event %s does not wait to be sequenced", id)
		}
	}
	for i, id := range batch.IDs {
		m.state.Entries[waiting[id]].Seq = prev.Size + int64(i)
	}
	for _, t := range batch.Tiles {
		m.state.Tiles[TileID{t.Level, t.N}] = slices.Clone(t.Data)
	}
	m.state.Heads = append(m.state.Heads, batch.Head)
	slices.SortStableFunc(m.state.Entries, func(a, b Entry) int { return cmp.Compare(uint64(a.Seq), uint64(b.Seq)) })
	return nil
}

// Tile implements audit.Store.
func (m *Memory) Tile(_ context.Context, level int, n int64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.state.Tiles[TileID{level, n}]
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no tile %d/%d", level, n)
	}
	return data, nil
}

// Entries implements audit.Store.
func (m *Memory) Entries(_ context.Context, from, to int64, fn func(int64, []byte) error) error {
	m.mu.Lock()
	all := m.state.Entries
	start, _ := slices.BinarySearchFunc(all, uint64(from), func(e Entry, seq uint64) int { return cmp.Compare(uint64(e.Seq), seq) })
	var found []Entry
	for _, e := range all[start:] {
		if e.Seq < 0 || e.Seq >= to {
			break
		}
		found = append(found, e)
	}
	m.mu.Unlock()
	for _, e := range found {
		if err := fn(e.Seq, e.Body); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoints implements audit.Store.
func (m *Memory) Checkpoints(_ context.Context, from, to int64, fn func(audit.Head) error) error {
	m.mu.Lock()
	heads := slices.Clone(m.state.Heads)
	m.mu.Unlock()
	for _, h := range heads {
		if h.Size > from && h.Size <= to {
			if err := fn(h); err != nil {
				return err
			}
		}
	}
	return nil
}
