package testbed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// PostgresOptions says how PostgreSQL is started. The zero value is good.
type PostgresOptions struct {
	// Dir is an empty or new folder, kept after Stop; another user must be able to reach it when this process is root.
	// Empty: a temporary one, removed by Stop.
	Dir string
	// PasswordCheck loads the module that refuses weak passwords.
	PasswordCheck bool
	// Settings are further settings such as "max_connections=100". They win over the ones set here.
	Settings []string
}

// Postgres is a running PostgreSQL server that takes nothing but TLS with SCRAM-SHA-256 and logs every statement. Its
// methods are safe for concurrent use.
type Postgres struct {
	// Host is 127.0.0.1 and Port a free one, the same over restarts.
	Host string
	Port int
	// CAPEM is the certificate authority that signed the server's certificate, which names 127.0.0.1 and localhost.
	CAPEM []byte
	// CAFile is the path of a file with CAPEM.
	CAFile string
	// SuperUser and SuperPassword log in as the server's owner.
	SuperUser, SuperPassword string
	// LogPath is the file that holds the server's log, with the text of every statement.
	LogPath string

	dir  dir
	bin  string
	spec spec

	mu      sync.Mutex // guards what follows
	proc    *process
	stopped bool
}

// StartPostgres creates a database cluster and starts the installed PostgreSQL on it, as the user postgres or nobody when
// this process is root. It does not sync to disk. When it returns the superuser has logged in.
func StartPostgres(ctx context.Context, o PostgresOptions) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	d, err := openDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	p := &Postgres{
		Host: "127.0.0.1", CAFile: d.file("ca.crt"), SuperUser: "postgres", SuperPassword: rand.Text() + "-7",
		LogPath: d.file("postgres.log"), dir: d, bin: bin,
	}
	if err := p.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), p.Stop())
	}
	return p, nil
}

func (p *Postgres) start(ctx context.Context, o PostgresOptions) error {
	cred, err := unprivileged()
	if err != nil {
		return err
	}
	if p.CAPEM, _, err = tlsFiles(p.dir, "postgres"); err != nil {
		return err
	}
	if err := p.initdb(ctx, cred); err != nil {
		return err
	}
	return onFreePorts(1, func(ports []int) error {
		p.Port = ports[0]
		p.spec = spec{
			name: "postgres", path: filepath.Join(p.bin, "postgres"), args: p.args(o), dir: p.dir.path, log: p.LogPath,
			env: p.env(), cred: cred, stop: syscall.SIGINT, // fast: SIGTERM would wait for the clients
			ready: func(ctx context.Context) error {
				_, err := p.Psql(ctx, p.SuperUser, p.SuperPassword, "SELECT 1")
				return err
			},
		}
		p.proc, err = start(ctx, p.spec)
		return err
	})
}

// initdb makes the data folder. The files that the server must own are handed to it first.
func (p *Postgres) initdb(ctx context.Context, cred *syscall.Credential) error {
	pwfile := p.dir.file("pw")
	if err := writeFiles(p.dir, map[string][]byte{"pw": []byte(p.SuperPassword + "\n")}); err != nil {
		return err
	}
	defer os.Remove(pwfile)
	if cred != nil {
		for _, path := range []string{p.dir.path, pwfile, p.CAFile, p.dir.file("srv.crt"), p.dir.file("srv.key")} {
			if err := os.Chown(path, int(cred.Uid), int(cred.Gid)); err != nil {
				return err
			}
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "initdb"), "-D", p.dir.file("data"), "-U", p.SuperUser,
		"--pwfile="+pwfile, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.Dir, cmd.Env = p.dir.path, p.env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	if _, err := runClient(cmd, "", "initdb"); err != nil {
		return err
	}
	// No line for a socket or for a connection without TLS, and none that trusts.
	return os.WriteFile(filepath.Join(p.dir.file("data"), "pg_hba.conf"), []byte("hostssl all all 127.0.0.1/32 scram-sha-256\n"), 0o600)
}

func (p *Postgres) args(o PostgresOptions) []string {
	settings := []string{
		"listen_addresses=" + p.Host, "port=" + strconv.Itoa(p.Port), "unix_socket_directories=",
		"fsync=off", "max_connections=50", "shared_buffers=16MB",
		"ssl=on", "ssl_cert_file=" + p.dir.file("srv.crt"), "ssl_key_file=" + p.dir.file("srv.key"),
		"password_encryption=scram-sha-256", "log_statement=all", "log_line_prefix=%m [%p] %u ",
	}
	if o.PasswordCheck {
		settings = append(settings, "shared_preload_libraries=passwordcheck")
	}
	args := []string{"-D", p.dir.file("data")}
	for _, s := range append(settings, o.Settings...) {
		args = append(args, "-c", s)
	}
	return args
}

func (p *Postgres) env() []string {
	return []string{"HOME=" + p.dir.path, "PATH=" + p.bin + ":/usr/bin:/bin", "LC_ALL=C.UTF-8"}
}

// Psql runs the real psql as user with the certificate verified, in the database postgres, and returns the rows, columns
// parted by "|". Neither the password nor the SQL is in an argument. The error carries what psql wrote to standard error,
// without the statement.
func (p *Postgres) Psql(ctx context.Context, user, password, sql string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), "-X", "-q", "-A", "-t", "-w",
		"-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", "-")
	cmd.Dir = "/"
	cmd.Env = append(p.env(), "PGHOST=localhost", "PGHOSTADDR="+p.Host, "PGPORT="+strconv.Itoa(p.Port), "PGDATABASE=postgres",
		"PGUSER="+user, "PGPASSWORD="+password, "PGSSLMODE=verify-full", "PGSSLROOTCERT="+p.CAFile, "PGCONNECT_TIMEOUT=5")
	out, err := runClient(cmd, sql, "psql as "+user)
	return strings.TrimSuffix(out, "\n"), err
}

// Restart stops the server if it runs, breaking its connections, and starts it again on the same port and data.
func (p *Postgres) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errors.New("restart PostgreSQL: it was stopped")
	}
	stopErr := p.proc.shutdown()
	proc, err := start(ctx, p.spec)
	if err != nil {
		return errors.Join(stopErr, err)
	}
	p.proc = proc
	return stopErr
}

// Kill ends the server as a crash would: at once, without a checkpoint. Restart brings it back through its recovery. It
// returns when the server is gone.
func (p *Postgres) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proc.stopping.Store(true)
	if exited, _ := p.proc.exited(); !exited {
		// Its children have groups of their own, so the server must end them: immediate shutdown, not SIGKILL.
		_ = syscall.Kill(p.proc.pid, syscall.SIGQUIT)
	}
	<-p.proc.done
}

// Stop ends the server and breaks its connections. It fails if the server had ended by itself.
func (p *Postgres) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	p.stopped = true
	return errors.Join(p.proc.shutdown(), p.dir.remove())
}

// unprivileged returns whom to run as what refuses to run as root; nil when this process is not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
}
