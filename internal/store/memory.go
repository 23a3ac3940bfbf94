package store

import "sync"

// memory keeps answers of small reads that most requests need, such as who holds a session, until a change is committed.
// A change is forgotten before its writer gets an answer, so a request that follows a revocation never sees what held
// before. Answers in it are shared: nobody changes them. No value is in it but sealed.
type memory struct {
	mu    sync.RWMutex
	epoch uint64 // grows with every commit that changed more than the log
	kept  map[any]any
}

const (
	maxKept = 1024    // answers; when there are more it begins anew
	keepMax = 4 << 10 // bytes of an answer that is worth keeping
)

// forget drops everything. It is called after COMMIT and before the answer.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	clear(m.kept)
}

// recall returns the answer that is kept under key.
func (m *memory) recall(key any) (answer any, epoch uint64, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	answer, ok = m.kept[key]
	return answer, m.epoch, ok
}

// keep stores an answer that was read after recall had returned epoch, unless something was committed since.
func (m *memory) keep(key, answer any, epoch uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != epoch {
		return
	}
	if len(m.kept) >= maxKept {
		clear(m.kept)
	}
	m.kept[key] = answer
}

// remembered returns the answer to key, a comparable value of a type of its own, from the memory or else from read. Errors are
// not kept, nor what small does not allow.
func remembered[T any](s *Store, key any, small func(T) bool, read func() (T, error)) (T, error) {
	m := s.engine.remembers()
	if m == nil {
		return read()
	}
	kept, epoch, ok := m.recall(key)
	if ok {
		return kept.(T), nil
	}
	answer, err := read()
	if err == nil && small(answer) {
		m.keep(key, answer, epoch)
	}
	return answer, err
}

// always allows every answer to be kept.
func always[T any](T) bool { return true }
