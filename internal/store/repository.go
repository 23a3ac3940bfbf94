package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/keyturn/keyturn/internal/fault"
)

// Repository is what is true of the repository as a whole.
type Repository struct {
	ID        string // UUIDv7, given when the repository was made
	CreatedAt time.Time
	// Settings are small texts by name, such as the restore epoch. Never nil.
	Settings map[string]string
	Rev      int64
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
	return queryOne(ctx, s.read(ctx), "repository", scanRepository, `SELECT id, created_at, settings, rev FROM repository`)
}

// SetSetting stores a small text under name. It fails with fault.Stale when rev is not the stored one.
func (s *Store) SetSetting(ctx context.Context, rev int64, name, value string) error {
	return s.write(ctx, func(tx *Tx) error {
		repo, err := queryOne(ctx, tx, "repository", scanRepository, `SELECT id, created_at, settings, rev FROM repository`)
		if err != nil {
			return err
		}
		settings := maps.Clone(repo.Settings)
		settings[name] = value
		text, err := json.Marshal(settings)
		if err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return execOne(ctx, tx, stale("repository"), `UPDATE repository SET settings = $3, rev = rev + 1 WHERE id = $1 AND rev = $2`,
			repo.ID, rev, string(text))
	})
}

func scanRepository(r scanner) (repo Repository, err error) {
	var at int64
	var text string
	if err := r.Scan(&repo.ID, &at, &text, &repo.Rev); err != nil {
		return repo, err
	}
	repo.CreatedAt, repo.Settings = time.UnixMicro(at), map[string]string{}
	if err := json.Unmarshal([]byte(text), &repo.Settings); err != nil {
		return repo, fault.New(fault.Conflict, "the repository's settings are not what Keyturn wrote").WithCure("restore a backup")
	}
	return repo, nil
}
