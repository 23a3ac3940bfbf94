package store

import (
	"context"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/vault"
)

// mappedKey is a mapping with what it is judged by.
type mappedKey struct {
	id, secret, key, account string
	rev                      int64
	is                       inventory.MappedKey
}

// judgeMappings compares the mappings of Secrets that were seen again with what is in them now. It must come before the
// keys are replaced. Only mappings that change are written.
func judgeMappings(ctx context.Context, tx *Tx, batch []inventory.Import) error {
	by := make(map[string]*inventory.Import, len(batch))
	var ids []string
	for i, x := range batch {
		if x.Base > 0 {
			by[x.Secret.ID] = &batch[i]
			ids = append(ids, x.Secret.ID)
		}
	}
	return inChunks(ids, func(part []string) error {
		c := &clause{}
		mapped, err := queryAll(ctx, tx, scanMappedKey, `SELECT `+mappedKeyColumns+` FROM `+mappedKeyTables+`
			WHERE m.secret_id IN (`+c.marks(part)+`)`, c.args...)
		if err != nil {
			return err
		}
		changed := map[verdict][]string{}
		for _, m := range mapped {
			if v, differs := judged(m, by[m.secret]); differs {
				changed[v] = append(changed[v], m.id)
				tx.Changed("mapping", m.id, m.rev+1, m.account)
			}
		}
		for v, ids := range changed {
			if err := v.store(ctx, tx, ids); err != nil {
				return err
			}
		}
		return nil
	})
}

const (
	mappedKeyColumns = `m.id, m.secret_id, m.key_name, m.account_id, m.rev, m.state, m.reason, m.uid, m.place, m.fingerprint,
	CASE WHEN m.place = '' THEN k.fingerprint ELSE k.part END`
	mappedKeyTables = `mappings m LEFT JOIN secret_keys k ON k.secret_id = m.secret_id AND k.name = m.key_name`
)

func scanMappedKey(r scanner) (m mappedKey, err error) {
	var expected, before []byte
	var place string
	err = r.Scan(&m.id, &m.secret, &m.key, &m.account, &m.rev, &m.is.State, &m.is.Reason, &m.is.UID, &place, &expected, &before)
	m.is.Expected, m.is.Before = print(expected), print(before)
	if err == nil {
		m.is.Place, err = placeOf(place)
	}
	return m, err
}

// print returns a stored fingerprint, nil if there is none.
func print(b []byte) *vault.Fingerprint {
	if b == nil {
		return nil
	}
	var fp vault.Fingerprint
	copy(fp[:], b)
	return &fp
}

// printOf is the fingerprint of a mark as it is stored; the zero Mark becomes NULL.
func printOf(m vault.Mark) any {
	if m == (vault.Mark{}) {
		return nil
	}
	return m.Print[:]
}

// printed is a fingerprint as it is stored; nil becomes NULL.
func printed(fp *vault.Fingerprint) any {
	if fp == nil {
		return nil
	}
	return fp[:]
}

// verdict is what a mapping becomes. The mappings of one run mostly become the same.
type verdict struct {
	state    inventory.KeyState
	reason   string
	expected vault.Fingerprint
	expects  bool // expected is set
}

// judged returns what a mapping is after its Secret was seen as x, and whether that differs from what is stored.
func judged(m mappedKey, x *inventory.Import) (verdict, bool) {
	var now *vault.Fingerprint
	for _, k := range x.Secret.Keys {
		if k.Name == m.key {
			now = k.Of(m.is.Place)
		}
	}
	v := verdictOf(m.is.Judge(x.Secret.UID, now, slices.Contains(x.Written, m.key)))
	return v, v != verdictOf(m.is)
}

func verdictOf(is inventory.MappedKey) verdict {
	v := verdict{state: is.State, reason: is.Reason}
	if v.expects = is.Expected != nil; v.expects {
		v.expected = *is.Expected
	}
	return v
}

