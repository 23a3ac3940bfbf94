// Package linux changes and proves what accounts of a Linux machine log in with over SSH: passwords (type "linux") and
// key pairs (type "linux-key"). The machine is known by its host key, which the resource's settings hold: nothing is
// trusted on first use.
//
// A reconcile login sends the hash of a new password, never the password itself, and sends it on standard input, so that
// no list of processes and no log shows it. An account that changes its own password has to tell it to passwd, on
// standard input of a session without a terminal, where nothing echoes it.
package linux

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/vault"
)

// Names of the settings of a resource.
const (
	fieldHost    = "host"
	fieldPort    = "port"
	fieldHostKey = "host_key"
	fieldMethod  = "method"
	fieldHelper  = "helper"
)

// The ways in which a reconcile login changes an account.
const (
	methodSelf   = "self"
	methodSudo   = "sudo"
	methodRoot   = "root"
	methodHelper = "helper"
)

// maxPassword is the longest password that crypt(3) takes; chpasswd would store a hash of a longer one that never matches.
const maxPassword = 511

// Config is what a Target or a Key needs. A verb may take 30 seconds: a refused login alone takes some, where PAM delays it.
type Config dial.Config

func (c Config) withDefaults() Config { return Config(dial.Config(c).Or(30 * time.Second)) }

// over is c with another dial.
func (c Config) over(f target.DialFunc) Config { return Config(dial.Config(c).Over(f)) }

// Target is the type "linux". It keeps no connection and may be used by several goroutines at once.
type Target struct{ config Config }

// New returns the type.
func New(c Config) *Target { return &Target{config: c.withDefaults()} }

// Over implements target.Dialer.
func (t *Target) Over(dial target.DialFunc) target.Target {
	return &Target{config: t.config.over(dial)}
}

// Spec implements target.Target.
func (*Target) Spec() target.Spec {
	return target.Spec{
		Type:        "linux",
		Name:        "Linux",
		Description: "Passwords of local accounts over SSH: changed with a hash by chpasswd, or by the account itself with passwd, and proved by a fresh login.",
		Fields:      passwordFields(),
		Limits: target.Limits{
			MinLength: 1,
			MaxLength: maxPassword,
			Alphabet:  "printable ASCII; the machine takes every other byte too, what people type into a terminal may not be the same bytes",
			Forbidden: "\x00\r\n",
		},
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true},
	}
}

// hostFields are the settings that both types share.
func hostFields() []target.Field {
	return []target.Field{
		{Name: fieldHost, Label: "Host", Help: "DNS name or IP address of one machine.", Required: true, Kind: target.KindHost},
		{Name: fieldPort, Label: "Port", Default: "22", Kind: target.KindPort},
		{Name: fieldHostKey, Label: "Host key", Help: "One line as in known_hosts, or SHA256:…. Read it on the machine itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. What ssh-keyscan prints has to be compared with that.", Required: true, Kind: target.KindText},
	}
}

func passwordFields() []target.Field {
	return append(hostFields(),
		target.Field{Name: fieldMethod, Label: "How a reconcile login changes accounts", Help: "sudo: chpasswd by sudo, a right equal to root's. root: the login is root. helper: a script by sudo that takes only chosen names. self: not at all, each account changes itself with passwd.", Default: methodSudo, Kind: target.KindChoice, Options: []string{methodSudo, methodRoot, methodHelper, methodSelf}},
		target.Field{Name: fieldHelper, Label: "Helper script", Help: "Its path on the machine, for the way helper.", Default: "/usr/local/sbin/keyturn-setpw", Kind: target.KindText},
	)
}

// Prepare implements target.Preparer: the result is a SHA-512 crypt of value with a salt of its own.
func (t *Target) Prepare(account string, value vault.Value) (vault.Value, error) {
	if err := checkUser(account); err != nil {
		return vault.Value{}, err
	}
	if err := t.Spec().Limits.Check(value); err != nil {
		return vault.Value{}, err
	}
	return vault.NewValue([]byte(hash(newSalt(), value))), nil
}

// Change implements target.Changer. A reconcile login sets the prepared hash; it refuses, before it changes anything, an
// account that is not there or whose shell lets nobody in and, where it can see that, one that is locked. An account that
// is its own By tells its password of now and the new one to passwd, whose rules then judge the new one. The value of
// another By may be a private key.
func (t *Target) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	prepared, err := t.checked(ch)
	if err != nil {
		return err
	}
	w, err := changeBy(c, ch)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	s, err := t.loginBy(ctx, c, ch)
	if err != nil {
		return err
	}
	defer s.close()
	got, err := s.run(w.command, w.input(ch, prepared))
	if err != nil {
		return err
	}
	return w.judge(got)
}

// Verify implements target.Verifier: a login, id -un, and a login with a wrong password.
func (t *Target) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	s, err := t.login(ctx, c, l)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.whoami(l.User); err != nil {
		return err
	}
	wrong, err := t.login(ctx, c, l.Wrong())
	if err == nil {
		wrong.close()
		return unproven()
	}
	if target.OutcomeOf(err) == target.Refused {
		return nil
	}
	return err
}

// login opens a session of l with its password.
func (t *Target) login(ctx context.Context, c target.Connection, l target.Login) (*session, error) {
	if l.Password.Len() == 0 {
		return nil, misconfigured("an empty password is never tried", "set a value first")
	}
	if t.Spec().Limits.Check(l.Password) != nil {
		return nil, misconfigured("the stored value is none that an account of this type can have", "store the account's password")
	}
	if err := t.Spec().Check(c); err != nil {
		return nil, misconfigured(err.Error(), "")
	}
	return t.config.open(ctx, c, l.User, &passwordAuth{password: l.Password})
}

// loginBy opens the session that makes a change. A reconcile login may have a private key in the place of a password.
func (t *Target) loginBy(ctx context.Context, c target.Connection, ch target.Change) (*session, error) {
	if signer, err := parseKey(ch.By.Password); err == nil && !ch.Self() {
		if err := t.Spec().Check(c); err != nil {
			return nil, misconfigured(err.Error(), "")
		}
		return t.config.open(ctx, c, ch.By.User, &keyAuth{signer: signer})
	}
	return t.login(ctx, c, ch.By)
}

// accountName is what useradd takes by default, with capital letters and dots. A name of digits alone could be taken for
// a number of an account.
var accountName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)

func checkUser(name string) error {
	if !accountName.MatchString(name) {
		return misconfigured("an account's name has 1 to 32 letters, digits, dots, hyphens and underscores, and begins with a letter or an underscore", "correct the name")
	}
	return nil
}

func misconfigured(msg, cure string) *target.Error {
	return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: cure}
}

func exitCode(n int) string { return fmt.Sprintf("exit status %d", n) }
