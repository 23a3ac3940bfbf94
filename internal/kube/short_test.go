package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// recorder stands before the API server and keeps which token came with which request.
type recorder struct {
	web *httptest.Server

	mu   sync.Mutex
	came []request
	// answer, unless nil, answers in place of the API server.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

type request struct{ line, token string }

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	to, err := url.Parse(plane.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(plane.CAPEM)
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, ErrorLog: log.New(io.Discard, "", 0)}
	p := &recorder{}
	p.web = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.came = append(p.came, request{r.Method + " " + r.URL.Path, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")})
		answer := p.answer
		p.mu.Unlock()
		if answer == nil || !answer(w, r) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.web.Close)
	return p
}

func (p *recorder) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.web.Certificate().Raw})
}

func (p *recorder) answering(f func(w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// requests returns what came since the last call.
func (p *recorder) requests() []request {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.came
	p.came = nil
	return out
}

func (p *recorder) asked() (n int) {
	for _, r := range p.requests() {
		if strings.HasSuffix(r.line, "/token") {
			n++
		}
	}
	return n
}

// movable is a clock that is moved by hand.
type movable struct {
	mu sync.Mutex
	at time.Time
}

func (m *movable) now() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.at }

func (m *movable) move(d time.Duration) { m.mu.Lock(); defer m.mu.Unlock(); m.at = m.at.Add(d) }

// shortConn connects through a recorder with the token of a connector for namespace, which it makes.
func shortConn(t *testing.T, namespace string) (*Conn, *recorder, *movable, string) {
	t.Helper()
	kubectl(t, "", "create", "namespace", namespace)
	cfg := connector(t, Scope{Namespaces: []string{namespace}, ReadWrite: true})
	kubectl(t, "", "-n", namespace, "create", "secret", "generic", "db", "--from-literal=password=old")
	p, clock := newRecorder(t), &movable{at: time.Now()}
	cfg.Server, cfg.CAPEM = p.web.URL, p.ca()
	cfg.ShortTokens, cfg.Now = true, clock.now
	var err error
	if cfg.Token, err = NormaliseToken(cfg.Token); err != nil {
		t.Fatal(err)
	}
	stored := ""
	_ = cfg.Token.Expose(func(b []byte) error { stored = string(b); return nil })
	conn, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn, p, clock, stored
}

func TestTheStoredTokenOnlyAsksForShortOnes(t *testing.T) {
	conn, p, clock, stored := shortConn(t, "short-a")
	if s := conn.Token(); s.Short || s.Warning != "" {
		t.Errorf("before the first request: %+v", s)
	}
	s, err := conn.GetSecret(t.Context(), "short-a", "db")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PatchSecret(t.Context(), "short-a", "db", s.UID, s.ResourceVersion, map[string]vault.Value{"password": vault.NewValue([]byte("new"))}); err != nil {
		t.Fatal(err)
	}
	came := p.requests()
	if len(came) != 3 || !strings.HasSuffix(came[0].line, "serviceaccounts/keyturn/token") || came[0].token != stored {
		t.Fatalf("%d requests, first %s", len(came), came[0].line)
	}
	short := came[1].token
	if short == stored || short == "" || came[2].token != short {
		t.Error("a request carried another token than the short one")
	}
	c, ok := readClaims(vault.NewValue([]byte(short)))
	if !ok || c.Subject != "system:serviceaccount:keyturn:keyturn" || c.ExpiresAt.Sub(c.IssuedAt) != time.Hour || len(c.Audience) == 0 {
		t.Errorf("the short token says %+v", c)
	}
	state := conn.Token()
	if life := state.ExpiresAt.Sub(clock.now()); !state.Short || life != time.Hour {
		t.Errorf("%+v", state)
	}
	if at := state.RenewsAt.Sub(clock.now()); at > 48*time.Minute || at < 45*time.Minute {
		t.Errorf("it is renewed after %v", at)
	}

	// Due: the request that notices does not wait for the new one.
	clock.move(49 * time.Minute)
	first := conn.Token().ExpiresAt
	for end := time.Now().Add(10 * time.Second); conn.Token().ExpiresAt.Equal(first); {
		if _, err := conn.GetSecret(t.Context(), "short-a", "db"); err != nil || time.Now().After(end) {
			t.Fatalf("it is not renewed: %v", err)
		}
	}
	if n := p.asked(); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}

	// Expired: all wait for one exchange.
	clock.move(2 * time.Hour)
	if s := conn.Token(); s.Short {
		t.Errorf("it should have ended: %+v", s)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := conn.GetSecret(t.Context(), "short-a", "db"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	came = p.requests()
	if n := len(slices.DeleteFunc(slices.Clone(came), func(r request) bool { return r.token != stored })); n != 1 || len(came) != 21 {
		t.Errorf("%d requests, %d of them with the stored token", len(came), n)
	}
}

func TestDeletingTheSecretRevokesTheShortTokenToo(t *testing.T) {
	conn, p, _, stored := shortConn(t, "short-b")
	if _, err := conn.GetSecret(t.Context(), "short-b", "db"); err != nil {
		t.Fatal(err)
	}
	p.requests()
	kubectl(t, "", "-n", "keyturn", "delete", "secret", "keyturn-token")
	t.Cleanup(func() {
		_, _ = plane.Kubectl(context.WithoutCancel(t.Context()), "", "-n", "keyturn", "delete", "secret", "keyturn-token", "--ignore-not-found")
	})
	var err error
	for end := time.Now().Add(40 * time.Second); err == nil && time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		_, err = conn.GetSecret(t.Context(), "short-b", "db") // the API server remembers a token for some seconds
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != "cluster-token-refused" || f.Cure == "" {
		t.Fatalf("after the Secret is gone: %v", err)
	}
	if s := conn.Token(); s.Short {
		t.Errorf("%+v", s)
	}
	for _, r := range p.requests() {
		if r.token == "" {
			t.Errorf("%s came without a token", r.line)
		}
	}
	_, err = conn.GetSecret(t.Context(), "short-b", "db")
	if came := p.requests(); !errors.Is(err, fault.Denied) || len(came) > 2 || came[len(came)-1].token != stored {
		t.Errorf("%d requests, %v", len(came), err)
	}
}

func TestWithoutTheRightTheStoredTokenWorks(t *testing.T) {
	conn, p, clock, stored := shortConn(t, "short-c")
	kubectl(t, "", "-n", "keyturn", "delete", "rolebinding", "keyturn-token")
	get := func() {
		t.Helper()
		if _, err := conn.GetSecret(t.Context(), "short-c", "db"); err != nil {
			t.Fatal(err)
		}
	}
	get()
	state := conn.Token()
	if state.Short || !strings.Contains(state.Warning, "no right to create serviceaccounts/token") || state.Cure == "" {
		t.Errorf("%+v", state)
	}
	if came := p.requests(); came[len(came)-1].token != stored {
		t.Error("the stored token was not used")
	}
	get()
	if n := p.asked(); n != 0 {
		t.Errorf("asked %d times again at once", n)
	}
	connector(t, Scope{Namespaces: []string{"short-c"}, ReadWrite: true}) // the right is back
	for end := time.Now().Add(20 * time.Second); !conn.Token().Short && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		clock.move(askAgain) // the API server takes a moment to notice
		get()
	}
	if state = conn.Token(); !state.Short || state.Warning != "" {
		t.Errorf("%+v", state)
	}
}

func TestAShortTokenThatIsRefusedIsReplaced(t *testing.T) {
	conn, p, clock, stored := shortConn(t, "short-d")
	s, err := conn.GetSecret(t.Context(), "short-d", "db")
	if err != nil {
		t.Fatal(err)
	}
	clock.move(time.Minute)
	short := p.requests()[1].token
	p.answering(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.Header.Get("Authorization"), short) {
			return false
		}
		http.Error(w, "no", http.StatusUnauthorized)
		return true
	})
	if _, err := conn.PatchSecret(t.Context(), "short-d", "db", s.UID, s.ResourceVersion, map[string]vault.Value{"password": vault.NewValue([]byte("new"))}); err != nil {
		t.Fatal(err)
	}
	came := p.requests()
	if len(came) != 3 || came[0].token != short || came[1].token != stored || came[2].token == short || came[2].token == stored {
		t.Errorf("%d requests", len(came))
	}

	// One that refuses every short token is asked with the stored one, and does not send us round in circles.
	p.answering(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.Header.Get("Authorization"), stored) {
			return false
		}
		http.Error(w, "no", http.StatusUnauthorized)
		return true
	})
	clock.move(time.Minute)
	for range 5 {
		_, err = conn.GetSecret(t.Context(), "short-d", "db")
	}
	if came = p.requests(); err != nil || len(came) > 12 {
		t.Errorf("%d requests, %v", len(came), err)
	}
}

