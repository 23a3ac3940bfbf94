package http_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/http"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

var own = http.New(http.Config{})

func TestHTTP(t *testing.T) {
	s := start(t)
	rec := s.create("keyturn", "reconcile-key")
	s.create("protected", "value-1")
	for name, mode := range map[string]struct {
		settings target.Connection
		trigger  string
		names    []string
	}{
		"webhook": {webhook, "credential.change", []string{"a/b", "a b", "müller", "100%", "?#&", `"quoted"`, "back\\slash", "a:b", "</script>", strings.Repeat("n", 256)}},
		"request": {describe, "PUT /api/users/", []string{"a b", "müller", "100%", "?#&", `"quoted"`, "back\\slash", "a+b", "%2F", "..x", strings.Repeat("n", 256)}},
	} {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, targettest.Harness{
				Target: own, Connection: join(mode.settings, s.overTLS()), Plain: join(mode.settings, inTheOpen(s.plain)), Addr: s.plain, Trigger: []byte(mode.trigger),
				Reconcile: rec, Protected: "protected", Log: s.logged, Names: mode.names,
				Create:        func(*testing.T) target.Login { return s.create("app-"+rand.Text(), rand.Text()) },
				CreateNamed:   func(_ *testing.T, name string) target.Login { return s.create(name, rand.Text()) },
				RejectedValue: func(string) string { return "weak-" + rand.Text() },
				Dump:          s.dump,
				Strip: func(*testing.T) (target.Login, func()) {
					s.strip(true)
					return rec, func() { s.strip(false) }
				},
				BadNames: []string{"", "nul\x00", "a\r\nb", "a\tb", "\xff", strings.Repeat("n", 257)},
			})
		})
	}
	t.Run("settings", func(t *testing.T) { settings(t, s, rec) })
	t.Run("rehearsals", func(t *testing.T) { rehearsals(t, s, rec) })
	t.Run("tokens", func(t *testing.T) { tokens(t, s, rec) })
	t.Run("TLS", func(t *testing.T) { overTLS(t, s, rec) })
}

// settings are read before anything is sent.
func settings(t *testing.T, s *server, rec target.Login) {
	l := s.create("settings", "value-1")
	for _, bad := range []target.Connection{
		{"path": "hook"}, {"path": "//elsewhere/hook"}, {"path": "/a b"}, {"path": "/a#b"}, {"path": "https://elsewhere/"}, {"path": "/\\elsewhere"},
		{"path": "/{{account}}"}, {"path": "/{{account|json}}"}, {"path": "/{{value|percent}}"}, {"path": "/{{token|percent}}"}, {"path": "/{{basic}}"}, {"path": "/?p={{old|percent}}"},
		{"verify_path": "/?p={{value|percent}}"},
		{"body": "{{value}}"}, {"body": "{{value|html}}"}, {"body": "{{nothing|json}}"}, {"body": "{{ value|json }}"}, {"body": "{{basic|json}}"}, {"body": "{{value|json"}, {"body": "{{old|json}}"},
		{"headers": "Authorization: x"}, {"headers": `{"A B": "x"}`}, {"headers": `{"Host": "x"}`}, {"headers": `{"content-length": "1"}`}, {"headers": `{"A": "x\r\nB: y"}`}, {"headers": `{"A": 1}`}, {"headers": `{"A": "{{value}}"}`},
		{"changed": "20"}, {"changed": "2xx-3xx"}, {"rejected": "0"}, {"verify_accepted": "9xx"}, {"method": "GET"}, {"mode": "other"}, {"unknown": "x"}, {"tls": "off"}, {"tls_ca": "no PEM"},
	} {
		err := own.Change(t.Context(), join(describe, s.overTLS(), bad), change(rec, l.User, "value-2"))
		check(t, fmt.Sprint(bad), target.Misconfigured, err)
	}
	check(t, "no TLS elsewhere", target.Misconfigured, own.Verify(t.Context(), join(webhook, target.Connection{"host": "192.0.2.1", "tls": "off", "accept_no_tls": "yes"}), l))
	nowhere := join(describe, s.overTLS())
	delete(nowhere, "verify_path")
	check(t, "no way to verify", target.Unsupported, own.Verify(t.Context(), nowhere, l))
	check(t, "a change without it", "", own.Change(t.Context(), nowhere, change(rec, l.User, "value-1")))
	check(t, "a colon by Basic", target.Misconfigured, own.Verify(t.Context(), join(describe, s.overTLS()), login("a:b", "value-1")))
	check(t, "no value", target.Misconfigured, own.Verify(t.Context(), join(describe, s.overTLS()), login("app", "")))
	check(t, "no value of anybody", target.Misconfigured, own.Verify(t.Context(), join(describe, s.overTLS()), login("app", "a\nb")))
	check(t, "as it was", "", own.Verify(t.Context(), join(describe, s.overTLS()), l))
}

