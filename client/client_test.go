package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// api starts a server and returns a Client of it that trusts its certificate.
func api(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Config{URL: srv.URL, CAPEM: caOf(srv), Token: NewValue("kt_secret")})
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func caOf(srv *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
}

func answer(w http.ResponseWriter, status int, doc any) {
	if status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
	} else {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc)
}

// breakOff ends the connection without an answer.
func breakOff(w http.ResponseWriter) { panic(http.ErrAbortHandler) }

func TestNewRefusesAddressesThatLeakATokenOrAreNone(t *testing.T) {
	for url, good := range map[string]bool{
		"https://keyturn.example":          true,
		"https://keyturn.example:8443/":    true,
		"http://127.0.0.1:8080":            true,
		"http://[::1]:8080":                true,
		"http://localhost:8080":            true,
		"http://keyturn.example":           false,
		"http://127.0.0.1.example":         false,
		"http://10.0.0.1":                  false,
		"ftp://keyturn.example":            false,
		"keyturn.example:8443":             false,
		"https://":                         false,
		"":                                 false,
		"https://user:pw@keyturn.example":  false,
		"https://keyturn.example/api/v1":   false,
		"https://keyturn.example?x=y":      false,
		"https://keyturn.example#fragment": false,
	} {
		c, err := New(Config{URL: url})
		if (err == nil) != good {
			t.Errorf("New(%q) = %v, want good = %v", url, err, good)
		}
		if err == nil && strings.HasSuffix(c.URL(), "/") {
			t.Errorf("URL() = %q", c.URL())
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("New(%q) repeats what it was given: %v", url, err)
		}
	}
	if _, err := New(Config{URL: "https://keyturn.example", CAPEM: []byte("no certificate")}); err == nil {
		t.Error("a CA without a certificate is accepted")
	}
}

func TestAClientThatDoesNotKnowTheCASendsNothing(t *testing.T) {
	asked := false
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	srv.Config.ErrorLog = nil
	srv.StartTLS()
	defer srv.Close()
	c, err := New(Config{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Session(t.Context())
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Type != "urn:keyturn:problem:untrusted" || asked {
		t.Errorf("err = %v, asked = %v", err, asked)
	}
	bad, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(bad.UnverifiedCertificates) == 0 {
		t.Errorf("what was presented is not in %v", err)
	}
}

func TestTransportIsTLS12AtLeast(t *testing.T) {
	if got := transport(nil).TLSClientConfig.MinVersion; got < tls.VersionTLS12 {
		t.Errorf("MinVersion = %x", got)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	c := api(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := c.Session(t.Context())
	if p, ok := errors.AsType[*Problem](err); !ok || p.Status != http.StatusTemporaryRedirect || asked != 0 {
		t.Errorf("err = %v, the other server was asked %d times", err, asked)
	}
}

func TestReadsAreTriedAgain(t *testing.T) {
	sealed := Problem{Type: "urn:keyturn:problem:sealed", Title: "Keyturn is sealed", Status: 503}
	away := Problem{Type: "urn:keyturn:problem:unavailable", Title: "not now", Status: 503}
	refused := Problem{Type: "urn:keyturn:problem:denied", Title: "no", Status: 403}
	for name, test := range map[string]struct {
		fails func(w http.ResponseWriter)
		times int // that it fails
		tries int // that are seen
	}{
		"not at first": {func(w http.ResponseWriter) { answer(w, 503, away) }, 0, 1},
		"unavailable":  {func(w http.ResponseWriter) { answer(w, 503, away) }, 2, 3},
		"broken off":   {breakOff, 3, 4},
		"bad gateway":  {func(w http.ResponseWriter) { w.WriteHeader(502) }, 1, 2},
		"timed out":    {func(w http.ResponseWriter) { w.WriteHeader(504) }, 1, 2},
		"always away":  {func(w http.ResponseWriter) { answer(w, 503, away) }, 99, 4},
		"sealed":       {func(w http.ResponseWriter) { answer(w, 503, sealed) }, 99, 1},
		"refused":      {func(w http.ResponseWriter) { answer(w, 403, refused) }, 99, 1},
		"broken":       {func(w http.ResponseWriter) { w.WriteHeader(500) }, 99, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			c := api(t, func(w http.ResponseWriter, _ *http.Request) {
				if tries++; tries <= test.times {
					test.fails(w)
					return
				}
				answer(w, 200, Health{Version: "1"})
			})
			h, err := c.Health(t.Context())
			if tries != test.tries || (err == nil) != (test.times < test.tries) {
				t.Errorf("%d tries, want %d; err = %v", tries, test.tries, err)
			}
			if _, ok := errors.AsType[*Problem](err); err != nil && !ok {
				t.Errorf("%T is no problem", err)
			}
			if err == nil && h.Version != "1" {
				t.Errorf("answer = %+v", h)
			}
		})
	}
}

func TestAPostIsSentAgainWithItsKey(t *testing.T) {
	for _, test := range []struct{ breaks, tries int }{{0, 1}, {1, 2}, {2, 3}, {3, 3}} {
		var keys, bodies []string
		c := api(t, func(w http.ResponseWriter, r *http.Request) {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			if len(keys) <= test.breaks {
				breakOff(w)
			}
			answer(w, 202, Run{ID: "r1"})
		})
		_, err := c.Reset(t.Context(), "a1", Reset{Value: NewValue("correct horse")})
		if (err == nil) != (test.breaks < 3) || len(keys) != test.tries {
			t.Errorf("%d breaks: %d tries, %v", test.breaks, len(keys), err)
		}
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "correct horse") {
			t.Errorf("the error holds the value: %v", err)
		}
		for i, key := range keys {
			if len(key) < 20 || key != keys[0] || bodies[i] != `{"value":"correct horse"}` {
				t.Errorf("try %d: key %q, body %s", i, key, bodies[i])
			}
		}
	}
}

func TestTwoPostsHaveTwoKeys(t *testing.T) {
	seen := map[string]bool{}
	c := api(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.Header.Get("Idempotency-Key")] = true
		answer(w, 503, Problem{Title: "no", Status: 503}) // which the server said, so that it is not sent again
	})
	for range 2 {
		if _, err := c.Sync(t.Context(), "c"); err == nil {
			t.Error("no error")
		}
	}
	if len(seen) != 2 {
		t.Errorf("keys: %v", seen)
	}
}

