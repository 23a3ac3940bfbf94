package access

import (
	"context"
	"strconv"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Credential is one sealed version of an account's value, or of all of a Secret's data.
type Credential struct {
	AccountID string
	// Name is the account's, or namespace/name of a Secret; ResourceID what it belongs to.
	Name, ResourceID string
	// Secret is true when it is a Secret's: the value is then a bundle of its keys.
	Secret bool
	// Type, Labels and Immutable are a Secret's, as it was last seen.
	Namespace, SecretName, Type string
	Labels                      map[string]string
	Immutable                   bool
	Version                     int64
	Sealed                      vault.Sealed
	// Turns is set when a policy has a value changed after it was revealed: this one, or one that a key of this Secret holds.
	Turns bool
}

// RevealStore is what reveals need from storage.
type RevealStore interface {
	// Credential returns a version of an account or a Secret; version 0 is the current one. It fails with fault.NotFound
	// when there is no such account or version.
	Credential(ctx context.Context, accountID string, version int64) (Credential, error)
	Record(ctx context.Context, ev audit.Event) error
	// RecordReveal is Record for what Turns: in the same transaction the accounts whose current values were revealed become
	// due as their policies say. Of a Secret those are the accounts of the key, or of all keys if it is empty.
	RecordReveal(ctx context.Context, c Credential, key string, ev audit.Event) error
}

// Opener opens sealed values.
type Opener interface {
	Open(rec vault.Record, s vault.Sealed) (vault.Value, error)
}

// Reveals hands values out. Whoever calls it has let the gate decide; it may be used by several goroutines at once.
type Reveals struct {
	Store RevealStore
	Vault Opener
}

// Reveal returns a value and the number of its version. Of a Secret it needs the key. The event is on the disk before the
// value is opened; if opening it then fails, the log says more than happened, never less.
func (s *Reveals) Reveal(ctx context.Context, actor identity.Actor, accountID string, version int64, key, why string) (vault.Value, int64, error) {
	c, err := s.Store.Credential(ctx, accountID, version)
	if err != nil {
		return vault.Value{}, 0, err
	}
	if c.Secret && key == "" {
		return vault.Value{}, 0, fault.New(fault.Invalid, "a Secret holds several values").WithField("key").WithCure("name the key")
	}
	if !c.Secret && key != "" {
		return vault.Value{}, 0, fault.New(fault.Invalid, "an account has one value and no keys").WithField("key")
	}
	ev := c.event(actor, "account.reveal")
	if key != "" {
		ev = ev.With("key", key)
	}
	if why != "" {
		ev = ev.With("why", why)
	}
	if err := s.record(ctx, c, key, ev); err != nil {
		return vault.Value{}, 0, err
	}
	value, err := s.open(c)
	if err != nil || !c.Secret {
		return value, c.Version, err
	}
	data, err := vault.Unbundle(value)
	if err != nil {
		return vault.Value{}, 0, err
	}
	one, ok := data[key]
	if !ok {
		return vault.Value{}, 0, fault.New(fault.NotFound, "that version of the Secret has no such key")
	}
	return one, c.Version, nil
}

// Download returns all of a Secret's data, the current version. The event is on the disk before it is opened.
func (s *Reveals) Download(ctx context.Context, actor identity.Actor, secretID string) (Credential, map[string]vault.Value, error) {
	c, err := s.Store.Credential(ctx, secretID, 0)
	if err != nil {
		return c, nil, err
	}
	if !c.Secret {
		return c, nil, fault.New(fault.Invalid, "only a Secret can be downloaded").WithCure("reveal the account's value")
	}
	if err := s.record(ctx, c, "", c.event(actor, "account.download")); err != nil {
		return c, nil, err
	}
	value, err := s.open(c)
	if err != nil {
		return c, nil, err
	}
	data, err := vault.Unbundle(value)
	return c, data, err
}

// record stores the event, and what follows from the reveal. The plain way is shared by events that come at the same time.
func (s *Reveals) record(ctx context.Context, c Credential, key string, ev audit.Event) error {
	if c.Turns {
		return s.Store.RecordReveal(ctx, c, key, ev)
	}
	return s.Store.Record(ctx, ev)
}

func (s *Reveals) open(c Credential) (vault.Value, error) {
	return s.Vault.Open(vault.Record{Kind: "version", ID: c.AccountID, Version: c.Version}, c.Sealed)
}

func (c Credential) event(actor identity.Actor, action string) audit.Event {
	kind := "account"
	if c.Secret {
		kind = "secret"
	}
	return audit.New(actor, action, audit.Object{Kind: kind, ID: c.AccountID, Name: c.Name, Parent: c.ResourceID}).
		With("version", strconv.FormatInt(c.Version, 10))
}
