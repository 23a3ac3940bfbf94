package kube

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// hostilities are answers of a server that wants to keep Keyturn busy, or to fill its memory.
func hostilities() map[string]http.HandlerFunc {
	var n atomic.Int64
	list := func(items, token string) string {
		return fmt.Sprintf(`{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":%q},"items":[%s]}`, token, items)
	}
	table := func(token string) string {
		return fmt.Sprintf(`{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"continue":%q},"columnDefinitions":[],"rows":[]}`, token)
	}
	page := func(w http.ResponseWriter, r *http.Request, token string) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.Header.Get("Accept"), "Table") {
			_, _ = io.WriteString(w, table(token))
			return
		}
		_, _ = io.WriteString(w, list("", token))
	}
	endless := func(w http.ResponseWriter, r *http.Request, chunk []byte, pause time.Duration) {
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			if pause > 0 {
				w.(http.Flusher).Flush()
				time.Sleep(pause)
			}
		}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 200 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	return map[string]http.HandlerFunc{
		"list pages without end":      func(w http.ResponseWriter, r *http.Request) { page(w, r, fmt.Sprint("t", n.Add(1))) },
		"a continue token that loops": func(w http.ResponseWriter, r *http.Request) { page(w, r, fmt.Sprint("t", n.Add(1)%3)) },
		"a body without end": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			endless(w, r, bytes.Repeat([]byte(`{"items":[`), 4096), 0)
		},
		"a body that drips": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			endless(w, r, []byte(" "), 20*time.Millisecond)
		},
		"a length of 2 GB": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2147483648")
			w.WriteHeader(http.StatusOK)
			endless(w, r, make([]byte, 4096), 10*time.Millisecond)
		},
		"headers without end": func(w http.ResponseWriter, r *http.Request) {
			raw(w, func(conn io.Writer) error {
				_, err := io.WriteString(conn, "X-A: "+strings.Repeat("a", 1000)+"\r\n")
				return err
			})
		},
		"headers that drip": func(w http.ResponseWriter, r *http.Request) {
			raw(w, func(conn io.Writer) error {
				time.Sleep(50 * time.Millisecond)
				_, err := io.WriteString(conn, "X-A: a\r\n")
				return err
			})
		},
		"a gzip bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		},
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1"+r.URL.Path, http.StatusFound)
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte{0, 0xff}, 10000)) },
		"deep JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.Repeat(`{"a":[`, 1<<20))
		},
	}
}

// raw answers with a status line and then with what write sends until the connection is closed.
func raw(w http.ResponseWriter, write func(io.Writer) error) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
	for err == nil {
		err = write(conn)
	}
}

// SR-75: whatever an API server answers, each call ends in bounded time and memory, with a cause and a cure.
func TestSecurityAHostileAPIServerIsBounded(t *testing.T) {
	const longest, largest = 20 * time.Second, 600 << 20
	for name, answer := range hostilities() {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice when we hang up
			answer(w, r)
		}))
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.StartTLS()
		cfg := Config{Server: srv.URL, CAPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), AllowLoopback: true,
			Token: vault.NewValue([]byte("a-token-of-some-length")), answerWait: 400 * time.Millisecond, headerWait: 400 * time.Millisecond}
		conn, err := Dial(cfg)
		if err != nil {
			t.Fatal(err)
		}
		calls := map[string]func(context.Context) error{
			"list": func(ctx context.Context) error {
				_, err := conn.ListValues(ctx, "", func([]Secret) error { return nil })
				return err
			},
			"metadata":   func(ctx context.Context) error { return conn.SecretMeta(ctx, "", func([]Meta) error { return nil }) },
			"namespaces": func(ctx context.Context) error { _, err := conn.Namespaces(ctx); return err },
			"get":        func(ctx context.Context) error { _, err := conn.GetSecret(ctx, "a", "b"); return err },
			"write": func(ctx context.Context) error {
				_, err := conn.PatchSecret(ctx, "a", "b", "u", "1", map[string]vault.Value{"k": vault.NewValue([]byte("v"))})
				return err
			},
			"version": func(ctx context.Context) error { _, err := conn.ServerVersion(ctx); return err },
			"readers": func(ctx context.Context) error { _, err := conn.Readers(ctx, []SecretRef{{"a", "b"}}); return err },
			"restart": func(ctx context.Context) error { _, err := conn.Restart(ctx, apps("a")[0], "m", nil); return err },
			"watch": func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, err := conn.RolledOut(ctx, apps("a")[0], "m", nil)
				return err
			},
		}
		started := time.Now()
		for what, call := range calls {
			if strings.Contains(name, "continue") || strings.Contains(name, "pages") {
				if what != "list" && what != "metadata" {
					continue // an empty list is a good answer to the others, or none that they read
				}
			}
			began := time.Now()
			peak := peakWhile(func() { err = call(t.Context()) })
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Msg == "" || f.Cure == "" {
				t.Errorf("%s, %s: %v without a cause and a cure", name, what, err)
			}
			if took := time.Since(began); took > longest || peak > largest {
				t.Errorf("%s, %s: took %v and %d MiB", name, what, took, peak>>20)
			}
		}
		if r := Check(t.Context(), cfg, Scope{WholeCluster: true}); r.OK() {
			t.Errorf("%s: passed the checks", name)
		}
		t.Logf("%s: %v", name, time.Since(started).Round(time.Millisecond))
		conn.Close()
		srv.CloseClientConnections()
		srv.Close()
	}
}

// peakWhile returns how much the heap held at most while f ran, in bytes.
func peakWhile(f func()) (peak uint64) {
	runtime.GC()
	done, sampled := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-done:
				sampled <- most
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return <-sampled
}
