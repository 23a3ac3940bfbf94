package store

import (
	"context"
	"encoding/json"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
)

// AddResource stores a resource, and the grant of its owner if one is given. It fails with fault.Conflict when another one has its name, or is of the same namespace.
func (s *Store) AddResource(ctx context.Context, r inventory.Resource, owner *access.Grant, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		settings, err := json.Marshal(r.Settings)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO resources (id, name, type, cluster_id, namespace, settings, reconcile_account_id, created_at, through_cluster_id, through, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,1)`, r.ID, r.Name, r.Type, orNull(r.ClusterID), r.Namespace, string(settings), r.ReconcileAccountID,
			micro(r.CreatedAt), orNull(r.Through.ClusterID), r.Through.Place())
		if err != nil {
			return err
		}
		if err := insertOwner(ctx, tx, owner); err != nil {
			return err
		}
		tx.Changed("resource", r.ID, 1, "")
		return record(ctx, tx, ev)
	})
}

// orNull is a reference as a column has it: none is NULL.
func orNull(id string) any {
	if id == "" {
		return nil
	}
	return id
}

const resourceColumns = `id, name, type, cluster_id, namespace, settings, reconcile_account_id, created_at, through_cluster_id, through, rev`

func scanResource(r scanner) (res inventory.Resource, err error) {
	var settings, place string
	var cluster, through *string
	var created int64
	err = r.Scan(&res.ID, &res.Name, &res.Type, &cluster, &res.Namespace, &settings, &res.ReconcileAccountID, &created, &through, &place, &res.Rev)
	if err != nil {
		return res, err
	}
	if cluster != nil {
		res.ClusterID = *cluster
	}
	if through != nil {
		if res.Through, err = inventory.ParseThrough(*through, place); err != nil {
			return res, err
		}
	}
	res.CreatedAt = instant(created)
	return res, json.Unmarshal([]byte(settings), &res.Settings)
}

// Resource returns a resource.
func (s *Store) Resource(ctx context.Context, id string) (inventory.Resource, error) {
	return queryOne(ctx, s.read(ctx), "resource", scanResource,
		`SELECT `+resourceColumns+` FROM resources WHERE id = $1`, clean(id))
}

// ResourceByName returns the resource of a name.
func (s *Store) ResourceByName(ctx context.Context, name string) (inventory.Resource, error) {
	return queryOne(ctx, s.read(ctx), "resource", scanResource, `SELECT `+resourceColumns+` FROM resources WHERE name = $1`, clean(name))
}

// UpdateResource stores the name, the settings, the way and the reconcile account of r. It fails with fault.Stale when rev is not
// the stored one, and with fault.Conflict when another resource has the name.
func (s *Store) UpdateResource(ctx context.Context, r inventory.Resource, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		settings, err := json.Marshal(r.Settings)
		if err != nil {
			return err
		}
		err = execOne(ctx, tx, stale("resource"), `UPDATE resources SET name = $3, settings = $4, reconcile_account_id = $5,
			through_cluster_id = $6, through = $7, rev = rev + 1 WHERE id = $1 AND rev = $2`,
			r.ID, rev, r.Name, string(settings), r.ReconcileAccountID, orNull(r.Through.ClusterID), r.Through.Place())
		if err != nil {
			return err
		}
		if err := replan(ctx, tx, `SELECT id FROM accounts WHERE resource_id = $1`, r.ID); err != nil {
			return err
		}
		tx.Changed("resource", r.ID, rev+1, "")
		return record(ctx, tx, ev)
	})
}

// DeleteResource deletes a resource with its accounts, their versions and ended runs, and the grants on all of them. It
// fails with fault.Conflict while one of its accounts or Secrets is mapped, a run of one is open, or a Secret of it is in
// a connected cluster; and with fault.Stale when rev is not the stored one.
func (s *Store) DeleteResource(ctx context.Context, id string, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := deletable(ctx, tx, id, `SELECT id FROM accounts WHERE resource_id = $1 UNION ALL SELECT id FROM secrets WHERE resource_id = $1`); err != nil {
			return err
		}
		live, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM secrets s JOIN clusters c ON c.id = s.cluster_id
			WHERE s.resource_id = $1 AND s.state <> 'tombstone' AND c.state <> 'removed'`, id)
		if err != nil {
			return err
		}
		if live > 0 {
			return fault.New(fault.Conflict, "its Secrets are in a connected cluster").WithCode("secrets-present").
				WithCure("delete them there, or remove the cluster first").WithUnchanged("nothing was deleted")
		}
		for _, table := range []string{"accounts", "secrets"} {
			if err := deleteAccounts(ctx, tx, `SELECT id FROM `+table+` WHERE resource_id = $1`, id); err != nil {
				return err
			}
		}
		for _, text := range []string{`DELETE FROM accounts WHERE resource_id = $1`, `DELETE FROM secrets WHERE resource_id = $1`,
			`DELETE FROM policy_assignments WHERE named_by = 'resource' AND pattern = $1`} {
			if _, err := exec(ctx, tx, text, id); err != nil {
				return err
			}
		}
		if err := forget(ctx, tx, access.Resource, id); err != nil {
			return err
		}
		if err := execOne(ctx, tx, stale("resource"), `DELETE FROM resources WHERE id = $1 AND rev = $2`, id, rev); err != nil {
			return err
		}
		tx.Changed("resource", id, rev+1, "")
		return record(ctx, tx, ev)
	})
}

