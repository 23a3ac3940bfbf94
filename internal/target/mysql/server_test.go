package mysql_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

const (
	binary    = "/usr/sbin/mariadbd"
	installer = "/usr/bin/mariadb-install-db"
)

// server is a real MariaDB of one test, which insists on TLS but for the accounts of the proxy's tests, and which logs
// every statement: as text, as slow, and in the binary log.
type server struct {
	*targettest.Server
	port  string
	admin *sql.DB
}

func start(t *testing.T, options ...string) *server {
	t.Helper()
	s := &server{Server: targettest.NewServer(t), port: targettest.Port(t)}
	install := s.Command(installer, "--no-defaults", "--datadir="+s.Dir+"/data", "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=4M")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.Logger = "root", "unix", s.Dir+"/s", &mysql.NopLogger{}
	// The test's own statements have values in them: they are not logged.
	cfg.Params = map[string]string{"sql_log_off": "1", "slow_query_log": "0", "sql_log_bin": "0"}
	connector, err := mysql.NewConnector(cfg)
	must(t, err)
	s.admin = sql.OpenDB(connector)
	t.Cleanup(func() { _ = s.admin.Close() })
	s.Start(t, s.Command(binary, append([]string{
		"--no-defaults", "--datadir=" + s.Dir + "/data", "--port=" + s.port, "--bind-address=127.0.0.1", "--skip-name-resolve",
		"--socket=" + s.Dir + "/s", "--pid-file=" + s.Dir + "/pid", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M",
		"--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--plugin-load-add=auth_ed25519", "--max-password-errors=5",
		"--ssl-ca=" + s.Dir + "/ca.crt", "--ssl-cert=" + s.Dir + "/srv.crt", "--ssl-key=" + s.Dir + "/srv.key",
		"--general-log", "--general-log-file=" + s.Dir + "/general.log", "--log-bin=" + s.Dir + "/binlog", "--server-id=1",
		"--slow-query-log", "--slow-query-log-file=" + s.Dir + "/slow.log", "--long-query-time=0", "--log-warnings=9",
	}, options...)...), func() error { return s.admin.PingContext(context.Background()) })
	return s
}

func (s *server) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.admin.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// show returns SHOW CREATE USER of a quoted name.
func (s *server) show(t *testing.T, name string) string {
	t.Helper()
	var text string
	must(t, s.admin.QueryRowContext(t.Context(), "SHOW CREATE USER "+name).Scan(&text))
	return text
}

// log returns every file that the server wrote beside its tables.
func (s *server) log(t *testing.T) []byte {
	t.Helper()
	s.exec(t, "FLUSH LOGS")
	files, err := filepath.Glob(s.Dir + "/binlog.*")
	must(t, err)
	if len(files) < 2 {
		t.Fatal("there is no binary log")
	}
	all := s.Read(t, "output") + s.Read(t, "slow.log") + s.Read(t, "general.log")
	if !strings.Contains(s.Read(t, "general.log"), "CURRENT_USER") || !strings.Contains(s.Read(t, "slow.log"), "CURRENT_USER") {
		t.Fatal("the logs show nothing")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(t, err)
		all += string(b)
	}
	if !strings.Contains(all, "IDENTIFIED VIA") && !strings.Contains(all, "SET PASSWORD") {
		t.Fatal("the logs show no change")
	}
	return []byte(all)
}

// name quotes an account's name as Keyturn writes it.
func name(account string) string {
	user, host := account, "%"
	if i := strings.LastIndexByte(account, '@'); i >= 0 {
		user, host = account[:i], account[i+1:]
	}
	q := func(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
	return q(user) + "@" + q(host)
}

// create makes an account, whose password the server hashes.
func (s *server) create(t *testing.T, account, value, plugin, options string) target.Login {
	t.Helper()
	s.exec(t, "CREATE USER "+name(account)+" IDENTIFIED VIA "+plugin+" USING PASSWORD('"+value+"') "+options)
	return target.Login{User: account, Password: targettest.Value(value)}
}

var hashOf = regexp.MustCompile(`'(\*?[^']{40,43})'`)

// addValue makes an account take a further value beside the one that it has, as native.
func (s *server) addValue(t *testing.T, account, value string) {
	t.Helper()
	old := hashOf.FindStringSubmatch(s.show(t, name(account)))
	if old == nil {
		t.Fatal("the account has no hash")
	}
	plugin := "ed25519"
	if old[1][0] == '*' {
		plugin = "mysql_native_password"
	}
	s.exec(t, "ALTER USER "+name(account)+" IDENTIFIED VIA mysql_native_password USING PASSWORD('"+value+"') OR "+plugin+" USING '"+old[1]+"'")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
