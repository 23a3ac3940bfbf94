package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

// bait is a port on loopback that counts who comes, and tells nobody anything.
type bait struct {
	port string
	came atomic.Int64
}

func newBait(t *testing.T) *bait {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	b := &bait{}
	_, b.port, err = net.SplitHostPort(l.Addr().String())
	must(t, err)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.came.Add(1)
			_ = conn.Close()
		}
	}()
	return b
}

// SR-67: the address of a cluster leads to no place that it must not, however it is written, and the answer tells nothing
// of what is there.
func TestSecurityAddressesOfClusters(t *testing.T) {
	s := newSubject(t, build(t), nil) // loopback is not allowed
	admin := s.as(client.NewValue(s.setUp("gravel teapot Orion nineteen")))
	b := newBait(t)
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "127.0.0.1.", "127.000.000.001", "127.9.9.9",
		"localhost", "localhost.", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[0:0:0:0:0:0:0:1]",
		"0.0.0.0", "0", "[::]", "169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "169.254.1.1", "[fe80::1]", "[fe80::1%25eth0]", "2852039166", "0xa9fea9fe",
		"100.100.100.200", "224.0.0.1", "[ff02::1]", "255.255.255.255", "user@127.0.0.1", "user:pass@10.0.0.1", "10.0.0.1@127.0.0.1", "127.0.0.1#@10.0.0.1", "127.0.0.1\\@10.0.0.1",
		"①②⑦.0.0.1", "127。0。0。1", "127.0.0.1%00.example", "10.0.0.1?x=127.0.0.1",
	} {
		for _, server := range []string{"https://" + host + ":" + b.port, "http://" + host + ":" + b.port, "https://" + host + ":" + b.port + "/../x"} {
			ask := client.NewCluster{Name: "x", Server: server, Token: client.NewValue("a-token-of-some-length"), Scope: client.Scope{Access: "read-only"}}
			report, err := admin.TestCluster(t.Context(), ask)
			if err != nil {
				if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != http.StatusUnprocessableEntity {
					t.Errorf("%s: %v", server, err)
				}
				continue
			}
			if code := firstFailure(report); report.OK || code != "cluster-url" && code != "cluster-address-refused" && code != "cluster-dns" {
				t.Errorf("%s: %s, %+v", server, code, report)
			}
			if _, err := admin.AddCluster(t.Context(), ask); err == nil {
				t.Errorf("%s was saved", server)
			}
		}
	}
	for _, scheme := range []string{"file", "gopher", "unix", "ftp", "ldap", "javascript", ""} {
		report, err := admin.TestCluster(t.Context(), client.NewCluster{Name: "x", Server: scheme + "://127.0.0.1:" + b.port, Token: client.NewValue("a-token"), Scope: client.Scope{Access: "read-only"}})
		if err == nil && firstFailure(report) != "cluster-url" {
			t.Errorf("%s: %+v", scheme, report)
		}
	}
	if n := b.came.Load(); n > 0 {
		t.Errorf("%d connections were made to a refused address", n)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+b.port)
	must(t, err, conn.Close())
	for end := time.Now().Add(5 * time.Second); b.came.Load() == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if b.came.Load() != 1 {
		t.Error("who comes is not counted, so this test would notice nobody")
	}
}

func firstFailure(r client.Report) string {
	for _, check := range r.Checks {
		for _, step := range check.Steps {
			if step.State == "failed" {
				return step.Code
			}
		}
	}
	return ""
}

