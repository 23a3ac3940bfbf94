package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/internal/fault"
)

// queryer is what a query runs on: a [Tx], or the store outside of one.
type queryer interface {
	query(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	// failed turns an error of the database into one that may be shown, and remembers it where that matters.
	failed(err error) error
}

// runner executes statements on one connection or pool.
type runner interface {
	exec(ctx context.Context, text string, args []any) (sql.Result, error)
	query(ctx context.Context, text string, args []any) (*sql.Rows, error)
}

// Tx is a transaction that is under way. It belongs to the function it was given to and to one goroutine.
type Tx struct {
	on        runner
	maxParams int
	doomed    error // what the database refused first; nothing more is run after it
	raw       error // the same as the driver said it
	changes   []Change
	// logOnly is set by calls that write nothing but the audit log: what is remembered of the rest stays true.
	logOnly bool
}

// numbered reports whether placeholders carry numbers. In a list of rows SQLite's are plain question marks: its driver looks
// each numbered one up in a list of all, which takes longer than everything else once there are hundreds.
func (t *Tx) numbered() bool { return t.maxParams == maxPostgresParams }

// Changed announces that an object was changed. The notice goes out after COMMIT, and not at all if there is none.
func (t *Tx) Changed(kind, id string, rev int64, parent string) {
	t.changes = append(t.changes, Change{Kind: kind, ID: id, Rev: rev, Parent: parent})
}

func (t *Tx) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if t.doomed != nil {
		return nil, t.doomed
	}
	rows, err := t.on.query(context.WithoutCancel(ctx), text, args)
	return rows, t.failed(err)
}

func (t *Tx) failed(err error) error {
	if err == nil {
		return nil
	}
	known := translate(err)
	if t.doomed == nil {
		t.doomed, t.raw = known, err
	}
	return known
}

// scanner is one row of an answer. Functions that scan may add errors of their own; only faults keep their text.
type scanner interface{ Scan(dest ...any) error }

// queryAll returns every row of an answer, made by scan. No rows is an empty list, not an error.
func queryAll[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.query(ctx, text, args...)
	if err != nil {
		return nil, q.failed(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, q.failed(err)
		}
		all = append(all, one)
	}
	return all, q.failed(rows.Err())
}

// queryOne returns the only row of an answer. It fails with fault.NotFound, naming what, when there is none.
func queryOne[T any](ctx context.Context, q queryer, what string, scan func(scanner) (T, error), text string, args ...any) (T, error) {
	var none T
	all, err := queryAll(ctx, q, scan, text, args...)
	if err != nil {
		return none, err
	}
	if len(all) == 0 {
		return none, fault.New(fault.NotFound, "there is no such %s", what)
	}
	return all[0], nil
}

func scanInt(r scanner) (n int64, err error) { return n, r.Scan(&n) }

func scanText(r scanner) (s string, err error) { return s, r.Scan(&s) }

// exec runs a statement and returns how many rows it touched.
func exec(ctx context.Context, tx *Tx, text string, args ...any) (int64, error) {
	if tx.doomed != nil {
		return 0, tx.doomed
	}
	res, err := tx.on.exec(context.WithoutCancel(ctx), text, args)
	if err != nil {
		return 0, tx.failed(err)
	}
	n, err := res.RowsAffected()
	return n, tx.failed(err)
}

// execOne runs a statement that must touch a row, such as an UPDATE … WHERE id = $1 AND rev = $2, and returns missed
// when it touched none.
func execOne(ctx context.Context, tx *Tx, missed error, text string, args ...any) error {
	n, err := exec(ctx, tx, text, args...)
	if err == nil && n == 0 {
		return missed
	}
	return err
}

// stale is the error of a change that was made on an old revision of what.
func stale(what string) error {
	return fault.New(fault.Stale, "the %s was changed by somebody else in the meantime", what).
		WithCure("read it again and repeat the change").WithUnchanged("nothing was written")
}

// maxRows bounds the rows of one statement; beyond it nothing gets faster and the text only grows.
const maxRows = 256

// insertRows inserts n rows with as few statements as the databases' limits on parameters allow and returns how many
// were inserted. head is "INSERT INTO t (a, b)", tail may be "ON CONFLICT …", cols is the number of columns, and row
// appends the values of row i to args. The sizes are powers of two, so that few statements have to be prepared.
func insertRows(ctx context.Context, tx *Tx, head string, cols int, tail string, n int, row func(args []any, i int) []any) (int64, error) {
	var done int64
	args := make([]any, 0, min(n, maxRows)*cols)
	for i := 0; i < n; {
		size := chunk(n-i, min(maxRows, tx.maxParams/cols))
		args = args[:0]
		for j := range size {
			args = row(args, i+j)
		}
		m, err := exec(ctx, tx, head+values(size, cols, tx.numbered())+tail, args...)
		if err != nil {
			return done, err
		}
		done, i = done+m, i+size
	}
	return done, nil
}

// chunk returns the largest power of two that is at most n and most.
func chunk(n, most int) int {
	size := 1
	for size*2 <= min(n, most) {
		size *= 2
	}
	return size
}

// values returns " VALUES ($1,$2),($3,$4) " for the given number of rows and columns, or the same with question marks.
func values(rows, cols int, numbered bool) string {
	var b strings.Builder
	b.Grow(10 + rows*(cols*6+3))
	b.WriteString(" VALUES ")
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for c := range cols {
			if c > 0 {
				b.WriteByte(',')
			}
			if !numbered {
				b.WriteByte('?')
				continue
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(r*cols + c + 1))
		}
		b.WriteByte(')')
	}
	b.WriteByte(' ')
	return b.String()
}

// maxStatements bounds each cache of prepared statements. Texts beyond it run unprepared.
const maxStatements = 512

// connRunner runs on one connection of SQLite, for one goroutine.
type connRunner struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (r *connRunner) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if st := r.stmts[text]; st != nil {
		return st, nil
	}
	if len(r.stmts) >= maxStatements {
		return nil, nil
	}
	st, err := r.conn.PrepareContext(ctx, text)
	if err == nil {
		r.stmts[text] = st
	}
	return st, err
}

func (r *connRunner) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	st, err := r.stmt(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return r.conn.ExecContext(ctx, text, args...)
	}
	return st.ExecContext(ctx, args...)
}

func (r *connRunner) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	st, err := r.stmt(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return r.conn.QueryContext(ctx, text, args...)
	}
	return st.QueryContext(ctx, args...)
}

// poolReader queries a pool. With prepare it keeps statements itself, for drivers that do not.
type poolReader struct {
	db      *sql.DB
	prepare bool
	mu      sync.RWMutex
	stmts   map[string]*sql.Stmt
}

func (r *poolReader) failed(err error) error { return translate(err) }

func (r *poolReader) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	st, err := r.stmt(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return r.db.QueryContext(ctx, text, args...)
	}
	return st.QueryContext(ctx, args...)
}

func (r *poolReader) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if !r.prepare {
		return nil, nil
	}
	r.mu.RLock()
	st, n := r.stmts[text], len(r.stmts)
	r.mu.RUnlock()
	if st != nil || n >= maxStatements {
		return st, nil
	}
	st, err := r.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.stmts[text]; other != nil {
		return other, st.Close()
	}
	r.stmts[text] = st
	return st, nil
}
