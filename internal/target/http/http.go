// Package http changes and proves credentials of systems that have no type of their own but speak HTTP: by a signed
// webhook, which somebody writes for the system, or by a request that the resource's settings describe.
//
// A value travels in bodies and headers of requests, over TLS, and never in a URL. No redirect is followed, no proxy is
// asked, and what a server answers is judged by its status alone: its text is not shown, because it can repeat a value.
package http

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

const (
	// maxUser bounds an account's name and maxValue a value, in bytes. Many servers take no header of more than 8 KiB, and
	// Base64 adds a third.
	maxUser  = 256
	maxValue = 4096
)

// Config is what a Target needs; a verb may take 15 seconds.
type Config = dial.Config

// Target is the type "http". It keeps no connection and may be used by several goroutines at once.
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
		Type:        "http",
		Name:        "HTTP",
		Description: "Any system behind HTTPS: changed and proved by a signed webhook, or by requests that the settings describe.",
		Fields:      fields(),
		Limits: target.Limits{
			MinLength: 1,
			MaxLength: maxValue,
			Alphabet:  "printable ASCII without the space, unless the system is known to take more",
			Forbidden: "\x00\r\n",
			UTF8:      true,
		},
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true},
	}
}

// Change implements target.Changer by one request. By signs the webhook with its password; a described request carries it
// where its templates say so.
func (t *Target) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	if err := t.checkLogin(ch.By); err != nil {
		return err
	}
	if err := checkUser(ch.Account); err != nil {
		return err
	}
	if err := t.Spec().Limits.Check(ch.Value); err != nil {
		return err
	}
	s, err := t.read(c)
	if err != nil {
		return err
	}
	if s.visibleOnly() && !visible(ch.Value) {
		return &target.Error{Outcome: target.Rejected, Msg: "the value has characters that cannot stand in a header or a text as they are", Cure: "choose another value, of visible ASCII"}
	}
	req, err := s.change(ch)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	got, err := t.send(ctx, s, req)
	if err != nil {
		return err
	}
	return s.changeError(got)
}

// Verify implements target.Verifier, where the settings say how: one request with the value, and one with a wrong
// one, which must be refused.
func (t *Target) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	if err := t.checkLogin(l); err != nil {
		return err
	}
	s, err := t.read(c)
	if err != nil {
		return err
	}
	if s.verify.path == nil {
		return &target.Error{Outcome: target.Unsupported, Msg: "this resource does not say how a login is verified", Cure: "give it a path to verify at"}
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	if err := t.tryLogin(ctx, s, l); err != nil {
		return err
	}
	err = t.tryLogin(ctx, s, l.Wrong())
	switch target.OutcomeOf(err) {
	case "":
		return &target.Error{Outcome: target.Unproven, Msg: "the server accepted a wrong value too", Cure: "look at what it checks where it is asked"}
	case target.Refused:
		return nil
	}
	return err
}

func (t *Target) tryLogin(ctx context.Context, s settings, l target.Login) error {
	req, err := s.login(l)
	if err != nil {
		return err
	}
	got, err := t.send(ctx, s, req)
	if err != nil { // it changes nothing, so that nothing is left open
		return unreachable(err)
	}
	return s.loginError(got)
}

func (t *Target) checkLogin(l target.Login) error {
	if err := checkUser(l.User); err != nil {
		return err
	}
	if l.Password.Len() == 0 {
		return misconfigured("an empty value is never tried", "set a value first")
	}
	if t.Spec().Limits.Check(l.Password) != nil {
		return misconfigured("the stored value is none that an account of this type can have", "store the account's value")
	}
	return nil
}

func checkUser(name string) error {
	if name == "" || len(name) > maxUser || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return misconfigured("an account's name has 1 to 256 bytes of UTF-8 without control characters", "correct the name")
	}
	return nil
}

func misconfigured(msg, cure string) *target.Error {
	return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: cure}
}
