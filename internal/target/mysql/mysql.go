// Package mysql changes and proves the passwords of MariaDB accounts.
//
// The server is sent the hash of a password, never the password, so that none of its logs can hold one (MariaDB writes
// IDENTIFIED BY 'x' into the general log and into the binary log, and so to every replica) and one and the same change
// can be sent again. What an account takes is read back exactly from SHOW CREATE USER. An account can have two methods
// of logging in (IDENTIFIED VIA … OR …), and so both values of a rotation.
package mysql

import (
	"context"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/vault"
)

// Names of the settings of a resource.
const ()

// Config is what a Target needs; a verb may take 15 seconds.
type Config = dial.Config

// Target is the type "mysql". It keeps no connection and may be used by several goroutines at once.
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
		Type:        "mysql",
		Name:        "MariaDB",
		Description: "Accounts of a MariaDB server, written user or user@host: changed with a hash, proved by a fresh login.",
		Fields:      fields(),
		Limits: target.Limits{
			MinLength: 1,
			MaxLength: 1024,
			Alphabet:  "printable ASCII; the server takes every other byte too, its clients' settings may not",
			Forbidden: "\x00\r\n",
		},
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true, Overlap: true, OverlapByReconcile: true, Compare: true},
	}
}

func fields() []target.Field {
	return []target.Field{
		{
			Name: dial.Host, Label: "Host", Required: true, Kind: target.KindHost,
			Help: "DNS name or IP address. The account 'app'@'10.%' of this server is written app@10.% in Keyturn; without a host part, app is 'app'@'%'. A user name that has an @ itself needs the host part: the last @ divides.",
		},
		{Name: dial.Port, Label: "Port", Default: "3306", Kind: target.KindPort},
		{Name: dial.Mode, Label: "TLS", Help: "Off is for loopback addresses, or with the acceptance below.", Default: "verify", Kind: target.KindChoice, Options: []string{"verify", "off"}},
		{Name: dial.CA, Label: "CA certificates", Help: "PEM; empty means those of the machine that Keyturn runs on.", Kind: target.KindPEM},
		{Name: dial.Name, Label: "Certificate name", Help: "The name in the server's certificate, where it is not the host.", Kind: target.KindHost},
		{Name: dial.Plaintext, Label: "I accept connections without TLS", Help: "Hashes travel in the open, and nothing proves which server answers.", Default: "no", Kind: target.KindChoice, Options: []string{"no", "yes"}},
	}
}

// Prepare implements target.Preparer: the result holds a hash of value for each method of logging in, because only the
// server knows which of them the account has. It is the same at every call.
func (t *Target) Prepare(account string, value vault.Value) (vault.Value, error) {
	if _, err := parseAccount(account); err != nil {
		return vault.Value{}, err
	}
	if err := t.Spec().Limits.Check(value); err != nil {
		return vault.Value{}, err
	}
	return vault.NewValue([]byte(hashesOf(value).text())), nil
}

// Change implements target.Changer: SET PASSWORD by the account itself, ALTER USER by a reconcile login. The account
// keeps its method of logging in, and its requirements, its expiry interval and its limits. Before anything is changed it
// refuses an account that is locked, that logs in by another method than a password's hash, or that would change its own
// value while it takes two, because SET PASSWORD replaces only the first.
func (t *Target) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	next, err := t.checked(target.Prepared{Value: ch.Value, Text: ch.Prepared})
	if err != nil {
		return err
	}
	return t.edit(ctx, c, ch.By, ch.Account, func(u user) ([]method, error) {
		return []method{next.by(u.plugin())}, nil
	})
}

// Add implements target.Overlapper, for a reconcile login. The new value comes first, by mysql_native_password, whatever
// the account's own method is: there are clients that cannot get past an ed25519 method that is not theirs.
func (t *Target) Add(ctx context.Context, c target.Connection, o target.Overlap) error {
	next, err := t.checked(o.Next)
	if err != nil {
		return err
	}
	current := hashesOf(o.Current.Value)
	return t.edit(ctx, c, o.By, o.Account, func(u user) ([]method, error) {
		done, err := target.CheckAdd(u.held(current, next), current.native, next.native)
		if err != nil || done {
			return u.methods, err
		}
		return []method{next.by(native), current.by(u.plugin())}, nil
	})
}

// Retire implements target.Overlapper, for a reconcile login. The account has its own method again afterwards.
func (t *Target) Retire(ctx context.Context, c target.Connection, o target.Overlap) error {
	next, err := t.checked(o.Next)
	if err != nil {
		return err
	}
	current := hashesOf(o.Current.Value)
	return t.edit(ctx, c, o.By, o.Account, func(u user) ([]method, error) {
		done, err := target.CheckRetire(u.held(current, next), current.native, next.native)
		if err != nil || done {
			return u.methods, err
		}
		return []method{next.by(u.plugin())}, nil
	})
}

// edit gives account the methods that decide returns for what it is now.
func (t *Target) edit(ctx context.Context, c target.Connection, by target.Login, account string, decide func(user) ([]method, error)) error {
	a, err := parseAccount(account)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, by)
	if err != nil {
		return err
	}
	defer s.close()
	self := s.name == a
	if err := s.settle(ctx, t.timeout/2); err != nil {
		return err
	}
	u, err := s.user(ctx, a, self)
	if err != nil {
		return err
	}
	if err := u.editable(); err != nil {
		return err
	}
	want, err := decide(u)
	if err != nil || slices.Equal(u.methods, want) {
		return err
	}
	return s.set(ctx, a, self, u.methods, want)
}

// Verify implements target.Verifier. A server with max_password_errors counts the one failed login, until the next good
// one.
func (t *Target) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	a, err := parseAccount(l.User)
	if err != nil {
		return err
	}
	s, err := t.login(ctx, c, l)
	if err != nil {
		return err
	}
	defer s.close()
	if s.name != a {
		return &target.Error{Outcome: target.Unproven, Msg: "the server let the login in as another account, whose host part fits better", Cure: "correct the host part of the account's name, or remove that account"}
	}
	wrong, err := t.login(ctx, c, l.Wrong())
	if err == nil {
		wrong.close()
		return &target.Error{Outcome: target.Unproven, Msg: "the server let in a wrong password too", Cure: "look whether it runs with skip-grant-tables"}
	}
	if target.OutcomeOf(err) == target.Refused {
		return nil
	}
	return err
}