func TestATokenOfAnotherAccountIsNotExchanged(t *testing.T) {
	conn, err := Dial(Config{Server: plane.URL, CAPEM: plane.CAPEM, Token: vault.NewValue([]byte(plane.AdminToken)), ShortTokens: true, AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Namespaces(t.Context()); err != nil {
		t.Error(err)
	}
	if s := conn.Token(); s.Short || !strings.Contains(s.Warning, "keyturn/keyturn") || s.Cure == "" {
		t.Errorf("%+v", s)
	}
}

func TestTheCheckSaysWithWhichToken(t *testing.T) {
	kubectl(t, "", "create", "namespace", "short-f")
	scope := Scope{Namespaces: []string{"short-f"}}
	cfg := connector(t, scope)
	cfg.ShortTokens = true
	last := func(r Report) Step { return r.Token[len(r.Token)-1] }
	if r := Check(t.Context(), cfg, scope); !r.OK() || last(r).Name != "short-token" || last(r).Code != "" || !strings.HasPrefix(last(r).Detail, "until ") {
		t.Errorf("%+v", r)
	}
	cfg.Token = vault.NewValue([]byte(plane.AdminToken))
	if r := Check(t.Context(), cfg, scope); !r.OK() || last(r).Code != CodeLongLived || last(r).Cause == "" || last(r).Cure == "" {
		t.Errorf("%+v", r)
	}
}

func TestAnAPIServerThatIsGoneGetsNoStoredToken(t *testing.T) {
	conn, p, _, _ := shortConn(t, "short-e")
	p.answering(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	p.web.Config.ErrorLog = log.New(io.Discard, "", 0)
	_, err := conn.GetSecret(t.Context(), "short-e", "db")
	for _, r := range p.requests() {
		if !strings.HasSuffix(r.line, "/token") {
			t.Errorf("%s was sent", r.line)
		}
	}
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "cluster-unreachable" {
		t.Errorf("%v", err)
	}
}
