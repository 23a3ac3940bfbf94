package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// login opens a session as l. The connection is made here and handed to the client ready, because the client logs what
// it cannot dial. The client is given no password: it would try a wrong one twice, and an empty one not at all.
func (t *Target) login(ctx context.Context, c target.Connection, l target.Login) (*session, error) {
	if err := checkUser(l.User); err != nil {
		return nil, err
	}
	if l.Password.Len() == 0 {
		return nil, misconfigured("an empty password is never tried", "set a value first")
	}
	if err := t.Spec().Check(c); err != nil {
		return nil, misconfigured(err.Error(), "")
	}
	conn, err := t.connect(ctx, c)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(&redis.Options{
		Dialer:          func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		Protocol:        2,
		MaxRetries:      -1,
		DialerRetries:   1,
		PoolSize:        1,
		ReadTimeout:     t.timeout,
		WriteTimeout:    t.timeout,
		DisableIdentity: true,

		ContextTimeoutEnabled:    true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	s := &session{client: client, conn: client.Conn()}
	err = l.Password.Expose(func(b []byte) error { return s.conn.Do(ctx, "AUTH", l.User, b).Err() })
	if err != nil {
		s.close()
		_ = conn.Close() // where the client did not come to use it
		return nil, loginError(err)
	}
	return s, nil
}

// connect opens the network connection, with TLS unless the settings allow to do without.
func (t *Target) connect(ctx context.Context, c target.Connection) (net.Conn, error) {
	get := func(name string) string { return c.Get(fields(), name) }
	cfg, err := dial.TLS(get)
	if err != nil {
		return nil, err
	}
	conn, err := t.dial(ctx, "tcp", net.JoinHostPort(get(dial.Host), get(dial.Port)))
	if err != nil {
		return nil, unreachable(err)
	}
	if cfg == nil {
		return conn, nil
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, unreachable(err)
	}
	return secured, nil
}

func misconfigured(msg, cure string) *target.Error {
	return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: cure}
}

// answered reports whether err is the server's own answer.
func answered(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}
