package store

import (
	"context"
	"encoding/json"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
)

const secretColumns = `id, cluster_id, resource_id, namespace, name, uid, resource_version, type, immutable, labels, size,
	current, state, reason, created_at, seen_at, deleted_at, rev`

func scanSecret(r scanner) (x inventory.Secret, err error) {
	var labels string
	var created, seen, deleted int64
	err = r.Scan(&x.ID, &x.ClusterID, &x.ResourceID, &x.Namespace, &x.Name, &x.UID, &x.ResourceVersion, &x.Type, &x.Immutable, &labels, &x.Size,
		&x.Current, &x.State, &x.Reason, &created, &seen, &deleted, &x.Rev)
	if err != nil {
		return x, err
	}
	x.CreatedAt, x.SeenAt, x.DeletedAt = instant(created), instant(seen), instant(deleted)
	return x, json.Unmarshal([]byte(labels), &x.Labels)
}

// Secret returns a Secret with its keys, a deleted one too.
func (s *Store) Secret(ctx context.Context, id string) (inventory.Secret, error) {
	x, err := queryOne(ctx, s.read(ctx), "Secret", scanSecret, `SELECT `+secretColumns+` FROM secrets WHERE id = $1`, clean(id))
	if err != nil {
		return x, err
	}
	keys, err := s.SecretKeys(ctx, x.ID)
	x.Keys = keys[x.ID]
	return x, err
}

// maxKeysOf bounds the Secrets of one query for keys.
const maxKeysOf = 512

// SecretKeys returns the keys of each of the Secrets, by the Secret's id, sorted by name.
func (s *Store) SecretKeys(ctx context.Context, ids ...string) (map[string][]inventory.Key, error) {
	return s.keysOf(ctx, "", ids)
}

// unmapped chooses keys k that no account stands in, whoever may know of that account.
const unmapped = `NOT EXISTS (SELECT 1 FROM mappings m WHERE m.secret_id = k.secret_id AND m.key_name = k.name)`

// UnmappedKeys is SecretKeys for those that are not mapped.
func (s *Store) UnmappedKeys(ctx context.Context, ids ...string) (map[string][]inventory.Key, error) {
	return s.keysOf(ctx, ` AND `+unmapped, ids)
}

func (s *Store) keysOf(ctx context.Context, condition string, ids []string) (map[string][]inventory.Key, error) {
	by := make(map[string][]inventory.Key, len(ids))
	for ; len(ids) > 0; ids = ids[min(len(ids), maxKeysOf):] {
		c := &clause{}
		marks := c.marks(ids[:min(len(ids), maxKeysOf)])
		_, err := queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
			var id string
			var print []byte
			var k inventory.Key
			err = r.Scan(&id, &k.Name, &k.Size, &print)
			copy(k.Fingerprint[:], print)
			by[id] = append(by[id], k)
			return none, err
		}, `SELECT secret_id, name, size, fingerprint FROM secret_keys k WHERE secret_id IN (`+marks+`)`+condition+` ORDER BY secret_id, name`, c.args...)
		if err != nil {
			return nil, err
		}
	}
	return by, nil
}

// SecretQuery chooses Secrets. Empty fields choose everything but Secrets that were deleted in their cluster; the state
// tombstone chooses those. Sort is path (namespace/name), state or created.
type SecretQuery struct {
	ListQuery
	ID         string
	ClusterID  string
	ResourceID string
	Namespace  string
	Name       string // exactly this one
	Type       []string
	State      []string
	Unmapped   bool // only those with a key that is not mapped
}

// SecretRow is a Secret without its keys.
type SecretRow struct {
	inventory.Secret
	ClusterName, ResourceName string
	KeyCount                  int64
	Mappings                  map[string]int64 // its mapped keys by state; never nil
	Level                     policy.Level
}

// Secrets returns one page of the Secrets that v may know of.
func (s *Store) Secrets(ctx context.Context, v Viewer, q SecretQuery) (Page[SecretRow], error) {
	where := v.clause()
	v.visible(where, seesAccount)
	where.equal(`x.id`, q.ID)
	where.equal(`x.cluster_id`, q.ClusterID)
	where.equal(`x.resource_id`, q.ResourceID)
	if q.Namespace != "" { // there is an index on the resources of that namespace, none on the namespace
		ns := where.arg(clean(q.Namespace))
		where.and(`x.namespace = ` + ns + ` AND x.resource_id IN (SELECT id FROM resources WHERE namespace = ` + ns + `)`)
	}
	where.equal(`x.name`, q.Name)
	where.oneOf(`x.type`, q.Type)
	if q.Unmapped {
		where.and(`EXISTS (SELECT 1 FROM secret_keys k WHERE k.secret_id = x.id AND ` + unmapped + `)`)
	}
	if q.Search != "" {
		where.and(like(secretPath, where.pattern(q.Search)))
	}
	l := listing[SecretRow]{
		with: v.with(), table: `secrets`, state: `x.state`, usual: "path",
		sorts:   map[string]column{"path": {expr: secretPath}, "state": {expr: `x.state`}, "created": {expr: `x.created_at`, number: true}},
		columns: ofX(secretColumns) + `, c.name, r.name, (SELECT COUNT(*) FROM secret_keys WHERE secret_id = x.id), ` + v.level(reachesAccount),
		joins:   `JOIN clusters c ON c.id = x.cluster_id JOIN resources r ON r.id = x.resource_id`,
		scan: func(r scanner) (row SecretRow, err error) {
			row.Secret, err = scanSecret(wider{row: r, after: []any{&row.ClusterName, &row.ResourceName, &row.KeyCount, &row.Level}})
			return row, err
		},
	}
	if q.ID == "" {
		l.hidden = string(inventory.Tombstone)
	}
	p, err := l.page(ctx, s.read(ctx), q.ListQuery, q.State, where)
	if err != nil {
		return p, err
	}
	ids := make([]string, len(p.Items))
	for i, x := range p.Items {
		ids[i] = x.ID
	}
	by, err := tallies(ctx, s.read(ctx), &clause{}, `SELECT secret_id, state, COUNT(*) FROM mappings WHERE secret_id IN (%s) GROUP BY 1, 2`, ids)
	for i := range p.Items {
		p.Items[i].Mappings = by[p.Items[i].ID]
		if p.Items[i].Mappings == nil {
			p.Items[i].Mappings = map[string]int64{}
		}
	}
	return p, err
}

// secretPath is written as the index on it is.
const secretPath = `(x.namespace || '/' || x.name)`
