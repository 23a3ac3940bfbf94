package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyturn/keyturn/test/testbed"
)

// meddler stands between the server and a cluster's API server. While it is on, some requests are answered with an error in
// the API server's place, some not at all, and of some only the reply is lost.
type meddler struct {
	web   *httptest.Server
	on    atomic.Bool
	bites *atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
}

func newMeddler(plane *testbed.ControlPlane, seed uint64, bites *atomic.Int64) (*meddler, error) {
	to, err := url.Parse(plane.URL)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(plane.CAPEM)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		FlushInterval: -1, // watches
		ErrorLog:      log.New(io.Discard, "", 0),
		// An API server that is gone must look like that, not like one that answers 502.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	m := &meddler{bites: bites, random: rand.New(rand.NewPCG(seed, 2))}
	m.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(proxy, w, r) }))
	m.web.Config.ErrorLog = log.New(io.Discard, "", 0)
	m.web.StartTLS()
	return m, nil
}

func (m *meddler) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.web.Certificate().Raw}))
}

func (m *meddler) close() { m.web.CloseClientConnections(); m.web.Close() }

func (m *meddler) serve(proxy http.Handler, w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	what := m.random.IntN(16)
	m.mu.Unlock()
	if !m.on.Load() || what > 8 {
		proxy.ServeHTTP(w, r)
		return
	}
	m.bites.Add(1)
	switch what {
	case 0:
		status(w, http.StatusConflict, "Conflict")
	case 1:
		status(w, http.StatusGone, "Expired")
	case 2:
		w.Header().Set("Retry-After", "1")
		status(w, http.StatusTooManyRequests, "TooManyRequests")
	case 3:
		status(w, http.StatusInternalServerError, "InternalError")
	case 4:
		w.Header().Set("Retry-After", "1")
		status(w, http.StatusServiceUnavailable, "ServiceUnavailable")
	case 5:
		panic(http.ErrAbortHandler)
	case 6: // it happened, and nobody hears of it
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second) // a watch would not end
		defer cancel()
		proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		panic(http.ErrAbortHandler)
	case 7: // an admission webhook that denies writes
		if r.Method == http.MethodPatch {
			status(w, http.StatusForbidden, "Forbidden")
			return
		}
		proxy.ServeHTTP(w, r)
	case 8:
		select {
		case <-r.Context().Done():
		case <-time.After(2 * time.Second):
		}
		panic(http.ErrAbortHandler)
	}
}

// status answers as an API server does.
func status(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"injected","reason":%q,"code":%d}`, reason, code)
}
