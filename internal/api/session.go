package api

import (
	"context"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

// Identity is what this package needs to know of people. [identity.Service] has it.
type Identity interface {
	Authenticator
	Sessions
	OpenSessions
	People
	Groups
	Tokens
}

// Sessions are how people sign in and out.
type Sessions interface {
	Login(ctx context.Context, from identity.Actor, name string, password vault.Value) (vault.Value, identity.Session, identity.User, error)
	Logout(ctx context.Context, actor identity.Actor) error
	Setup(ctx context.Context, from identity.Actor, code vault.Value, name string, password vault.Value) (identity.User, error)
}

type (
	loginIn struct{ Body client.Login }
	setupIn struct{ Body client.Setup }

	// signedIn answers a browser with a cookie, which no script can read, and everybody else with the secret.
	signedIn struct {
		SetCookie string `header:"Set-Cookie"`
		Body      client.Session
	}
	signedOut struct {
		SetCookie string `header:"Set-Cookie"`
	}
)

// sessionOps registers signing in and out, and the making of the first administrator.
func (s *Server) sessionOps() {
	op(s, operation[loginIn]{Method: http.MethodPost, Path: "/session", Op: policy.SessionCreate, Summary: "Sign in", Secret: true},
		func(ctx context.Context, c call, in *loginIn) (*signedIn, error) {
			return s.signIn(ctx, c, in.Body.Name, received(in.Body.Password))
		})
	op(s, operation[setupIn]{Method: http.MethodPost, Path: "/setup", Op: policy.SetupRun,
		Summary: "Make the first administrator and sign in", Secret: true},
		func(ctx context.Context, c call, in *setupIn) (*signedIn, error) {
			u, err := s.Identity.Setup(ctx, c.Actor, received(in.Body.Code), in.Body.Name, received(in.Body.Password))
			if err != nil {
				return nil, err
			}
			return s.signIn(ctx, c, u.Name, received(in.Body.Password))
		})
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/session", Op: policy.SessionGet, Summary: "Who am I"},
		func(ctx context.Context, c call, _ *struct{}) (*list[client.Session], error) {
			ses, err := s.present(ctx, c.Actor, requestOf(ctx).session)
			return &list[client.Session]{Body: ses}, err
		})
	own := func(ctx context.Context, _ *struct{}) (policy.Object, string, error) {
		a := requestOf(ctx).actor
		return policy.Object{Kind: "session", ID: a.Via, Owner: a.ID}, a.Name, nil
	}
	op(s, operation[struct{}]{Method: http.MethodDelete, Path: "/session", Op: policy.SessionDelete, Summary: "Sign out",
		Status: http.StatusNoContent, Object: own},
		func(ctx context.Context, c call, _ *struct{}) (*signedOut, error) {
			if err := s.Identity.Logout(ctx, c.Actor); err != nil {
				return nil, err
			}
			return &signedOut{SetCookie: cookie("", -1)}, nil
		})
}

func (s *Server) signIn(ctx context.Context, c call, name string, password vault.Value) (*signedIn, error) {
	secret, ses, u, err := s.Identity.Login(ctx, c.Actor, name, password)
	if err != nil {
		return nil, err
	}
	actor := identity.Actor{ID: u.ID, Name: u.Name, Kind: identity.KindUser, Role: u.Role, Via: ses.ID}
	out := &signedIn{Body: sessionOf(actor, u, ses)}
	if c.Browser {
		out.SetCookie = cookie(sent(secret).Text(), 0)
	} else {
		out.Body.Secret = sent(secret)
	}
	return out, nil
}

// present describes who asks. A token has no session, but an end.
func (s *Server) present(ctx context.Context, actor identity.Actor, ses identity.Session) (client.Session, error) {
	u, err := s.Identity.User(ctx, actor.ID)
	if err != nil {
		return client.Session{}, err
	}
	out := sessionOf(actor, u, ses)
	if actor.Kind == identity.KindToken {
		t, err := s.Identity.Token(ctx, actor.Via)
		if err != nil {
			return client.Session{}, err
		}
		out.ExpiresAt = orNil(t.ExpiresAt)
	}
	return out, nil
}

func sessionOf(actor identity.Actor, u identity.User, ses identity.Session) client.Session {
	ops := policy.Operations()
	verbs := make(map[string]policy.Operation, len(ops))
	for _, o := range ops {
		verbs[string(o)] = o
	}
	out := client.Session{User: userOf(actor, u), Kind: string(actor.Kind), Scopes: actor.Scopes,
		Can: canOf(actor, policy.Object{Owner: actor.ID}, verbs)}
	if actor.Kind == identity.KindUser {
		out.ExpiresAt, out.IdleUntil = orNil(ses.ExpiresAt), orNil(idleEnd(ses))
	}
	return out
}

// idleEnd is when a session ends without a further request.
func idleEnd(ses identity.Session) time.Time {
	end := ses.LastSeenAt.Add(identity.SessionIdle)
	if ses.ExpiresAt.Before(end) {
		return ses.ExpiresAt
	}
	return end
}

// cookie is the header that sets the session's cookie, for as long as the browser runs, or takes it back with an age of -1.
func cookie(secret string, age int) string {
	c := http.Cookie{Name: CookieName, Value: secret, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	return c.String()
}

// received is a value that came in, and sent one that goes out.
func received(v client.Value) vault.Value { return vault.NewValue([]byte(v.Text())) }

func sent(v vault.Value) (out client.Value) {
	_ = v.Expose(func(b []byte) error { // the function never fails
		out = client.NewValue(string(b))
		return nil
	})
	return out
}
