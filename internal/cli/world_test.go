package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

// canary is a value that must not be where it was not asked for.
const canary = "canary-9f86d081884c7d65"

var noon = time.Date(2027, 1, 2, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) client.Time { return noon.Add(-d) }

func agoP(d time.Duration) *client.Time { t := ago(d); return &t }

// world is a server with fixed answers, and a command line that knows it.
type world struct {
	t       *testing.T
	server  *httptest.Server
	answers map[string]any // by "METHOD /path", without the query
	seen    []string       // requests: method, path with query, body
	env     map[string]string
	config  string // XDG_CONFIG_HOME
	next    func(context.Context, ServerOptions) (string, error)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, answers: fixtures(), config: t.TempDir()}
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.server.Config.ErrorLog = log.New(t.Output(), "", 0)
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	w.write(ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})))
	w.env = map[string]string{"XDG_CONFIG_HOME": w.config, "KEYTURN_URL": w.server.URL, "KEYTURN_CACERT": ca, "KEYTURN_TOKEN": "kt_token"}
	return w
}

func (w *world) write(path, text string) string {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// file writes text to a new file and returns its name.
func (w *world) file(text string) string {
	w.t.Helper()
	return w.write(filepath.Join(w.t.TempDir(), "file"), text)
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	route := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")
	w.seen = append(w.seen, r.Method+" "+r.URL.RequestURI()+" "+string(body))
	answer, ok := w.answers[route]
	if !ok {
		answer = client.Problem{Type: "urn:keyturn:problem:not-found", Title: "There is no such thing", Status: 404}
	}
	if f, ok := answer.(func(*http.Request) any); ok {
		answer = f(r)
	}
	switch a := answer.(type) {
	case string:
		_, _ = io.WriteString(rw, a)
		return
	case client.Problem:
		rw.Header().Set("Content-Type", "application/problem+json")
		rw.WriteHeader(a.Status)
	}
	_ = json.NewEncoder(rw).Encode(answer)
}

// result is what a command left.
type result struct {
	code     int
	out, err string
}

func (w *world) run(in string, args ...string) result {
	w.t.Helper()
	var out, errs bytes.Buffer
	k := &command{now: func() time.Time { return noon }, poll: time.Millisecond,
		Streams: Streams{In: strings.NewReader(in), Out: &out, Err: &errs, Version: "1.2.3", Env: func(name string) string { return w.env[name] }, NextRootKey: w.next}}
	return result{code: k.run(w.t.Context(), args), out: out.String(), err: errs.String()}
}

func page[T any](items ...T) client.Page[T] {
	return client.Page[T]{Items: items, Total: int64(len(items)), AsOf: noon}
}

func itemsOf[T any](items ...T) map[string]any { return map[string]any{"items": items} }

const runID = "019830a2-7c1e-7aaa-8bbb-0123456789ab"
