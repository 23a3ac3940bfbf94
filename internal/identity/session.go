package identity

import (
	"context"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// How long a session lasts.
const (
	SessionIdle = 15 * time.Minute // without a request
	SessionLife = 12 * time.Hour   // whatever happens

	touchEvery = time.Minute
)

// Session is a sign-in of a user that lasts for some time.
type Session struct {
	ID, UserID string
	Hash       SecretHash `json:"-"`
	CreatedAt  time.Time
	LastSeenAt time.Time // up to a minute behind
	ExpiresAt  time.Time // the latest end
	Address    string    // where the sign-in came from
}

// Live reports whether the session still counts at now.
func (s Session) Live(now time.Time) bool {
	return now.Before(s.ExpiresAt) && now.Sub(s.LastSeenAt) < SessionIdle
}

// Authenticate returns who sends a session or token secret, and the session where it is one. It fails with
// fault.Unauthenticated for a secret that was never issued, has run out or was revoked, and for a disabled user. What it
// answers was true in the repository when it was called: nothing is remembered from request to request.
func (s *Service) Authenticate(ctx context.Context, secret vault.Value, address string) (Actor, Session, error) {
	return s.authenticate(ctx, secret, address, true)
}

// Recognise is Authenticate for a request that no person's work stands behind, such as a page that listens for changes: it
// does not put off the end of an idle session.
func (s *Service) Recognise(ctx context.Context, secret vault.Value, address string) (Actor, Session, error) {
	return s.authenticate(ctx, secret, address, false)
}

func (s *Service) authenticate(ctx context.Context, secret vault.Value, address string, atWork bool) (Actor, Session, error) {
	p, hash, err := ParseSecret(secret)
	if err != nil {
		return Actor{}, Session{}, err
	}
	switch p {
	case PrefixSession:
		return s.bySession(ctx, hash, address, atWork)
	case PrefixToken:
		a, err := s.byToken(ctx, hash, address)
		return a, Session{}, err
	}
	return Actor{}, Session{}, fault.New(fault.Unauthenticated, "a setup code is good for setup only").WithCode("secret-malformed").
		WithCure("sign in, or send an API token")
}

func (s *Service) bySession(ctx context.Context, hash SecretHash, address string, atWork bool) (Actor, Session, error) {
	ended := fault.New(fault.Unauthenticated, "the session has ended").WithCode("session-ended").WithCure("sign in again")
	ses, h, err := s.Store.SessionByHash(ctx, hash)
	if fault.KindOf(err) == fault.NotFound {
		return Actor{}, Session{}, ended
	}
	if err != nil {
		return Actor{}, Session{}, err
	}
	now := s.now()
	if !ses.Hash.Equal(hash) || !ses.Live(now) || h.User.Disabled {
		return Actor{}, Session{}, ended
	}
	if atWork && now.Sub(ses.LastSeenAt) >= touchEvery {
		s.touch(ctx, PrefixSession, ses.ID, now)
		ses.LastSeenAt = now
	}
	return h.actor(KindUser, ses.ID, address), ses, nil
}

func (s *Service) byToken(ctx context.Context, hash SecretHash, address string) (Actor, error) {
	ended := fault.New(fault.Unauthenticated, "the token has expired or was revoked").WithCode("token-ended").WithCure("create a new token")
	t, h, err := s.Store.TokenByHash(ctx, hash)
	if fault.KindOf(err) == fault.NotFound {
		return Actor{}, ended
	}
	if err != nil {
		return Actor{}, err
	}
	now := s.now()
	if !t.Hash.Equal(hash) || !now.Before(t.ExpiresAt) || h.User.Disabled {
		return Actor{}, ended
	}
	if now.Sub(t.LastUsedAt) >= touchEvery {
		s.touch(ctx, PrefixToken, t.ID, now)
	}
	a := h.actor(KindToken, t.ID, address)
	a.Scopes = t.Scopes
	return a, nil
}

// touch fails to the safe side: a session that could not be touched ends sooner.
func (s *Service) touch(ctx context.Context, p Prefix, id string, now time.Time) {
	if err := s.Store.Touch(ctx, p, id, now); err != nil {
		s.warn(ctx, "the last use of a session or token was not stored", err)
	}
}

func (h Holder) actor(kind ActorKind, via, address string) Actor {
	return Actor{ID: h.User.ID, Name: h.User.Name, Kind: kind, Role: h.User.Role, Groups: h.Groups, Via: via, Address: address}
}

// Logout ends the session that actor came with. It fails with fault.Invalid for an actor that came with none, such as a
// token; a session that has ended already is no error.
func (s *Service) Logout(ctx context.Context, actor Actor) error {
	if actor.Kind != KindUser || actor.Via == "" {
		return fault.New(fault.Invalid, "there is no session to end").WithCure("delete the token to revoke it")
	}
	err := s.Store.EndSession(ctx, actor.Via, endOf(actor, actor.Via, actor.Name))
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// Session returns a session, whether it has run out or not. It fails with fault.NotFound.
func (s *Service) Session(ctx context.Context, id string) (Session, error) {
	return s.Store.Session(ctx, id)
}

// Sessions returns the sessions of a user that have not run out, newest first.
func (s *Service) Sessions(ctx context.Context, userID string) ([]Session, error) {
	all, err := s.Store.Sessions(ctx, userID)
	now := s.now()
	return slices.DeleteFunc(all, func(x Session) bool { return !x.Live(now) }), err
}

// EndSession ends any session, at once. It fails with fault.NotFound.
func (s *Service) EndSession(ctx context.Context, actor Actor, id string) error {
	ses, err := s.Store.Session(ctx, id)
	if err != nil {
		return err
	}
	u, err := s.Store.User(ctx, ses.UserID)
	if err != nil {
		return err
	}
	return s.Store.EndSession(ctx, id, endOf(actor, id, u.Name))
}

func endOf(actor Actor, id, name string) Evidence {
	return Evidence{Actor: actor, Action: "session.delete", Kind: "session", ID: id, Name: name}
}
