package kube

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/keyturn/keyturn/internal/vault"
)

func TestNoTokenGoesToWhatIsNoAPIServer(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome</html>")) },
		"refuses with a page": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>sign in</html>", http.StatusUnauthorized)
		},
		"forbids with JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":"no"}`))
		},
		"another version": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"version":"1"}`)) },
	} {
		var sent atomic.Bool
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				sent.Store(true)
			}
			answer(w, r)
		}))
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
		r := Check(t.Context(), Config{Server: srv.URL, CAPEM: ca, Token: vault.NewValue([]byte("a-token-of-some-length")), AllowLoopback: true}, Scope{Namespaces: []string{"shop"}})
		srv.Close()
		if r.OK() || r.API[0].Code != "not-kubernetes" || r.API[0].Cure == "" {
			t.Errorf("%s: %+v", name, r.API)
		}
		if sent.Load() {
			t.Errorf("%s: the token was sent", name)
		}
	}
}
