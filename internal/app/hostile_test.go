package app

import (
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// turncoat is an API server that answers well until it is told to answer otherwise.
type turncoat struct {
	mu   sync.Mutex
	evil http.HandlerFunc
}

func (s *turncoat) turn(evil http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evil = evil
}

func (s *turncoat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	evil := s.evil
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !strings.HasSuffix(r.URL.Path, "/secrets"):
		_, _ = io.WriteString(w, `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{},"items":[{"metadata":{"name":"shop"}}]}`)
	case evil != nil:
		evil(w, r)
	default:
		_, _ = io.WriteString(w, secretList("", "web", "db"))
	}
}

// secretList is one page of a list.
func secretList(token string, names ...string) string {
	var items []string
	for _, name := range names {
		items = append(items, fmt.Sprintf(`{"metadata":{"namespace":"shop","name":%q,"uid":%q,"resourceVersion":"1"},"type":"Opaque","data":{"k":"dg=="}}`, name, name))
	}
	return fmt.Sprintf(`{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":%q},"items":[%s]}`, token, strings.Join(items, ","))
}

// SR-75: a sync of a cluster that turned hostile ends with a cause and a cure, and leaves the repository as it was.
func TestSecurityAHostileClusterChangesNothing(t *testing.T) {
	api := &turncoat{}
	srv := httptest.NewUnstartedServer(api)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	w := &fetchWorld{store: storetest.Open(t, storetest.SQLite(t))}
	b := make([]byte, vault.KeyLen)
	_, _ = rand.Read(b)
	root, err := vault.NewRootKey(b)
	w.do(t, err)
	ring, rows, err := vault.NewRing(root)
	w.do(t, err)
	w.do(t, w.store.SaveRing(t.Context(), 1, rows, fetchHappened("ring.create")))
	w.ring = ring
	now := time.Now()
	w.cluster = inventory.Cluster{ID: fetchID(), Name: "prod", Server: srv.URL, CAPEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})),
		UID: fetchID(), Scope: inventory.Scope{WholeCluster: true}, State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now}
	w.cluster.Token, err = w.ring.Seal(inventory.TokenRecord(w.cluster.ID), vault.NewValue([]byte("a-token-of-some-length")))
	w.do(t, err)
	w.do(t, w.store.AddCluster(t.Context(), w.cluster, nil, fetchHappened("cluster.create")))
	w.clusters = &Clusters{Store: w.store, Ring: w.ring, AllowLoopback: true}
	w.fetcher = &inventory.Fetcher{Store: w.store, Remotes: w.clusters, Ring: w.ring, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Owner: "test",
		Lease: time.Minute, MaxTries: 1, Backoff: time.Millisecond}
	if f := w.run(t, &inventory.Selection{All: true}); f.State != inventory.FetchDone || f.Counts.Added != 2 {
		t.Fatalf("%+v", f)
	}
	before, after := w.secret(t, "shop", "web"), 0
	for name, evil := range map[string]http.HandlerFunc{
		"a token that loops": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, secretList("again")) },
		"pages without end": func(w http.ResponseWriter, _ *http.Request) {
			after++
			_, _ = io.WriteString(w, secretList(fmt.Sprint(after)))
		},
		"a length of 2 GB": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "2147483648") },
		"a body without end": func(w http.ResponseWriter, r *http.Request) {
			for chunk := make([]byte, 1<<16); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, secretList("", "web"))
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x00\xff\x00") },
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "\x1f\x8b\x08\x00")
		},
		"no list": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
		},
		"two pages, then a page that ends in the middle": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("continue") == "" {
				_, _ = io.WriteString(w, secretList("more"))
				return
			}
			w.Header().Set("Content-Length", "100000")
		},
	} {
		api.turn(evil)
		began := time.Now()
		f := w.run(t, nil)
		if f.State != inventory.FetchFailed || f.Reason == "" || f.Cure == "" || f.Counts.Gone != 0 || f.Counts.Added != 0 {
			t.Errorf("%s: %+v", name, f)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if x := w.secret(t, "shop", "web"); x.State != inventory.InSync || x.Current != before.Current || !x.DeletedAt.IsZero() {
			t.Errorf("%s: %+v", name, x)
		}
	}
	api.turn(nil)
	if f := w.run(t, nil); f.State != inventory.FetchDone || f.Counts.Unchanged != 2 || f.Counts.Gone != 0 {
		t.Errorf("when it is good again: %+v", f)
	}
}