func TestAChangeIsSentOnce(t *testing.T) {
	tries := 0
	c := api(t, func(w http.ResponseWriter, _ *http.Request) { tries++; breakOff(w) })
	if err := c.DeleteCluster(t.Context(), "c", 3); err == nil || tries != 1 {
		t.Errorf("delete: %d tries, %v", tries, err)
	}
	if _, err := c.UpdateCluster(t.Context(), "c", 3, ClusterChange{}); err == nil || tries != 2 {
		t.Errorf("patch: %d tries, %v", tries, err)
	}
}

func TestProblems(t *testing.T) {
	var status int
	var kind, body string
	c := api(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	status, kind, body = 412, "application/problem+json", `{"type":"urn:keyturn:problem:stale","title":"It changed","status":412,"cure":"Look again."}`
	_, err := c.Account(t.Context(), "a")
	p, _ := errors.AsType[*Problem](err)
	want := &Problem{Type: "urn:keyturn:problem:stale", Title: "It changed", Status: 412, Cure: "Look again.", RetryAfter: 7}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	status, kind, body = 418, "text/html", "<b>hunter2</b>"
	_, err = c.Account(t.Context(), "a")
	p, _ = errors.AsType[*Problem](err)
	if p == nil || p.Status != 418 || p.Cause == "" || strings.Contains(fmt.Sprintf("%+v", *p), "hunter2") {
		t.Errorf("what is no problem document gives %+v", p)
	}
	status, kind, body = 200, "application/json", `{"value": hunter2`
	_, err = c.Reveal(t.Context(), "a", Reveal{})
	if _, ok := errors.AsType[*Problem](err); !ok || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an answer that cannot be read gives %v", err)
	}
}

func TestTheContextEndsARequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	c := api(t, func(w http.ResponseWriter, _ *http.Request) { once.Do(cancel); answer(w, 503, Problem{Title: "no"}) })
	if _, err := c.Health(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestWatch(t *testing.T) {
	c := api(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("after"); got != "4" {
			t.Errorf("after = %q", got)
		}
		_, _ = io.WriteString(w, ": hello\n\nevent: change\nid: 5\ndata: {\"seq\":5,\"kind\":\"run\",\"id\":\"r\",\"rev\":2}\n\n"+
			"data:{\"seq\":6,\"kind\":\"account\",\"id\":\"a\",\"rev\":1,\"parent\":\"p\"}\n\n")
	})
	var got []Change
	err := c.Watch(t.Context(), 4, func(ch Change) { got = append(got, ch) })
	want := []Change{{Seq: 5, Kind: "run", ID: "r", Rev: 2}, {Seq: 6, Kind: "account", ID: "a", Rev: 1, Parent: "p"}}
	if diff := cmp.Diff(want, got); diff != "" || err == nil {
		t.Errorf("err = %v, changes (-want +got):\n%s", err, diff)
	}
}

func TestAuditExport(t *testing.T) {
	c := api(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.RawQuery+"\n") })
	var out bytes.Buffer
	if err := c.AuditExport(t.Context(), &out, 3, 9); err != nil || out.String() != "from=3&to=9\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := c.AuditExport(t.Context(), failing{}, 0, 0); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("a failed write gives %v", err)
	}
	c = api(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "part")
	})
	if err := c.AuditExport(t.Context(), io.Discard, 0, 0); err == nil {
		t.Error("an export that broke off is no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }
