// Package ldap changes and proves the passwords of entries of an LDAP directory, as OpenLDAP has them. An account's name
// is its DN.
//
// The server hashes a password itself, so this type has to send it the new one: by the Password Modify operation
// (RFC 3062), which the server's logs show without its values, and over TLS. The server's password policy judges the
// value, and what it says of a refusal is read from the password policy control.
package ldap

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/vault"
)

// Names of the settings of a resource.
const ()

// maxPassword is what every scheme of the server takes: crypt(3) refuses 512 bytes.
const maxPassword = 511

// Config is what a Target needs; a verb may take 15 seconds.
type Config = dial.Config

// Target is the type "ldap". It keeps no connection and may be used by several goroutines at once.
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
		Type:        "ldap",
		Name:        "LDAP",
		Description: "Entries of an LDAP directory (OpenLDAP), named by their DN: changed by Password Modify over TLS, proved by a fresh bind.",
		Fields:      fields(),
		Limits: target.Limits{
			MinLength:      1,
			MaxLength:      maxPassword,
			Alphabet:       "printable ASCII; the server takes every other byte too, its clients' settings may not",
			Forbidden:      "\x00\r\n",
			ForbiddenFirst: "{", // the server could take it for the name of a scheme
		},
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true},
	}
}

func fields() []target.Field {
	return []target.Field{
		{Name: dial.Host, Label: "Host", Help: "DNS name or IP address of a server that takes changes.", Required: true, Kind: target.KindHost},
		{Name: dial.Port, Label: "Port", Help: "636 for ldaps, 389 for starttls.", Default: "636", Kind: target.KindPort},
		{Name: dial.Mode, Label: "TLS", Help: "From the first byte (ldaps) or by StartTLS. Off is for loopback addresses alone, with the acceptance below.", Default: "ldaps", Kind: target.KindChoice, Options: []string{"ldaps", "starttls", "off"}},
		{Name: dial.CA, Label: "CA certificates", Help: "PEM; empty means those of the machine that Keyturn runs on.", Kind: target.KindPEM},
		{Name: dial.Name, Label: "Certificate name", Help: "The name in the server's certificate, where it is not the host.", Kind: target.KindHost},
		{Name: dial.Plaintext, Label: "I accept a loopback connection without TLS", Help: "Each login and each change sends its password in the open to whatever listens there.", Default: "no", Kind: target.KindChoice, Options: []string{"no", "yes"}},
	}
}

// Change implements target.Changer. An account that changes its own value sends the old one along, which a policy with
// pwdSafeModify asks for.
//
// The server's policy can refuse the repetition of a change that it has carried out, as one to a password in its history
// or one that comes too soon. So a change refused for these reasons is followed by a login with the new value, and has
// succeeded when that is let in; otherwise the account has one more failed login.
func (t *Target) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	account, err := parseDN(ch.Account)
	if err != nil {
		return err
	}
	if err := t.Spec().Limits.Check(ch.Value); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, ch.By)
	if err != nil {
		return err
	}
	defer s.close()
	var old vault.Value
	if s.dn.EqualFold(account) {
		old = ch.By.Password
	}
	mayHold, err := s.modify(ctx, ch.Account, old, ch.Value)
	if mayHold {
		return t.settle(ctx, c, ch, err)
	}
	return err
}

// settle returns refused if the account is not let in with the new value, and nil if it is.
func (t *Target) settle(ctx context.Context, c target.Connection, ch target.Change, refused error) error {
	s, err := t.login(ctx, c, target.Login{User: ch.Account, Password: ch.Value})
	switch target.OutcomeOf(err) {
	case "":
		s.close()
		return nil
	case target.Refused:
		return refused
	}
	return &target.Error{Outcome: target.Unknown, Msg: "the server's password policy refuses the change, as it also does when it has made it before, and a login does not tell which", Cure: "log in with the new value, then with the old one, to see which holds"}
}

// Verify implements target.Verifier: a bind, Who am I, and a look at the own entry, which an account that must change
// its password is refused. The wrong password is tried last, and counts towards the lockout of the account until the
// next good login.
func (t *Target) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, l)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.whoami(ctx); err != nil {
		return err
	}
	if err := s.look(ctx); err != nil {
		return err
	}
	wrong, err := t.login(ctx, c, l.Wrong())
	if err == nil {
		wrong.close()
		return &target.Error{Outcome: target.Unproven, Msg: "the server let in a wrong password too", Cure: "look at how the server checks this account's passwords"}
	}
	if target.OutcomeOf(err) == target.Refused {
		return nil
	}
	return err
}
