package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/target"
)

// session is one connection that has logged in; name is the account that the server let in.
type session struct {
	db   *sql.DB
	conn *sql.Conn
	name account
}

func (s *session) close() {
	_ = s.conn.Close()
	_ = s.db.Close()
}

// whoami is the harmless statement that shows that an account can work: one that has to change its password first, for
// instance, cannot.
func (s *session) whoami(ctx context.Context) error {
	var name string
	if err := s.conn.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&name); err != nil {
		return queryError(err)
	}
	i := strings.LastIndexByte(name, '@')
	if i < 0 {
		return &target.Error{Outcome: target.Unproven, Msg: "the server does not say whom it let in", Cure: "look at proxies on the way"}
	}
	s.name = account{name[:i], strings.ToLower(name[i+1:])}
	return nil
}

// settle makes the session independent of the server's defaults: what SHOW CREATE USER looks like, and how long a
// statement may wait for others, which is shorter than we do, so that none is carried out after we have given up.
func (s *session) settle(ctx context.Context, limit time.Duration) error {
	var version string
	if err := s.conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return queryError(err)
	}
	if !strings.Contains(version, "MariaDB") {
		return &target.Error{Outcome: target.Unsupported, Msg: "the server is not MariaDB, and values of other servers cannot be changed yet", Cure: "change the value on the server by hand"}
	}
	_, err := s.conn.ExecContext(ctx, fmt.Sprintf("SET SESSION sql_mode='', sql_quote_show_create=1, max_statement_time=%d", max(1, int(limit.Seconds()))))
	if err != nil {
		return queryError(err)
	}
	return nil
}

// user reads what the server knows of a. An account may look at itself without any right.
func (s *session) user(ctx context.Context, a account, self bool) (user, error) {
	name := a.sql()
	if self {
		name = "CURRENT_USER"
	}
	var text string
	if err := s.conn.QueryRowContext(ctx, "SHOW CREATE USER "+name).Scan(&text); err != nil {
		return user{}, readError(err)
	}
	u, ok := parseUser(a, text)
	if !ok {
		return user{}, &target.Error{Outcome: target.NotPermitted, Msg: "the account's methods of logging in are not understood", Cure: "manage an account that logs in by a password alone"}
	}
	return u, nil
}

// set replaces the methods of a and leaves its other options as they are.
func (s *session) set(ctx context.Context, a account, self bool, old, want []method) error {
	statement := "ALTER USER " + a.sql() + " IDENTIFIED VIA " + via(want)
	if self && len(old) == 1 && len(want) == 1 { // needs no right, and keeps the plugin
		statement = "SET PASSWORD = '" + want[0].hash + "'"
	}
	_, err := s.conn.ExecContext(ctx, statement)
	switch {
	case err == nil:
		return nil
	case number(err) == failedOperation:
		return changeError(err, s.reason(ctx))
	case brokenOff(err):
		return s.lookAgain(ctx, a, self, old, want, err)
	}
	return changeError(err, 0)
}

// via is the list of methods as statements have it. The alphabet of hashes has nothing to quote.
func via(methods []method) string {
	var list []string
	for _, m := range methods {
		list = append(list, m.plugin+" USING '"+m.hash+"'")
	}
	return strings.Join(list, " OR ")
}

// lookAgain says what became of a change that the server broke off: such statements are no transactions.
func (s *session) lookAgain(ctx context.Context, a account, self bool, old, want []method, broken error) error {
	u, err := s.user(ctx, a, self)
	switch {
	case err == nil && slices.Equal(u.methods, want):
		return nil
	case err == nil && slices.Equal(u.methods, old):
		return &target.Error{Outcome: target.Unreachable, Code: code(broken), Msg: "the server gave the change up, because something else held its accounts for too long", Cure: "try again"}
	}
	return changeError(broken, 0)
}

// reason is the number of the first warning of the last statement that says more than that it failed; 0 for none.
func (s *session) reason(ctx context.Context) uint16 {
	rows, err := s.conn.QueryContext(ctx, "SHOW WARNINGS")
	if err != nil {
		return 0
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var level, text string
		var code uint16
		if rows.Scan(&level, &code, &text) == nil && code != failedOperation {
			return code
		}
	}
	return 0
}
