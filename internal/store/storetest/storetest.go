// Package storetest opens real repositories for tests: SQLite in a temporary folder, and PostgreSQL in a database of its
// own on a server that the test binary starts once.
package storetest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/keyturn/keyturn/internal/store"
)

// Databases are the PostgreSQL server of one test binary. Its methods may be called by several tests at once.
type Databases struct {
	server *server
	count  atomic.Int64
}

// Main starts the server, runs the tests of m with it, stops it and returns the exit code:
//
//	var databases storetest.Databases
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &databases)) }
//
// A server that does not start fails the whole binary.
func Main(m *testing.M, d *Databases) int {
	// The server dies with the thread that started it, so this thread must stay.
	runtime.LockOSThread()
	s, err := startServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		return 1
	}
	d.server = s
	code := m.Run()
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		return 1
	}
	return code
}

// Each runs f as two subtests, on an empty SQLite repository and on an empty PostgreSQL one. The stores are closed at
// the end of their subtest.
func (d *Databases) Each(t *testing.T, f func(*testing.T, *store.Store)) {
	t.Helper()
	d.EachConfig(t, func(t *testing.T, cfg store.Config) { f(t, Open(t, cfg)) })
}

// EachConfig is Each for tests that open, close and open again.
func (d *Databases) EachConfig(t *testing.T, f func(*testing.T, store.Config)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, d.Postgres(t)) })
}

// SQLite returns the configuration of a new repository in a temporary folder.
func SQLite(t testing.TB) store.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return store.Config{Dir: dir}
}

// Postgres returns the configuration of a new, empty database that is dropped when the test ends.
func (d *Databases) Postgres(t testing.TB) store.Config {
	t.Helper()
	if d.server == nil {
		t.Fatal("the test binary's TestMain does not call storetest.Main")
	}
	name := fmt.Sprintf("test_%d", d.count.Add(1))
	if _, err := d.server.db.Exec(`CREATE DATABASE ` + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := d.server.db.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return store.Config{DSN: d.server.url(name)}
}

// Open opens a repository and closes it when the test ends.
func Open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
