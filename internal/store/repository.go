package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/keyturn/keyturn/internal/fault"
)

// Repository is what is true of the repository as a whole.
type Repository struct {
	ID        string // UUIDv7, given when the repository was made
	CreatedAt time.Time
	Rev       int64
}

// founded makes the one row of the repository if it is not there. Of several servers that try, one wins.
func (s *Store) founded(ctx context.Context) error {
	if _, err := s.Repository(ctx); err == nil || fault.KindOf(err) != fault.NotFound {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("found repository: %w", err)
	}
	return s.write(ctx, func(tx *Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO repository (id, one, created_at, settings, rev) VALUES ($1, 1, $2, '{}', 1)
			ON CONFLICT DO NOTHING`, id.String(), time.Now().UnixMicro())
		return err
	})
}

// Repository returns what is true of the repository as a whole.
func (s *Store) Repository(ctx context.Context) (Repository, error) {
	return queryOne(ctx, s.read(ctx), "repository", scanRepository, `SELECT id, created_at, rev FROM repository`)
}

func scanRepository(r scanner) (repo Repository, err error) {
	var at int64
	err = r.Scan(&repo.ID, &at, &repo.Rev)
	repo.CreatedAt = time.UnixMicro(at)
	return repo, err
}
