package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

// subject is a server process that is looked at from outside: what it says, what it answers and what it stores.
type subject struct {
	t            *testing.T
	program, dir string
	url, metrics string
	code         string // of the setup link
	web          *http.Client
	pid          int
	done         chan struct{}

	mu      sync.Mutex
	answers []answer // of everything that was asked
	said    []answer // of the command line
}

// answer is a text that came out of the subject, and by what question.
type answer struct {
	to     string
	text   []byte
	status int
}

// build makes the program that all subjects of a test run.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "keyturn")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/keyturn")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// newSubject starts a server on an empty folder, which logs everything that it can.
func newSubject(t *testing.T, program string, env []string, flags ...string) *subject {
	t.Helper()
	s := &subject{t: t, program: program, dir: t.TempDir()}
	s.metrics = closedAddress(t)
	args := append([]string{"server", "--data", s.data(), "--listen", "127.0.0.1:0", "--log-level", "debug", "--metrics-listen", s.metrics}, flags...)
	must(t, s.start(args, env))
	t.Cleanup(s.stop)
	greeting := s.await(regexp.MustCompile(`(?s)listens on (https://\S+)\n.*/setup#(\S+)\n`))
	s.url, s.code = greeting[1], greeting[2]
	s.trust()
	return s
}

// trust has the client accept the certificate that the server made for itself.
func (s *subject) trust() {
	t := s.t
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(s.data(), "tls", "cert.pem"))
	must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the server's certificate is none")
	}
	s.web = &http.Client{Transport: recorder{s, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}, Timeout: 2 * time.Minute}
}

func (s *subject) data() string { return filepath.Join(s.dir, "data") }
func (s *subject) out() string  { return filepath.Join(s.dir, "stdout") }
func (s *subject) log() string  { return filepath.Join(s.dir, "stderr") }

func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// start runs the program.
func (s *subject) start(args, env []string) error {
	out, err := os.Create(s.out())
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append([]string{"HOME=" + s.dir, "PATH=/usr/bin:/bin"}, env...), out, log
	s.pid, s.done, err = launch(cmd)
	return err
}

// launch starts a program in a process group of its own, and closes done when it has ended. The thread that forks it stays,
// for the parent-death signal follows it.
func launch(cmd *exec.Cmd) (pid int, done chan struct{}, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	done = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return 0, done, err
	}
	return cmd.Process.Pid, done, nil
}

// stop ends the server as an administrator would, and by force if it does not listen.
func (s *subject) stop() {
	_ = syscall.Kill(s.pid, syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-s.pid, syscall.SIGKILL)
		<-s.done
	}
}

// await waits for the greeting.
func (s *subject) await(pattern *regexp.Regexp) []string {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(s.out())
		must(s.t, err)
		if m := pattern.FindStringSubmatch(string(b)); m != nil {
			return m
		}
	}
	log, _ := os.ReadFile(s.log())
	s.t.Fatalf("the server did not greet: %s", log)
	return nil
}

// recorder keeps every answer.
type recorder struct {
	s    *subject
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	var head bytes.Buffer
	_ = res.Header.Write(&head)
	res.Body = &heard{ReadCloser: res.Body, s: r.s, to: req.Method + " " + req.URL.Path, status: res.StatusCode, text: head}
	return res, nil
}

// heard is a body that is kept when it is closed.
type heard struct {
	io.ReadCloser
	s      *subject
	to     string
	status int
	text   bytes.Buffer
}

// Read implements io.Reader.
func (h *heard) Read(b []byte) (int, error) {
	n, err := h.ReadCloser.Read(b)
	h.text.Write(b[:n])
	return n, err
}

// Close implements io.Closer.
func (h *heard) Close() error {
	h.s.mu.Lock()
	h.s.answers = append(h.s.answers, answer{h.to, h.text.Bytes(), h.status})
	h.s.mu.Unlock()
	return h.ReadCloser.Close()
}

// as returns the API's client of whoever has the secret.
func (s *subject) as(secret client.Value) *client.Client {
	s.t.Helper()
	c, err := client.New(client.Config{URL: s.url, Token: secret, HTTPClient: s.web})
	must(s.t, err)
	return c
}

// send makes a request with a body as it is.
func (s *subject) send(method, path, secret, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	must(s.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	res, err := s.web.Do(req)
	must(s.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(s.t, err)
	return res.StatusCode, string(b)
}

// keyturn runs a command as a person with a home, and keeps what it prints, on both streams.
func (s *subject) keyturn(stdin string, args ...string) (string, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.program, args...)
	var out, errs bytes.Buffer
	cmd.Env = []string{"HOME=" + s.home(), "PATH=/usr/bin:/bin", "KEYTURN_URL=" + s.url, "KEYTURN_CACERT=" + filepath.Join(s.data(), "tls", "cert.pem")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	s.said = append(s.said, answer{to: "keyturn " + strings.Join(args, " "), text: append(out.Bytes(), errs.Bytes()...)})
	if err != nil {
		err = fmt.Errorf("keyturn %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), err
}

func (s *subject) home() string { return filepath.Join(s.dir, "home") }

// setUp makes the first administrator with the command line and returns the session's secret.
func (s *subject) setUp(password string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, "password")
	must(s.t, os.MkdirAll(s.home(), 0o700), os.WriteFile(file, []byte(password), 0o600))
	_, err := s.keyturn(s.code+"\n", "setup", "--code-file", "-", "--username", "anna", "--password-file", file)
	must(s.t, err)
	b, err := os.ReadFile(filepath.Join(s.home(), ".config", "keyturn", "session.json"))
	must(s.t, err)
	var kept struct{ Token string }
	must(s.t, json.Unmarshal(b, &kept))
	return kept.Token
}
