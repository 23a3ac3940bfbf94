package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
)

var _ inventory.WatchStore = (*Store)(nil)

const watchColumns = `cluster_id, state, reason, cure, changed_at, since, tries, not_before, fence`

// watchRow is watchColumns with the end of the lease.
const watchRow = watchColumns + `, lease_until`

func scanWatch(r scanner) (w inventory.Watch, err error) {
	var changed, since, notBefore, until int64
	err = r.Scan(&w.ClusterID, &w.State, &w.Reason, &w.Cure, &changed, &since, &w.Tries, &notBefore, &w.Fence, &until)
	w.ChangedAt, w.Since, w.NotBefore, w.LeaseUntil = instant(changed), instant(since), instant(notBefore), instant(until)
	return w, err
}

// Watches returns the watches of clusters, by cluster. Of those that nobody ever followed there is none. Positions are left out.
func (s *Store) Watches(ctx context.Context, clusters []string) (map[string]inventory.Watch, error) {
	by := make(map[string]inventory.Watch, len(clusters))
	err := inChunks(clusters, func(part []string) error {
		c := &clause{}
		rows, err := queryAll(ctx, s.read(ctx), scanWatch, `SELECT `+watchRow+` FROM watches WHERE cluster_id IN (`+c.marks(part)+`)`, c.args...)
		for _, w := range rows {
			by[w.ClusterID] = w
		}
		return err
	})
	return by, err
}

