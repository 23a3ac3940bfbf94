package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/client"
)

const patience = 5 * time.Minute // of anything that must come true; other programs may use the machine

// process is a program in a process group of its own, which dies with this one.
type process struct {
	pid  int
	done chan struct{}
}

func launch(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p, started := &process{done: make(chan struct{})}, make(chan error, 1)
	go func() { // the parent-death signal follows the thread that forked, so it is kept as long as the child
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(p.pid, s) }

// end sends the signal and returns when the process is gone.
func (p *process) end(s syscall.Signal) {
	if p == nil {
		return
	}
	p.signal(s)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// server is `keyturn server`, which is killed and started again on the same data and address.
type server struct {
	program, folder, address string
	*process
	roots *x509.CertPool
	token client.Value
}

func newServer(program, folder string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return &server{program: program, folder: folder, address: l.Addr().String()}, nil
}

func (s *server) data() string { return filepath.Join(s.folder, "data") }
func (s *server) log() string  { return filepath.Join(s.folder, "server.log") }

func (s *server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, "server", "--data", s.data(), "--listen", s.address, "--allow-loopback-clusters", "--log-level", "debug")
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=" + s.folder}, log, log
	if s.process, err = launch(cmd); err != nil {
		return err
	}
	return poll(ctx, "the server answers", func() error {
		if s.roots == nil {
			text, err := os.ReadFile(filepath.Join(s.data(), "tls", "cert.pem"))
			pool := x509.NewCertPool()
			if err != nil || !pool.AppendCertsFromPEM(text) {
				return errors.New("the server has no certificate yet")
			}
			s.roots = pool
		}
		c, err := s.client()
		if err == nil {
			_, err = c.Health(ctx)
		}
		return err
	})
}

func (s *server) client() (*client.Client, error) {
	return client.New(client.Config{URL: "https://" + s.address, Token: s.token, HTTPClient: &http.Client{Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}})
}

var setupCode = regexp.MustCompile(`https://\S+/setup#(\S+)\n`)

// setUp makes the first administrator.
func (s *server) setUp(ctx context.Context) error {
	return poll(ctx, "the server is set up", func() error {
		text, err := os.ReadFile(s.log())
		if err != nil {
			return err
		}
		code := setupCode.FindSubmatch(text)
		if code == nil {
			return errors.New("there is no setup link")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		session, err := c.Setup(ctx, client.Setup{Code: client.NewValue(string(code[1])), Name: "anna", Password: client.NewValue("a password for torture only")})
		s.token = session.Secret
		return err
	})
}

// command runs the command line without a session, and returns what it prints.
func (s *server) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.program, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=" + s.folder}, &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("keyturn %s: %w: %s%s", args[0], err, out.String(), errs.String())
	}
	return out.String(), nil
}

// poll calls ok until it returns nil.
func poll(ctx context.Context, what string, ok func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ok()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it never came true that %s: %w", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
