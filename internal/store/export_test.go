package store

import (
	"context"

	"github.com/keyturn/keyturn/internal/audit"
)

// What the tests in package store_test may reach.

func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error { return s.write(ctx, fn) }

func (s *Store) Bulk(ctx context.Context, fn func(*Tx) error) error { return s.bulk(ctx, fn) }

func (t *Tx) Exec(text string, args ...any) (int64, error) {
	return exec(context.Background(), t, text, args...)
}

func (t *Tx) ExecOne(text string, args ...any) error {
	return execOne(context.Background(), t, stale("thing"), text, args...)
}

func (t *Tx) Insert(head string, cols, n int, row func([]any, int) []any) (int64, error) {
	return insertRows(context.Background(), t, head, cols, "", n, row)
}

func (t *Tx) Record(ev ...audit.Event) error { return record(context.Background(), t, ev...) }

func (t *Tx) Int(text string, args ...any) (int64, error) {
	return queryOne(context.Background(), t, "row", scanInt, text, args...)
}

func (s *Store) Int(text string, args ...any) (int64, error) {
	return queryOne(context.Background(), s.read(context.Background()), "row", scanInt, text, args...)
}

func (s *Store) Blob(text string, args ...any) ([]byte, error) {
	return queryOne(context.Background(), s.read(context.Background()), "row",
		func(r scanner) (b []byte, err error) { return b, r.Scan(&b) }, text, args...)
}

// Payloads are the notices that tell other servers of changes.
var Payloads = payloads

// Kept returns how many answers are remembered.
func (s *Store) Kept() int {
	m := s.engine.remembers()
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.kept)
}

// Keep remembers key.
func (s *Store) Keep(key any) {
	m := s.engine.remembers()
	_, epoch, _ := m.recall(key)
	m.keep(key, key, epoch)
}
