package testbed

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestPostgres(t *testing.T) {
	began := time.Now()
	p, err := StartPostgres(t.Context(), PostgresOptions{PasswordCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))

	if got := psql(t, p, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != "t" {
		t.Errorf("the connection has TLS: %q", got)
	}
	psql(t, p, "CREATE ROLE app LOGIN PASSWORD 'correct-horse-1'")
	if got, err := p.Psql(t.Context(), "app", "correct-horse-1", "SELECT session_user, 1"); err != nil || got != "app|1" {
		t.Errorf("right password: %q, %v", got, err)
	}
	if _, err := p.Psql(t.Context(), "app", "wrong-horse-1", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("wrong password: %v", err)
	}
	_, err = p.Psql(t.Context(), p.SuperUser, p.SuperPassword, "ALTER ROLE app PASSWORD 'short'")
	if err == nil || !strings.Contains(err.Error(), "password is too short") {
		t.Errorf("the password check should refuse: %v", err)
	} else if strings.Contains(err.Error(), "'short'") {
		t.Errorf("the error shows the statement: %v", err)
	}
	log, err := os.ReadFile(p.LogPath)
	if err != nil || !strings.Contains(string(log), "CREATE ROLE app LOGIN") {
		t.Errorf("the log should hold every statement (%v)", err)
	}

	p.Kill()
	if _, err := p.Psql(t.Context(), "app", "correct-horse-1", "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	for range 2 { // after the kill, then while it runs
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Psql(t.Context(), "app", "correct-horse-1", "SELECT 2"); err != nil || got != "2" {
			t.Errorf("after the restart: %q, %v", got, err)
		}
	}
	proc := p.proc
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	mustBeGone(t, proc)
	if err := p.Stop(); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func psql(t *testing.T, p *Postgres, sql string) string {
	t.Helper()
	out, err := p.Psql(t.Context(), p.SuperUser, p.SuperPassword, sql)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
