package identity

import "context"

// Holds reports whether the session or token that actor came with still lets it act: an answer that takes minutes, such as
// a stream, asks this from time to time. It extends nothing. An error of the store counts as no.
func (s *Service) Holds(ctx context.Context, actor Actor) bool {
	u, err := s.Store.User(ctx, actor.ID)
	if err != nil || u.Disabled || u.Role != actor.Role {
		return false
	}
	switch actor.Kind {
	case KindUser:
		ses, err := s.Store.Session(ctx, actor.Via)
		return err == nil && ses.UserID == u.ID && ses.Live(s.now())
	case KindToken:
		t, err := s.Store.Token(ctx, actor.Via)
		return err == nil && t.UserID == u.ID && s.now().Before(t.ExpiresAt)
	}
	return false
}
