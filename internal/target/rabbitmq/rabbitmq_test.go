package rabbitmq_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/rabbitmq"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

var own = rabbitmq.New(rabbitmq.Config{})

func (s *server) secure() target.Connection {
	return target.Connection{"host": "127.0.0.1", "port": s.TLSPort, "tls_ca": s.CA}
}

func login(name, value string) target.Login {
	return target.Login{User: name, Password: targettest.Value(value)}
}

func check(t *testing.T, name string, want target.Outcome, err error) {
	t.Helper()
	if got := target.OutcomeOf(err); got != want {
		t.Errorf("%s: outcome %q (%v), want %q", name, got, err, want)
	}
}

func change(t *testing.T, by target.Login, account, value string) target.Change {
	t.Helper()
	p, err := own.Prepare(account, targettest.Value(value))
	must(t, err)
	return target.Change{By: by, Account: account, Value: targettest.Value(value), Prepared: p}
}

func TestRabbitMQ(t *testing.T) {
	s := start(t)
	rec := s.create(t, "rec", "rec-pw", "administrator")
	s.Do(t, "PUT", "/vhosts/shop", nil)
	for tags, name := range map[string]string{"": "no tags", "monitoring,custom": "tags"} {
		named := func(t *testing.T, name string) target.Login { return s.create(t, name, rand.Text(), tags) }
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, targettest.Harness{
				Target: own, Connection: s.secure(), Plain: target.Connection{"tls": "off"}, Addr: "127.0.0.1:" + s.Port, Trigger: []byte("PUT /api/users/"),
				Reconcile: rec, NoSelf: true, CreateNamed: named, Log: s.log, Dump: s.dump, Hash: hashes,
				Strip: func(t *testing.T) (target.Login, func()) {
					s.tag(t, "rec", "management")
					return rec, func() { s.tag(t, "rec", "administrator") }
				},
				Rights: s.rights(tags),
				Create: func(t *testing.T) target.Login { return named(t, "app-"+rand.Text()) },
				Names: []string{
					"a/b", "a b", " space ", "müller", "100%", "%2F", "a?b", "a#b", "a;b", "a+b", "a&b", "a\\b", `"quoted"`, "'", "{}*", "...", "mail@example.org", "CamelCase",
					"😀", strings.Repeat("n", 255),
				},
				BadNames: []string{"", ".", "..", "a:b", "nul\x00", "a\r\nb", "a\tb", "\xff", strings.Repeat("n", 256)},
			})
		})
	}
	t.Run("logins", func(t *testing.T) { logins(t, s, rec) })
	t.Run("rehearsals", func(t *testing.T) { rehearsals(t, s, rec) })
	t.Run("the rest of the user stays", func(t *testing.T) { rest(t, s, rec) })
	t.Run("nothing is created", func(t *testing.T) { deleted(t, s, rec) })
	t.Run("read back", func(t *testing.T) { readBack(t, s, rec) })
	t.Run("other servers", func(t *testing.T) { others(t, rec) })
}

// logins looks at users and connections that are not as they should be.
func logins(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	l := s.create(t, "plain", "value-1", "")
	check(t, "no password sent", target.Misconfigured, own.Verify(ctx, at, target.Login{User: "plain"}))
	s.Do(t, "PUT", "/users/bare", map[string]string{"password_hash": "", "tags": "management"})
	check(t, "no password", target.Refused, own.Verify(ctx, at, login("bare", "value-1")))
	check(t, "change no password", target.NotPermitted, own.Change(ctx, at, change(t, rec, "bare", "value-2")))
	for _, tag := range []string{"management", "policymaker", "monitoring"} {
		by := s.create(t, tag, "value-1", tag)
		check(t, tag, "", own.Verify(ctx, at, by))
		check(t, "by "+tag, target.NotPermitted, own.Change(ctx, at, change(t, by, "plain", "value-2")))
		check(t, "by itself with "+tag, target.NotPermitted, own.Change(ctx, at, change(t, by, tag, "value-2")))
	}
	admin := s.create(t, "second", "value-1", "administrator")
	check(t, "administrator by itself", "", own.Change(ctx, at, change(t, admin, "second", "value-2")))
	check(t, "administrator by itself", "", own.Verify(ctx, at, login("second", "value-2")))
	for _, name := range []string{"bulk-delete", "without-permissions"} { // paths that are no user's
		if target.OutcomeOf(own.Change(ctx, at, change(t, rec, name, "value-2"))) == "" {
			t.Errorf("%s was changed", name)
		}
	}
	check(t, "as it was", "", own.Verify(ctx, at, l))

	other := targettest.NewServer(t)
	check(t, "another CA", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.TLSPort, "tls_ca": other.CA}, l))
	check(t, "another CA, change", target.Unreachable, own.Change(ctx, target.Connection{"host": "127.0.0.1", "port": s.TLSPort, "tls_ca": other.CA}, change(t, rec, "plain", "value-2")))
	check(t, "another name", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.TLSPort, "tls_ca": s.CA, "tls_server_name": "elsewhere"}, l))
	check(t, "TLS to a port without", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.Port, "tls_ca": s.CA}, l))
	check(t, "no TLS to a port with", target.Unreachable, own.Verify(ctx, target.Connection{"host": "127.0.0.1", "port": s.TLSPort, "tls": "off"}, l))
	check(t, "no TLS elsewhere", target.Misconfigured, own.Verify(ctx, target.Connection{"host": "192.0.2.1", "tls": "off"}, l))
	targettest.Again(t, "TestTheMachinesCAs", "SSL_CERT_FILE="+s.Dir+"/ca.crt", "KEYTURN_TEST_PORT="+s.TLSPort)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	check(t, "given up", target.Unreachable, own.Verify(gone, at, l))
}

