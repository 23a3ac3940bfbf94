package identity

import (
	"context"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Token is an API token: it acts as its owner, within its scopes, until it expires.
type Token struct {
	ID, UserID string
	Name       string // unique among the owner's
	Scopes     []string
	Hash       SecretHash `json:"-"`
	ExpiresAt  time.Time
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never; up to a minute behind
	Rev        int64
}

// NewToken is a token to make.
type NewToken struct {
	Name      string
	Scopes    []string
	ExpiresAt time.Time // at most a year ahead
}

// CreateToken makes a token for actor and returns its secret, which cannot be had again. known says whether a scope,
// which has the right form, names something. It fails with fault.Invalid, naming the field, with fault.Conflict when the
// owner has a token of that name, and with fault.Denied for an actor that is nobody's or a token that would give more
// than it has.
func (s *Service) CreateToken(ctx context.Context, actor Actor, n NewToken, known func(scope string) bool) (Token, vault.Value, error) {
	now := s.now()
	t, err := n.token(now, known)
	if err != nil {
		return Token{}, vault.Value{}, err
	}
	switch {
	case actor.Kind == KindToken && !Narrower(t.Scopes, actor.Scopes):
		err = fault.New(fault.Denied, "a token can give only scopes that it has itself").WithCode("scopes-too-wide").WithField("scopes").
			WithCure("choose narrower scopes, or sign in to make the token")
	case actor.Kind != KindToken && actor.Kind != KindUser:
		err = fault.New(fault.Denied, "only a user can have tokens").WithCure("sign in")
	}
	if err != nil {
		return Token{}, vault.Value{}, err
	}
	var secret vault.Value
	t.ID, t.UserID, t.CreatedAt, t.Rev = newID(), actor.ID, now, 1
	secret, t.Hash = NewSecret(PrefixToken)
	ev := onToken(actor, "token.create", t)
	ev.Details = map[string]string{"scopes": strings.Join(t.Scopes, " "), "expires": t.ExpiresAt.Format(time.RFC3339)}
	if err := s.Store.AddToken(ctx, t, ev); err != nil {
		return Token{}, vault.Value{}, err
	}
	return t, secret, nil
}

func (n NewToken) token(now time.Time, known func(string) bool) (t Token, err error) {
	if t.Name, err = cleanText("name", n.Name); err != nil {
		return t, err
	}
	if t.Name == "" {
		return t, fault.New(fault.Invalid, "a token needs a name").WithField("name").WithCure("name it after what will use it")
	}
	if t.Scopes, err = ParseScopes(n.Scopes); err != nil {
		return t, err
	}
	for _, scope := range t.Scopes {
		if !known(scope) {
			return t, fault.New(fault.Invalid, "a scope names no operation").WithField("scopes").
				WithCure("look at the list of operations")
		}
	}
	t.ExpiresAt = n.ExpiresAt.UTC().Truncate(time.Microsecond)
	if !t.ExpiresAt.After(now) || t.ExpiresAt.After(now.AddDate(1, 0, 0)) {
		return t, fault.New(fault.Invalid, "a token has to expire within a year").WithField("expiresAt").
			WithCure("choose a time between now and a year from now")
	}
	return t, nil
}

// Token returns a token, whether it has expired or not. It fails with fault.NotFound.
func (s *Service) Token(ctx context.Context, id string) (Token, error) { return s.Store.Token(ctx, id) }

// Tokens returns the tokens of a user, or of everybody when ownerID is empty, newest first, expired ones included.
func (s *Service) Tokens(ctx context.Context, ownerID string) ([]Token, error) {
	return s.Store.Tokens(ctx, ownerID)
}

// DeleteToken revokes a token, at once. It fails with fault.NotFound.
func (s *Service) DeleteToken(ctx context.Context, actor Actor, id string) error {
	t, err := s.Store.Token(ctx, id)
	if err != nil {
		return err
	}
	return s.Store.DeleteToken(ctx, id, onToken(actor, "token.delete", t))
}

func onToken(actor Actor, action string, t Token) Evidence {
	return Evidence{Actor: actor, Action: action, Kind: "token", ID: t.ID, Name: t.Name}
}
