package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/rotation"
)

// Rollouts implements rotation.RolloutStore.
func (s *Store) Rollouts(ctx context.Context, run rotation.Run) (clusters []string, all []rotation.Rollout, err error) {
	clusters, err = queryAll(ctx, s.read(ctx), scanText, `SELECT cluster_id FROM run_censuses WHERE run_id = $1 ORDER BY 1`, run.ID)
	if err != nil {
		return nil, nil, err
	}
	all, err = queryAll(ctx, s.read(ctx), scanRollout, `SELECT `+rolloutColumns+` FROM run_rollouts x WHERE x.run_id = $1
		ORDER BY x.cluster_id, x.namespace, x.kind, x.name, x.uid`, run.ID)
	return clusters, all, err
}

const rolloutColumns = `x.cluster_id, x.kind, x.namespace, x.name, x.uid, x.state, x.wanted, x.fresh, x.ready, x.old, x.reason, x.cure, x.at`

func scanRollout(r scanner) (x rotation.Rollout, err error) {
	var at int64
	err = r.Scan(&x.ClusterID, &x.Kind, &x.Namespace, &x.Name, &x.UID, &x.State, &x.Wanted, &x.New, &x.Ready, &x.Old, &x.Reason, &x.Cure, &at)
	x.At = instant(at)
	return x, err
}

// RolloutRow is a workload of a run with the name of its cluster.
type RolloutRow struct {
	rotation.Rollout
	ClusterName string
}

// CensusNote says what of a cluster's workloads a run could not see.
type CensusNote struct{ ClusterName, Note string }

// RunRollouts returns the workloads of a run and what its censuses could not see.
func (s *Store) RunRollouts(ctx context.Context, runID string) (all []RolloutRow, unseen []CensusNote, err error) {
	all, err = queryAll(ctx, s.read(ctx), func(r scanner) (row RolloutRow, err error) {
		row.Rollout, err = scanRollout(wider{row: r, after: []any{&row.ClusterName}})
		return row, err
	}, `SELECT `+rolloutColumns+`, c.name FROM run_rollouts x JOIN clusters c ON c.id = x.cluster_id WHERE x.run_id = $1
		ORDER BY c.name, x.namespace, x.kind, x.name, x.uid`, clean(runID))
	if err != nil {
		return nil, nil, err
	}
	unseen, err = queryAll(ctx, s.read(ctx), func(r scanner) (n CensusNote, err error) { return n, r.Scan(&n.ClusterName, &n.Note) },
		`SELECT c.name, x.note FROM run_censuses x JOIN clusters c ON c.id = x.cluster_id WHERE x.run_id = $1 AND x.note <> '' ORDER BY c.name`, clean(runID))
	return all, unseen, err
}

// SaveCensus implements rotation.RolloutStore.
func (s *Store) SaveCensus(ctx context.Context, run rotation.Run, clusterID, note string, all []rotation.Rollout, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := stillMine(ctx, tx, run); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `INSERT INTO run_censuses (run_id, cluster_id, note, at) VALUES ($1,$2,$3,$4)`, run.ID, clusterID, note, micro(time.Now())); err != nil {
			return err
		}
		if err := putRollouts(ctx, tx, run, all); err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

// SaveRollouts implements rotation.RolloutStore.
func (s *Store) SaveRollouts(ctx context.Context, run rotation.Run, some []rotation.Rollout, evs []audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := stillMine(ctx, tx, run); err != nil {
			return err
		}
		if err := putRollouts(ctx, tx, run, some); err != nil {
			return err
		}
		return record(ctx, tx, evs...)
	})
}

// stillMine notes that the run was worked on, and fails when another worker has taken it over.
func stillMine(ctx context.Context, tx *Tx, run rotation.Run) error {
	tx.Changed("run", run.ID, 0, run.AccountID)
	return execOne(ctx, tx, lostLease(), `UPDATE runs SET updated_at = $3 WHERE id = $1 AND fence = $2`, run.ID, run.Fence, micro(time.Now()))
}

func putRollouts(ctx context.Context, tx *Tx, run rotation.Run, all []rotation.Rollout) error {
	_, err := insertRows(ctx, tx, `INSERT INTO run_rollouts (run_id, cluster_id, kind, namespace, name, uid, state, wanted, fresh, ready, old, reason, cure, at)`, 14,
		`ON CONFLICT (run_id, cluster_id, kind, namespace, name, uid) DO UPDATE SET state = excluded.state, wanted = excluded.wanted, fresh = excluded.fresh,
		ready = excluded.ready, old = excluded.old, reason = excluded.reason, cure = excluded.cure, at = excluded.at`, len(all), func(args []any, i int) []any {
			x := all[i]
			return append(args, run.ID, x.ClusterID, x.Kind, x.Namespace, x.Name, x.UID, string(x.State), x.Wanted, x.New, x.Ready, x.Old, x.Reason, x.Cure, micro(x.At))
		})
	return err
}