// rest shows that a change leaves tags, permissions and limits alone.
func rest(t *testing.T, s *server, rec target.Login) {
	s.create(t, "kept", "value-1", "monitoring,custom")
	s.Do(t, "PUT", "/permissions/%2F/kept", map[string]string{"configure": "^kept", "write": ".*", "read": ""})
	s.Do(t, "PUT", "/user-limits/kept/max-connections", map[string]int{"value": 7})
	look := func() string {
		var u map[string]json.RawMessage
		must(t, json.Unmarshal(s.Do(t, "GET", "/users/kept", nil), &u))
		return string(u["tags"]) + string(u["limits"]) + string(s.Do(t, "GET", "/permissions/%2F/kept", nil))
	}
	before := look()
	check(t, "change", "", own.Change(t.Context(), s.secure(), change(t, rec, "kept", "value-2")))
	if after := look(); after != before || !strings.Contains(after, "custom") || !strings.Contains(after, "7") {
		t.Errorf("before %s, after %s", before, after)
	}
}

// deleted takes the user away in the middle of a change.
func deleted(t *testing.T, s *server, rec target.Login) {
	ctx := t.Context()
	for name, conditional := range map[string]bool{"deleted": true, "deleted behind a careless proxy": false} {
		s.create(t, "gone", "value-1", "administrator")
		proxy := between(t, s, func(r *http.Request) {
			if r.Method == http.MethodPut {
				s.Do(t, "DELETE", "/users/gone", nil)
				if !conditional {
					r.Header.Del("If-Match")
				}
			}
		}, nil)
		check(t, name, target.NoSuchAccount, own.Change(ctx, proxy, change(t, rec, "gone", "value-2")))
		if s.exists(t, "gone") {
			t.Errorf("%s: it was created again", name)
		}
	}
}

// readBack has somebody else change the user right after the server has confirmed the change.
func readBack(t *testing.T, s *server, rec target.Login) {
	s.create(t, "hurried", "value-1", "")
	proxy := between(t, s, func(*http.Request) {}, func(r *http.Response) error {
		if r.Request.Method == http.MethodPut {
			s.create(t, "hurried", "value-3", "")
		}
		return nil
	})
	check(t, "overtaken", target.Unknown, own.Change(t.Context(), proxy, change(t, rec, "hurried", "value-2")))
	check(t, "overtaken", target.Refused, own.Verify(t.Context(), s.secure(), login("hurried", "value-2")))

	s.create(t, "demoted", "value-1", "administrator")
	demoting := between(t, s, func(r *http.Request) {
		if r.Method == http.MethodPut {
			s.create(t, "demoted", "value-1", "management")
		}
	}, nil)
	check(t, "demoted in the middle", target.NotPermitted, own.Change(t.Context(), demoting, change(t, login("demoted", "value-1"), "hurried", "value-2")))
	s.create(t, "demoted", "value-1", "administrator")
	retiring := between(t, s, func(r *http.Request) {
		if r.Method == http.MethodPut {
			s.create(t, "demoted", "value-2", "administrator")
		}
	}, nil)
	check(t, "changed in the middle", target.Refused, own.Change(t.Context(), retiring, change(t, login("demoted", "value-1"), "hurried", "value-2")))

	broken := between(t, s, func(*http.Request) {}, func(r *http.Response) error {
		if r.Request.Method == http.MethodPut {
			r.StatusCode, r.Header = http.StatusBadGateway, http.Header{}
		}
		return nil
	})
	ch := change(t, rec, "hurried", "value-2")
	check(t, "a gateway's error", target.Unknown, own.Change(t.Context(), broken, ch))
	check(t, "the same again", "", own.Change(t.Context(), s.secure(), ch))
}

