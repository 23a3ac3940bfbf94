package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

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

// certified returns a server certificate for host that is its own authority.
func certified(t *testing.T, host string, until time.Time) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test " + host}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTheHostCheckSaysWhatIsWrong(t *testing.T) {
	good, goodCA := certified(t, "127.0.0.1", time.Now().Add(time.Hour))
	expired, expiredCA := certified(t, "127.0.0.1", time.Now().Add(-time.Hour))
	other, otherCA := certified(t, "elsewhere.test", time.Now().Add(time.Hour))
	for _, tt := range []struct {
		name  string
		cert  *tls.Certificate
		ca    []byte
		code  string
		chain bool
	}{
		{"plain HTTP", nil, goodCA, "cluster-plain-http", false},
		{"wrong CA", &good, otherCA, "cluster-untrusted", true},
		{"expired", &expired, expiredCA, "cluster-certificate-expired", true},
		{"another host's", &other, otherCA, "cluster-certificate-name", true},
	} {
		var requests atomic.Int64
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
		url := "https://" + srv.Listener.Addr().String()
		if tt.cert == nil {
			srv.Start()
		} else {
			srv.TLS = &tls.Config{Certificates: []tls.Certificate{*tt.cert}}
			srv.StartTLS()
		}
		r := Check(t.Context(), Config{Server: url, CAPEM: tt.ca, Token: vault.NewValue([]byte("a-token-of-some-length")), AllowLoopback: true}, Scope{Namespaces: []string{"shop"}})
		srv.Close()
		var failed Step
		for _, s := range r.Host {
			if s.State == Failed {
				failed = s
			}
		}
		if failed.Code != tt.code || failed.Cure == "" || r.OK() || r.API[0].State != ToDo {
			t.Errorf("%s: %+v", tt.name, r.Host)
		}
		if (len(r.Chain) > 0) != tt.chain {
			t.Errorf("%s: chain %+v", tt.name, r.Chain)
		} else if tt.chain {
			if sum := sha256.Sum256(tt.cert.Certificate[0]); r.Chain[0].SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("%s: SHA-256 %s", tt.name, r.Chain[0].SHA256)
			}
		}
		if tt.cert != nil && requests.Load() > 0 {
			t.Errorf("%s: a request was sent", tt.name)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Bool
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer elsewhere.Close()
	srv := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	r := Check(t.Context(), Config{Server: srv.URL, CAPEM: ca, Token: vault.NewValue([]byte("a-token-of-some-length")), AllowLoopback: true}, Scope{Namespaces: []string{"shop"}})
	if r.OK() || r.API[0].State != Failed || followed.Load() {
		t.Errorf("%+v, followed: %t", r.API, followed.Load())
	}
}
