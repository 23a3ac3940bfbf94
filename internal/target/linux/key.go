package linux

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// Key is the type "linux-key": a value is a private key, and what the machine is told is its public half. It keeps no
// connection and may be used by several goroutines at once.
type Key struct{ config Config }

// NewKey returns the type.
func NewKey(c Config) *Key { return &Key{config: c.withDefaults()} }

// Over implements target.Dialer.
func (k *Key) Over(dial target.DialFunc) target.Target { return &Key{config: k.config.over(dial)} }

// fieldOthers says what to do with keys of an account that are not those of a change.
const fieldOthers = "other_keys"

// Spec implements target.Target.
func (*Key) Spec() target.Spec {
	return target.Spec{
		Type:         "linux-key",
		Name:         "Linux (SSH keys)",
		Description:  "SSH key pairs of accounts of a Linux machine: the new public key is installed beside the old one, proved by a login, and the old one removed.",
		Fields:       keyFields(),
		Limits:       keyLimits(),
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true, Overlap: true},
	}
}

func keyLimits() target.Limits {
	return target.Limits{
		MinLength: 1,
		MaxLength: 16384,
		Alphabet:  "a private key in OpenSSH's or another PEM form, without a passphrase",
		Forbidden: "\x00",
	}
}

func keyFields() []target.Field {
	return append(hostFields(),
		target.Field{Name: fieldMethod, Label: "How a reconcile login changes accounts", Help: "sudo: a shell of the account itself by sudo. root: the login is root. self: not at all, each account changes itself.", Default: methodSudo, Kind: target.KindChoice, Options: []string{methodSudo, methodRoot, methodSelf}},
		target.Field{Name: fieldOthers, Label: "Other keys of an account", Help: "refuse: an account has one key, and a reset replaces every other. keep: keys that are not Keyturn's are left alone.", Default: "refuse", Kind: target.KindChoice, Options: []string{"refuse", "keep"}},
	)
}

// Generate implements target.Generator: an Ed25519 key in OpenSSH's form.
func (*Key) Generate() (vault.Value, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return vault.Value{}, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return vault.Value{}, err
	}
	return vault.NewValue(pem.EncodeToMemory(block)), nil
}

// Prepare implements target.Preparer: the result is the public key, as in authorized_keys.
func (*Key) Prepare(account string, value vault.Value) (vault.Value, error) {
	if err := checkUser(account); err != nil {
		return vault.Value{}, err
	}
	signer, err := parseKey(value)
	if err != nil {
		return vault.Value{}, err
	}
	return vault.NewValue([]byte(publicLine(signer))), nil
}

// parseKey fails with Rejected when value is no private key.
func parseKey(value vault.Value) (signer ssh.Signer, err error) {
	if err := keyLimits().Check(value); err != nil {
		return nil, err
	}
	rejected := &target.Error{Outcome: target.Rejected, Msg: "the value is no private key that can be read", Cure: "give one in OpenSSH's form, and nothing else"}
	err = value.Expose(func(b []byte) (err error) {
		if block, rest := pem.Decode(b); block == nil || len(bytes.TrimSpace(rest)) > 0 || !bytes.HasPrefix(b, []byte("-----BEGIN ")) {
			return rejected
		}
		signer, err = ssh.ParsePrivateKey(b)
		return err
	})
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		rejected.Msg, rejected.Cure = "the private key is protected by a passphrase", "give one without: the vault protects it"
	}
	if err != nil {
		return nil, rejected
	}
	return signer, nil
}

// publicLine is a key as authorized_keys has it, without options and comment.
func publicLine(signer ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// nextKey returns the public key of a new value if its prepared text is that.
func nextKey(p target.Prepared) (string, error) {
	signer, err := parseKey(p.Value)
	if err != nil {
		return "", err
	}
	line := publicLine(signer)
	if !p.Text.Equal(vault.NewValue([]byte(line))) {
		return "", misconfigured("the prepared public key is not that of the new value", "prepare the change anew")
	}
	return line, nil
}

// Verify implements target.Verifier: a login with the key, id -un, and a login with another key.
func (k *Key) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	ctx, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	s, err := k.login(ctx, c, l)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.whoami(l.User); err != nil {
		return err
	}
	if l.Before.Len() == 0 || l.Before.Equal(l.Password) {
		if l.Before, err = k.Generate(); err != nil {
			return misconfigured("no random key could be made", "")
		}
	}
	wrong, err := k.login(ctx, c, l.Wrong())
	if err == nil {
		wrong.close()
		return unproven()
	}
	if target.OutcomeOf(err) == target.Refused {
		return nil
	}
	return err
}

// keyAuth logs in with one key.
type keyAuth struct {
	signer ssh.Signer
	sent   bool
}

func (a *keyAuth) answered() bool { return a.sent }

func (a *keyAuth) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	switch {
	case len(c.PartialSuccessMethods) > 0:
		return nil, errMoreAsked
	case a.sent:
		return nil, nil // the handshake ends with what the server said to the key, or with what broke it
	case slices.Contains(c.AllowedMethods, "publickey"):
		return ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { a.sent = true; return []ssh.Signer{a.signer}, nil }), nil
	}
	return nil, errNotOffered
}

// login opens a session of l with its key.
func (k *Key) login(ctx context.Context, c target.Connection, l target.Login) (*session, error) {
	signer, err := parseKey(l.Password)
	if err != nil {
		return nil, misconfigured("the stored value is no private key", "store the account's private key, without a passphrase")
	}
	if err := k.Spec().Check(c); err != nil {
		return nil, misconfigured(err.Error(), "")
	}
	return k.config.open(ctx, c, l.User, &keyAuth{signer: signer})
}
