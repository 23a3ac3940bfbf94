// Package redis changes and proves the passwords of Redis ACL users.
//
// The server is sent the SHA-256 of a password, never the password itself but at a login, so that no log of its can hold
// one and the same change can be sent again. What a user takes is read back exactly from ACL GETUSER. A user can take
// several passwords, and so both of a rotation. A change and its saving to disk are one transaction of the server: a
// connection that breaks cannot come between them.
package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/vault"
)

// Names of the settings of a resource.
const ()

const (
	// maxUser bounds a user's name in bytes. The server has no bound of its own.
	maxUser = 256
	// maxPassword is what the server reads in one piece from somebody who has not logged in yet.
	maxPassword = 16384
)

// Config is what a Target needs; a verb may take 15 seconds.
type Config = dial.Config

// Target is the type "redis". It keeps no connection and may be used by several goroutines at once.
type Target struct {
	dial    target.DialFunc
	timeout time.Duration
}

// New returns the type.
func New(c Config) *Target {
	c = c.Or(15 * time.Second)
	return &Target{dial: c.Dial, timeout: c.Timeout}
}

// Over implements target.Dialer.
func (t *Target) Over(dial target.DialFunc) target.Target {
	return &Target{dial: dial, timeout: t.timeout}
}

// Spec implements target.Target.
func (*Target) Spec() target.Spec {
	return target.Spec{
		Type:        "redis",
		Name:        "Redis",
		Description: "ACL users of one Redis server: changed with a hash and saved to disk, proved by a fresh login.",
		Fields:      fields(),
		Limits: target.Limits{
			MinLength: 1,
			MaxLength: maxPassword,
			Alphabet:  "printable ASCII; the server takes every other byte too, its clients' settings may not",
			Forbidden: "\x00\r\n",
		},
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true, Overlap: true, Compare: true},
	}
}

func fields() []target.Field {
	return []target.Field{
		{Name: dial.Host, Label: "Host", Help: "DNS name or IP address of one server: each replica and each node of a cluster has users of its own.", Required: true, Kind: target.KindHost},
		{Name: dial.Port, Label: "Port", Help: "The port that speaks TLS, unless TLS is off.", Default: "6379", Kind: target.KindPort},
		{Name: dial.Mode, Label: "TLS", Help: "Off is for loopback addresses, or with the acceptance below.", Default: "verify", Kind: target.KindChoice, Options: []string{"verify", "off"}},
		{Name: dial.CA, Label: "CA certificates", Help: "PEM; empty means those of the machine that Keyturn runs on.", Kind: target.KindPEM},
		{Name: dial.Name, Label: "Certificate name", Help: "The name in the server's certificate, where it is not the host.", Kind: target.KindHost},
		{Name: dial.Plaintext, Label: "I accept connections without TLS", Help: "Each login sends its password in the open, and nothing proves which server answers.", Default: "no", Kind: target.KindChoice, Options: []string{"no", "yes"}},
	}
}

// Prepare implements target.Preparer: the result is the SHA-256 of value, the same at every call.
func (t *Target) Prepare(account string, value vault.Value) (vault.Value, error) {
	if err := checkUser(account); err != nil {
		return vault.Value{}, err
	}
	if err := t.Spec().Limits.Check(value); err != nil {
		return vault.Value{}, err
	}
	return vault.NewValue([]byte(hash(value))), nil
}

// Change implements target.Changer by ACL SETUSER. It refuses, before it changes anything, a user that could not log in
// afterwards because it is off, and one without a password or that lets everybody in. It replaces every password of the
// user. The account's own login may make the change where it has the rights of the reconcile login.
func (t *Target) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	next, err := t.checked(target.Prepared{Value: ch.Value, Text: ch.Prepared})
	if err != nil {
		return err
	}
	return t.edit(ctx, c, ch.By, ch.Account, func([]string) ([]string, error) { return []string{next}, nil })
}

// Add implements target.Overlapper.
func (t *Target) Add(ctx context.Context, c target.Connection, o target.Overlap) error {
	next, err := t.checked(o.Next)
	if err != nil {
		return err
	}
	current := hash(o.Current.Value)
	return t.edit(ctx, c, o.By, o.Account, func(held []string) ([]string, error) {
		_, err := target.CheckAdd(held, current, next)
		return []string{current, next}, err
	})
}

// Retire implements target.Overlapper.
func (t *Target) Retire(ctx context.Context, c target.Connection, o target.Overlap) error {
	next, err := t.checked(o.Next)
	if err != nil {
		return err
	}
	current := hash(o.Current.Value)
	return t.edit(ctx, c, o.By, o.Account, func(held []string) ([]string, error) {
		_, err := target.CheckRetire(held, current, next)
		return []string{next}, err
	})
}

// edit makes account take what decide returns for the hashes that it takes now, and has the server save that.
//
// Saving comes first, too: a server that cannot save is found out before anything has changed, and what an earlier try
// left unsaved is saved. A server that fails to save the change itself is made to take it back.
func (t *Target) edit(ctx context.Context, c target.Connection, by target.Login, account string, decide func(held []string) ([]string, error)) error {
	if err := checkUser(account); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, by)
	if err != nil {
		return err
	}
	defer s.close()
	u, err := s.user(ctx, account)
	if err != nil {
		return err
	}
	if err := u.editable(); err != nil {
		return err
	}
	want, err := decide(u.passwords)
	if err != nil {
		return err
	}
	save, err := s.save(ctx)
	if err != nil || same(u.passwords, want) {
		return err
	}
	return s.set(ctx, account, u.passwords, want, save)
}

// Verify implements target.Verifier.
func (t *Target) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, l)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.whoami(ctx, l.User); err != nil {
		return err
	}
	wrong, err := t.login(ctx, c, l.Wrong())
	if err == nil {
		wrong.close()
		return &target.Error{Outcome: target.Unproven, Msg: "the server let in a wrong password too (nopass)", Cure: "give the user a password: ACL SETUSER … resetpass #…"}
	}
	if target.OutcomeOf(err) == target.Refused {
		return nil
	}
	return err
}

// user is what ACL GETUSER says of a user.
type user struct{ flags, passwords []string }

// editable says why a user's passwords cannot be changed to one that is proved by logging in. A user without a password
// is left to its owner also because the removal of one is what keeps a change from creating a user (see session.set).
func (u user) editable() error {
	e := &target.Error{Outcome: target.NotPermitted}
	switch {
	case !slices.Contains(u.flags, "on"):
		e.Msg, e.Cure = "the user is off, so a new password could not log in either", "ACL SETUSER … on, then try again"
	case slices.Contains(u.flags, "nopass"):
		e.Msg, e.Cure = "the user lets everybody in (nopass)", "give it a first password: ACL SETUSER … resetpass #…"
	case len(u.passwords) == 0:
		e.Msg, e.Cure = "the user has no password", "give it a first one: ACL SETUSER … #…"
	default:
		return nil
	}
	return e
}

// same reports whether a and b hold the same hashes.
func same(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(h string) bool { return !slices.Contains(b, h) })
}

// checkUser refuses the names that the server refuses, and those with quotes: where users stand in redis.conf the server
// writes names as they are and could not read such a line at its next start.
func checkUser(name string) error {
	if name == "" || len(name) > maxUser || strings.ContainsAny(name, "\x00 \t\n\v\f\r'\"\\") {
		return &target.Error{
			Outcome: target.Misconfigured,
			Msg:     fmt.Sprintf("a user name has 1 to %d bytes without white space, quotes and backslashes", maxUser),
			Cure:    "correct the name",
		}
	}
	return nil
}
