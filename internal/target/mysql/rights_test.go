package mysql_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

var hashes = regexp.MustCompile(`\*[0-9A-F]{40}|[A-Za-z0-9+/]{43}`)

// dump returns every table about accounts, and how far the binary log has come.
func (s *server) dump(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, query := range []string{
		"SELECT * FROM mysql.global_priv ORDER BY 1, 2", "SELECT * FROM mysql.db ORDER BY 1, 2, 3", "SELECT * FROM mysql.tables_priv ORDER BY 1, 2, 3, 4",
		"SELECT * FROM mysql.columns_priv ORDER BY 1, 2, 3, 4, 5", "SELECT * FROM mysql.procs_priv ORDER BY 1, 2, 3, 4", "SELECT * FROM mysql.roles_mapping ORDER BY 1, 2, 3",
		"SELECT * FROM mysql.proxies_priv ORDER BY 1, 2, 3, 4", "SELECT @@global.gtid_binlog_pos",
	} {
		rows, err := s.admin.QueryContext(t.Context(), query)
		must(t, err)
		columns, err := rows.Columns()
		must(t, err)
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			must(t, rows.Scan(into...))
			for _, v := range values {
				fmt.Fprintf(&out, "%s\t", v)
			}
			out.WriteString("\n")
		}
		must(t, rows.Err())
		must(t, rows.Close())
	}
	return out.String()
}

// rights makes what the rights below are about, and returns them.
func (s *server) rights(t *testing.T) []targettest.Right {
	t.Helper()
	for _, statement := range []string{
		"CREATE DATABASE shop", "CREATE TABLE shop.orders (id int, note text)", "CREATE TABLE shop.`bills TO ``x` (id int, `a, (b)` text)",
		"CREATE PROCEDURE shop.p() SELECT 1", "CREATE ROLE readers", "CREATE ROLE writers", "CREATE USER proxied",
	} {
		s.exec(t, statement)
	}
	var out []targettest.Right
	for _, r := range [][2]string{
		{"GRANT SELECT ON shop.* TO ?", "has SELECT on `shop`.*"},
		{"GRANT INSERT ON shop.orders TO ? WITH GRANT OPTION", "has INSERT on `shop`.`orders` with grant option"},
		{"GRANT UPDATE (`a, (b)`) ON shop.`bills TO ``x` TO ?", "has UPDATE (`a, (b)`) on `shop`.`bills TO ``x`"},
		{"GRANT UPDATE (id) ON shop.`bills TO ``x` TO ?", "has UPDATE (`id`) on `shop`.`bills TO ``x`"},
		{"GRANT DELETE ON shop.`bills TO ``x` TO ?", "has DELETE on `shop`.`bills TO ``x`"},
		{"GRANT EXECUTE ON PROCEDURE shop.p TO ?", "has EXECUTE on PROCEDURE `shop`.`p`"},
		{"GRANT readers TO ?", "is a member of `readers`"},
		{"GRANT writers TO ? WITH ADMIN OPTION", "is a member of `writers` with admin option"},
		{"SET DEFAULT ROLE readers FOR ?", "has the default role `readers`"},
		{"GRANT PROCESS ON *.* TO ?", "has PROCESS on *.*"},
		{"GRANT PROXY ON proxied TO ?", "has PROXY on `proxied`@`%`"},
		{"ALTER USER ? REQUIRE SSL", "is set up with REQUIRE SSL"},
		{"ALTER USER ? WITH MAX_USER_CONNECTIONS 7", "is set up with WITH MAX_USER_CONNECTIONS 7"},
		{"ALTER USER ? PASSWORD EXPIRE INTERVAL 90 DAY", "is set up with PASSWORD EXPIRE INTERVAL 90 DAY"},
	} {
		out = append(out, targettest.Right{Line: r[1], Give: func(t *testing.T, account string) {
			t.Helper()
			s.exec(t, strings.ReplaceAll(r[0], "?", name(account)))
		}})
	}
	return out
}

// compare shows what the suite does not: accounts that look at themselves, and those that cannot be a pair.
func compare(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	a, b := s.create(t, "twin_a", "value-1", native, ""), s.create(t, "twin_b", "value-2", "ed25519", "")
	of := func(by target.Login, account string) []string {
		t.Helper()
		lines, err := own.Rights(ctx, at, by, account)
		check(t, account, "", err)
		return lines
	}
	if got := fmt.Sprint(target.Differences("twin_a", of(a, "twin_a"), "twin_b", of(b, "twin_b"))); got != "[only twin_a logs in by mysql_native_password only twin_b logs in by ed25519]" {
		t.Errorf("by themselves: %s", got)
	}
	if fmt.Sprint(of(a, "twin_a")) != fmt.Sprint(of(rec, "twin_a")) {
		t.Error("an account sees of itself something else than the reconcile login does")
	}
	s.create(t, "twin_a@127.0.0.1", "value-3", native, "")
	_, err := own.Rights(ctx, at, rec, "twin_a@127.0.0.1")
	check(t, "a host part", target.Misconfigured, err)
}

// rehearsals shows what keeps a change from its work beside a right.
func rehearsals(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.create(t, "tried", "value-1", native, "")
	s.create(t, "tried_locked", "value-1", native, "ACCOUNT LOCK")
	rehearse := func(name string, want, itself target.Outcome) {
		t.Helper()
		_, err := own.Rehearse(ctx, at, rec, "tried")
		check(t, name, want, err)
		_, err = own.Rehearse(ctx, at, l, "tried")
		check(t, name+", by itself", itself, err)
	}
	s.exec(t, "SET GLOBAL strict_password_validation=ON")
	before := s.dump(t)
	rehearse("as it is", "", "")
	_, err := own.Rehearse(ctx, at, rec, "tried_locked")
	check(t, "locked", target.NotPermitted, err)
	s.exec(t, "SET GLOBAL read_only=1")
	rehearse("read-only", target.Unreachable, target.Unreachable)
	s.exec(t, "SET GLOBAL read_only=0")
	s.exec(t, "INSTALL SONAME 'simple_password_check'")
	rehearse("policy", target.NotPermitted, target.NotPermitted)
	s.exec(t, "SET GLOBAL strict_password_validation=OFF")
	rehearse("not strict", "", "")
	s.exec(t, "SET GLOBAL strict_password_validation=ON")
	s.exec(t, "UNINSTALL SONAME 'simple_password_check'")
	s.exec(t, "REVOKE SELECT ON mysql.* FROM rec")
	rehearse("may not look", target.NotPermitted, "")
	s.exec(t, "GRANT SELECT ON mysql.* TO rec")
	if after := s.dump(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	for name, by := range map[string]target.Login{"rec": rec, "tried": l} {
		_, err := own.RehearseOverlap(ctx, at, by, "tried")
		check(t, "overlap by "+name, map[string]target.Outcome{"tried": target.NotPermitted}[name], err)
	}
	s.addValue(t, "tried", "value-2")
	rehearse("two values", "", target.NotPermitted)
	check(t, "as it was", "", own.Verify(ctx, at, l))
}