// rehearsals meets answers of every kind, and settings without a way to ask.
func rehearsals(t *testing.T, s *server, rec target.Login) {
	nowhere := join(webhook, s.overTLS())
	delete(nowhere, "rehearse_path")
	_, err := own.Rehearse(t.Context(), nowhere, rec, "protected")
	check(t, "no way to rehearse", target.Unsupported, err)
	_, err = own.Rehearse(t.Context(), join(describe, s.overTLS(), target.Connection{"rehearse_path": "/{{value|percent}}"}), rec, "protected")
	check(t, "a value in a path", target.Misconfigured, err)
	var seen atomic.Value
	var status atomic.Int32
	answering := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(fmt.Sprint(r.Method, r.RequestURI, r.Header, string(body)))
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(answering.Close)
	at := join(describe, inTheOpen(answering.Listener.Addr().String()), target.Connection{"headers": `{"Authorization": "Basic {{basic}}", "X-New": "{{value|base64}}"}`})
	for answer, want := range map[int]target.Outcome{
		200: "", 204: "", 401: target.Refused, 403: target.NotPermitted, 405: target.NotPermitted, 404: target.NoSuchAccount, 400: target.Misconfigured,
		302: target.Unreachable, 429: target.Unreachable, 500: target.Unreachable, 503: target.Unreachable, 408: target.Unreachable, 422: target.Unsupported, 501: target.Unsupported,
	} {
		status.Store(int32(answer))
		proved, err := own.Rehearse(t.Context(), at, rec, "app")
		check(t, fmt.Sprint(answer), want, err)
		if (proved != "") != (want == "") {
			t.Errorf("%d: %q", answer, proved)
		}
	}
	if text := seen.Load().(string); !strings.HasPrefix(text, "GET/api/users/app/password") || !strings.Contains(text, "Authorization") || strings.Contains(text, "X-New") {
		t.Errorf("the request was %s", text)
	}
	status.Store(202)
	_, err = own.Rehearse(t.Context(), join(at, target.Connection{"changed": "200"}), rec, "app")
	check(t, "another success", target.Unsupported, err)
}

// tokens are values that a header has to carry as they are.
func tokens(t *testing.T, s *server, rec target.Login) {
	ctx, c := t.Context(), join(describe, s.overTLS(), target.Connection{"verify_auth": "bearer"})
	l := s.create("token", "value-1")
	check(t, "token", "", own.Verify(ctx, c, l))
	check(t, "wrong token", target.Refused, own.Verify(ctx, c, login("token", "wrong")))
	for _, value := range []string{"with space", "grüße", "tab\there"} {
		check(t, value, target.Rejected, own.Change(ctx, c, change(rec, l.User, value)))
		check(t, value, target.Misconfigured, own.Verify(ctx, c, login(l.User, value)))
		check(t, "in a body, "+value, target.Rejected, own.Change(ctx, join(describe, s.overTLS(), target.Connection{"body": "{{value|text}}"}), change(rec, l.User, value)))
	}
	check(t, "change", "", own.Change(ctx, c, change(rec, l.User, "value-2")))
	check(t, "changed", "", own.Verify(ctx, c, login(l.User, "value-2")))
}

