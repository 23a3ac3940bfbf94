package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/identity"
)

func decode(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// do sends a request that is ready.
func (w *world) do(req *http.Request) reply {
	w.t.Helper()
	res, err := http.DefaultClient.Do(req)
	ok(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ok(w.t, err)
	return reply{status: res.StatusCode, header: res.Header, body: body}
}

// raw sends a request line as it is: a client library would tidy it up.
func (w *world) raw(method, path, secret string) reply {
	w.t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(w.url, "http://"), 5*time.Second)
	ok(w.t, err)
	defer conn.Close()
	ok(w.t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	auth := ""
	if secret != "" {
		auth = "Authorization: Bearer " + secret + "\r\n"
	}
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: keyturn.test\r\nConnection: close\r\n%s\r\n", method, path, auth)
	ok(w.t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	ok(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ok(w.t, err)
	return reply{status: res.StatusCode, header: res.Header, body: body}
}

// SR-52, SR-60: every answer of the API, an error too, is for nobody's cache, of the type it says, and may run nothing.
func TestSecurityHeadersOfEveryAnswer(t *testing.T) {
	x := newExposed(t)
	for _, r := range x.server.Routes() {
		q := x.ask(r)
		for _, secret := range []string{"", x.admin} {
			if r.Method == http.MethodDelete && r.Path == "/api/v1/session" && secret != "" {
				continue
			}
			got := x.put(q, secret)
			policy := got.header.Get("Content-Security-Policy")
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || got.header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s: %v", r.Method, r.Path, got.header)
			}
			if kind := got.header.Get("Content-Type"); len(got.body) > 0 && (strings.Contains(kind, "html") || kind == "") {
				t.Errorf("%s %s: of type %q", r.Method, r.Path, kind)
			}
			if got.status == http.StatusUnauthorized && secret == "" && !anonymous(r.Op) && got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: 401 without WWW-Authenticate", r.Method, r.Path)
			}
			if strings.Contains(string(got.body), "<") {
				t.Errorf("%s %s answers with markup: %s", r.Method, r.Path, got.body)
			}
		}
	}
}

// SR-10: a cookie alone does nothing from another site, whatever the method, and a session ends where it says.
func TestSecurityACookieFromAnotherSiteDoesNothing(t *testing.T) {
	x := newExposed(t)
	for _, r := range x.server.Routes() {
		if r.Method == http.MethodGet || anonymous(r.Op) {
			continue
		}
		q := x.ask(r)
		cookie := []string{"Cookie", CookieName + "=" + x.admin, "If-Match", `"1"`}
		for name, from := range map[string][]string{
			"another site": {"Sec-Fetch-Site", "cross-site"}, "a sibling": {"Sec-Fetch-Site", "same-site"}, "an old browser": {"Origin", "https://evil.test"},
			"an opaque origin": {"Origin", "null"},
		} {
			if got := x.put(q, "", append(cookie, from...)...); got.status != http.StatusForbidden || got.kind(t) != "cross-origin" {
				t.Errorf("%s %s from %s: %d %s", r.Method, r.Path, name, got.status, got.body)
			}
		}
	}
	if got := x.put(question{"GET", "/users", nil}, x.admin); got.status != http.StatusOK {
		t.Errorf("something was done: %d", got.status)
	}
	first, second := x.session(x.other).Text(), x.session(x.other).Text()
	admin := question{"POST", "/users/" + x.other.ID + "/password", map[string]string{"password": "gravel teapot Orion nineteen"}}
	if got := x.put(admin, x.admin); got.status != http.StatusNoContent {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, old := range []string{first, second} {
		if got := x.put(question{"GET", "/session", nil}, old); got.status != http.StatusUnauthorized {
			t.Errorf("a session outlives the password: %d", got.status)
		}
	}
	plain := x.user("twice", identity.PlainUser)
	if a, b := x.session(plain).Text(), x.session(plain).Text(); a == b || len(a) < 36 {
		t.Error("two sessions share a secret, or it is short")
	}
}
