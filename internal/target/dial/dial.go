// Package dial is what the types of target share that reach their systems over TCP: how a connection is opened, what its
// TLS must prove, and what is said when none comes about.
package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target"
)

// Names of the settings that these types share.
const (
	Host      = "host"
	Port      = "port"
	Mode      = "tls" // "off", or a word of the type's own for TLS
	CA        = "tls_ca"
	Name      = "tls_server_name"
	Plaintext = "accept_no_tls"
)

// Config is what a type needs.
type Config struct {
	// Dial opens each connection; nil means a plain net.Dialer.
	Dial target.DialFunc
	// Timeout bounds each verb as a whole; zero means the type's own.
	Timeout time.Duration
}

// Or returns c with what it leaves open filled in.
func (c Config) Or(timeout time.Duration) Config {
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Timeout == 0 {
		c.Timeout = timeout
	}
	return c
}

// Over returns c with another dial.
func (c Config) Over(dial target.DialFunc) Config {
	c.Dial = dial
	return c
}

// TLS returns what the settings ask of the server's certificate, or nil where they turn TLS off: for a loopback address,
// or where the risk was accepted. It fails with Misconfigured.
func TLS(get func(string) string) (*tls.Config, error) {
	if get(Mode) != "off" {
		return verified(get)
	}
	if !loopback(get(Host)) && get(Plaintext) != "yes" {
		return nil, misconfigured("a connection without TLS to another machine was not accepted", "turn TLS on in the server and in this resource, or accept the risk in the resource's settings")
	}
	return nil, nil
}

// StrictTLS is TLS for types that send passwords themselves: without TLS they reach loopback addresses alone, and only
// where the risk was accepted. instead says what else to do.
func StrictTLS(get func(string) string, instead string) (*tls.Config, error) {
	if get(Mode) != "off" {
		return verified(get)
	}
	if !loopback(get(Host)) || get(Plaintext) != "yes" {
		return nil, misconfigured("a connection without TLS is for loopback addresses alone, and was not accepted", instead+"; for a server on this machine, accept the risk in the resource's settings")
	}
	return nil, nil
}

func verified(get func(string) string) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: get(Host), MinVersion: tls.VersionTLS12}
	if name := get(Name); name != "" {
		cfg.ServerName = name
	}
	if pem := get(CA); pem != "" {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, misconfigured("the CA certificates hold no certificate that can be read", "paste them as PEM")
		}
	}
	return cfg, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func misconfigured(msg, cure string) error {
	return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: cure}
}

// Unreachable names the reason why no connection came about or no answer came, out of a fixed set, so that it repeats
// nothing of the server's. look says where to look when the reason is not known.
func Unreachable(err error, look string) *target.Error {
	e := &target.Error{Outcome: target.Unreachable}
	f, isFault := errors.AsType[*fault.Error](err)
	_, unknownCA := errors.AsType[x509.UnknownAuthorityError](err)
	_, wrongName := errors.AsType[x509.HostnameError](err)
	_, badCert := errors.AsType[x509.CertificateInvalidError](err)
	_, dns := errors.AsType[*net.DNSError](err)
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case isFault: // of the dial, which knows better
		e.Msg, e.Cure = f.Msg, f.Cure
	case unknownCA:
		e.Msg, e.Cure = "the server's certificate is not signed by a trusted CA", "import its CA into the resource's settings"
	case wrongName:
		e.Msg, e.Cure = "the server's certificate is for another name", "correct the host, or set the certificate name"
	case badCert:
		e.Msg, e.Cure = "the server's certificate is expired or not valid for a server", "renew it"
	case dns:
		e.Msg, e.Cure = "the host's name could not be resolved", "correct the host, or look at DNS"
	case errors.Is(err, context.DeadlineExceeded), isNet && netErr.Timeout():
		e.Msg, e.Cure = "the server did not answer in time", "look at the network and at the server, then try again"
	default:
		e.Msg, e.Cure = "the server could not be reached, or broke off the connection", look
	}
	return e
}
