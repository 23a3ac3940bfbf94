package targettest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a real server of one test: a process without rights, on loopback, with all its files in one short-lived
// folder.
type Server struct {
	// Dir is the folder, which the server may write to.
	Dir string
	// CA is the PEM of the CA that signed Dir/srv.crt, which is for localhost and 127.0.0.1 and whose key is Dir/srv.key.
	// It is in Dir/ca.crt too.
	CA string

	uid, gid int // -1: those of the test
}

// NewServer makes the folder, with the certificate in it, and removes it when the test ends.
func NewServer(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "kt") // short, because the paths of sockets are; t.TempDir is closed to other users
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{Dir: dir, uid: -1, gid: -1}
	if os.Getuid() == 0 {
		u, err := user.Lookup("nobody")
		must(t, err)
		s.uid, err = strconv.Atoi(u.Uid)
		must(t, err)
		s.gid, err = strconv.Atoi(u.Gid)
		must(t, err)
	}
	must(t, os.Chown(dir, s.uid, s.gid))
	s.CA = s.certify(t)
	return s
}

// Write writes a file that belongs to the server.
func (s *Server) Write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join(s.Dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	must(t, os.Chown(path, s.uid, s.gid))
}

// Read returns a file of the folder, "" when it is not there.
func (s *Server) Read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// Port returns a port of loopback that was free a moment ago.
func Port(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	must(t, l.Close())
	return port
}

// Command returns a program that will run in the folder as the server's user, with a clean environment.
func (s *Server) Command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = s.Dir, []string{"HOME=" + s.Dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.uid >= 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.gid)}
	}
	return cmd
}

// Start starts cmd with its output in Dir/output and waits until ready returns nil. The returned function ends it and
// everything that it started; it may be called several times and is called when the test ends.
func (s *Server) Start(t testing.TB, cmd *exec.Cmd, ready func() error) (stop func()) {
	t.Helper()
	out, err := os.Create(filepath.Join(s.Dir, "output"))
	must(t, err)
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() {
		select {
		case <-ended: // its number may belong to somebody else by now
			return
		default:
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	}
	t.Cleanup(stop)
	for deadline := time.Now().Add(time.Minute); ; {
		err := ready()
		if err == nil {
			return stop
		}
		select {
		case <-ended:
			t.Fatalf("%s ended at its start\n%s", cmd.Path, s.Read(t, "output"))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v\n%s", cmd.Path, err, s.Read(t, "output"))
		}
	}
}

// Again runs the test called name in a process of its own with env added to its environment. It is for what a process
// reads only once, such as the machine's CAs.
func Again(t *testing.T, name string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+name)) {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// certify writes a CA and a server certificate that it signed.
func (s *Server) certify(t testing.TB) (ca string) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, issuer, issuer, &caKey.PublicKey, caKey)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, &key.PublicKey, caKey)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	ca = block("CERTIFICATE", caDER)
	s.Write(t, "ca.crt", ca)
	s.Write(t, "srv.crt", block("CERTIFICATE", der))
	s.Write(t, "srv.key", block("PRIVATE KEY", keyDER))
	return ca
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
