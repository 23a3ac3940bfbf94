package story

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopGrace    = 15 * time.Second
	callTimeout  = 10 * time.Second
	pollEvery    = 50 * time.Millisecond
)

// server is `keyturn server`, which can be killed and started again on the same data and address.
type server struct {
	program, database string
	folder            string // holds data, what it greets with, and its log
	address           string
	proc              *child

	greeted     int64 // how much of the greeting earlier starts have written
	url         string
	certificate string // the file of the certificate that it made for itself
	fingerprint string // its SHA-256
	code        string // of the setup link; empty when there was none
}

func newServer(program, folder, database string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return &server{program: program, folder: folder, database: database, address: l.Addr().String()}, nil
}

func (s *server) data() string     { return filepath.Join(s.folder, "data") }
func (s *server) log() string      { return filepath.Join(s.folder, "server.log") }
func (s *server) greeting() string { return filepath.Join(s.folder, "greeting.txt") }

// start runs the server and returns when it answers as the one whose certificate it printed.
func (s *server) start(ctx context.Context) error {
	greeting, err := appendTo(s.greeting())
	if err != nil {
		return err
	}
	defer greeting.Close()
	log, err := appendTo(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	if s.greeted, err = greeting.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	args := []string{"server", "--data", s.data(), "--listen", s.address, "--allow-loopback-clusters"}
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	if s.proc, err = startChild(s.program, args, []string{"HOME=" + s.folder, "PATH=/usr/bin:/bin"}, greeting, log); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, "the server answers", func() error {
		if s.proc.ended() {
			return final(fmt.Errorf("the server ended by itself: %w; its log ends with: %s", s.proc.err, tail(s.log())))
		}
		if err := s.readGreeting(); err != nil {
			return err
		}
		return s.healthy(ctx)
	})
}

// awaitCode waits for the setup link, which is printed after the server answers.
func (s *server) awaitCode(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, "the server prints a setup link", func() error {
		if err := s.readGreeting(); err != nil {
			return err
		}
		if s.code == "" {
			return errors.New("the server printed no setup link")
		}
		return nil
	})
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

var (
	greetsURL   = regexp.MustCompile(`listens on (https://\S+)\n`)
	greetsFile  = regexp.MustCompile(`own certificate: (\S+)\n`)
	greetsPrint = regexp.MustCompile(`SHA-256 ([0-9a-f]+)\n`)
	greetsCode  = regexp.MustCompile(`https://\S+/setup#(\S+)\n`)
)

// readGreeting takes from what this start printed where the server is, whom to believe, and the setup code.
func (s *server) readGreeting() error {
	text, err := os.ReadFile(s.greeting())
	if err != nil {
		return err
	}
	text = text[min(s.greeted, int64(len(text))):]
	at, file, sum := greetsURL.FindSubmatch(text), greetsFile.FindSubmatch(text), greetsPrint.FindSubmatch(text)
	if at == nil || file == nil || sum == nil {
		return errors.New("the server has not printed its address and its certificate's SHA-256 yet")
	}
	s.url, s.certificate, s.fingerprint, s.code = string(at[1]), string(file[1]), string(sum[1]), ""
	if code := greetsCode.FindSubmatch(text); code != nil {
		s.code = string(code[1])
	}
	return nil
}

// healthy asks the server how it is.
func (s *server) healthy(ctx context.Context) error {
	status, answer, err := s.call(ctx, "", http.MethodGet, "/health", "")
	if err != nil {
		return err
	}
	var health struct{ Sealed bool }
	if err := json.Unmarshal(answer, &health); err != nil || status != http.StatusOK {
		return fmt.Errorf("health answers %d (%w)", status, err)
	}
	if health.Sealed {
		return errors.New("the server is sealed")
	}
	return nil
}

// trust returns a pool with the one certificate whose SHA-256 the server printed, from where it said that the file is.
func (s *server) trust() (*x509.CertPool, error) {
	text, err := os.ReadFile(s.certificate)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no certificate", s.certificate)
	}
	if sum := sha256.Sum256(block.Bytes); hex.EncodeToString(sum[:]) != s.fingerprint {
		return nil, fmt.Errorf("%s is not the certificate whose SHA-256 was printed", s.certificate)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool, nil
}

// call speaks to the API as any HTTPS client can, as the holder of token if that is not empty. It accepts no certificate
// but the one whose SHA-256 the server printed.
func (s *server) call(ctx context.Context, token, method, path, body string) (status int, answer []byte, err error) {
	pool, err := s.trust()
	if err != nil {
		return 0, nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, s.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := (&http.Client{Transport: transport, Timeout: callTimeout}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, answer, err
}

func (s *server) kill() { s.proc.kill() }

func (s *server) stop() {
	if s != nil && s.proc != nil {
		s.proc.stop(stopGrace)
	}
}

// tail returns the last kilobyte of a file.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-1024):]))
}

// finalError is one that no waiting mends.
type finalError struct{ error }

func (f finalError) Unwrap() error { return f.error }

func final(err error) error { return finalError{err} }

// poll calls ok until it returns nil, a final error, or ctx ends; the error is then ok's last one.
func poll(ctx context.Context, what string, ok func() error) error {
	for {
		err := ok()
		if err == nil {
			return nil
		}
		if f, last := errors.AsType[finalError](err); last {
			return f.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w: %w", what, context.Cause(ctx), err)
		case <-time.After(pollEvery):
		}
	}
}
