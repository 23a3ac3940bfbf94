package linux

import (
	"context"
	"crypto/fips140"
	"errors"
	"net"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// maxRead bounds what is read from the server in one session.
const maxRead = 1 << 20

// How a login ends that did not come to a definite refusal.
var (
	errNotOffered = errors.New("this way of logging in is not offered")
	errMoreAsked  = errors.New("more is asked")
)

// authentication chooses the next step of a login. It gives one answer only, so that a login costs one failure at most.
type authentication interface {
	next(*ssh.ClientAuthContext) (ssh.AuthMethod, error)
	// answered reports whether the server was told the secret, or shown that the key is there.
	answered() bool
}

// passwordAuth logs in with a password, by keyboard-interactive where the server takes no other.
type passwordAuth struct {
	password   vault.Value
	sent, more bool
}

func (a *passwordAuth) answered() bool { return a.sent }

func (a *passwordAuth) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	switch {
	case a.more || len(c.PartialSuccessMethods) > 0:
		return nil, errMoreAsked
	case a.sent:
		return nil, nil // the handshake ends with what the server said to the password, or with what broke it
	case slices.Contains(c.AllowedMethods, "password"):
		return ssh.PasswordCallback(func() (string, error) { return a.text(), nil }), nil
	case slices.Contains(c.AllowedMethods, "keyboard-interactive"):
		return ssh.KeyboardInteractive(a.answer), nil
	}
	return nil, errNotOffered
}

func (a *passwordAuth) text() (text string) {
	a.sent = true
	_ = a.password.Expose(func(b []byte) error { text = string(b); return nil })
	return text
}

// answer answers one hidden question with the password. A second one is for something else.
func (a *passwordAuth) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	switch {
	case len(questions) == 0:
		return nil, nil
	case len(questions) > 1 || echos[0] || a.sent:
		a.more = true
		return nil, errMoreAsked
	}
	return []string{a.text()}, nil
}

// open opens a session of user. It tries one connection for each kind of host key until one shows the pinned key.
func (c Config) open(ctx context.Context, at target.Connection, user string, auth authentication) (*session, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	p, err := parsePin(at.Get(hostFields(), fieldHostKey))
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(at.Get(hostFields(), fieldHost), at.Get(hostFields(), fieldPort))
	next := func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		if len(c.AllowedMethods) == 0 {
			return nil, nil // the connection broke before the server said what it takes
		}
		return auth.next(c)
	}
	var shown error
	for _, algorithms := range p.algorithms() {
		var s *session
		s, err = c.connect(ctx, addr, &ssh.ClientConfig{
			Config: ciphers(), User: user, AuthCallback: next, HostKeyCallback: p.check, HostKeyAlgorithms: algorithms, ClientVersion: "SSH-2.0-Keyturn",
		})
		if err == nil {
			return s, nil
		}
		if !elsewhere(err) {
			return nil, loginError(ctx, err, auth.answered())
		}
		if _, other := errors.AsType[otherHostKey](err); other && shown == nil {
			shown = err
		}
	}
	if shown != nil {
		err = shown
	}
	return nil, loginError(ctx, err, false)
}

// ciphers are the library's own choice or, in Go's strict mode of FIPS 140, those of it that this mode lets pass.
func ciphers() ssh.Config {
	if !fips140.Enforced() {
		return ssh.Config{}
	}
	return ssh.Config{
		KeyExchanges: []string{ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521},
		Ciphers:      []string{ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR},
		MACs:         []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512},
	}
}

// connect opens one connection, which breaks when ctx ends.
func (c Config) connect(ctx context.Context, addr string, cfg *ssh.ClientConfig) (*session, error) {
	raw, err := c.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn := &bounded{Conn: raw, left: maxRead}
	conn.release = context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	secured, channels, requests, err := ssh.NewClientConn(conn, addr, cfg)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &session{ctx: ctx, client: ssh.NewClient(secured, channels, requests)}, nil
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
