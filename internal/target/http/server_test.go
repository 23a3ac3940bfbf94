package http_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// server is a system with accounts. It takes the webhook at /hook and described requests below /api, on a port with TLS
// and on one without, and keeps a log of requests as servers do.
type server struct {
	ca            string
	secure, plain string // host:port

	mu       sync.Mutex
	accounts map[string]string
	stripped bool // keyturn may change nothing
	requests strings.Builder
}

func start(t *testing.T) *server {
	t.Helper()
	files := targettest.NewServer(t)
	pair, err := tls.LoadX509KeyPair(files.Dir+"/srv.crt", files.Dir+"/srv.key")
	must(t, err)
	s := &server{ca: files.CA, accounts: map[string]string{}}
	mux := nethttp.NewServeMux()
	mux.HandleFunc("POST /hook", s.hook)
	mux.HandleFunc("PUT /api/users/{name}/password", s.put)
	mux.HandleFunc("GET /api/me", s.me)
	mux.HandleFunc("GET /api/users/{name}/password", s.ask)
	logged := nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		s.mu.Lock()
		_, _ = fmt.Fprintf(&s.requests, "%s %s %s %v\n", r.RemoteAddr, r.Method, r.RequestURI, r.UserAgent())
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	})
	secure := httptest.NewUnstartedServer(logged)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	secure.Config.ErrorLog = log.New(t.Output(), "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(logged)
	t.Cleanup(plain.Close)
	s.secure, s.plain = secure.Listener.Addr().String(), plain.Listener.Addr().String()
	return s
}

func (s *server) create(name, value string) target.Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[name] = value
	return target.Login{User: name, Password: targettest.Value(value)}
}

// holds reports whether name has this value.
func (s *server) holds(name, value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.accounts[name]
	return ok && have == value
}

// set answers a change by somebody who has shown who he is.
func (s *server) set(w nethttp.ResponseWriter, by, name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.accounts[name]
	switch {
	case by != "keyturn" && by != name, name == "protected":
		w.WriteHeader(nethttp.StatusForbidden)
	case !there:
		w.WriteHeader(nethttp.StatusNotFound)
	case strings.HasPrefix(value, "weak"):
		w.WriteHeader(nethttp.StatusUnprocessableEntity)
	default:
		s.accounts[name] = value
		w.WriteHeader(nethttp.StatusNoContent)
	}
}

// would answers whether set would make a change.
func (s *server) would(w nethttp.ResponseWriter, by, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.accounts[name]
	switch {
	case by != "keyturn" && by != name, by == "keyturn" && s.stripped, name == "protected":
		w.WriteHeader(nethttp.StatusForbidden)
	case !there:
		w.WriteHeader(nethttp.StatusNotFound)
	}
}

// ask takes a rehearsal by Basic.
func (s *server) ask(w nethttp.ResponseWriter, r *nethttp.Request) {
	login, password, _ := r.BasicAuth()
	if !s.holds(login, password) {
		w.WriteHeader(nethttp.StatusUnauthorized)
		return
	}
	s.would(w, login, r.PathValue("name"))
}

// dump returns the accounts with their values.
func (s *server) dump(*testing.T) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.accounts) // sorted by name
}

// strip takes the right to change values from keyturn, or gives it back.
func (s *server) strip(stripped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stripped = stripped
}

// hook checks a signature as the documentation says.
func (s *server) hook(w nethttp.ResponseWriter, r *nethttp.Request) {
	body, _ := io.ReadAll(r.Body)
	var m struct{ Event, Resource, Account, Login, Value string }
	at, signature, _ := strings.Cut(r.Header.Get("Keyturn-Signature"), ",v1=")
	at = strings.TrimPrefix(at, "t=")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || json.Unmarshal(body, &m) != nil || m.Resource != "billing" || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(nethttp.StatusBadRequest)
		return
	}
	s.mu.Lock()
	key := s.accounts[m.Login]
	s.mu.Unlock()
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	given, _ := hex.DecodeString(signature)
	if key == "" || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute || !hmac.Equal(given, mac.Sum(nil)) {
		w.WriteHeader(nethttp.StatusUnauthorized)
		return
	}
	switch m.Event {
	case "credential.change":
		s.set(w, m.Login, m.Account, m.Value)
	case "credential.rehearse":
		if m.Value != "" {
			w.WriteHeader(nethttp.StatusBadRequest)
			return
		}
		s.would(w, m.Login, m.Account)
	case "credential.verify":
		if m.Login != m.Account || !s.holds(m.Account, m.Value) {
			w.WriteHeader(nethttp.StatusUnauthorized)
		}
	default:
		w.WriteHeader(nethttp.StatusBadRequest)
	}
}

func (s *server) put(w nethttp.ResponseWriter, r *nethttp.Request) {
	login, password, _ := r.BasicAuth()
	if !s.holds(login, password) {
		w.WriteHeader(nethttp.StatusUnauthorized)
		return
	}
	var body struct{ Password string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(nethttp.StatusBadRequest)
		return
	}
	s.set(w, login, r.PathValue("name"), body.Password)
}

// me takes a login by Basic, or a token.
func (s *server) me(w nethttp.ResponseWriter, r *nethttp.Request) {
	name, value, ok := r.BasicAuth()
	if token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); bearer {
		name, value, ok = "token", token, true
	}
	if !ok || !s.holds(name, value) {
		w.WriteHeader(nethttp.StatusUnauthorized)
	}
}

func (s *server) logged(t *testing.T) []byte {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := []byte(s.requests.String())
	if !bytes.Contains(b, []byte("Keyturn")) {
		t.Fatal("the log shows nothing")
	}
	return b
}

// settings join those of one of the ways with these further ones.
func join(all ...target.Connection) target.Connection {
	out := target.Connection{}
	for _, c := range all {
		for name, v := range c {
			out[name] = v
		}
	}
	return out
}

func at(addr string) target.Connection {
	host, port, _ := net.SplitHostPort(addr)
	return target.Connection{"host": host, "port": port}
}

func (s *server) overTLS() target.Connection {
	return join(at(s.secure), target.Connection{"tls_ca": s.ca})
}

func inTheOpen(addr string) target.Connection {
	return join(at(addr), target.Connection{"tls": "off", "accept_no_tls": "yes"})
}

var (
	webhook  = target.Connection{"path": "/hook", "verify_path": "/hook", "rehearse_path": "/hook", "resource": "billing"}
	describe = target.Connection{
		"mode": "request", "method": "PUT", "path": "/api/users/{{account|percent}}/password", "verify_path": "/api/me",
		"rehearse_path": "/api/users/{{account|percent}}/password",
		"headers":       `{"Authorization": "Basic {{basic}}", "Content-Type": "application/json"}`, "body": `{"user": {"name": "{{account|json}}"}, "password": "{{value|json}}"}`,
		"rejected": "422",
	}
)

func login(name, value string) target.Login {
	return target.Login{User: name, Password: targettest.Value(value)}
}

func change(by target.Login, account, value string) target.Change {
	return target.Change{By: by, Account: account, Value: targettest.Value(value)}
}

func check(t *testing.T, name string, want target.Outcome, err error) {
	t.Helper()
	if got := target.OutcomeOf(err); got != want {
		t.Errorf("%s: outcome %q (%v), want %q", name, got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
