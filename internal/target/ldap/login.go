package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// maxRead bounds what is read from the server in one session.
const maxRead = 1 << 20

// login opens a session as l.
func (t *Target) login(ctx context.Context, c target.Connection, l target.Login) (*session, error) {
	dn, err := parseDN(l.User)
	if err != nil {
		return nil, err
	}
	if l.Password.Len() == 0 { // a server takes it for an anonymous login, and lets it in
		return nil, misconfigured("an empty password is never tried", "set a value first")
	}
	if err := t.Spec().Check(c); err != nil {
		return nil, misconfigured(err.Error(), "")
	}
	conn, err := t.connect(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &session{conn: ldap.NewConn(conn, true), name: l.User, dn: dn} // the client is not to start TLS of its own
	s.conn.SetTimeout(t.timeout)
	s.conn.Start()
	if err := s.bind(ctx, l); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// connect opens the network connection, with TLS unless the settings allow to do without. It breaks when ctx ends, which
// the client knows nothing of.
func (t *Target) connect(ctx context.Context, c target.Connection) (net.Conn, error) {
	get := func(name string) string { return c.Get(fields(), name) }
	cfg, err := dial.StrictTLS(get, "use ldaps or starttls")
	if err != nil {
		return nil, err
	}
	raw, err := t.dial(ctx, "tcp", net.JoinHostPort(get(dial.Host), get(dial.Port)))
	if err != nil {
		return nil, unreachable(err)
	}
	conn := &bounded{Conn: raw, left: maxRead}
	conn.release = context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	if cfg == nil {
		return conn, nil
	}
	if get(dial.Mode) == "starttls" {
		if err := startTLS(conn); err != nil {
			_ = conn.Close()
			return nil, noAnswer(ctx, err)
		}
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, noAnswer(ctx, err)
	}
	return secured, nil
}

// errNoStartTLS is the refusal of a server that has no TLS.
var errNoStartTLS = errors.New("the server refuses StartTLS")

// startTLS asks for TLS and reads the answer to its last byte and no further. The client's own StartTLS would hide why a
// handshake failed.
func startTLS(conn net.Conn) error {
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", ""))
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, ""))
	message.AppendChild(request)
	if _, err := conn.Write(message.Bytes()); err != nil {
		return err
	}
	answer, err := ber.ReadPacket(conn)
	if err != nil {
		return err
	}
	if ldap.GetLDAPError(answer) != nil {
		return errNoStartTLS
	}
	return nil
}

func misconfigured(msg, cure string) *target.Error {
	return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: cure}
}

// bounded is a connection of which no more than left bytes are read.
type bounded struct {
	net.Conn
	left    int
	release func() bool
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the server sends too much")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (b *bounded) Close() error {
	b.release()
	return b.Conn.Close()
}
