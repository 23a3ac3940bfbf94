package store

import (
	"context"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/vault"
)

// RingKeys returns every wrapped key of the ring, none in a repository that has no ring yet, and the repository's
// revision, which SaveRing asks for.
func (s *Store) RingKeys(ctx context.Context) (keys []vault.RingKey, rev int64, err error) {
	repo, err := s.Repository(ctx)
	if err != nil {
		return nil, 0, err
	}
	keys, err = queryAll(ctx, s.read(ctx), func(r scanner) (k vault.RingKey, err error) {
		var created int64
		var retired *int64
		if err := r.Scan(&k.ID, &k.Purpose, &k.Wrapped, &created, &retired); err != nil {
			return k, err
		}
		k.CreatedAt = instant(created)
		if retired != nil {
			k.RetiredAt = instant(*retired)
		}
		return k, nil
	}, `SELECT id, purpose, wrapped, created_at, retired_at FROM ring_keys ORDER BY id`)
	return keys, repo.Rev, err
}

// SaveRing puts keys in place of all that are stored, in one transaction. It fails with fault.Stale when the repository
// has another revision than rev: somebody else changed the ring, and a key of theirs would be lost.
func (s *Store) SaveRing(ctx context.Context, rev int64, keys []vault.RingKey, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := execOne(ctx, tx, stale("key ring"), `UPDATE repository SET rev = rev + 1 WHERE rev = $1`, rev); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM ring_keys`); err != nil {
			return err
		}
		_, err := insertRows(ctx, tx, `INSERT INTO ring_keys (id, purpose, wrapped, created_at, retired_at)`, 5, "", len(keys), func(args []any, i int) []any {
			k := keys[i]
			var retired any
			if !k.RetiredAt.IsZero() {
				retired = micro(k.RetiredAt)
			}
			return append(args, int64(k.ID), k.Purpose, k.Wrapped, micro(k.CreatedAt), retired)
		})
		if err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}
