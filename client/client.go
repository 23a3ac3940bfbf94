package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	basePath = "/api/v1"
	// answerWithin bounds the wait for an answer's first byte. The slowest request is a cluster's test.
	answerWithin = 2 * time.Minute
	// connections to one server that are kept open, so that many goroutines share a Client without handshakes.
	connections = 64
)

// Config says which server a [Client] speaks to and as whom.
type Config struct {
	// URL is the server's address, such as "https://keyturn.example:8443". It is https, except on loopback.
	URL string
	// Token is an API token or a session's secret. Without one only the public routes answer.
	Token Value
	// CAPEM are the certificates to trust, as PEM, in place of the system's.
	CAPEM []byte
	// HTTPClient, if given, makes the connections; CAPEM has no effect then. Its CheckRedirect is not used.
	HTTPClient *http.Client
	// UserAgent names the program; "keyturn-client" if empty.
	UserAgent string
}

// Client sends requests to one server. It is safe for concurrent use and never changes.
//
// Reads are tried again, three times at most, when the server cannot be reached or says that it is not available. What
// changes something with POST carries an Idempotency-Key and is sent again, twice at most, when its connection broke:
// the server answers with the first one's reply. Nothing else is sent twice.
//
// Errors are [*Problem] for errors.As, also when there was no answer; then Status is 0 and the cause is wrapped too.
type Client struct {
	base  *url.URL
	token Value
	agent string
	http  *http.Client
	// pause is the wait before the second try; it doubles with every further one.
	pause time.Duration
}

// New returns a Client. It connects to nothing. It fails if the URL is not one that a token may be sent to, or if CAPEM
// holds no certificate.
func New(cfg Config) (*Client, error) {
	base, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	c := &Client{base: base, token: cfg.Token, agent: cfg.UserAgent, pause: 200 * time.Millisecond}
	if c.agent == "" {
		c.agent = "keyturn-client"
	}
	if cfg.HTTPClient != nil {
		own := *cfg.HTTPClient
		c.http = &own
	} else {
		roots, err := pool(cfg.CAPEM)
		if err != nil {
			return nil, err
		}
		c.http = &http.Client{Transport: transport(roots)}
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// URL returns the server's address without a slash at its end.
func (c *Client) URL() string { return c.base.String() }

func parseURL(s string) (*url.URL, error) {
	bad := func(cause string) error {
		return &Problem{Type: problemType + "invalid", Title: "That is not the address of a Keyturn server", Cause: cause,
			Cure: `Give it as "https://HOST:PORT".`}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return nil, bad("It cannot be read as a URL.")
	case u.User != nil:
		return nil, bad("It holds a user or a password.")
	case u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, bad("It goes on after the host and port.")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, bad("It is http, which would send the token in the clear.")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("It is not https.")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// pool returns nil, which means the system's roots, for an empty PEM.
func pool(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, &Problem{Type: problemType + "invalid", Title: "The CA cannot be used", Cause: "It holds no certificate in PEM.",
			Cure: `Give a file with "-----BEGIN CERTIFICATE-----".`}
	}
	return roots, nil
}

func transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment, // which never uses a proxy for loopback
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: answerWithin,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          connections,
		MaxIdleConnsPerHost:   connections,
		ForceAttemptHTTP2:     true,
	}
}

// unreachable is a request without an answer.
type unreachable struct {
	problem *Problem
	err     error
}

func (u *unreachable) Error() string   { return u.problem.Error() }
func (u *unreachable) Unwrap() []error { return []error{u.problem, u.err} }

// unsent reports whether there was no connection at all.
func (u *unreachable) unsent() bool {
	op, ok := errors.AsType[*net.OpError](u.err)
	return ok && op.Op == "dial"
}

// noAnswer turns the error of a connection into a problem that says what to do. The context's own end stays what it is.
func noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without the address, which the caller knows
	}
	p := &Problem{Type: problemType + "unreachable", Title: "The server does not answer", Cause: err.Error(),
		Cure: "Check the address and that the server runs; what was asked for may have happened all the same."}
	if untrusted(err) {
		p.Type, p.Title = problemType+"untrusted", "The server's certificate is not trusted"
		p.Cure = "Check that this is the server that you mean, and give the CA that signed its certificate."
		p.Unchanged = "Nothing was sent."
	}
	return &unreachable{problem: p, err: err}
}

func untrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// wait sleeps for d or until ctx ends, which it reports.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