// store gives the verdict to the mappings with these ids.
func (v verdict) store(ctx context.Context, tx *Tx, ids []string) error {
	var expected []byte
	if v.expects {
		expected = v.expected[:]
	}
	return inChunks(ids, func(part []string) error {
		c := &clause{}
		text := `UPDATE mappings SET state = ` + c.arg(string(v.state)) + `, reason = ` + c.arg(v.reason) + `, fingerprint = ` + c.arg(expected) +
			`, checked_at = ` + c.arg(micro(time.Now())) + `, rev = rev + 1 WHERE id IN (` + c.marks(part) + `)`
		_, err := exec(ctx, tx, text, c.args...)
		return err
	})
}

// MarkGone implements inventory.FetchStore.
func (s *Store) MarkGone(ctx context.Context, f inventory.Fetch, ids []string, before time.Time, ev audit.Event) (n int64, err error) {
	err = s.bulk(ctx, func(tx *Tx) error {
		n = 0
		err := inChunks(ids, func(part []string) error {
			some, err := markGone(ctx, tx, part, before)
			n += some
			return err
		})
		if err != nil {
			return err
		}
		f.Counts.Gone += n
		if err := progress(ctx, tx, f); err != nil || n == 0 {
			return err
		}
		return record(ctx, tx, ev)
	})
	return n, err
}

// markGone makes tombstones of Secrets that were not seen after before.
func markGone(ctx context.Context, tx *Tx, ids []string, before time.Time) (int64, error) {
	c := &clause{}
	marks := c.marks(ids)
	rows, err := queryAll(ctx, tx, scanBuried, `SELECT id, resource_id, rev FROM secrets WHERE id IN (`+marks+`) AND deleted_at = 0 AND seen_at < `+c.arg(micro(before)), c.args...)
	if err != nil {
		return 0, err
	}
	return int64(len(rows)), bury(ctx, tx, rows)
}

// goneAt makes tombstones of Secrets that are still at the revision that they are given with, and returns the ids of the others.
func goneAt(ctx context.Context, tx *Tx, all []inventory.Stored) (moved []string, err error) {
	at := make(map[string]int64, len(all))
	ids := make([]string, len(all))
	for i, x := range all {
		at[x.ID], ids[i] = x.Rev, x.ID
	}
	err = inChunks(ids, func(part []string) error {
		c := &clause{}
		rows, err := queryAll(ctx, tx, scanBuried, `SELECT id, resource_id, rev FROM secrets WHERE id IN (`+c.marks(part)+`)`, c.args...)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(x inventory.Secret) bool {
			if x.Rev != at[x.ID] {
				moved = append(moved, x.ID)
			}
			return x.Rev != at[x.ID]
		})
		return bury(ctx, tx, rows)
	})
	return moved, err
}

func scanBuried(r scanner) (x inventory.Secret, err error) {
	return x, r.Scan(&x.ID, &x.ResourceID, &x.Rev)
}

// bury makes tombstones of Secrets and their mappings.
func bury(ctx context.Context, tx *Tx, rows []inventory.Secret) error {
	if len(rows) == 0 {
		return nil
	}
	c := &clause{}
	now := c.arg(micro(time.Now()))
	var gone []string
	for _, x := range rows {
		gone = append(gone, x.ID)
		tx.Changed("secret", x.ID, x.Rev+1, x.ResourceID)
	}
	marks := c.marks(gone)
	if err := settleAll(ctx, tx, gone); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `UPDATE secrets SET state = 'tombstone', reason = 'it was deleted in the cluster; its values are kept', deleted_at = `+now+`, rev = rev + 1
		WHERE id IN (`+marks+`)`, c.args...)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE mappings SET fingerprint = COALESCE(fingerprint, CASE WHEN state = 'in_sync' THEN
		(SELECT CASE WHEN mappings.place = '' THEN k.fingerprint ELSE k.part END FROM secret_keys k WHERE k.secret_id = mappings.secret_id AND k.name = mappings.key_name) END),
		state = 'tombstone', reason = 'the Secret was deleted in the cluster', checked_at = `+now+`, rev = rev + 1
		WHERE secret_id IN (`+marks+`)`, c.args...)
	return err
}
