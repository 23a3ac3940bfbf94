package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/client"
)

const (
	readyWithin = 30 * time.Second
	stopWithin  = 15 * time.Second
	probeEvery  = 2 * time.Millisecond
	ticks       = 100 // a second, of /proc on Linux

	adminName     = "bench"
	adminPassword = "a password for measuring only"
)

// server is `keyturn server` on a folder of its own.
type server struct {
	program, folder, address string

	roots *x509.CertPool // nil until it was started once
	token client.Value   // of its first administrator
	cmd   *exec.Cmd
	done  chan struct{}
}

func newServer(program, folder string) (*server, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return &server{program: program, folder: folder, address: l.Addr().String()}, nil
}

func (s *server) greeting() string { return filepath.Join(s.folder, "greeting.txt") }

// start runs the server and returns how long it took from exec until /readyz answered well.
func (s *server) start(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	if err := s.exec(); err != nil {
		return 0, err
	}
	if err := s.ready(ctx); err != nil {
		return 0, errors.Join(fmt.Errorf("the server did not become ready, see %s: %w", s.folder, err), s.stop())
	}
	return time.Since(begun), nil
}

func (s *server) exec() error {
	out, err := os.Create(s.greeting())
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := os.OpenFile(filepath.Join(s.folder, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, "server", "--data", filepath.Join(s.folder, "data"), "--listen", s.address, "--allow-loopback-clusters")
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=" + s.folder}, out, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.cmd, s.done = cmd, make(chan struct{})
	started := make(chan error, 1)
	go func() { // the parent-death signal follows the thread that forked, so it is kept as long as the child
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return <-started
}

func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	web := &http.Client{}
	for {
		if s.roots == nil {
			s.roots = s.certificate()
		}
		if s.roots != nil {
			web.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, DisableKeepAlives: true}
			if answers(ctx, web, "https://"+s.address+"/readyz") {
				return nil
			}
		}
		select {
		case <-s.done:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(probeEvery):
		}
	}
}

func answers(ctx context.Context, web *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := web.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

var (
	greetsFile = regexp.MustCompile(`own certificate: (\S+)\n`)
	greetsCode = regexp.MustCompile(`https://\S+/setup#(\S+)\n`)
)

// certificate returns what the server said it made, nil if it has not said so yet.
func (s *server) certificate() *x509.CertPool {
	text, err := os.ReadFile(s.greeting())
	file := greetsFile.FindSubmatch(text)
	if err != nil || file == nil {
		return nil
	}
	pem, err := os.ReadFile(string(file[1]))
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		return nil
	}
	return pool
}

// client returns one that many goroutines may share. It speaks HTTP/1.1, so that each has a connection of its own.
func (s *server) client(connections int) (*client.Client, error) {
	return client.New(client.Config{URL: "https://" + s.address, Token: s.token, HTTPClient: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: connections, MaxIdleConns: connections,
	}}})
}

// setup makes the first administrator and keeps what it signs in with.
func (s *server) setup(ctx context.Context) error {
	var code [][]byte
	for end := time.Now().Add(readyWithin); code == nil; time.Sleep(probeEvery) {
		text, err := os.ReadFile(s.greeting())
		if err != nil {
			return err
		}
		if code = greetsCode.FindSubmatch(text); code == nil && time.Now().After(end) {
			return errors.New("the server printed no setup link")
		}
	}
	c, err := s.client(1)
	if err != nil {
		return err
	}
	session, err := c.Setup(ctx, client.Setup{Code: client.NewValue(string(code[1])), Name: adminName, Password: client.NewValue(adminPassword)})
	s.token = session.Secret
	return err
}

// memory returns the resident memory of the process in MiB.
func (s *server) memory() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("the kernel tells no VmRSS")
}

// cpu returns how many seconds of CPU the process has used. It counts on a busy machine too, and is for the eye only.
func (s *server) cpu() float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	_, rest, found := strings.Cut(string(stat), ") ") // the program's name may hold spaces
	fields := strings.Fields(rest)
	if err != nil || !found || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks
}

// stop ends the server and its process group. Stopping again does nothing.
func (s *server) stop() error {
	if s == nil || s.cmd == nil || s.cmd.Process == nil {
		return nil
	}
	_ = syscall.Kill(s.cmd.Process.Pid, syscall.SIGTERM)
	var err error
	select {
	case <-s.done:
	case <-time.After(stopWithin):
		err = errors.New("the server did not stop when it was asked to")
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.done
	}
	s.cmd = nil
	return err
}
