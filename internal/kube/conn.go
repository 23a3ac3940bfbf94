// Package kube is everything that touches a Kubernetes API server: the guarded connection, the three checks of a new
// cluster, the least-privilege manifest, reading and writing Secrets, and finding and restarting what reads them.
//
// Invariants: a token is sent only to the host that it was given for, and only after that host's certificate was
// verified; an address that the guard refuses is never dialled, whatever DNS says at that moment; no redirect and no
// proxy variable moves a request elsewhere; a value is never part of an error.
package kube

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	dialTimeout = 5 * time.Second
	// An admission webhook may take 30 s; giving up earlier would make a write ambiguous for no reason.
	headerTimeout = 30 * time.Second
	// A cluster that does not answer a check's request in this time is reported as not answering.
	checkTimeout = 5 * time.Second
	// An answer that is not complete in this time is given up: 64 MiB at half a megabyte a second.
	answerTimeout = 2 * time.Minute
	// maxAnswer bounds one answer of a hostile or broken API server, in bytes. Lists shrink their pages to fit.
	maxAnswer = 64 << 20
)

// Config says how to reach one cluster and as whom. There is no way to switch certificate verification off.
type Config struct {
	// Server is the API server's https URL; a path prefix is allowed.
	Server string
	// CAPEM holds the certificates that may sign the server's; SystemRoots uses the machine's instead. Exactly one is set.
	CAPEM       []byte
	SystemRoots bool
	// Token is the connector's bearer token, raw. It may be empty, then requests are anonymous.
	Token vault.Value
	// ShortTokens makes requests carry short tokens of the connector's account, for which Token is exchanged at the first
	// request and renewed at 80 % of their life. Token itself is used for that only, unless the API server refuses it; a
	// token of another account is used as it is.
	ShortTokens bool
	// Now is the clock by which short tokens end; nil is the machine's.
	Now func() time.Time
	// AllowLoopback permits 127.0.0.0/8 and ::1, for clusters on this machine.
	AllowLoopback bool
	// AllowCIDRs are ranges of loopback that the operator permits all the same. Link-local, multicast, unspecified and
	// metadata-service addresses stay refused, whatever the ranges hold.
	AllowCIDRs []netip.Prefix

	// answerWait and headerWait are shorter time-outs for tests; zero is the constant.
	answerWait, headerWait time.Duration
	// watchSeconds is for how long tests keep a watch open; zero is what watchFor says.
	watchSeconds int64
}

// Conn is a connection to one cluster. It is safe for concurrent use. It has no rate limit of its own: 429 answers and
// their Retry-After are obeyed.
type Conn struct {
	server *url.URL
	http   *http.Client
	typed  kubernetes.Interface
	meta   metadata.Interface
	loose  dynamic.Interface // workloads, among them kinds that client-go has no types of
	idle   func()
	tokens func() TokenState
	// watchSeconds is how long the API server is asked to keep a watch open.
	watchSeconds int64
}

// Dial prepares a connection; nothing is sent before the first call. It fails with fault.Invalid when cfg is not usable.
func Dial(cfg Config) (*Conn, error) {
	server, err := parseServer(cfg.Server)
	if err != nil {
		return nil, err
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	transport := cfg.transport(roots, cmp.Or(cfg.headerWait, headerTimeout))
	upgrade := cfg.transport(roots, cmp.Or(cfg.headerWait, headerTimeout))
	upgrade.ForceAttemptHTTP2, upgrade.HTTP2 = false, nil // HTTP/2 connections are not upgraded
	gate := &guard{base: transport, upgrade: upgrade, server: server, token: cfg.Token, wait: cmp.Or(cfg.answerWait, answerTimeout)}
	client := gate.client()
	rc := &rest.Config{
		Host: server.String(), UserAgent: "keyturn", QPS: -1,
		// Warnings are free text of the server: they do not belong on our standard error.
		WarningHandler: rest.NoWarnings{},
	}
	mc, err := metadata.NewForConfigAndClient(metadata.ConfigFor(rc), client)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the cluster's URL is not usable").WithCode("cluster-url").WithField("server")
	}
	loose, err := dynamic.NewForConfigAndClient(dynamic.ConfigFor(rc), client)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the cluster's URL is not usable").WithCode("cluster-url").WithField("server")
	}
	rc.ContentConfig = rest.ContentConfig{
		ContentType:        runtime.ContentTypeProtobuf,
		AcceptContentTypes: runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON,
	}
	typed, err := kubernetes.NewForConfigAndClient(rc, client)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the cluster's URL is not usable").WithCode("cluster-url").WithField("server")
	}
	c := &Conn{server: server, http: client, typed: typed, meta: mc, loose: loose, watchSeconds: cmp.Or(cfg.watchSeconds, watchFor(server)), idle: func() {
		transport.CloseIdleConnections()
		upgrade.CloseIdleConnections()
	}}
	c.useShort(cfg, gate)
	return c, nil
}