// SR-68: the stored token of a cluster goes to no other server and under no other CA than those it was given for.
func TestSecurityATokenStaysWithItsServer(t *testing.T) {
	s := newSubject(t, build(t), nil, "--allow-loopback-clusters")
	admin, plane, ctx := s.as(client.NewValue(s.setUp("gravel teapot Orion nineteen"))), bed.clusters.Planes[0], t.Context()
	made, err := admin.AddCluster(ctx, client.NewCluster{Name: "home", Server: plane.URL, CA: string(plane.CAPEM), Token: client.NewValue(bed.tokens[0]),
		Scope: client.Scope{Namespaces: []string{"shop"}, Access: "read-write"}})
	must(t, err)
	b := newBait(t)
	elsewhere, otherCA, system := "https://127.0.0.1:"+b.port, string(bed.clusters.Planes[1].CAPEM), ""
	for name, change := range map[string]client.ClusterChange{"another server": {Server: &elsewhere}, "another CA": {CA: &otherCA}, "the system's roots": {CA: &system}, "both": {Server: &elsewhere, CA: &otherCA}} {
		for what, err := range map[string]error{"test": second(admin.RetestCluster(ctx, made.ID, change)), "save": second(admin.UpdateCluster(ctx, made.ID, made.Rev, change))} {
			if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Location != "body.token" {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
	if n := b.came.Load(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
	still, err := admin.Cluster(ctx, made.ID)
	must(t, err)
	if still.Server != plane.URL || still.Rev != made.Rev {
		t.Errorf("changed: %+v", still)
	}
}

// SR-16, SR-27, SR-58, SR-60: how a server process looks from outside.
func TestSecurityOfAServerProcess(t *testing.T) {
	s := newSubject(t, build(t), nil)
	session := s.setUp("gravel teapot Orion nineteen")
	must(t, filepath.WalkDir(s.data(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && d.Name() != "cert.pem" {
			t.Errorf("%s is open to others: %v", d.Name(), info.Mode())
		}
		return err
	}))
	host := strings.TrimPrefix(s.url, "https://")
	roots := s.web.Transport.(recorder).base.(*http.Transport).TLSClientConfig.RootCAs
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version})
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != (version >= tls.VersionTLS12) {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	plain, err := net.Dial("tcp", host)
	must(t, err)
	_, err = fmt.Fprintf(plain, "GET /api/v1/session HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err, plain.SetDeadline(time.Now().Add(10*time.Second)))
	line, _ := bufio.NewReader(plain).ReadString('\n')
	if _ = plain.Close(); strings.Contains(line, "200") {
		t.Errorf("plain HTTP is answered: %s", line)
	}
	for _, path := range []string{"/", "/login", "/clusters", "/nonsense", "/api/v1/session", "/healthz"} {
		res, err := s.web.Get(s.url + path)
		must(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		must(t, err, res.Body.Close())
		csp := directives(res.Header.Get("Content-Security-Policy"))
		for name, want := range map[string]string{"default-src": "'none'", "script-src": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'", "require-trusted-types-for": "'script'", "connect-src": "'self'"} {
			if csp[name] != want {
				t.Errorf("%s: %s is %q", path, name, csp[name])
			}
		}
		for name, value := range csp {
			if strings.Contains(value, "unsafe") || strings.Contains(value, "*") || strings.Contains(value, "http") {
				t.Errorf("%s: %s %s", path, name, value)
			}
		}
		if res.Header.Get("X-Frame-Options") != "DENY" || res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(res.Header.Get("Strict-Transport-Security"), "max-age") ||
			res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Server") != "" {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	if status, text := s.send("GET", "/debug/pprof/", session, ""); status == http.StatusOK && !strings.Contains(text, "<!doctype html>") && !strings.Contains(text, "<!DOCTYPE html>") {
		t.Errorf("/debug/pprof/: %d %.100s", status, text)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.pid))
	must(t, err)
	for l := range strings.Lines(string(limits)) {
		if fields := strings.Fields(strings.TrimPrefix(l, "Max core file size")); strings.HasPrefix(l, "Max core") && (fields[0] != "0" || fields[1] != "0") {
			t.Errorf("the server may dump its core: %s", l)
		}
	}
}

func directives(policy string) map[string]string {
	out := map[string]string{}
	for d := range strings.SplitSeq(policy, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), " ")
		out[name] = value
	}
	return out
}

// SR-73: who sends slowly is cut off and keeps nobody else waiting: in the handshake, in the headers and in the body.
func TestSecurityWhoSendsSlowlyIsCutOff(t *testing.T) {
	s := newSubject(t, build(t), nil)
	host := strings.TrimPrefix(s.url, "https://")
	roots := s.web.Transport.(recorder).base.(*http.Transport).TLSClientConfig.RootCAs
	begin := func() net.Conn {
		conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Error(err)
			return nil
		}
		return conn
	}
	type attempt struct {
		name  string
		dial  func() net.Conn
		first string // then one byte a second
		limit time.Duration
	}
	results := make(chan error)
	attempts := []attempt{
		{"the handshake", func() net.Conn {
			c, err := net.Dial("tcp", host)
			if err != nil {
				t.Error(err)
			}
			return c
		}, "\x16\x03\x01", 20 * time.Second},
		{"the headers", begin, "GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: ", 20 * time.Second},
		{"the body", begin, "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"name\": \"", 80 * time.Second},
	}
	for _, a := range attempts {
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), a.limit)
			defer cancel()
			if took, cut := drip(ctx, a.dial(), a.first); !cut {
				results <- fmt.Errorf("%s: still open after %v", a.name, took)
				return
			}
			results <- nil
		}()
	}
	for range attempts {
		if err := <-results; err != nil {
			t.Error(err)
		}
		if status, _ := s.send("GET", "/api/v1/health", "", ""); status != http.StatusOK {
			t.Errorf("nobody else is answered: %d", status)
		}
	}
	// Headers without an end are cut off by their size.
	conn := begin()
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err := io.WriteString(conn, "GET /api/v1/health HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X-Long: "+strings.Repeat("a", 1000)+"\r\n", 200)+"\r\n")
	if err == nil {
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("200 kB of headers: %d", res.StatusCode)
		}
	}
}

// drip sends a beginning and then a byte each second until the other side has had enough.
func drip(ctx context.Context, conn net.Conn, first string) (took time.Duration, cut bool) {
	begun := time.Now()
	if conn == nil {
		return 0, false
	}
	defer conn.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	text := first
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return time.Since(begun), true
		}
		text = "a"
		select {
		case <-gone:
			return time.Since(begun), true
		case <-ctx.Done():
			return time.Since(begun), false
		case <-time.After(time.Second):
		}
	}
}