func overTLS(t *testing.T, s *server, rec target.Login) {
	ctx, l, other := t.Context(), s.create("tls", "value-1"), targettest.NewServer(t)
	at := func(more target.Connection) target.Connection { return join(webhook, s.overTLS(), more) }
	for name, c := range map[string]target.Connection{
		"another CA": at(target.Connection{"tls_ca": other.CA}), "the machine's CAs": at(target.Connection{"tls_ca": ""}), "another name": at(target.Connection{"tls_server_name": "elsewhere"}),
		"TLS to a port without": join(webhook, s.overTLS(), map[string]string{"port": strings.Split(s.plain, ":")[1]}),
	} {
		check(t, name, target.Unreachable, own.Verify(ctx, c, l))
		check(t, name, target.Unreachable, own.Change(ctx, c, change(rec, l.User, "value-2")))
	}
	check(t, "no TLS to a port with", target.Misconfigured, own.Change(ctx, join(webhook, inTheOpen(s.secure)), change(rec, l.User, "value-2"))) // it answers 400 in the open
	check(t, "as it was", "", own.Verify(ctx, at(nil), l))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	check(t, "given up", target.Unreachable, own.Change(gone, at(nil), change(rec, l.User, "value-2")))
	file := other.Dir + "/system.crt"
	must(t, os.WriteFile(file, []byte(s.ca), 0o600))
	targettest.Again(t, "TestTheMachinesCAs", "SSL_CERT_FILE="+file, "KEYTURN_TEST_ADDR="+s.secure)
}

// TestTheMachinesCAs is run by TestHTTP once more, in a process in which the server's CA stands for those of the machine.
// Alone it has nothing to do.
func TestTheMachinesCAs(t *testing.T) {
	addr := os.Getenv("KEYTURN_TEST_ADDR")
	if addr == "" {
		return
	}
	check(t, "the machine's CAs", "", own.Verify(t.Context(), join(webhook, at(addr)), login("tls", "value-1")))
}

// TestAnswers has servers answer with every status that means something.
func TestAnswers(t *testing.T) {
	var visits atomic.Int32
	elsewhere := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { visits.Add(1) }))
	t.Cleanup(elsewhere.Close)
	const secret = "value-of-the-test"
	for status, want := range map[int]struct{ change, verify target.Outcome }{
		200: {"", target.Unproven}, 202: {"", target.Unproven}, 204: {"", target.Unproven},
		301: {target.Unreachable, target.Unreachable}, 307: {target.Unreachable, target.Unreachable},
		400: {target.Misconfigured, target.Unreachable}, 401: {target.Refused, target.Refused}, 403: {target.NotPermitted, target.NotPermitted},
		404: {target.NoSuchAccount, target.Unreachable}, 405: {target.NotPermitted, target.Unreachable}, 408: {target.Unknown, target.Unreachable},
		409: {target.Rejected, target.Unreachable}, 410: {target.NoSuchAccount, target.Unreachable}, 422: {target.Rejected, target.Unreachable},
		429: {target.Unreachable, target.Unreachable}, 500: {target.Unknown, target.Unreachable}, 502: {target.Unknown, target.Unreachable}, 503: {target.Unknown, target.Unreachable},
	} {
		srv := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
			if status != 204 {
				_, _ = w.Write(body) // an answer that repeats the value
			}
		}))
		for mode, settings := range map[string]target.Connection{"webhook": webhook, "request": describe} {
			if mode == "request" {
				settings = join(settings, target.Connection{"rejected": ""})
			}
			c := join(settings, inTheOpen(srv.Listener.Addr().String()))
			err := own.Change(t.Context(), c, change(login("keyturn", "key-of-the-test"), "app", secret))
			check(t, fmt.Sprint(mode, status), want.change, err)
			verr := own.Verify(t.Context(), c, login("app", secret))
			check(t, fmt.Sprint(mode, status), want.verify, verr)
			if text := fmt.Sprint(err, verr); strings.Contains(text, secret) || strings.Contains(text, "key-of-the-test") {
				t.Errorf("an error carries a value: %s", text)
			}
		}
		srv.Close()
	}
	if visits.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// TestStatuses takes the settings' own lists of statuses.
func TestStatuses(t *testing.T) {
	answer := atomic.Int32{}
	srv := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.WriteHeader(int(answer.Load())) }))
	t.Cleanup(srv.Close)
	c := join(describe, inTheOpen(srv.Listener.Addr().String()), target.Connection{"changed": "200, 204", "rejected": "400 4xx", "verify_refused": "403,401", "verify_accepted": "204"})
	for status, want := range map[int]struct{ change, verify target.Outcome }{
		200: {"", target.Unreachable}, 202: {target.Unknown, target.Unreachable}, 204: {"", target.Unproven}, 400: {target.Rejected, target.Unreachable}, 418: {target.Rejected, target.Unreachable},
		403: {target.Rejected, target.Refused},
	} {
		answer.Store(int32(status))
		check(t, fmt.Sprint(status), want.change, own.Change(t.Context(), c, change(login("keyturn", "key"), "app", "value")))
		check(t, fmt.Sprint(status), want.verify, own.Verify(t.Context(), c, login("app", "value")))
	}
}