// ResourceQuery chooses resources. Empty fields choose everything. Sort is name, type or created.
type ResourceQuery struct {
	ListQuery
	ID, Name  string // exactly this one
	Type      []string
	ClusterID string
}

// ResourceRow is a resource with what it holds, as far as the viewer may know of it.
type ResourceRow struct {
	inventory.Resource
	ClusterName    string
	ClusterRemoved bool
	Accounts       int64            // accounts, or Secrets that are there
	States         map[string]int64 // of its accounts or Secrets; never nil
	Level          policy.Level
}

// Resources returns one page of the resources that v may know of. As a resource has no state, Counts are by type.
func (s *Store) Resources(ctx context.Context, v Viewer, q ResourceQuery) (Page[ResourceRow], error) {
	where := v.clause()
	v.visible(where, seesResource)
	where.equal(`x.id`, q.ID)
	where.equal(`x.name`, q.Name)
	where.equal(`x.cluster_id`, q.ClusterID)
	if q.Search != "" {
		where.and(like(`x.name`, where.pattern(q.Search)))
	}
	l := listing[ResourceRow]{
		with: v.with(), table: `resources`, state: `x.type`, usual: "name",
		sorts:   map[string]column{"name": {expr: `x.name`}, "type": {expr: `x.type`}, "created": {expr: `x.created_at`, number: true}},
		columns: ofX(resourceColumns) + `, COALESCE(c.name, ''), CASE WHEN c.state = 'removed' THEN 1 ELSE 0 END, ` + v.level(reachesResource),
		joins:   `LEFT JOIN clusters c ON c.id = x.cluster_id`,
		scan: func(r scanner) (row ResourceRow, err error) {
			row.Resource, err = scanResource(wider{row: r, after: []any{&row.ClusterName, &row.ClusterRemoved, &row.Level}})
			return row, err
		},
	}
	p, err := l.page(ctx, s.read(ctx), q.ListQuery, q.Type, where)
	if err != nil {
		return p, err
	}
	return p, s.countAccounts(ctx, v, p.Items)
}

// countAccounts fills in what of each resource v may know of.
func (s *Store) countAccounts(ctx context.Context, v Viewer, rows []ResourceRow) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	of := func(table string) string {
		sees := &clause{terms: []string{`x.resource_id IN (%s)`}}
		v.visible(sees, seesAccount)
		return `SELECT x.resource_id, x.state, COUNT(*) FROM ` + table + ` x` + sees.String() + ` GROUP BY 1, 2`
	}
	by, err := tallies(ctx, s.read(ctx), v.clause(), v.with()+of(`accounts`)+` UNION ALL `+of(`secrets`), ids)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].States = map[string]int64{}
		for state, n := range by[rows[i].ID] {
			rows[i].States[state] = n
			if state != string(inventory.Tombstone) {
				rows[i].Accounts += n
			}
		}
	}
	return nil
}
