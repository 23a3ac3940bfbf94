package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// maxSQLiteParams is SQLite's limit on the parameters of one statement.
const maxSQLiteParams = 32766

// lite is the repository in one SQLite file, written through one connection and read through others.
type lite struct {
	lock   *os.File
	writer *sql.DB
	conn   *sql.Conn
	pool   *sql.DB
	reads  *poolReader
	memory *memory
	group  *group

	stop   chan struct{} // ends folding
	folded sync.WaitGroup
}

func openSQLite(ctx context.Context, cfg Config, log *slog.Logger, changed func([]Change)) (engine, error) {
	path := cfg.DSN
	if path == "" {
		path = filepath.Join(cfg.Dir, "keyturn.db")
	}
	dir := cfg.Dir
	if dir == "" {
		dir = filepath.Dir(path)
	}
	lock, err := guard(dir, path)
	if err != nil {
		return nil, err
	}
	e := &lite{lock: lock}
	if err := e.connect(ctx, path, changed); err != nil {
		return nil, errors.Join(translate(err), e.close())
	}
	log.DebugContext(ctx, "repository opened", "database", "sqlite", "dir", dir)
	return e, nil
}

func (e *lite) connect(ctx context.Context, path string, changed func([]Change)) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("open repository: %w", err)
	}
	write, err := sqlite.NewConnector(address(abs, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)",
		"_pragma=foreign_keys(1)", "_pragma=busy_timeout(5000)", "_pragma=secure_delete(1)", "_pragma=journal_size_limit(67108864)",
		"_pragma=wal_autocheckpoint(16000)", // 64 MiB: long before that, the log is folded in beside the writer
		"_pragma=cache_size(-16000)", "_pragma=temp_store(2)", "_defensive=1", "_dqs=0"))
	if err != nil {
		return err
	}
	read, err := sqlite.NewConnector(address(abs, "mode=ro", "_pragma=query_only(1)", "_pragma=busy_timeout(5000)",
		"_pragma=cache_size(-4000)", "_pragma=temp_store(2)", "_defensive=1", "_dqs=0"))
	if err != nil {
		return err
	}
	// Two connections: one is the writer's for good, the other serves migrations before the writer begins.
	e.writer = sql.OpenDB(write)
	e.writer.SetMaxOpenConns(2)
	e.writer.SetMaxIdleConns(1)
	if e.conn, err = e.writer.Conn(ctx); err != nil {
		return err
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	e.pool = sql.OpenDB(read)
	e.pool.SetMaxOpenConns(readers)
	e.pool.SetMaxIdleConns(readers)
	e.reads = &poolReader{db: e.pool, prepare: true, stmts: map[string]*sql.Stmt{}}
	e.memory = &memory{kept: map[any]any{}}
	e.group = startGroup(&connRunner{conn: e.conn, stmts: map[string]*sql.Stmt{}}, e.memory, changed)
	e.stop = make(chan struct{})
	e.folded.Go(e.fold)
	return nil
}

// foldEvery is how often what was committed is folded from the write-ahead log into the file. Doing it often and on
// another connection keeps every COMMIT from doing it for all those before.
const foldEvery = 5 * time.Second

// fold runs until stop is closed. What it cannot do for want of room or because of a reader is left for its next time. A
// disk that fails breaks the store: a second fsync may succeed without having written what the first one lost.
func (e *lite) fold() {
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-tick.C:
		}
		if e.group.written.Swap(false) {
			_, err := e.writer.ExecContext(context.Background(), `PRAGMA wal_checkpoint(PASSIVE)`)
			if err = translate(err); hasCode(err, CodeFailed) {
				e.group.breakDown(err)
			} else if err != nil {
				e.group.written.Store(true) // is due still, also when nothing more is committed
			}
		}
	}
}

// address returns the URI of a file. As a URI, no character of the path can be taken for an option.
func address(path string, options ...string) string {
	u := url.URL{Scheme: "file", Path: path}
	text := u.String()
	for i, o := range options {
		if i == 0 {
			text += "?" + o
		} else {
			text += "&" + o
		}
	}
	return text
}

func (e *lite) write(ctx context.Context, fn func(*Tx) error, alone bool) error {
	return e.group.write(ctx, fn, alone)
}

func (e *lite) reader() queryer { return e.reads }

// remembers implements engine. The folder's lock makes this process the only one that writes.
func (e *lite) remembers() *memory { return e.memory }

func (e *lite) migrator() *sql.DB { return e.writer }

func (e *lite) postgres() bool { return false }

// close ends with the writer, since only it may fold the write-ahead log into the file.
func (e *lite) close() error {
	var errs []error
	if e.group != nil {
		e.group.close()
		close(e.stop)
		e.folded.Wait()
	}
	if e.pool != nil {
		errs = append(errs, e.pool.Close())
	}
	if e.conn != nil {
		// After a clean stop everything is in the one file that people copy.
		if _, err := e.conn.ExecContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
			errs = append(errs, translate(err))
		}
		errs = append(errs, e.conn.Close())
	}
	if e.writer != nil {
		errs = append(errs, e.writer.Close())
	}
	return errors.Join(append(errs, e.lock.Close())...)
}
