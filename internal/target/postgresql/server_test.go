package postgresql_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const bin = "/usr/lib/postgresql/15/bin/"

// server is a real PostgreSQL of one test.
type server struct {
	dir, addr, port, ca string
	admin               *pgx.Conn
}

func (s *server) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.admin.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// startServer starts PostgreSQL with TLS, the passwordcheck policy and full statement logging. hba are lines that come
// before the rule that asks everybody for SCRAM.
func startServer(t *testing.T, hba string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "kt")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &server{dir: dir, addr: l.Addr().String()}
	_, s.port, _ = net.SplitHostPort(s.addr)
	must(t, l.Close())
	s.writeFiles(t)
	run := s.command(t, "initdb", "-D", dir+"/data", "-U", "postgres", "--pwfile="+dir+"/pw", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	must(t, os.WriteFile(dir+"/data/pg_hba.conf", []byte(hba+"\nhost all all 127.0.0.1/32 scram-sha-256\n"), 0o644))
	log, err := os.Create(dir + "/log")
	must(t, err)
	cmd := s.command(t, "postgres", "-D", dir+"/data", "-c", "listen_addresses=127.0.0.1", "-c", "port="+s.port, "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "max_connections=30", "-c", "shared_buffers=16MB", "-c", "log_statement=all", "-c", "shared_preload_libraries=passwordcheck",
		"-c", "ssl=on", "-c", "ssl_cert_file="+dir+"/srv.crt", "-c", "ssl_key_file="+dir+"/srv.key")
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		_ = cmd.Wait()
		_ = log.Close()
	})
	s.connect(t)
	return s
}

func (s *server) connect(t *testing.T) {
	cfg, err := pgx.ParseConfig("host=127.0.0.1 user=postgres password=admin-pw-1 dbname=postgres sslmode=disable port=" + s.port)
	must(t, err)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if s.admin, err = pgx.ConnectConfig(context.Background(), cfg); err == nil {
			t.Cleanup(func() { _ = s.admin.Close(context.Background()) })
			return
		}
		if time.Now().After(deadline) {
			out, _ := os.ReadFile(s.dir + "/log")
			t.Fatalf("PostgreSQL does not start: %v\n%s", err, out)
		}
	}
}

// command runs a program of the server as an unprivileged user, which it insists on.
func (s *server) command(t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(bin+name, args...)
	cmd.Dir, cmd.Env = s.dir, []string{"HOME=" + s.dir, "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		uid, gid := nobody(t)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return cmd
}

func nobody(t *testing.T) (uid, gid uint32) {
	u, err := user.Lookup("nobody")
	must(t, err)
	a, err := strconv.ParseUint(u.Uid, 10, 32)
	must(t, err)
	b, err := strconv.ParseUint(u.Gid, 10, 32)
	must(t, err)
	return uint32(a), uint32(b)
}

func (s *server) writeFiles(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	s.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for name, text := range map[string]string{
		"srv.crt": s.ca, "srv.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), "pw": "admin-pw-1\n",
	} {
		must(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
	}
	if os.Getuid() == 0 {
		uid, gid := nobody(t)
		for _, name := range []string{"", "srv.crt", "srv.key", "pw"} {
			must(t, os.Chown(filepath.Join(s.dir, name), int(uid), int(gid)))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func (s *server) create(t *testing.T, name, password, options string) {
	t.Helper()
	s.exec(t, fmt.Sprintf("CREATE ROLE %s PASSWORD '%s' %s", quote(name), strings.ReplaceAll(password, "'", "''"), options))
}

// dump returns the roles with their verifiers, and who is a member of whom.
func (s *server) dump(t *testing.T) string {
	t.Helper()
	rows, err := s.admin.Query(t.Context(), "SELECT a::text FROM pg_authid a UNION ALL SELECT m::text FROM pg_auth_members m ORDER BY 1")
	must(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return strings.Join(lines, "\n")
}
