package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/test/testbed"
)

// meddler stands between a server and a cluster's API server, passes everything on, and does something at one request:
// so what would be a race is a certain order.
type meddler struct {
	web *httptest.Server

	mu    sync.Mutex
	at    *regexp.Regexp // "METHOD /path?query"; nil: nothing is to be done any more
	do    func() error
	after string // what becomes of the reply: "", "lose", "half" or "busy"
	times int
	fault error
	met   chan struct{}
}

func newMeddler(plane *testbed.ControlPlane) (*meddler, error) {
	to, err := url.Parse(plane.URL)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(plane.CAPEM)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0),
		// An API server that is gone must look like that, not like one that answers 502.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	m := &meddler{met: make(chan struct{})}
	m.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(proxy, w, r) }))
	m.web.Config.ErrorLog = log.New(io.Discard, "", 0)
	m.web.StartTLS()
	return m, nil
}

func (m *meddler) close() { m.web.CloseClientConnections(); m.web.Close() }

func (m *meddler) serve(proxy http.Handler, w http.ResponseWriter, r *http.Request) {
	after, err := m.meet(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if after == "" {
		proxy.ServeHTTP(w, r)
		return
	}
	reply := httptest.NewRecorder()
	proxy.ServeHTTP(reply, r.WithContext(context.WithoutCancel(r.Context())))
	body := reply.Body.Bytes()
	switch after {
	case "half":
		for k, v := range reply.Header() {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(reply.Code)
		_, _ = w.Write(body[:len(body)/2])
	case "busy":
		w.Header().Set("Retry-After", "1")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	panic(http.ErrAbortHandler)
}

// meet does what was ordered, if r is the request that it was ordered for.
func (m *meddler) meet(r *http.Request) (after string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil || !m.at.MatchString(r.Method+" "+r.URL.RequestURI()) {
		return "", nil
	}
	if m.times--; m.times == 0 {
		m.at = nil
		close(m.met)
	}
	if m.do == nil {
		return m.after, nil
	}
	if err := m.do(); err != nil {
		m.fault = err
		return "", err
	}
	return m.after, nil
}

// proxy is the command `proxy`: from here on EAST_URL and EAST_CA lead through a meddler.
func (s *scene) proxy(ts *testscript.TestScript, _ bool, _ []string) {
	m, err := newMeddler(bed.clusters.Planes[0])
	ts.Check(err)
	s.proxies = append(s.proxies, m)
	ca := filepath.Join(s.work, "proxy-ca.pem")
	ts.Check(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.web.Certificate().Raw}), 0o600))
	ts.Setenv("EAST_URL", m.web.URL)
	ts.Setenv("EAST_CA", ca)
}

// at is the command `at 'METHOD PATH-REGEXP' TIMES THING [ARG…]`. Before the request is passed on, kubectl is run, the API
// server killed (apiserver), a Keyturn server killed or frozen (server NAME, freeze NAME) or a disk filled (fill DIR); or its
// reply is lost, cut in half, or replaced by 503.
func (s *scene) at(ts *testscript.TestScript, _ bool, args []string) {
	m := s.proxies[len(s.proxies)-1]
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.do, m.after, m.fault, m.times, m.met = regexp.MustCompile(args[0]), nil, "", nil, 1, make(chan struct{})
	if args[1] != "once" {
		_, err := fmt.Sscan(args[1], &m.times)
		ts.Check(err)
	}
	switch thing, rest := args[2], args[3:]; thing {
	case "kubectl":
		rest = append([]string{"-n", s.namespace}, rest...)
		m.do = func() error {
			_, err := bed.clusters.Planes[0].Kubectl(context.Background(), "", rest...)
			return err
		}
	case "apiserver":
		m.do = func() error { bed.clusters.Planes[0].KillAPIServer(); return nil }
	case "server":
		d := s.servers[rest[0]]
		m.do = func() error { d.stop(syscall.SIGKILL); return nil }
	case "freeze":
		d := s.servers[rest[0]]
		m.do = func() error { return syscall.Kill(-d.pid, syscall.SIGSTOP) }
	case "fill":
		dir := ts.MkAbs(rest[0])
		env := []string{}
		for _, name := range []string{"HOME", "PATH", "KEYTURN_URL", "KEYTURN_CACERT", "KEYTURN_TOKEN"} {
			if value := ts.Getenv(name); value != "" {
				env = append(env, name+"="+value)
			}
		}
		m.do = func() error { return errors.Join(fill(dir), refusesToStore(env)) }
	case "lose", "half", "busy":
		m.after = thing
	default:
		ts.Fatalf("at: unknown thing %s", thing)
	}
}

// fill leaves no byte free on the disk of dir.
func fill(dir string) error {
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		return err
	}
	for _, size := range []int{64 << 10, 512, 1} {
		for some := make([]byte, size); err == nil; {
			_, err = f.Write(some)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return errors.Join(err, f.Close())
		}
		err = nil
	}
	return f.Close()
}

// refusesToStore makes changes until one is refused: a write-ahead log that was begun anew has room for some, however full the
// disk is.
func refusesToStore(env []string) error {
	cmd := exec.Command("sh", "-c", `for i in $(seq 200); do keyturn resource create last-$i --type generic >/dev/null 2>&1 || exit 0; done; exit 1`)
	cmd.Env = env
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the disk is full, and the server goes on storing: %w", err)
	}
	return nil
}

// met is the command `met`: it waits until the request of `at` has come, and what was to be done then is done.
func (s *scene) met(ts *testscript.TestScript, _ bool, _ []string) {
	m := s.proxies[len(s.proxies)-1]
	select {
	case <-m.met:
	case <-time.After(patience):
		ts.Fatalf("the request never came")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ts.Check(m.fault)
}

// impostor is the command `impostor expired|http|html`: EAST_URL and EAST_CA lead to what is no good API server.
func (s *scene) impostor(ts *testscript.TestScript, _ bool, args []string) {
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, "a token was sent", http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Welcome</title>")
	}))
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	ca := filepath.Join(s.work, "impostor-ca.pem")
	switch args[0] {
	case "http":
		web.Start()
		ts.Setenv("EAST_URL", strings.Replace(web.URL, "http:", "https:", 1))
	case "expired":
		cert, text, err := expired()
		ts.Check(err)
		ts.Check(os.WriteFile(ca, text, 0o600))
		web.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		web.StartTLS()
		ts.Setenv("EAST_URL", web.URL)
		ts.Setenv("EAST_CA", ca)
	default:
		web.StartTLS()
		ts.Check(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600))
		ts.Setenv("EAST_URL", web.URL)
		ts.Setenv("EAST_CA", ca)
	}
	ts.Defer(func() { web.CloseClientConnections(); web.Close() })
}

// expired returns a certificate for 127.0.0.1 that has expired, and the CA that signed it and has not.
func expired() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "API server"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(-24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	var text bytes.Buffer
	_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text.Bytes(), err
}