// TestDescribed looks at what a described request is on the wire.
func TestDescribed(t *testing.T) {
	var got struct {
		nethttp.Request
		body string
	}
	srv := httptest.NewServer(nethttp.HandlerFunc(func(_ nethttp.ResponseWriter, r *nethttp.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Request, got.body = *r, string(body)
	}))
	t.Cleanup(srv.Close)
	c := join(inTheOpen(srv.Listener.Addr().String()), target.Connection{
		"mode": "request", "method": "PATCH", "path": "/u/{{account|percent}}?by={{login|percent}}&x=1",
		"headers": `{"x-token": "{{token|text}}", "X-Old": "{{old|base64}}", "X-Both": "a{{basic}}b"}`,
		"body":    `{"j":"{{value|json}}","f":"{{value|form}}","p":"{{value|percent}}","b":"{{value|base64}}","o":{"a":"{{account|json}}"}}`,
	})
	by := login("a b/ü", "old-value")
	check(t, "change", "", own.Change(t.Context(), c, change(by, by.User, "n\"<\\ü +/%&=")))
	if want := `{"j":"n\"\u003c\\ü +/%\u0026=","f":"n%22%3C%5C%C3%BC+%2B%2F%25%26%3D","p":"n%22%3C%5C%C3%BC%20%2B%2F%25%26%3D","b":"biI8XMO8ICsvJSY9","o":{"a":"a b/ü"}}`; got.body != want {
		t.Errorf("body %s\nwant %s", got.body, want)
	}
	if want := "/u/a%20b%2F%C3%BC?by=a%20b%2F%C3%BC&x=1"; got.Method != "PATCH" || got.RequestURI != want {
		t.Errorf("%s %s, want %s", got.Method, got.RequestURI, want)
	}
	for name, want := range map[string]string{"X-Token": "old-value", "X-Old": "b2xkLXZhbHVl", "X-Both": "aYSBiL8O8Om9sZC12YWx1ZQ==b", "User-Agent": "Keyturn"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	for _, name := range []string{".", ".."} {
		check(t, name, target.Misconfigured, own.Change(t.Context(), c, change(login(name, "old"), name, "value")))
	}
	check(t, "no old value", target.Misconfigured, own.Change(t.Context(), c, change(by, "other", "value")))
}

// TestTooMuch meets servers that never end.
func TestTooMuch(t *testing.T) {
	for name, h := range map[string]nethttp.HandlerFunc{
		"endless body": func(w nethttp.ResponseWriter, r *nethttp.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		},
	} {
		srv := httptest.NewServer(h)
		check(t, name, "", own.Change(t.Context(), join(webhook, inTheOpen(srv.Listener.Addr().String())), change(login("keyturn", "key"), "app", "value")))
		srv.Close()
	}
	long := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }))
	t.Cleanup(long.Close)
	check(t, "long header", target.Unknown, own.Change(t.Context(), join(webhook, inTheOpen(long.Listener.Addr().String())), change(login("keyturn", "key"), "app", "value")))
	slow := http.New(http.Config{Timeout: 200 * time.Millisecond})
	stop := make(chan struct{})
	silent := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { <-stop }))
	t.Cleanup(func() { close(stop); silent.Close() })
	c := join(webhook, inTheOpen(silent.Listener.Addr().String()))
	check(t, "silent", target.Unknown, slow.Change(t.Context(), c, change(login("keyturn", "key"), "app", "value")))
	check(t, "silent", target.Unreachable, slow.Verify(t.Context(), c, login("app", "value")))
}

// TestNoProxy is also run in a process whose environment names a proxy, which is read only once.
func TestNoProxy(t *testing.T) {
	if os.Getenv("HTTPS_PROXY") == "" {
		targettest.Again(t, "TestNoProxy", "HTTPS_PROXY=http://192.0.2.9:1", "HTTP_PROXY=http://192.0.2.9:1")
	}
	var dialled string
	recording := http.New(http.Config{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		dialled = addr
		return nil, errors.New("not now")
	}})
	check(t, "dial", target.Unreachable, recording.Verify(t.Context(), join(webhook, target.Connection{"host": "192.0.2.1"}), login("app", "value-1")))
	if dialled != "192.0.2.1:443" {
		t.Errorf("%s was dialled", dialled)
	}
}
