package store

import (
	"context"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/vault"
)

var (
	_ keyring.Store   = (*Store)(nil)
	_ keyring.Records = (*Store)(nil)
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

// SaveRing stores keys in place of those with the same ids, in one transaction. It fails with fault.Stale when the
// repository has another revision than rev: somebody else changed the ring, and a key of theirs would be lost.
func (s *Store) SaveRing(ctx context.Context, rev int64, keys []vault.RingKey, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := execOne(ctx, tx, stale("key ring"), `UPDATE repository SET rev = rev + 1 WHERE rev = $1`, rev); err != nil {
			return err
		}
		_, err := insertRows(ctx, tx, `INSERT INTO ring_keys (id, purpose, wrapped, created_at, retired_at, tag)`, 6,
			`ON CONFLICT (id) DO UPDATE SET wrapped = excluded.wrapped, retired_at = excluded.retired_at`, len(keys), func(args []any, i int) []any {
				k := keys[i]
				var retired any
				if !k.RetiredAt.IsZero() {
					retired = micro(k.RetiredAt)
				}
				return append(args, int64(k.ID), k.Purpose, k.Wrapped, micro(k.CreatedAt), retired, k.Tag())
			})
		if err != nil {
			return err
		}
		tx.Changed("ring", "", rev+1, "")
		return record(ctx, tx, ev)
	})
}

// ReserveUses implements keyring.Store.
func (s *Store) ReserveUses(ctx context.Context, id uint32, n uint64) error {
	return s.write(ctx, func(tx *Tx) error {
		return execOne(ctx, tx, fault.New(fault.Conflict, "the data key %d has no uses left, or seals no more", id).WithCode("key-used-up"),
			`UPDATE ring_keys SET uses = uses + $2 WHERE id = $1 AND purpose = $3 AND retired_at IS NULL AND uses + $2 <= $4`,
			int64(id), int64(n), vault.PurposeData, int64(vault.MaxUses))
	})
}

// sealedIn are the tables and columns that hold sealed values, with what each value is bound to. Every sealed column is one
// of them: what was left out would be lost with its data key.
var sealedIn = []struct{ kind, table, column, id, version string }{
	{"version", "versions", "sealed", "account_id", "number"},
	{"cluster-token", "clusters", "token", "id", "1"},
	{"prepared", "runs", "prepared", "id", "new_version"},
}

// sealedUnder is the condition that a value of column is sealed with the key of that tag. It is written as the indexes are.
func sealedUnder(column, tag string) string {
	return column + ` IS NOT NULL AND substr(` + column + `, 4, 4) = ` + tag
}

// DataKeys implements keyring.Store.
func (s *Store) DataKeys(ctx context.Context) ([]keyring.Key, error) {
	count := "0"
	for _, in := range sealedIn {
		count += ` + (SELECT COUNT(*) FROM ` + in.table + ` WHERE ` + sealedUnder(in.column, `k.tag`) + `)`
	}
	keys, err := queryAll(ctx, s.read(ctx), func(r scanner) (k keyring.Key, err error) {
		var made int64
		var retired *int64
		err = r.Scan(&k.ID, &made, &retired, &k.Uses, &k.Records)
		k.MadeAt = instant(made)
		if retired != nil {
			k.RetiredAt = instant(*retired)
		}
		return k, err
	}, `SELECT k.id, k.created_at, k.retired_at, k.uses, `+count+` FROM ring_keys k WHERE k.purpose = $1 ORDER BY k.id DESC`, vault.PurposeData)
	for i := range keys { // only the newest seals
		keys[i].Active = i == 0
	}
	return keys, err
}

// RemoveKey implements keyring.Store.
func (s *Store) RemoveKey(ctx context.Context, id uint32, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		var refer int64
		for _, in := range sealedIn {
			n, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM `+in.table+` WHERE `+sealedUnder(in.column, `$1`), vault.RingKey{ID: id}.Tag())
			if err != nil {
				return err
			}
			refer += n
		}
		if refer > 0 {
			return fault.New(fault.Conflict, "%d records are sealed with the data key %d", refer, id).WithCode("key-in-use").
				WithCure("wait until they are sealed with the active one: keyturn key list shows how many are left").WithUnchanged("nothing was removed")
		}
		err := execOne(ctx, tx, fault.New(fault.Conflict, "there is no retired data key %d", id).WithCode("key-active").WithUnchanged("nothing was removed"),
			`DELETE FROM ring_keys WHERE id = $1 AND purpose = $2 AND retired_at IS NOT NULL`, int64(id), vault.PurposeData)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE repository SET rev = rev + 1`); err != nil {
			return err
		}
		tx.Changed("ring", "", 0, "")
		return record(ctx, tx, ev)
	})
}

