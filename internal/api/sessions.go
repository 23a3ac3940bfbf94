package api

import (
	"context"
	"net/http"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

// OpenSessions are the sign-ins that last.
type OpenSessions interface {
	Session(ctx context.Context, id string) (identity.Session, error)
	Sessions(ctx context.Context, userID string) ([]identity.Session, error)
	EndSession(ctx context.Context, actor identity.Actor, id string) error
}

type (
	sessionsIn struct {
		User string `query:"user" maxLength:"256" doc:"id or name; without it the caller"`
	}
	sessionPath struct {
		Session string `path:"session" maxLength:"64" doc:"id"`
	}
)

// openSessionOps registers what is done with sessions from outside of them.
func (s *Server) openSessionOps() {
	op(s, operation[sessionsIn]{Method: http.MethodGet, Path: "/sessions", Op: policy.SessionList, Summary: "A user's sessions that last, newest first",
		Object: s.sessionsOwner}, s.sessions)
	op(s, operation[sessionPath]{Method: http.MethodDelete, Path: "/sessions/{session}", Op: policy.SessionDelete, ID: "session.end",
		Summary: "End a session, at once", Status: http.StatusNoContent,
		Object: func(ctx context.Context, in *sessionPath) (policy.Object, string, error) {
			ses, err := s.Identity.Session(ctx, in.Session)
			obj, _, err := about("session", in.Session, ses.ID, "", err)
			obj.Owner = ses.UserID
			return obj, "", err
		}},
		func(ctx context.Context, c call, _ *sessionPath) (*none, error) {
			return &none{}, hide(s.Identity.EndSession(ctx, c.Actor, c.Object.ID)) // it may have ended since
		})
}

// sessionsOwner is whose sessions are asked for.
func (s *Server) sessionsOwner(ctx context.Context, in *sessionsIn) (policy.Object, string, error) {
	if in.User != "" {
		return s.userObject(ctx, in.User)
	}
	actor := requestOf(ctx).actor
	return policy.Object{Kind: "user", ID: actor.ID, Owner: actor.ID}, actor.Name, nil
}

func (s *Server) sessions(ctx context.Context, c call, _ *sessionsIn) (*list[items[client.OpenSession]], error) {
	all, err := s.Identity.Sessions(ctx, c.Object.ID)
	if err != nil {
		return nil, err
	}
	of := client.Member{ID: c.Object.ID, Name: c.Called}
	return itemsOf(all, func(ses identity.Session) client.OpenSession {
		return client.OpenSession{ID: ses.ID, User: of, CreatedAt: ses.CreatedAt, LastSeenAt: ses.LastSeenAt, ExpiresAt: ses.ExpiresAt, IdleUntil: idleEnd(ses),
			Address: ses.Address, Current: ses.ID == c.Via,
			Can: canOf(c.Actor, policy.Object{Kind: "session", ID: ses.ID, Owner: ses.UserID}, map[string]policy.Operation{"delete": policy.SessionDelete})}
	}), nil
}
