package identity

import (
	"context"
	"strconv"
	"time"
)

// TokenMemory is how long after its end a token is still listed, so that its owner can see why a program is refused.
const TokenMemory = 30 * 24 * time.Hour

// EndedStore forgets what has run out.
type EndedStore interface {
	// DropEnded deletes the sessions that expired by now or were last seen by idle, and the tokens that expired by
	// tokens. If that is anything it records what evidence returns for the numbers of both.
	DropEnded(ctx context.Context, now, idle, tokens time.Time, evidence func(sessions, tokens int64) Evidence) error
}

// Tidy deletes the sessions that have run out, and the tokens that did so [TokenMemory] ago. Neither could sign anybody in
// any more. It may run at any time and on several servers at once.
func (s *Service) Tidy(ctx context.Context) error {
	now := s.now()
	return s.Store.DropEnded(ctx, now, now.Add(-SessionIdle), now.Add(-TokenMemory), func(sessions, tokens int64) Evidence {
		return Evidence{Actor: System("janitor"), Action: "session.expire", Kind: "session", Details: map[string]string{
			"sessions": strconv.FormatInt(sessions, 10), "tokens": strconv.FormatInt(tokens, 10)}}
	})
}
