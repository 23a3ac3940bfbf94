package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

// Tokens are API tokens.
type Tokens interface {
	Token(ctx context.Context, id string) (identity.Token, error)
	Tokens(ctx context.Context, ownerID string) ([]identity.Token, error)
	CreateToken(ctx context.Context, actor identity.Actor, n identity.NewToken, known func(scope string) bool) (identity.Token, vault.Value, error)
	DeleteToken(ctx context.Context, actor identity.Actor, id string) error
}

type (
	tokensIn struct {
		Owner string `query:"owner" maxLength:"256" doc:"id or name; without it all tokens that the caller may list"`
	}
	newTokenIn struct{ Body client.NewToken }
	tokenPath  struct {
		Token string `path:"token" maxLength:"64"`
	}
)

// tokenOps registers API tokens.
func (s *Server) tokenOps() {
	op(s, operation[tokensIn]{Method: http.MethodGet, Path: "/tokens", Op: policy.TokenList, Summary: "List API tokens", Object: s.tokenOwner}, s.listTokens)
	own := func(ctx context.Context, _ *newTokenIn) (policy.Object, string, error) {
		return policy.Object{Kind: "token", Owner: requestOf(ctx).actor.ID}, "", nil
	}
	op(s, operation[newTokenIn]{Method: http.MethodPost, Path: "/tokens", Op: policy.TokenCreate, Summary: "Make an API token for oneself",
		Status: http.StatusCreated, Object: own, Secret: true},
		func(ctx context.Context, c call, in *newTokenIn) (*list[client.Token], error) {
			n := identity.NewToken{Name: in.Body.Name, Scopes: in.Body.Scopes, ExpiresAt: in.Body.ExpiresAt}
			t, secret, err := s.Identity.CreateToken(ctx, c.Actor, n, knownScope)
			if err != nil {
				return nil, err
			}
			out := tokenOf(c.Actor, t, c.Actor.Name)
			out.Secret = sent(secret)
			return &list[client.Token]{Body: out}, nil
		})
	object := func(ctx context.Context, in *tokenPath) (policy.Object, string, error) {
		t, err := s.Identity.Token(ctx, in.Token)
		obj, name, err := about("token", in.Token, t.ID, t.Name, err)
		obj.Owner = t.UserID
		return obj, name, err
	}
	op(s, operation[tokenPath]{Method: http.MethodDelete, Path: "/tokens/{token}", Op: policy.TokenDelete, Summary: "Revoke an API token",
		Status: http.StatusNoContent, Object: object},
		func(ctx context.Context, c call, in *tokenPath) (*none, error) {
			return &none{}, s.Identity.DeleteToken(ctx, c.Actor, c.Object.ID)
		})
}

// tokenOwner is whose tokens are asked for: the zero object stands for everybody's.
func (s *Server) tokenOwner(ctx context.Context, in *tokensIn) (policy.Object, string, error) {
	actor := requestOf(ctx).actor
	switch {
	case in.Owner != "":
		return s.userObject(ctx, in.Owner)
	case policy.Decide(actor, policy.TokenList, policy.Object{}).Allowed:
		return policy.Object{}, "", nil
	}
	return policy.Object{Kind: "user", ID: actor.ID, Owner: actor.ID}, actor.Name, nil
}

func (s *Server) listTokens(ctx context.Context, c call, _ *tokensIn) (*list[client.Page[client.Token]], error) {
	all, err := s.Identity.Tokens(ctx, c.Object.ID)
	if err != nil {
		return nil, err
	}
	users, err := s.Identity.Users(ctx)
	if err != nil {
		return nil, err
	}
	names := namesOf(users)
	return whole(all, func(t identity.Token) client.Token { return tokenOf(c.Actor, t, names[t.UserID]) }, c.Actor, policy.TokenCreate), nil
}

func tokenOf(actor identity.Actor, t identity.Token, owner string) client.Token {
	return client.Token{ID: t.ID, Name: t.Name, Owner: client.Member{ID: t.UserID, Name: owner}, Scopes: t.Scopes, ExpiresAt: t.ExpiresAt,
		CreatedAt: t.CreatedAt, LastUsedAt: orNil(t.LastUsedAt),
		Can: canOf(actor, policy.Object{Kind: "token", ID: t.ID, Owner: t.UserID}, map[string]policy.Operation{"delete": policy.TokenDelete})}
}

// knownScope reports whether a scope names an operation, or an object that has some.
func knownScope(scope string) bool {
	object, all := strings.CutSuffix(scope, ".*")
	if !all {
		return scope == "*" || policy.Known(policy.Operation(scope))
	}
	for _, o := range policy.Operations() {
		if strings.HasPrefix(string(o), object+".") {
			return true
		}
	}
	return false
}
