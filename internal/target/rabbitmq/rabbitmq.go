// Package rabbitmq changes and proves the passwords of RabbitMQ users over the management API.
//
// The server is sent the salted hash of a new password, never the password itself but at a login, so that no log of its
// can hold one and the same change can be sent again. What a user takes is read back exactly. A change keeps the user's
// tags and permissions, and does not create a user that is not there.
package rabbitmq

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/vault"
)

// Names of the settings of a resource.
const ()

const (
	// maxUser bounds a user's name in bytes. The server has no bound of its own.
	maxUser = 255
	// maxPassword leaves room in the 4096 bytes that an AMQP client's first frame has for name and password together.
	maxPassword = 2048
)

// Config is what a Target needs; a verb may take 15 seconds.
type Config = dial.Config

// Target is the type "rabbitmq". It keeps no connection and may be used by several goroutines at once.
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
		Type:        "rabbitmq",
		Name:        "RabbitMQ",
		Description: "Users of a RabbitMQ server or cluster: changed with a hash over the management API, proved by a login to it.",
		Fields:      fields(),
		Limits: target.Limits{
			MinLength: 1,
			MaxLength: maxPassword,
			Alphabet:  "printable ASCII; the server takes every other byte too, its clients' settings may not",
			Forbidden: "\x00\r\n",
		},
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true, Compare: true},
	}
}

func fields() []target.Field {
	return []target.Field{
		{Name: dial.Host, Label: "Host", Help: "DNS name or IP address of the management API, which is not that of AMQP everywhere.", Required: true, Kind: target.KindHost},
		{Name: dial.Port, Label: "Port", Help: "The port of the management API, which speaks HTTPS unless TLS is off.", Default: "15671", Kind: target.KindPort},
		{Name: dial.Mode, Label: "TLS", Help: "Off is for loopback addresses, or with the acceptance below.", Default: "verify", Kind: target.KindChoice, Options: []string{"verify", "off"}},
		{Name: dial.CA, Label: "CA certificates", Help: "PEM; empty means those of the machine that Keyturn runs on.", Kind: target.KindPEM},
		{Name: dial.Name, Label: "Certificate name", Help: "The name in the server's certificate, where it is not the host.", Kind: target.KindHost},
		{Name: dial.Plaintext, Label: "I accept connections without TLS", Help: "Each login sends its password in the open, and nothing proves which server answers.", Default: "no", Kind: target.KindChoice, Options: []string{"no", "yes"}},
	}
}

// Prepare implements target.Preparer: the result is a hash of value with a salt of its own.
func (t *Target) Prepare(account string, value vault.Value) (vault.Value, error) {
	if err := checkUser(account); err != nil {
		return vault.Value{}, err
	}
	if err := t.Spec().Limits.Check(value); err != nil {
		return vault.Value{}, err
	}
	return vault.NewValue([]byte(hash(newSalt(), value))), nil
}

// Change implements target.Changer, for a login with the tag administrator: the server lets no other change a password,
// not even its own. What the server confirms is read back. It refuses, before it changes anything, a user without a password, who logs in by other means.
func (t *Target) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	next, err := t.checked(ch)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	a, err := t.open(c, ch.By)
	if err != nil {
		return err
	}
	defer a.close()
	u, err := a.user(ctx, ch.Account)
	if err != nil || u.has(next) {
		return err
	}
	if u.Hash == "" {
		return noPassword()
	}
	if err := a.set(ctx, u, next); err != nil {
		return err
	}
	if ch.Self() {
		a.login.Password = ch.Value
	}
	u, err = a.user(ctx, ch.Account)
	if err != nil || !u.has(next) {
		return &target.Error{Outcome: target.Unknown, Msg: "the server confirmed the change and does not show it", Cure: "look whether somebody else changes this user, then log in with the new value to see whether it holds"}
	}
	return nil
}

// Verify implements target.Verifier, by asking the management API who is there. It says so to a user with a tag; one
// without is turned away in other words than one with a wrong password, which proves the password as well.
func (t *Target) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	whoami := func(l target.Login) error {
		a, err := t.open(c, l)
		if err != nil {
			return err
		}
		defer a.close()
		return a.whoami(ctx)
	}
	if err := whoami(l); err != nil {
		return err
	}
	err := whoami(l.Wrong())
	switch target.OutcomeOf(err) {
	case "":
		return &target.Error{Outcome: target.Unproven, Msg: "the server let in a wrong password too", Cure: "look at its authentication backends"}
	case target.Refused:
		return nil
	}
	return err
}

// checkUser refuses the names that HTTP cannot carry, in a login or in a path.
func checkUser(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > maxUser || !utf8.ValidString(name) || strings.Contains(name, ":") || strings.ContainsFunc(name, unicode.IsControl) {
		return &target.Error{
			Outcome: target.Misconfigured,
			Msg:     fmt.Sprintf("a user name has 1 to %d bytes without colons and control characters", maxUser),
			Cure:    "correct the name",
		}
	}
	return nil
}