// useShort has gate work with short tokens, if cfg asks for it and the token is one to exchange.
func (c *Conn) useShort(cfg Config, gate *guard) {
	why := ""
	if cfg.ShortTokens && cfg.Token.Len() > 0 {
		why = notOwn(cfg.Token)
	}
	if !cfg.ShortTokens || cfg.Token.Len() == 0 || why != "" {
		c.tokens = func() TokenState {
			if why == "" {
				return TokenState{}
			}
			return TokenState{Warning: "the token is not exchanged for short ones: " + why, Cure: "connect with the token of that account"}
		}
		return
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	bound, _ := readClaims(cfg.Token)
	gate.short = &shortToken{stored: cfg.Token, now: now, ask: func(ctx context.Context) (vault.Value, time.Duration, error) {
		return c.TokenRequest(ctx, ShortLife, bound.Secret)
	}}
	c.tokens = gate.short.state
}

// Token returns with which token the connection works. It sends nothing.
func (c *Conn) Token() TokenState { return c.tokens() }

// Close drops idle connections. Calls under way go on.
func (c *Conn) Close() { c.idle() }

// roots returns the pool that the server's certificate must chain to.
func (cfg Config) roots() (*x509.CertPool, error) {
	if cfg.SystemRoots {
		if len(cfg.CAPEM) > 0 {
			return nil, fault.New(fault.Invalid, "a CA and the system's roots are both chosen").
				WithCode("cluster-ca").WithField("ca").WithCure("choose one of them")
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fault.New(fault.Unavailable, "this machine has no readable system roots").
				WithCode("cluster-ca").WithCure("import the cluster's CA as PEM")
		}
		return pool, nil
	}
	pool := x509.NewCertPool()
	found := false
	for rest := cfg.CAPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return nil, fault.New(fault.Invalid, "the CA file holds something that is not a certificate").
				WithCode("cluster-ca").WithField("ca").WithCure("give only the -----BEGIN CERTIFICATE----- blocks")
		}
		pool.AddCert(cert)
		found = true
	}
	if !found {
		return nil, fault.New(fault.Invalid, "the CA file holds no PEM certificate").
			WithCode("cluster-ca").WithField("ca").WithCure("give the cluster's CA as PEM, or choose the system's roots")
	}
	return pool, nil
}

// dialer returns the one dialer: its Control sees the resolved address of every attempt, so DNS cannot change its answer
// between the check and the connection.
func (cfg Config) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: dialTimeout, KeepAlive: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return &refusedAddress{why: "it is not an IP address"}
			}
			if why := cfg.refuses(ap.Addr()); why != "" {
				return &refusedAddress{addr: ap.Addr(), why: why}
			}
			return nil
		},
	}
}

func tlsConfig(roots *x509.CertPool, serverName string) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ServerName: serverName}
}

func (cfg Config) transport(roots *x509.CertPool, header time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // a proxy variable must not redirect a connector
		DialContext:            cfg.dialer().DialContext,
		TLSClientConfig:        tlsConfig(roots, ""),
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  header,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    16,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // a compressed answer could grow past every bound, and costs CPU on both sides
		// A connection that died without a word is noticed within 45 s.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func (g *guard) client() *http.Client {
	return &http.Client{
		Transport:     g,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guard adds the token to requests for its own server, refuses all others, and bounds answers.
type guard struct {
	base    http.RoundTripper
	upgrade http.RoundTripper // for requests that turn their connection into another protocol's
	server  *url.URL
	token   vault.Value
	short   *shortToken // nil: requests carry token
	wait    time.Duration
}

type anonymousKey struct{}

// anonymous marks requests that must not carry the token.
func anonymous(ctx context.Context) context.Context {
	return context.WithValue(ctx, anonymousKey{}, true)
}

var errTooLarge = errors.New("answer too large")

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" || req.URL.Host != g.server.Host {
		return nil, errors.New("request for another host")
	}
	if req.URL.Query().Get("watch") != "" || req.Header.Get("Upgrade") != "" {
		return g.authenticated(req)
	}
	ctx, cancel := context.WithTimeout(req.Context(), g.wait)
	resp, err := g.authenticated(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	if resp.ContentLength > maxAnswer {
		cancel()
		_ = resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &cappedBody{ReadCloser: resp.Body, left: maxAnswer, end: cancel}
	return resp, nil
}

// cappedBody is an answer that ends with an error when it is too large or takes too long.
type cappedBody struct {
	io.ReadCloser
	left int64
	end  context.CancelFunc
}

// Close implements io.Closer.
func (b *cappedBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *cappedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
