package store

import (
	"context"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/inventory"
)

var _ inventory.PushStore = (*Store)(nil)

// MappedTo implements inventory.PushStore.
func (s *Store) MappedTo(ctx context.Context, secretID string) (map[string]string, error) {
	by := map[string]string{}
	_, err := queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
		var key, account string
		err = r.Scan(&key, &account)
		by[key] = account
		return none, err
	}, `SELECT m.key_name, r.name || '/' || a.name FROM mappings m JOIN accounts a ON a.id = m.account_id JOIN resources r ON r.id = a.resource_id
		WHERE m.secret_id = $1`, secretID)
	return by, err
}

// BeginPush implements inventory.PushStore.
func (s *Store) BeginPush(ctx context.Context, secretID string, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := unrestored(ctx, tx); err != nil {
			return err
		}
		now, err := queryOne(ctx, tx, "Secret", scanInt, `SELECT rev FROM secrets WHERE id = $1`, secretID)
		if err != nil {
			return err
		}
		if now != rev {
			return stale("Secret")
		}
		return record(ctx, tx, ev)
	})
}
