package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that makes and drops databases
)

// postgresBin is where Debian's package puts the server.
const postgresBin = "/usr/lib/postgresql/15/bin"

// server is a PostgreSQL of this test binary's own, on loopback, with full durability.
type server struct {
	dir  string
	port int
	cmd  *exec.Cmd
	db   *sql.DB
}

// startServer initialises and starts a server in a new folder. The server refuses to run as root, so then it runs as
// the user postgres.
func startServer() (_ *server, err error) {
	dir, err := os.MkdirTemp("", "keyturn-pg-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	as, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(postgresBin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(postgresBin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(s.port),
		"-k", dir, "-c", "max_connections=200", "-c", "fsync=on")
	s.cmd.SysProcAttr, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = as, dir, log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if s.db, err = sql.Open("pgx", s.url("postgres")); err != nil {
		return nil, err
	}
	return s, s.await()
}

func (s *server) await() error {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	for {
		err := s.db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL did not start: %w: %s", err, text)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// stop ends the server at once; nothing of it is kept.
func (s *server) stop() error {
	if s.db != nil {
		_ = s.db.Close()
	}
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // the postmaster takes its children along
		_ = s.cmd.Wait()
	}
	return os.RemoveAll(s.dir)
}

func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	// Pdeathsig ends the server with a test binary that was killed.
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
