package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/keyturn/keyturn/internal/fault"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Codes of the faults that this package makes.
const (
	CodeDuplicate   = "duplicate"         // Conflict: something with this name or id is there already
	CodeReferenced  = "referenced"        // Conflict: another object needs it, or what it names is gone
	CodeBusy        = "store-busy"        // Unavailable: others hold the database, try again
	CodeFull        = "disk-full"         // Unavailable: no space, nothing was written
	CodeFailed      = "store-failed"      // Unavailable: the disk failed; no writes until restarted
	CodeUnreachable = "store-unreachable" // Unavailable: the database server does not answer
	CodeUnknown     = "commit-unknown"    // Unavailable: nobody knows whether the change was kept
	CodeNewer       = "schema-newer"      // Conflict: the repository was written by a newer Keyturn
	CodeLoose       = "loose-mode"        // Conflict: others on this machine could read the files
	CodeLocked      = "store-locked"      // Conflict: another server has this folder
)

// translate returns err as what a caller can act on. Messages of the databases may quote what was stored, so they are
// never passed on: what stays is the code and names from the schema. Faults and ends of a context pass as they are.
func translate(err error) error {
	if err == nil || fault.KindOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return translateSQLite(lite)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return translatePostgres(pg)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return errFull()
	}
	if lostConnection(err) {
		return errUnreachable()
	}
	if errors.Is(err, sql.ErrConnDone) || strings.HasSuffix(err.Error(), "database is closed") {
		return errClosed()
	}
	// Conversion errors of database/sql and pgx quote the value that did not fit.
	return fmt.Errorf("database: %T", err)
}

func translateSQLite(e *sqlite.Error) error {
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		columns := uniqueColumns(e.Error())
		table, _, _ := strings.Cut(columns, ".")
		return errDuplicate(table, strings.HasSuffix(columns, ".name"), columns)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return errReferenced()
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return errBusy()
	case sqlite3.SQLITE_FULL:
		return errFull()
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return errFailed(e.Code())
	}
	return fmt.Errorf("SQLite: code %d", e.Code())
}

// uniqueColumns finds "table.column, table.column" in SQLite's message, which has only names of the schema there.
func uniqueColumns(msg string) string {
	_, rest, ok := strings.Cut(msg, "UNIQUE constraint failed: ")
	if !ok {
		return ""
	}
	cols, _, _ := strings.Cut(rest, " (")
	return cols
}

func translatePostgres(e *pgconn.PgError) error {
	switch e.Code {
	case "23505":
		return errDuplicate(e.TableName, strings.Contains(e.ConstraintName, "_name"), strings.TrimSpace(e.TableName+" "+e.ConstraintName))
	case "23503":
		return errReferenced()
	case "40001", "40P01", "55P03":
		return errBusy()
	case "53100":
		return errFull()
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "53", "57", "08", "3D", "28":
		return fault.New(fault.Unavailable, "PostgreSQL refuses to work (SQLSTATE %s)", e.Code).WithCode(CodeUnreachable).
			WithCure("look into its log, and at the database URL").WithUnchanged("nothing was written")
	case "42":
		return fmt.Errorf("PostgreSQL: SQLSTATE %s at position %d", e.Code, e.Position)
	}
	return fmt.Errorf("PostgreSQL: SQLSTATE %s, table %q, column %q, constraint %q", e.Code, e.TableName, e.ColumnName, e.ConstraintName)
}

// lostConnection reports whether err says that the server is not there, or not any more.
func lostConnection(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08")
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) || strings.HasSuffix(err.Error(), "conn closed")
}

// named are the tables whose rows have names that people choose, and what a row is called.
var named = map[string]string{
	"clusters": "a cluster", "resources": "a resource", "accounts": "an account", "policies": "a policy", "users": "a user", "groups": "a group", "tokens": "a token",
}

// errDuplicate says that a row of table is there already; where is for whoever looks for the reason in the schema.
func errDuplicate(table string, name bool, where string) error {
	if what, ok := named[table]; ok && name {
		return nameTaken(what)
	}
	if where != "" {
		where = " (" + where + ")"
	}
	return fault.New(fault.Conflict, "something with the same name or id is there already%s", where).WithCode(CodeDuplicate).
		WithCure("choose another name, or change the one that is there").WithUnchanged("nothing was written")
}

func errReferenced() error {
	return fault.New(fault.Conflict, "another object depends on it, or what it refers to is gone").WithCode(CodeReferenced).
		WithCure("look at both again").WithUnchanged("nothing was written")
}

func errBusy() error {
	return fault.New(fault.Unavailable, "the repository is busy with other changes").WithCode(CodeBusy).
		WithCure("try again in a moment").WithUnchanged("nothing was written").WithRetryAfter(time.Second)
}

func errFull() error {
	return fault.New(fault.Unavailable, "the disk of the repository is full").WithCode(CodeFull).
		WithCure("make room; writing goes on by itself then").WithUnchanged("nothing was written").WithRetryAfter(10 * time.Second)
}

func errFailed(code int) error {
	return fault.New(fault.Unavailable, "the repository's file cannot be read or written (SQLite code %d)", code).WithCode(CodeFailed).
		WithCure("check the disk, then restart the server")
}

func errUnreachable() error {
	return fault.New(fault.Unavailable, "the database server does not answer").WithCode(CodeUnreachable).
		WithCure("check that it runs and that the database URL is right").WithUnchanged("nothing was written").WithRetryAfter(time.Second)
}

func errUnknown() error {
	return fault.New(fault.Unavailable, "the connection was lost while the change was being committed").WithCode(CodeUnknown).
		WithCure("look whether the change is there before repeating it").WithUnchanged("nobody knows whether the change was kept")
}

func hasCode(err error, code string) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Code == code
}
