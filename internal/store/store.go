// Package store keeps Keyturn's repository in SQL: SQLite on one machine, PostgreSQL beyond it, one SQL text for both.
//
//	caller ──write──▶ queue ──▶ one writer: BEGIN IMMEDIATE · call · call · call · COMMIT ──▶ every caller   (SQLite)
//	caller ──write──▶ its own serialisable transaction, run again when it clashes                          (PostgreSQL)
//
// Invariants: an answer without an error means that the change is on the disk; a change and its audit event are in one
// transaction; a call that fails leaves nothing behind and takes nobody else down; after an error of the disk nothing is
// written until the store was opened again.
//
// SQL in this package uses $1 placeholders, BIGINT microseconds for times, TEXT for ids (UUIDv7) and BYTEA for bytes.
// Nothing here puts a stored value into an error or a log line.
package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/internal/fault"
)

// Config says where the repository is.
type Config struct {
	// DSN is a postgres:// URL, or the path of a SQLite file. Empty means keyturn.db in Dir.
	DSN string
	// Dir is where SQLite keeps its file and its lock. It is made with mode 0700 if it is not there. When it is empty,
	// the folder of the file that DSN names is meant. PostgreSQL does not use it.
	Dir string
	// Log gets what an operator should know. Nil means no log.
	Log *slog.Logger
	// Changed, if set, is called after every commit with the changes that its calls announced, in commit order on
	// SQLite. It is called from several goroutines on PostgreSQL and holds up answers, so it must be quick and must not
	// call the store.
	// On PostgreSQL it hears of the commits of other servers too, a moment later.
	Changed func([]Change)
	// Missed, if set, is called when commits of other servers may not have been heard of. It must be quick.
	Missed func()
}

// Change says that an object is not what it was. It carries names only, for the event stream.
type Change struct {
	Kind   string // the domain word, such as "cluster"
	ID     string
	Rev    int64
	Parent string // the id of what contains it; may be empty
}

// Store is an open repository. Its methods may be called by several goroutines at once.
type Store struct {
	engine  engine
	changed func([]Change)
	log     *slog.Logger
	events  *recorder
	closing sync.Once
	closed  error
}

// engine is what differs between the two databases.
type engine interface {
	// write runs fn in a transaction and returns after its COMMIT; alone keeps other calls out of that transaction.
	write(ctx context.Context, fn func(*Tx) error, alone bool) error
	reader() queryer
	// remembers returns what keeps answers until the next change; nil when others may change the repository.
	remembers() *memory
	// migrator returns the pool that migrations run on.
	migrator() *sql.DB
	postgres() bool
	close() error
}

// Open opens the repository, makes it if it is not there, and brings its schema up to date. It fails with
// fault.Conflict when the schema is newer than this binary, when file modes are too loose, and when another server has
// the folder; with fault.Unavailable when the database does not answer.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{changed: cfg.Changed, log: cfg.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.changed == nil {
		s.changed = func([]Change) {}
	}
	var err error
	if isPostgres(cfg.DSN) {
		s.engine, err = openPostgres(ctx, cfg, s.log, s.changed)
	} else {
		s.engine, err = openSQLite(ctx, cfg, s.log, s.changed)
	}
	if err != nil {
		return nil, err
	}
	s.events = startRecorder(s)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := migrate(ctx, s.engine, s.log); err != nil {
		return err
	}
	return s.founded(ctx)
}

// Close waits for the writes that were accepted, then closes the database. Later calls fail with fault.Unavailable.
// Closing again does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.events.close()
		s.closed = s.engine.close()
	})
	return s.closed
}

// write runs fn in one transaction with every other call that waits (SQLite) or in one of its own (PostgreSQL) and
// returns after COMMIT. If fn fails, only what fn did is undone and its error is returned.
//
// fn must be quick and must touch nothing but tx: on SQLite every other writer waits for it, on PostgreSQL it is run
// again when it clashes with another transaction. A statement that failed ends the transaction, so that both databases
// behave alike; use ON CONFLICT where a duplicate is expected. Cancelling ctx withdraws the call as long as fn has not
// begun; afterwards it runs to its end. An error with the code "commit-unknown" means that nobody knows whether the
// change was kept: look before doing it again.
func (s *Store) write(ctx context.Context, fn func(*Tx) error) error {
	return s.engine.write(ctx, fn, false)
}

// bulk is write for large imports: fn has the transaction for itself. Keep one call below some 5,000 rows, since on
// SQLite everybody else waits.
func (s *Store) bulk(ctx context.Context, fn func(*Tx) error) error {
	return s.engine.write(ctx, fn, true)
}

// read returns what a query outside a transaction runs on. Each query sees everything that was committed before it.
func (s *Store) read(context.Context) queryer { return s.engine.reader() }

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

func errClosed() error {
	return fault.New(fault.Unavailable, "the repository is closed").WithCode("store-closed").
		WithUnchanged("nothing was written")
}
