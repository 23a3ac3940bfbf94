package postgresql_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// Each statement gives one role of a pair something that the other has not; the comparison must say so, and be silent again
// when the other has it too.
func TestRightsOfAPair(t *testing.T) {
	s := startServer(t, "")
	s.create(t, "rec", "strong-1-pw", "LOGIN CREATEROLE")
	s.create(t, "pair_a", "start-1-pw", "LOGIN")
	s.create(t, "pair_b", "start-2-pw", "LOGIN")
	s.exec(t, `CREATE ROLE readers`)
	s.exec(t, `CREATE ROLE owner`)
	s.exec(t, `CREATE DATABASE other`)
	s.exec(t, `CREATE SCHEMA shop; CREATE TABLE shop.orders (id int, note text); CREATE SEQUENCE shop.numbers; CREATE TYPE shop.size AS ENUM ('s');
		CREATE FUNCTION shop.add(int) RETURNS int LANGUAGE sql AS 'SELECT $1'; ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY`)
	pg := postgresql.New(postgresql.Config{})
	at := target.Connection{"host": "127.0.0.1", "port": s.port, "tls_ca": s.ca}
	self := target.Login{User: "pair_a", Password: targettest.Value("start-1-pw")}
	differ := func(t *testing.T, by target.Login) []string {
		t.Helper()
		a, err := pg.Rights(t.Context(), at, by, "pair_a")
		must(t, err)
		b, err := pg.Rights(t.Context(), at, by, "pair_b")
		must(t, err)
		return target.Differences("pair_a", a, "pair_b", b)
	}
	if got := differ(t, self); len(got) != 0 {
		t.Fatalf("two new roles differ: %q", got)
	}
	for _, tt := range []struct{ give, take, want string }{
		{"ALTER ROLE ? CREATEDB", "ALTER ROLE ? NOCREATEDB", "only pair_a has CREATEDB"},
		{"ALTER ROLE ? CREATEROLE", "ALTER ROLE ? NOCREATEROLE", "only pair_a has CREATEROLE"},
		{"ALTER ROLE ? SUPERUSER", "ALTER ROLE ? NOSUPERUSER", "only pair_a is a superuser"},
		{"ALTER ROLE ? NOINHERIT", "ALTER ROLE ? INHERIT", "only pair_a is NOINHERIT"},
		{"ALTER ROLE ? BYPASSRLS", "ALTER ROLE ? NOBYPASSRLS", "only pair_a has BYPASSRLS"},
		{"ALTER ROLE ? REPLICATION", "ALTER ROLE ? NOREPLICATION", "only pair_a has REPLICATION"},
		{"ALTER ROLE ? CONNECTION LIMIT 7", "ALTER ROLE ? CONNECTION LIMIT -1", "only pair_a has CONNECTION LIMIT 7"},
		{"ALTER ROLE ? VALID UNTIL '2099-01-01 00:00:00Z'", "ALTER ROLE ? VALID UNTIL 'infinity'", "only pair_a is VALID UNTIL 2099-01-01 00:00:00 UTC"},
		{"GRANT readers TO ?", "REVOKE readers FROM ?", "only pair_a is a member of readers"},
		{"GRANT readers TO ? WITH ADMIN OPTION", "REVOKE readers FROM ?", "only pair_a is a member of readers with admin option"},
		{"ALTER ROLE ? SET statement_timeout = '5s'", "ALTER ROLE ? RESET statement_timeout", "only pair_a is set to statement_timeout=5s"},
		{"ALTER ROLE ? IN DATABASE other SET work_mem = '8MB'", "ALTER ROLE ? IN DATABASE other RESET work_mem", "only pair_a is set to work_mem=8MB in database other"},
		{"GRANT CREATE ON DATABASE other TO ?", "REVOKE CREATE ON DATABASE other FROM ?", "only pair_a has CREATE on database other"},
		{"GRANT USAGE ON SCHEMA shop TO ?", "REVOKE USAGE ON SCHEMA shop FROM ?", "only pair_a has USAGE on schema shop (database postgres)"},
		{"GRANT SELECT ON shop.orders TO ?", "REVOKE SELECT ON shop.orders FROM ?", "only pair_a has SELECT on table shop.orders (database postgres)"},
		{"GRANT UPDATE ON shop.orders TO ? WITH GRANT OPTION", "REVOKE UPDATE ON shop.orders FROM ?", "only pair_a has UPDATE on table shop.orders with grant option (database postgres)"},
		{"GRANT UPDATE (note) ON shop.orders TO ?", "REVOKE UPDATE (note) ON shop.orders FROM ?", "only pair_a has UPDATE on column note of table shop.orders (database postgres)"},
		{"GRANT USAGE ON SEQUENCE shop.numbers TO ?", "REVOKE USAGE ON SEQUENCE shop.numbers FROM ?", "only pair_a has USAGE on sequence shop.numbers (database postgres)"},
		{"GRANT EXECUTE ON FUNCTION shop.add TO ?", "REVOKE EXECUTE ON FUNCTION shop.add FROM ?", "only pair_a has EXECUTE on function shop.add(integer) (database postgres)"},
		{"GRANT USAGE ON TYPE shop.size TO ?", "REVOKE USAGE ON TYPE shop.size FROM ?", "only pair_a has USAGE on type shop.size (database postgres)"},
		{"GRANT SET ON PARAMETER log_statement TO ?", "REVOKE SET ON PARAMETER log_statement FROM ?", "only pair_a has rights on parameter log_statement"},
		{"ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA shop GRANT SELECT ON TABLES TO ?", "ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA shop REVOKE SELECT ON TABLES FROM ?",
			"only pair_a has by default SELECT on what owner makes (r) in schema shop (database postgres)"},
		{"ALTER DEFAULT PRIVILEGES FOR ROLE ? IN SCHEMA shop GRANT INSERT ON TABLES TO readers", "ALTER DEFAULT PRIVILEGES FOR ROLE ? IN SCHEMA shop REVOKE INSERT ON TABLES FROM readers",
			"only pair_a gives by default INSERT on what it makes (r) in schema shop to readers (database postgres)"},
		{"CREATE POLICY own_? ON shop.orders TO ?", "DROP POLICY own_? ON shop.orders", "only pair_a is named by policy own_pair_a on table shop.orders (database postgres)"},
		{"CREATE TABLE shop.of_? (); ALTER TABLE shop.of_? OWNER TO ?", "DROP TABLE shop.of_?", "only pair_a owns table shop.of_pair_a (database postgres)"},
	} {
		t.Run(tt.give, func(t *testing.T) {
			fill := func(sql, role string) string { return strings.ReplaceAll(sql, "?", role) }
			s.exec(t, fill(tt.give, "pair_a"))
			got := differ(t, self)
			if !slices.Contains(got, tt.want) || len(got) > 2 {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if strings.Contains(tt.give, "of_?") || strings.Contains(tt.give, "POLICY") { // one thing of each would be a difference still
				s.exec(t, fill(tt.take, "pair_a"))
				return
			}
			s.exec(t, fill(tt.give, "pair_b"))
			if got := differ(t, self); len(got) != 0 {
				t.Errorf("both have it, and differ: %q", got)
			}
			s.exec(t, fill(tt.take, "pair_a"))
			s.exec(t, fill(tt.take, "pair_b"))
		})
	}
	if got := differ(t, self); len(got) != 0 {
		t.Errorf("everything was taken back, and they differ: %q", got)
	}

	// What stands in another database counts too, and is not passed over where nobody may look.
	other, err := pgx.ConnectConfig(t.Context(), func() *pgx.ConnConfig { c := s.admin.Config().Copy(); c.Database = "other"; return c }())
	must(t, err)
	defer func() { _ = other.Close(context.Background()) }()
	_, err = other.Exec(t.Context(), "CREATE TABLE public.bills (); GRANT DELETE ON public.bills TO pair_b")
	must(t, err)
	if got := differ(t, self); !slices.Equal(got, []string{"only pair_b has DELETE on table public.bills (database other)"}) {
		t.Errorf("in another database: %q", got)
	}
	s.exec(t, "REVOKE CONNECT ON DATABASE other FROM PUBLIC; GRANT CONNECT ON DATABASE other TO pair_b")
	if _, err := pg.Rights(t.Context(), at, self, "pair_b"); target.OutcomeOf(err) != target.NotPermitted || !strings.Contains(err.Error(), "other") {
		t.Errorf("a database that cannot be looked into: %v", err)
	}
	s.exec(t, "GRANT CONNECT ON DATABASE other TO rec")
	if got := differ(t, target.Login{User: "rec", Password: targettest.Value("strong-1-pw")}); len(got) != 2 {
		t.Errorf("by another account: %q", got)
	}
	if _, err := pg.Rights(t.Context(), at, self, "pair_c"); target.OutcomeOf(err) != target.NoSuchAccount {
		t.Errorf("no such role: %v", err)
	}
}
