package postgresql

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
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
	port, err := strconv.ParseUint(get(dial.Port), 10, 16)
	if err != nil {
		return nil, misconfigured("the port must be a number from 1 to 65535", "")
	}
	cfg.Host, cfg.Port, cfg.Database = get(dial.Host), uint16(port), get(fieldDatabase)
	cfg.Fallbacks, cfg.ValidateConnect, cfg.SSLNegotiation, cfg.SSLCertMode = nil, nil, "postgres", "disable"
	cfg.RuntimeParams = map[string]string{"application_name": "keyturn", "client_encoding": "UTF8"}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec // one-off statements: nothing to prepare or to cache
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) { return t.dial(ctx, network, addr) }
	// The name goes to the dialer as it is: what resolves it is also what decides on the address.
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.RequireAuth, cfg.ChannelBinding = "scram-sha-256", "require"
	if cfg.TLSConfig, err = dial.TLS(get); err != nil {
		return nil, err
	}
	if cfg.TLSConfig == nil {
		cfg.ChannelBinding = "disable"
	}
	return cfg, nil
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
	return dial.Unreachable(err, "look whether it runs, and whether it speaks TLS on this port")
}
