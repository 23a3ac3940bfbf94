package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
)

// AddMapping stores that an account's credential stands in a Secret key. It fails with fault.Conflict when the key is
// mapped already or the Secret was deleted in its cluster.
func (s *Store) AddMapping(ctx context.Context, m inventory.Mapping, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		uid, err := mappable(ctx, tx, m.SecretID, m.Key)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO mappings (id, account_id, secret_id, key_name, uid, written, state, reason, checked_at, created_by, created_at, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,1)`,
			m.ID, m.AccountID, m.SecretID, m.Key, uid, m.Written, string(m.State), m.Reason, micro(m.CheckedAt), m.CreatedBy, micro(time.Now()))
		if err != nil {
			return err
		}
		if err := replan(ctx, tx, `SELECT $1`, m.AccountID); err != nil {
			return err
		}
		tx.Changed("mapping", m.ID, 1, m.AccountID)
		return record(ctx, tx, ev)
	})
}

// mappable returns the uid of a Secret whose key may be mapped.
func mappable(ctx context.Context, tx *Tx, secretID, key string) (uid string, err error) {
	sec, err := queryOne(ctx, tx, "Secret", func(r scanner) (x inventory.Secret, err error) { return x, r.Scan(&x.UID, &x.State) },
		`SELECT uid, state FROM secrets WHERE id = $1`, secretID)
	if err != nil {
		return "", err
	}
	if sec.State == inventory.Tombstone {
		return "", fault.New(fault.Conflict, "the Secret was deleted in its cluster").WithCode("secret-gone").
			WithCure("restore it there, then sync").WithUnchanged("nothing was mapped")
	}
	n, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM mappings WHERE secret_id = $1 AND key_name = $2`, secretID, key)
	if err == nil && n > 0 {
		err = fault.New(fault.Conflict, "that key is mapped already").WithCode("key-mapped").
			WithCure("remove its mapping first").WithUnchanged("nothing was mapped")
	}
	return sec.UID, err
}

// DeleteMapping ends a mapping; the key keeps its value. It fails with fault.Stale when rev is not the stored one, or the
// mapping is gone.
func (s *Store) DeleteMapping(ctx context.Context, id string, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := replan(ctx, tx, `SELECT account_id FROM mappings WHERE id = $1`, id); err != nil {
			return err
		}
		if err := execOne(ctx, tx, stale("mapping"), `DELETE FROM mappings WHERE id = $1 AND rev = $2`, id, rev); err != nil {
			return err
		}
		tx.Changed("mapping", id, rev+1, "")
		return record(ctx, tx, ev)
	})
}

// SetOnWrite implements inventory.MapStore.
func (s *Store) SetOnWrite(ctx context.Context, id string, rev int64, onWrite string, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := execOne(ctx, tx, stale("mapping"), `UPDATE mappings SET on_write = $3, rev = rev + 1 WHERE id = $1 AND rev = $2`, id, rev, onWrite); err != nil {
			return err
		}
		tx.Changed("mapping", id, rev+1, "")
		return record(ctx, tx, ev)
	})
}

const mappingColumns = `id, account_id, secret_id, key_name, written, state, reason, checked_at, created_by, created_at, rev, on_write, place`

func scanMapping(r scanner) (m inventory.Mapping, err error) {
	var checked, created int64
	var place string
	err = r.Scan(&m.ID, &m.AccountID, &m.SecretID, &m.Key, &m.Written, &m.State, &m.Reason, &checked, &m.CreatedBy, &created, &m.Rev, &m.OnWrite, &place)
	m.CheckedAt, m.CreatedAt = instant(checked), instant(created)
	if err == nil {
		m.Place, err = placeOf(place)
	}
	return m, err
}

// placeText is how a place is stored; empty for a credential that is the whole value.
func placeText(p composite.Spec) (string, error) {
	if p.IsWhole() {
		return "", nil
	}
	b, err := json.Marshal(p)
	return string(b), err
}

func placeOf(text string) (p composite.Spec, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &p)
	}
	return p, err
}

// Mapping returns a mapping.
func (s *Store) Mapping(ctx context.Context, id string) (inventory.Mapping, error) {
	return queryOne(ctx, s.read(ctx), "mapping", scanMapping, `SELECT `+mappingColumns+` FROM mappings WHERE id = $1`, clean(id))
}

// MappingQuery chooses mappings. Empty fields choose everything. Sort is created, secret, account, key, state or checked.
type MappingQuery struct {
	ListQuery
	ID         string
	AccountID  string
	SecretID   string
	ResourceID string // the account's or the Secret's
	ClusterID  string
	State      []string
}

// MappingRow is a mapping with the names of both its ends.
type MappingRow struct {
	inventory.Mapping
	AccountName              string
	ResourceID, ResourceName string // the account's
	ClusterID, ClusterName   string
	Namespace, SecretName    string
	Current                  int64        // number of the account's current version; 0 if there is none
	Level                    policy.Level // on the account
}

// Mappings returns one page of the mappings of accounts that v may know of.
func (s *Store) Mappings(ctx context.Context, v Viewer, q MappingQuery) (Page[MappingRow], error) {
	where := v.clause()
	v.visible(where, seesAccountOf)
	where.equal(`x.id`, q.ID)
	where.equal(`x.account_id`, q.AccountID)
	where.equal(`x.secret_id`, q.SecretID)
	if q.ResourceID != "" {
		mark := where.arg(clean(q.ResourceID))
		where.and(`(x.account_id IN (SELECT id FROM accounts WHERE resource_id = ` + mark + `)
			OR x.secret_id IN (SELECT id FROM secrets WHERE resource_id = ` + mark + `))`)
	}
	if q.ClusterID != "" {
		where.and(`x.secret_id IN (SELECT id FROM secrets WHERE cluster_id = ` + where.arg(clean(q.ClusterID)) + `)`)
	}
	if q.Search != "" {
		mark := where.pattern(q.Search)
		where.and(`(` + like(`x.key_name`, mark) + ` OR x.account_id IN (SELECT id FROM accounts WHERE ` + like(`name`, mark) + `)
			OR x.secret_id IN (SELECT id FROM secrets WHERE ` + like(`namespace || '/' || name`, mark) + `))`)
	}
	l := listing[MappingRow]{
		with: v.with(), table: `mappings`, state: `x.state`, usual: "created",
		sorts: map[string]column{"created": {expr: `x.created_at`, number: true}, "key": {expr: `x.key_name`}, "state": {expr: `x.state`},
			"checked": {expr: `x.checked_at`, number: true},
			"secret":  {expr: `t.namespace || '/' || t.name`, join: `JOIN secrets t ON t.id = x.secret_id`},
			"account": {expr: `t.name`, join: `JOIN accounts t ON t.id = x.account_id`}},
		columns: ofX(mappingColumns) + `, a.name, a.resource_id, r.name, s.cluster_id, c.name, s.namespace, s.name, a.current, ` + v.level(reachesAccountOf),
		joins: `JOIN accounts a ON a.id = x.account_id JOIN resources r ON r.id = a.resource_id
			JOIN secrets s ON s.id = x.secret_id JOIN clusters c ON c.id = s.cluster_id`,
		scan: func(r scanner) (row MappingRow, err error) {
			row.Mapping, err = scanMapping(wider{row: r, after: []any{&row.AccountName, &row.ResourceID, &row.ResourceName, &row.ClusterID,
				&row.ClusterName, &row.Namespace, &row.SecretName, &row.Current, &row.Level}})
			return row, err
		},
	}
	return l.page(ctx, s.read(ctx), q.ListQuery, q.State, where)
}
