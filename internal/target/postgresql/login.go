package postgresql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target"
)

// login opens a session as l. The whole configuration is set field by field: what the process's environment would add
// is overwritten, and no text with a password in it is ever built.
func (t *Target) login(ctx context.Context, c target.Connection, l target.Login) (*pgx.Conn, error) {
	if err := checkRole(l.User); err != nil {
		return nil, err
	}
	if l.Password.Len() == 0 {
		return nil, &target.Error{Outcome: target.Misconfigured, Msg: "an empty password is never tried", Cure: "set a value first"}
	}
	cfg, err := t.config(c)
	if err != nil {
		return nil, err
	}
	cfg.User = l.User
	_ = l.Password.Expose(func(b []byte) error { cfg.Password = string(b); return nil })
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, loginError(err)
	}
	return conn, nil
}

func (t *Target) config(c target.Connection) (*pgx.ConnConfig, error) {
	if err := t.Spec().Check(c); err != nil {
		return nil, misconfigured(err.Error(), "")
	}
	get := func(name string) string { return c.Get(fields(), name) }
	cfg, err := pgx.ParseConfig("host=localhost port=5432 user=u password=p dbname=d sslmode=disable")
	if err != nil {
		return nil, misconfigured("the environment of this process has PostgreSQL settings that cannot be read", "unset the variables that start with PG")
	}
	port, err := strconv.ParseUint(get(fieldPort), 10, 16)
	if err != nil {
		return nil, misconfigured("the port must be a number from 1 to 65535", "")
	}
	cfg.Host, cfg.Port, cfg.Database = get(fieldHost), uint16(port), get(fieldDatabase)
	cfg.Fallbacks, cfg.ValidateConnect, cfg.SSLNegotiation, cfg.SSLCertMode = nil, nil, "postgres", "disable"
	cfg.RuntimeParams = map[string]string{"application_name": "keyturn", "client_encoding": "UTF8"}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec // one-off statements: nothing to prepare or to cache
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) { return t.dial(ctx, network, addr) }
	// The name goes to the dialer as it is: what resolves it is also what decides on the address.
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.RequireAuth, cfg.ChannelBinding = "scram-sha-256", "require"
	if cfg.TLSConfig, err = tlsConfig(get); err != nil {
		return nil, err
	}
	if cfg.TLSConfig == nil {
		cfg.ChannelBinding = "disable"
	}
	return cfg, nil
}

// tlsConfig returns nil for a connection without TLS, if the settings allow that.
func tlsConfig(get func(string) string) (*tls.Config, error) {
	host := get(fieldHost)
	if get(fieldTLS) == "off" {
		if !loopback(host) && get(fieldPlaintext) != "yes" {
			return nil, misconfigured("a connection without TLS to another machine was not accepted", "turn TLS on in the server and in this resource, or accept the risk in the resource's settings")
		}
		return nil, nil
	}
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if name := get(fieldName); name != "" {
		cfg.ServerName = name
	}
	if pem := get(fieldCA); pem != "" {
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

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing is lost with a session that did not say goodbye
}

func isNoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

// unreachable names the reason why no connection came about, out of a fixed set.
func unreachable(err error) *target.Error {
	e := &target.Error{Outcome: target.Unreachable}
	var dns *net.DNSError
	var netErr net.Error
	var unknownCA x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var badCert x509.CertificateInvalidError
	f, isFault := errors.AsType[*fault.Error](err)
	switch {
	case isFault: // the dialer's address policy
		e.Msg, e.Cure = f.Msg, f.Cure
	case errors.As(err, &unknownCA):
		e.Msg, e.Cure = "the server's certificate is not signed by a trusted CA", "import its CA into the resource's settings"
	case errors.As(err, &wrongName):
		e.Msg, e.Cure = "the server's certificate is for another name", "correct the host, or set the certificate name"
	case errors.As(err, &badCert):
		e.Msg, e.Cure = "the server's certificate is expired or not valid for a server", "renew it"
	case errors.As(err, &dns):
		e.Msg, e.Cure = "the host's name could not be resolved", "correct the host, or look at DNS"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		e.Msg, e.Cure = "the server did not answer in time", "look at the network and at the server, then try again"
	default:
		e.Msg, e.Cure = "the server could not be reached, or broke off the connection", "look whether it runs, and whether it speaks TLS on this port"
	}
	return e
}