// between starts an HTTP proxy that can change requests and answers.
func between(t *testing.T, s *server, request func(*http.Request), answer func(*http.Response) error) target.Connection {
	t.Helper()
	to := &url.URL{Scheme: "http", Host: "127.0.0.1:" + s.Port}
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); request(r.Out) }, ModifyResponse: answer}
	return plain(t, p)
}

// plain serves h without TLS.
func plain(t *testing.T, h http.Handler) target.Connection {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	host, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	must(t, err)
	return target.Connection{"host": host, "port": port, "tls": "off"}
}

// others meets servers that are no RabbitMQ, which learn the login and nothing else.
func others(t *testing.T, rec target.Login) {
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for name, h := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"page":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome</html>")) },
		"no content":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"empty":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"other 401":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Login failed", http.StatusUnauthorized) },
		"other 404":   func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"overloaded":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"endless":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 2<<20)) },
		"long header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
	} {
		at := plain(t, h)
		check(t, name+", verify", target.Unreachable, own.Verify(t.Context(), at, rec))
		check(t, name+", change", target.Unreachable, own.Change(t.Context(), at, change(t, rec, "app", "value-2")))
	}
	if visits.Load() > 0 {
		t.Error("a redirect was followed")
	}
	anybody := plain(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := r.BasicAuth()
		_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": []string{}})
	}))
	check(t, "lets everybody in", target.Unproven, own.Verify(t.Context(), anybody, rec))
	check(t, "names another", target.Unproven, own.Verify(t.Context(), plain(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"name":"guest","tags":[]}`))
	})), rec))
	for reason, want := range map[string]target.Outcome{ // the words of RabbitMQ 4, after its source
		`"not_authorized","reason":"Not_Authorized"`:                          target.Refused,
		`"not_authorised","reason":"HTTP access denied: basic auth disabled"`: target.NotPermitted,
		`"not_authorised","reason":"User can only log in via localhost"`:      target.NotPermitted,
	} {
		check(t, reason, want, own.Verify(t.Context(), plain(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":` + reason + `}`))
		})), rec))
	}
	targettest.Again(t, "TestNoProxy", "HTTPS_PROXY=http://192.0.2.9:1", "HTTP_PROXY=http://192.0.2.9:1")
	slow := rabbitmq.New(rabbitmq.Config{Timeout: 200 * time.Millisecond})
	stop := make(chan struct{})
	at := plain(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	t.Cleanup(func() { close(stop) }) // before the server waits for it
	check(t, "silent", target.Unreachable, slow.Verify(t.Context(), at, rec))
}

// TestNoProxy is also run in a process whose environment names a proxy, which is read only once.
func TestNoProxy(t *testing.T) {
	for _, tls := range []string{"verify", "off"} {
		var dialled string
		recording := rabbitmq.New(rabbitmq.Config{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled = addr
			return nil, errors.New("not now")
		}})
		c := target.Connection{"host": "192.0.2.1", "tls": tls, "accept_no_tls": "yes"}
		check(t, tls, target.Unreachable, recording.Verify(t.Context(), c, login("app", "value-1")))
		if dialled != "192.0.2.1:15671" {
			t.Errorf("%s: %s was dialled", tls, dialled)
		}
	}
}

// TestTheMachinesCAs is run by TestRabbitMQ once more, in a process in which the server's CA stands for those of the
// machine. Alone it has nothing to do.
func TestTheMachinesCAs(t *testing.T) {
	port := os.Getenv("KEYTURN_TEST_PORT")
	if port == "" {
		return
	}
	check(t, "the machine's CAs", "", own.Verify(t.Context(), target.Connection{"host": "localhost", "port": port}, login("plain", "value-1")))
}
