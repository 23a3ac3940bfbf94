package store

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/keyturn/keyturn/internal/inventory"
)

// rememberKeys notes, of Secrets that get new values, what keys hold that get another value or go, which stays in a version
// that is kept, and what each key has become.
func rememberKeys(ctx context.Context, tx *Tx, batch []inventory.Import, ids []string) error {
	next := make(map[string]inventory.Import, len(ids))
	for _, x := range batch {
		next[x.Secret.ID] = x
	}
	var past []keyRow
	had := make(map[string]map[string]bool, len(ids))
	type change struct {
		secret, name, what string
		version            int64
	}
	var changes []change
	err := inChunks(ids, func(part []string) error {
		c := &clause{}
		rows, err := queryAll(ctx, tx, func(r scanner) (k keyRow, err error) {
			var fp []byte
			err = r.Scan(&k.secret, &k.key.Name, &fp)
			copy(k.key.Fingerprint[:], fp)
			return k, err
		}, `SELECT secret_id, name, fingerprint FROM secret_keys WHERE secret_id IN (`+c.marks(part)+`)`, c.args...)
		for _, k := range rows {
			if had[k.secret] == nil {
				had[k.secret] = map[string]bool{}
			}
			had[k.secret][k.key.Name] = true
			now := next[k.secret]
			i := slices.IndexFunc(now.Secret.Keys, func(n inventory.Key) bool { return n.Name == k.key.Name })
			if i >= 0 && now.Secret.Keys[i].Fingerprint == k.key.Fingerprint {
				continue
			}
			what := inventory.KeyRemoved
			if i >= 0 {
				what = inventory.KeyChanged
			}
			past = append(past, k)
			changes = append(changes, change{k.secret, k.key.Name, string(what), now.Values.Number})
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		for _, k := range next[id].Secret.Keys {
			if !had[id][k.Name] {
				changes = append(changes, change{id, k.Name, string(inventory.KeyAdded), next[id].Values.Number})
			}
		}
	}
	_, err = insertFew(ctx, tx, `INSERT INTO past_keys (secret_id, name, fingerprint, version)`, 4,
		`ON CONFLICT (secret_id, name, fingerprint) DO UPDATE SET version = excluded.version`, len(past), func(args []any, i int) []any {
			k := past[i]
			return append(args, k.secret, k.key.Name, k.key.Fingerprint[:], next[k.secret].Values.Number-1)
		})
	if err != nil {
		return err
	}
	_, err = insertFew(ctx, tx, `INSERT INTO key_changes (secret_id, version, name, change)`, 4, "", len(changes), func(args []any, i int) []any {
		x := changes[i]
		return append(args, x.secret, x.version, x.name, x.what)
	})
	return err
}

// SecretVersion is a version of a Secret with what it changed.
type SecretVersion struct {
	inventory.Version
	Keys []inventory.KeyChange // by name; of the first version all that it has
}

// SecretVersionQuery chooses a page of a Secret's versions.
type SecretVersionQuery struct {
	SecretID string
	Limit    int    // 1 to 500; zero means 100
	Cursor   string // Next of the page before
}

const versionOrder = "-version"

// SecretVersions returns one page of the versions of a Secret that v may know of, newest first, with which keys each has added,
// changed or removed. No value is opened for it.
func (s *Store) SecretVersions(ctx context.Context, v Viewer, q SecretVersionQuery) (Page[SecretVersion], error) {
	p := Page[SecretVersion]{Counts: map[string]int64{}}
	limit, err := limitOf(q.Limit)
	if err != nil {
		return p, err
	}
	c := v.clause()
	v.visible(c, seesAccount)
	c.and(`x.id = ` + c.arg(clean(q.SecretID)))
	from := ` FROM secrets x JOIN versions n ON n.account_id = x.id`
	if p.Total, err = queryOne(ctx, s.read(ctx), "count", scanInt, v.with()+`SELECT COUNT(*)`+from+c.String(), c.args...); err != nil {
		return p, err
	}
	if q.Cursor != "" {
		after, err := parseCursor(q.Cursor, versionOrder, true)
		if err != nil {
			return p, err
		}
		c.and(`n.number < ` + c.arg(after.Key))
	}
	rows, err := queryAll(ctx, s.read(ctx), scanVersion, v.with()+`SELECT n.account_id, n.number, n.stage, n.source, n.actor_id, n.actor_name, n.created_at, n.retired_at,
		n.sealed, n.login`+from+c.String()+` ORDER BY n.number DESC LIMIT `+c.arg(limit+1), c.args...)
	if err != nil || len(rows) == 0 {
		return p, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		p.Next = position{Sort: versionOrder, Key: json.Number(strconv.FormatInt(rows[limit-1].Number, 10))}.cursor()
	}
	keys, err := s.keyChanges(ctx, rows[0].AccountID, rows[len(rows)-1].Number, rows[0].Number)
	p.Items = make([]SecretVersion, len(rows))
	for i, row := range rows {
		p.Items[i] = SecretVersion{row, keys[row.Number]}
	}
	return p, err
}

// keyChanges returns what the versions first to last of a Secret changed, by version.
func (s *Store) keyChanges(ctx context.Context, id string, first, last int64) (map[int64][]inventory.KeyChange, error) {
	by := map[int64][]inventory.KeyChange{}
	// A key is in the first version if nothing ever became of it, or first something other than that it was added.
	_, err := queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
		var version int64
		var k inventory.KeyChange
		err = r.Scan(&version, &k.Name, &k.Change)
		by[version] = append(by[version], k)
		return none, err
	}, `SELECT version, name, change FROM key_changes WHERE secret_id = $1 AND version BETWEEN $2 AND $3
		UNION ALL SELECT 1, k.name, 'added' FROM secret_keys k WHERE k.secret_id = $1 AND $2 = 1
			AND NOT EXISTS (SELECT 1 FROM key_changes c WHERE c.secret_id = $1 AND c.name = k.name)
		UNION ALL SELECT 1, c.name, 'added' FROM key_changes c JOIN (SELECT name, MIN(version) AS version FROM key_changes WHERE secret_id = $1 GROUP BY name) f
			ON f.name = c.name AND f.version = c.version WHERE c.secret_id = $1 AND c.change <> 'added' AND $2 = 1
		ORDER BY 1, 2`, id, first, last)
	return by, err
}
