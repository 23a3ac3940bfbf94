package mysql

import (
	"context"
	"database/sql"
	"errors"
	"net"

	"github.com/go-sql-driver/mysql"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// challenges is how many challenges of the server a login may take.
const challenges = 4

// login opens a session as l and asks the server whom it let in. The configuration is set field by field: no text with a
// password in it is ever built.
func (t *Target) login(ctx context.Context, c target.Connection, l target.Login) (*session, error) {
	a, err := parseAccount(l.User)
	if err != nil {
		return nil, err
	}
	if l.Password.Len() == 0 {
		return nil, misconfigured("an empty password is never tried", "set a value first")
	}
	if err := t.Spec().Check(c); err != nil {
		return nil, misconfigured(err.Error(), "")
	}
	get := func(name string) string { return c.Get(fields(), name) }
	cfg := mysql.NewConfig()
	if cfg.TLS, err = dial.TLS(get); err != nil {
		return nil, err
	}
	cfg.Net, cfg.Addr, cfg.User = "tcp", net.JoinHostPort(get(dial.Host), get(dial.Port)), a.user
	_ = l.Password.Expose(func(b []byte) error { cfg.Passwd = string(b); return nil })
	cfg.DialFunc = t.dial
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = t.timeout, t.timeout, t.timeout
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, misconfigured("the settings of the connection do not fit together", "look at the resource's settings")
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	// The driver drops a zero at the end of the server's random challenge and then cannot answer it: one ed25519 login in
	// 256 ends here, before anything was sent.
	for tries := 1; errors.Is(err, mysql.ErrMalformPkt) && tries < challenges; tries++ {
		conn, err = db.Conn(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, loginError(err)
	}
	s := &session{db: db, conn: conn}
	if err := s.whoami(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func misconfigured(msg, cure string) error {
	return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: cure}
}
