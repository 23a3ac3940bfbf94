package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/identity"
)

// DropEnded implements identity.EndedStore. Nobody is told of each: what has run out was no session and no token any more.
func (s *Store) DropEnded(ctx context.Context, now, idle, tokens time.Time, evidence func(sessions, tokens int64) identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		ended, err := exec(ctx, tx, `DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2`, micro(now), micro(idle))
		if err != nil {
			return err
		}
		expired, err := exec(ctx, tx, `DELETE FROM tokens WHERE expires_at <= $1`, micro(tokens))
		if err != nil {
			return err
		}
		if ended+expired == 0 {
			return nil
		}
		return record(ctx, tx, event(evidence(ended, expired)))
	})
}