// DueWatches returns the ids of up to limit connected clusters of which something was chosen, that somebody should follow at
// now: under no lease that holds, not waiting for a later time, and with no fetch or sync under way, which brings what a
// watch would.
func (s *Store) DueWatches(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT c.id FROM clusters c LEFT JOIN watches w ON w.cluster_id = c.id
		WHERE c.state <> 'removed' AND c.selections <> '[]' AND COALESCE(w.lease_until, 0) <= $1 AND COALESCE(w.not_before, 0) <= $1
		AND NOT EXISTS (SELECT 1 FROM fetches f WHERE f.cluster_id = c.id AND f.state NOT IN ('done', 'failed'))
		ORDER BY COALESCE(w.not_before, 0), c.id LIMIT $2`, micro(now), limit)
}

// ClaimWatch implements inventory.WatchStore.
func (s *Store) ClaimWatch(ctx context.Context, clusterID, owner string, ttl time.Duration) (w inventory.Watch, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		now := time.Now()
		err := execOne(ctx, tx, fault.New(fault.Conflict, "the cluster is followed by somebody else, or was removed"),
			`INSERT INTO watches (`+watchColumns+`, lease_owner, lease_until)
			SELECT id, 'off', '', '', 0, $3, 0, 0, 1, $2, $4 FROM clusters WHERE id = $1 AND state <> 'removed'
			ON CONFLICT (cluster_id) DO UPDATE SET fence = watches.fence + 1, lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
			WHERE watches.lease_until <= $3`, clusterID, owner, micro(now), micro(now.Add(ttl)))
		if err != nil {
			return err
		}
		if w, err = queryOne(ctx, tx, "watch", scanWatch, `SELECT `+watchRow+` FROM watches WHERE cluster_id = $1`, clusterID); err != nil {
			return err
		}
		w.Positions, err = positions(ctx, tx, clusterID)
		return err
	})
	return w, err
}

// Positions implements inventory.WatchStore.
func (s *Store) Positions(ctx context.Context, clusterID string) (map[string]string, error) {
	return positions(ctx, s.read(ctx), clusterID)
}

func positions(ctx context.Context, tx queryer, clusterID string) (map[string]string, error) {
	rows, err := queryAll(ctx, tx, func(r scanner) (p inventory.Position, err error) { return p, r.Scan(&p.Namespace, &p.Version) },
		`SELECT namespace, version FROM watch_positions WHERE cluster_id = $1`, clusterID)
	all := make(map[string]string, len(rows))
	for _, p := range rows {
		all[p.Namespace] = p.Version
	}
	return all, err
}

// SaveWatch implements inventory.WatchStore.
func (s *Store) SaveWatch(ctx context.Context, w inventory.Watch, ttl time.Duration) error {
	return s.write(ctx, func(tx *Tx) error {
		was, err := queryOne(ctx, tx, "watch", scanWatch, `SELECT `+watchRow+` FROM watches WHERE cluster_id = $1 AND fence = $2`, w.ClusterID, w.Fence)
		if fault.KindOf(err) == fault.NotFound {
			return lostWatch()
		}
		if err != nil {
			return err
		}
		var until int64
		if ttl > 0 {
			until = micro(time.Now().Add(ttl))
		}
		_, err = exec(ctx, tx, `UPDATE watches SET state = $2, reason = $3, cure = $4, changed_at = $5, since = $6, tries = $7, not_before = $8,
			lease_until = $9 WHERE cluster_id = $1`, w.ClusterID, string(w.State), w.Reason, w.Cure, micro(w.ChangedAt), micro(w.Since), w.Tries,
			micro(w.NotBefore), until)
		if err != nil {
			return err
		}
		if was.State != w.State || was.Reason != w.Reason {
			tx.Changed("cluster", w.ClusterID, 0, "")
		}
		return savePositions(ctx, tx, w)
	})
}

// savePositions stores those of w's positions that moved, and drops those that are lost.
func savePositions(ctx context.Context, tx *Tx, w inventory.Watch) error {
	stored, err := positions(ctx, tx, w.ClusterID)
	if err != nil {
		return err
	}
	var moved []inventory.Position
	for namespace, version := range w.Positions {
		if stored[namespace] != version {
			moved = append(moved, inventory.Position{Namespace: namespace, Version: version})
		}
		delete(stored, namespace)
	}
	for namespace := range stored {
		if _, err := exec(ctx, tx, `DELETE FROM watch_positions WHERE cluster_id = $1 AND namespace = $2`, w.ClusterID, namespace); err != nil {
			return err
		}
	}
	return putPositions(ctx, tx, w.ClusterID, moved)
}

func putPositions(ctx context.Context, tx *Tx, clusterID string, all []inventory.Position) error {
	_, err := insertFew(ctx, tx, `INSERT INTO watch_positions (cluster_id, namespace, version)`, 3,
		`ON CONFLICT (cluster_id, namespace) DO UPDATE SET version = excluded.version`, len(all), func(args []any, i int) []any {
			return append(args, clusterID, all[i].Namespace, all[i].Version)
		})
	return err
}

// beginAt stores positions that the watch of a cluster lacks: those that it has are of something that was seen before.
func beginAt(ctx context.Context, tx *Tx, clusterID string, all map[string]string) error {
	for namespace, version := range all {
		_, err := exec(ctx, tx, `INSERT INTO watch_positions (cluster_id, namespace, version) VALUES ($1, $2, $3)
			ON CONFLICT (cluster_id, namespace) DO UPDATE SET version = excluded.version WHERE watch_positions.version = $4`,
			clusterID, namespace, version, inventory.Unfollowed)
		if err != nil {
			return err
		}
	}
	return nil
}

// FollowSecrets implements inventory.WatchStore.
func (s *Store) FollowSecrets(ctx context.Context, w inventory.Watch, at inventory.Position, batch []inventory.Import, gone []inventory.Stored, ev audit.Event) (moved []string, err error) {
	write := s.write
	if len(batch)+len(gone) > fewSecrets {
		write = s.bulk
	}
	err = write(ctx, func(tx *Tx) (err error) {
		moved = nil
		err = execOne(ctx, tx, lostWatch(), `UPDATE watches SET changed_at = $3 WHERE cluster_id = $1 AND fence = $2`, w.ClusterID, w.Fence, micro(w.ChangedAt))
		if err != nil {
			return err
		}
		if moved, err = importSecrets(ctx, tx, w.ClusterID, batch); err != nil {
			return err
		}
		late, err := goneAt(ctx, tx, gone)
		if err != nil {
			return err
		}
		if moved = append(moved, late...); len(moved) == 0 {
			if err := putPositions(ctx, tx, w.ClusterID, []inventory.Position{at}); err != nil {
				return err
			}
		}
		if len(moved) == len(batch)+len(gone) {
			return nil
		}
		return record(ctx, tx, ev)
	})
	return moved, err
}

func lostWatch() error {
	return fault.New(fault.Stale, "another server has taken over to follow this cluster").WithCode(inventory.CodeLeaseLost).WithUnchanged("nothing was stored")
}
