package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

// AddCluster stores a cluster that passed its checks, and the grant of its owner if one is given. It fails with fault.Conflict when another one has its name or UID.
func (s *Store) AddCluster(ctx context.Context, c inventory.Cluster, owner *access.Grant, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		scope, err := json.Marshal(c.Scope)
		if err != nil {
			return err
		}
		chosen, err := selectionsText(c.Selections)
		if err != nil {
			return err
		}
		if err := sealedWith(ctx, tx, c.Token); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO clusters (id, name, server, ca_pem, token, scope, uid, version, state, reason, since, checked_at, synced_at, created_at, selections, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,1)`,
			c.ID, c.Name, c.Server, c.CAPEM, []byte(c.Token), string(scope), c.UID, c.Version, string(c.State), c.Reason, micro(c.Since),
			micro(c.CheckedAt), micro(c.SyncedAt), micro(c.CreatedAt), chosen)
		if err != nil {
			return err
		}
		if err := insertOwner(ctx, tx, owner); err != nil {
			return err
		}
		tx.Changed("cluster", c.ID, 1, "")
		return record(ctx, tx, ev)
	})
}

const clusterColumns = `id, name, server, ca_pem, token, scope, uid, version, state, reason, since, checked_at, synced_at, created_at, selections, rev, compared_at`

func scanCluster(r scanner) (c inventory.Cluster, err error) {
	var token []byte
	var scope, chosen string
	var since, checked, synced, created, compared int64
	err = r.Scan(&c.ID, &c.Name, &c.Server, &c.CAPEM, &token, &scope, &c.UID, &c.Version, &c.State, &c.Reason, &since, &checked, &synced, &created, &chosen, &c.Rev, &compared)
	if err != nil {
		return c, err
	}
	c.Token = vault.Sealed(token)
	c.Since, c.CheckedAt, c.SyncedAt, c.CreatedAt, c.ComparedAt = instant(since), instant(checked), instant(synced), instant(created), instant(compared)
	if err := json.Unmarshal([]byte(chosen), &c.Selections); err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(scope), &c.Scope)
}

// Cluster returns a cluster, removed ones included.
func (s *Store) Cluster(ctx context.Context, id string) (inventory.Cluster, error) {
	return queryOne(ctx, s.read(ctx), "cluster", scanCluster, `SELECT `+clusterColumns+` FROM clusters WHERE id = $1`, clean(id))
}

// ClusterByName returns the cluster of a name that is not removed.
func (s *Store) ClusterByName(ctx context.Context, name string) (inventory.Cluster, error) {
	return queryOne(ctx, s.read(ctx), "cluster", scanCluster,
		`SELECT `+clusterColumns+` FROM clusters WHERE name = $1 AND state <> 'removed'`, clean(name))
}

// RemovedClusterByUID returns the cluster with that uid that was removed last. It fails with fault.NotFound if there is none.
func (s *Store) RemovedClusterByUID(ctx context.Context, uid string) (inventory.Cluster, error) {
	return queryOne(ctx, s.read(ctx), "cluster", scanCluster,
		`SELECT `+clusterColumns+` FROM clusters WHERE uid = $1 AND uid <> '' AND state = 'removed' ORDER BY since DESC, id DESC`, clean(uid))
}

// UpdateCluster stores what a person changed and what the checks of it showed: all of c but its selections, its last sync
// and when it was made. It fails with fault.Stale when rev is not the stored one or the cluster was removed, and with
// fault.Conflict when another cluster has the name or the UID.
func (s *Store) UpdateCluster(ctx context.Context, c inventory.Cluster, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		return saveCluster(ctx, tx, stale("cluster"), `rev = $13 AND state <> 'removed'`, c, rev, ev)
	})
}

// Reattach makes a removed cluster a connected one again, with what c says but its selections and its last sync. Its
// resources keep their names, ids and values. It fails with fault.Conflict when the cluster of c.ID is not a removed one
// with the UID of c, or when another cluster has the name or the UID.
func (s *Store) Reattach(ctx context.Context, c inventory.Cluster, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		missed := fault.New(fault.Conflict, "that is not a removed cluster with this uid").WithCode("not-removed").WithUnchanged("nothing was written")
		return saveCluster(ctx, tx, missed, `rev = $13 AND uid = $8 AND state = 'removed'`, c, c.Rev, ev)
	})
}

// saveCluster writes c over the row that when allows; $13 is rev.
func saveCluster(ctx context.Context, tx *Tx, missed error, when string, c inventory.Cluster, rev int64, ev audit.Event) error {
	scope, err := json.Marshal(c.Scope)
	if err != nil {
		return err
	}
	if err := sealedWith(ctx, tx, c.Token); err != nil {
		return err
	}
	err = execOne(ctx, tx, missed, `UPDATE clusters SET name = $2, server = $3, ca_pem = $4, token = $5, scope = $6, version = $7, uid = $8, state = $9,
		reason = $10, since = $11, checked_at = $12, rev = rev + 1 WHERE id = $1 AND `+when,
		c.ID, c.Name, c.Server, c.CAPEM, []byte(c.Token), string(scope), c.Version, c.UID, string(c.State), c.Reason, micro(c.Since), micro(c.CheckedAt), rev)
	if err != nil {
		return err
	}
	tx.Changed("cluster", c.ID, rev+1, "")
	return record(ctx, tx, ev)
}

// SetClusterState stores what a check showed; an empty version leaves the known one. ev is recorded only if the state
// changed. The revision stays, so that a check does not spoil a person's edit. A removed cluster stays removed.
func (s *Store) SetClusterState(ctx context.Context, id string, state inventory.ClusterState, reason string, checkedAt time.Time, version string, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		was, err := queryOne(ctx, tx, "cluster", scanCluster, `SELECT `+clusterColumns+` FROM clusters WHERE id = $1`, id)
		if err != nil || was.State == inventory.ClusterRemoved {
			return err
		}
		since := was.Since
		if state != was.State {
			since = checkedAt
		}
		if version == "" {
			version = was.Version
		}
		_, err = exec(ctx, tx, `UPDATE clusters SET state = $2, reason = $3, since = $4, checked_at = $5, version = $6 WHERE id = $1`,
			id, string(state), reason, micro(since), micro(checkedAt), version)
		if err != nil {
			return err
		}
		if state != was.State || reason != was.Reason || version != was.Version {
			tx.Changed("cluster", id, 0, "") // the revision stayed, and a listener must look all the same
		}
		if state == was.State {
			return nil
		}
		return record(ctx, tx, ev)
	})
}

// RemoveCluster ends the association: the token is erased, the name is free again, resources and values stay. It fails
// with fault.Stale when rev is not the stored one or the cluster is removed already.
func (s *Store) RemoveCluster(ctx context.Context, id string, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, stale("cluster"), `UPDATE clusters SET state = 'removed', reason = '', token = NULL, since = $3, rev = rev + 1
			WHERE id = $1 AND rev = $2 AND state <> 'removed'`, id, rev, micro(time.Now()))
		if err != nil {
			return err
		}
		tx.Changed("cluster", id, rev+1, "")
		return record(ctx, tx, ev)
	})
}

// ClusterQuery chooses clusters. Empty fields choose everything but removed clusters. Sort is name, state or created.
type ClusterQuery struct {
	ListQuery
	ID      string
	State   []string
	Removed bool // removed ones too
}

// ClusterRow is a cluster with counts of what came from it. Its token is left out.
type ClusterRow struct {
	inventory.Cluster
	Resources int64
	Secrets   int64 // that are there
	Mapped    int64 // keys
	Drifting  int64 // Secrets that differ from the repository
	Level     policy.Level
}

// Clusters returns one page of the clusters that v may know of. It counts every Secret: what looks at clusters again and again
// asks ConnectedClusters. Secrets are counted by their resources, from an index that has their states.
func (s *Store) Clusters(ctx context.Context, v Viewer, q ClusterQuery) (Page[ClusterRow], error) {
	where := v.clause()
	v.visible(where, seesCluster)
	where.equal(`x.id`, q.ID)
	if q.Search != "" {
		where.and(like(`x.name`, where.pattern(q.Search)))
	}
	l := listing[ClusterRow]{
		with: v.with(), table: `clusters`, state: `x.state`, usual: "name",
		sorts: map[string]column{"name": {expr: `x.name`}, "state": {expr: `x.state`}, "created": {expr: `x.created_at`, number: true}},
		columns: ofX(clusterColumns) + `, (SELECT COUNT(*) FROM resources r WHERE r.cluster_id = x.id), COALESCE(n.secrets, 0), COALESCE(m.mapped, 0),
			COALESCE(n.drifting, 0), ` + v.level(reachesCluster),
		// CROSS JOIN has SQLite go from the mappings to their Secrets; the other way it would look at every Secret.
		joins: `LEFT JOIN (SELECT r.cluster_id, COUNT(CASE WHEN s.state <> 'tombstone' THEN 1 END) AS secrets,
				COUNT(CASE WHEN s.state IN ('drift', 'conflict') THEN 1 END) AS drifting
				FROM resources r JOIN secrets s ON s.resource_id = r.id WHERE r.type = 'kubernetes' GROUP BY r.cluster_id) n ON n.cluster_id = x.id
			LEFT JOIN (SELECT s.cluster_id, COUNT(*) AS mapped FROM mappings t CROSS JOIN secrets s WHERE s.id = t.secret_id GROUP BY s.cluster_id) m ON m.cluster_id = x.id`,
		scan: func(r scanner) (row ClusterRow, err error) {
			row.Cluster, err = scanCluster(wider{row: r, after: []any{&row.Resources, &row.Secrets, &row.Mapped, &row.Drifting, &row.Level}})
			row.Token = nil
			return row, err
		},
	}
	if !q.Removed && q.ID == "" {
		l.hidden = string(inventory.ClusterRemoved)
	}
	return l.page(ctx, s.read(ctx), q.ListQuery, q.State, where)
}

// ConnectedClusters returns all clusters that are not removed, by name.
func (s *Store) ConnectedClusters(ctx context.Context) ([]inventory.Cluster, error) {
	return queryAll(ctx, s.read(ctx), scanCluster, `SELECT `+clusterColumns+` FROM clusters WHERE state <> 'removed' ORDER BY name`)
}

// ConnectedClusterByUID returns the cluster with that uid that is not removed. It fails with fault.NotFound if there is none.
func (s *Store) ConnectedClusterByUID(ctx context.Context, uid string) (inventory.Cluster, error) {
	return queryOne(ctx, s.read(ctx), "cluster", scanCluster,
		`SELECT `+clusterColumns+` FROM clusters WHERE uid = $1 AND uid <> '' AND state <> 'removed'`, clean(uid))
}