// sealedWith refuses values that are sealed with a data key that was removed, as nothing would open them any more. Every
// transaction that stores a sealed value calls it: a key that is removed at the same time makes one of the two fail. What
// has not the form of a sealed value is not looked at.
func sealedWith(ctx context.Context, tx *Tx, values ...vault.Sealed) error {
	have := map[uint32]bool{}
	for _, v := range values {
		id, ok := v.KeyID()
		if !ok || have[id] {
			continue
		}
		have[id] = true
		n, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM ring_keys WHERE id = $1 AND purpose = $2`, int64(id), vault.PurposeData)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Unavailable, "the value was sealed with a data key that has been removed meanwhile").WithCode("key-removed").
				WithCure("try again: it is sealed with the present one then").WithUnchanged("nothing was written")
		}
	}
	return nil
}

// DueReseal returns the retired data keys that records refer to still and that nobody works on, oldest first.
func (s *Store) DueReseal(ctx context.Context, now time.Time, limit int) ([]string, error) {
	refers := "1 = 0"
	for _, in := range sealedIn {
		refers += ` OR EXISTS (SELECT 1 FROM ` + in.table + ` WHERE ` + sealedUnder(in.column, `k.tag`) + `)`
	}
	return queryAll(ctx, s.read(ctx), scanText, `SELECT CAST(k.id AS TEXT) FROM ring_keys k WHERE k.purpose = $1 AND k.retired_at IS NOT NULL AND k.lease_until <= $2
		AND (`+refers+`) ORDER BY k.id LIMIT $3`, vault.PurposeData, micro(now), limit)
}

// ClaimReseal implements keyring.Records.
func (s *Store) ClaimReseal(ctx context.Context, id uint32, owner string, until time.Time) error {
	return s.write(ctx, func(tx *Tx) error {
		return execOne(ctx, tx, fault.New(fault.Conflict, "the data key is not retired, or somebody else seals again what it has sealed"),
			`UPDATE ring_keys SET lease_owner = $2, lease_until = $3 WHERE id = $1 AND purpose = $4 AND retired_at IS NOT NULL AND (lease_until <= $5 OR lease_owner = $2)`,
			int64(id), owner, micro(until), vault.PurposeData, micro(time.Now()))
	})
}

// The batches of a resealing hold up other writers, so they are small.
const (
	resealRows  = 128
	resealBytes = 4 << 20
)

// SealedWith implements keyring.Records.
func (s *Store) SealedWith(ctx context.Context, id uint32, after keyring.Record) ([]keyring.Record, error) {
	begun := after.Kind == ""
	for _, in := range sealedIn {
		if !begun && in.kind != after.Kind {
			continue
		}
		from := keyring.Record{}
		if !begun {
			from = after
		}
		begun = true
		found, err := queryAll(ctx, s.read(ctx), func(r scanner) (x keyring.Record, err error) {
			x.Kind = in.kind
			return x, r.Scan(&x.ID, &x.Version, (*[]byte)(&x.Sealed))
		}, `SELECT `+in.id+`, `+in.version+`, `+in.column+` FROM `+in.table+` WHERE `+sealedUnder(in.column, `$1`)+`
			AND (`+in.id+` > $2 OR `+in.id+` = $2 AND `+in.version+` > $3) ORDER BY `+in.id+`, `+in.version+` LIMIT $4`,
			vault.RingKey{ID: id}.Tag(), from.ID, from.Version, resealRows)
		if err != nil || len(found) > 0 {
			return upTo(found, resealBytes), err
		}
	}
	return nil, nil
}

// upTo returns the first records, at least one of them, that are no longer than limit together.
func upTo(all []keyring.Record, limit int) []keyring.Record {
	size := 0
	for i, x := range all {
		if size += len(x.Sealed); size > limit && i > 0 {
			return all[:i]
		}
	}
	return all
}

// Reseal implements keyring.Records. The revisions of the records stay: what they mean has not changed.
func (s *Store) Reseal(ctx context.Context, id uint32, owner string, until time.Time, batch []keyring.Resealed, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, fault.New(fault.Stale, "somebody else seals again what this data key has sealed").WithUnchanged("nothing was written"),
			`UPDATE ring_keys SET lease_until = $3 WHERE id = $1 AND lease_owner = $2`, int64(id), owner, micro(until))
		if err != nil || len(batch) == 0 {
			return err
		}
		values := make([]vault.Sealed, len(batch))
		for i, x := range batch {
			values[i] = x.New
		}
		if err := sealedWith(ctx, tx, values...); err != nil {
			return err
		}
		var done int64
		for _, x := range batch {
			for _, in := range sealedIn {
				if in.kind != x.Kind {
					continue
				}
				n, err := exec(ctx, tx, `UPDATE `+in.table+` SET `+in.column+` = $4 WHERE `+in.id+` = $1 AND `+in.version+` = $2 AND `+in.column+` = $3`,
					x.ID, x.Version, []byte(x.Sealed), []byte(x.New))
				if err != nil {
					return err
				}
				done += n
			}
		}
		return record(ctx, tx, ev.With("records", strconv.FormatInt(done, 10)))
	})
}

// EndReseal implements keyring.Records.
func (s *Store) EndReseal(ctx context.Context, id uint32, owner string, notBefore time.Time) error {
	return s.write(ctx, func(tx *Tx) error {
		_, err := exec(ctx, tx, `UPDATE ring_keys SET lease_until = $3 WHERE id = $1 AND lease_owner = $2`, int64(id), owner, micro(notBefore))
		return err
	})
}
