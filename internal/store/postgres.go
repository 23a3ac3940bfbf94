package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/keyturn/keyturn/internal/fault"
)

const (
	maxPostgresParams = 65535
	maxPostgresConns  = 24
	maxTries          = 12
	writeTime         = 30 * time.Second
	bulkTime          = 5 * time.Minute
)

// pg is the repository in PostgreSQL, shared with any number of servers.
type pg struct {
	db      *sql.DB
	reads   *poolReader
	changed func([]Change)
	others  *notifier
}

func openPostgres(ctx context.Context, c Config, log *slog.Logger, changed func([]Change)) (engine, error) {
	cfg, err := pgx.ParseConfig(c.DSN)
	if err != nil { // its text may quote the URL, and the URL may hold a password
		return nil, fault.New(fault.Invalid, "the database URL cannot be read").WithField("database").
			WithCure("write it as postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full")
	}
	defaults := map[string]string{
		"application_name": "keyturn", "synchronous_commit": "on", "lock_timeout": "10s",
		"statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s",
	}
	for name, value := range defaults {
		if _, set := cfg.RuntimeParams[name]; !set {
			cfg.RuntimeParams[name] = value
		}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(maxPostgresConns)
	db.SetMaxIdleConns(maxPostgresConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(translate(err), db.Close())
	}
	missed := c.Missed
	if missed == nil {
		missed = func() {}
	}
	return &pg{db: db, reads: &poolReader{db: db}, changed: changed, others: startNotifier(db, cfg, changed, missed, log)}, nil
}

func (e *pg) reader() queryer { return e.reads }

// remembers implements engine: other servers change the repository too.
func (e *pg) remembers() *memory { return nil }

func (e *pg) migrator() *sql.DB { return e.db }

func (e *pg) postgres() bool { return true }

func (e *pg) close() error {
	e.others.close()
	return e.db.Close()
}

// write runs fn until it does not clash with another transaction, a bounded number of times. Transactions are
// serialisable, so that what fn reads is as reliable as with SQLite's single writer.
func (e *pg) write(ctx context.Context, fn func(*Tx) error, alone bool) error {
	limit := writeTime
	if alone {
		limit = bulkTime
	}
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		changes, err := e.once(ctx, limit, fn)
		if err == nil {
			if len(changes) > 0 {
				e.changed(changes)
				e.others.tell(changes)
			}
			return nil
		}
		if try == maxTries || !errors.Is(err, errAgain) {
			return unwrapAgain(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause(try)):
		}
	}
}

// pause returns how long to wait after try: one millisecond and up to four more for each try, so that those who clashed
// do not meet again.
func pause(try int) time.Duration {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails
	return time.Millisecond + time.Duration(try)*time.Duration(b[0])*4*time.Millisecond/256
}

// errAgain marks an error after which nothing was committed and another try may succeed.
var errAgain = errors.New("try again")

type again struct{ error }

func (a again) Is(target error) bool { return target == errAgain }
func (a again) Unwrap() error        { return a.error }

func unwrapAgain(err error) error {
	if a, ok := err.(again); ok {
		return translate(a.error)
	}
	return err
}

// repeatable marks err when it is a clash or a connection lost before COMMIT was sent.
func repeatable(err error) error {
	if state, ok := errors.AsType[*pgconn.PgError](err); ok && (state.Code == "40001" || state.Code == "40P01") {
		return again{err}
	}
	if lostConnection(err) {
		return again{err}
	}
	return err
}

func (e *pg) once(ctx context.Context, limit time.Duration, fn func(*Tx) error) ([]Change, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer stop()
	sqlTx, err := e.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		if err = repeatable(err); !errors.Is(err, errAgain) {
			err = translate(err)
		}
		return nil, err
	}
	defer sqlTx.Rollback() // after COMMIT it does nothing
	tx := &Tx{on: &txRunner{ctx: ctx, tx: sqlTx}, maxParams: maxPostgresParams}
	err = fn(tx)
	if tx.raw != nil { // whatever fn made of it, the database's own word decides
		if retry := repeatable(tx.raw); errors.Is(retry, errAgain) {
			return nil, retry
		}
	}
	if err == nil {
		err = tx.doomed
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return tx.changes, committed(sqlTx.Commit())
}

// committed tells a COMMIT that was refused from one whose answer never came.
func committed(err error) error {
	if err == nil {
		return nil
	}
	state, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case answered && !lostConnection(err):
		if state.Code == "40001" || state.Code == "40P01" {
			return again{err}
		}
		return translate(err)
	case !answered && pgconn.SafeToRetry(err): // nothing was sent
		return again{err}
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return errBusy()
	}
	return errUnknown()
}

// txRunner runs on a transaction.
type txRunner struct {
	ctx context.Context // bounds the transaction as a whole; a statement's own context does not end it
	tx  *sql.Tx
}

func (r *txRunner) exec(_ context.Context, text string, args []any) (sql.Result, error) {
	return r.tx.ExecContext(r.ctx, text, args...)
}

func (r *txRunner) query(_ context.Context, text string, args []any) (*sql.Rows, error) {
	return r.tx.QueryContext(r.ctx, text, args...)
}
