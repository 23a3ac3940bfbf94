package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

// mostExposed bounds the accounts of one leak. A value that more accounts share than this is no leaked password but a default.
const mostExposed = 1000

// Exposed returns the accounts that v may read and that a value has to do with: one of their versions is it, or a key that is
// mapped to them holds it now. There are at most 1000; more says that there would be others.
func (s *Store) Exposed(ctx context.Context, v Viewer, prints []vault.Fingerprint) (all []rotation.Exposed, more bool, err error) {
	c := v.clause()
	marks := c.prints(prints)
	all, err = queryAll(ctx, s.read(ctx), func(r scanner) (x rotation.Exposed, err error) {
		return x, r.Scan(&x.AccountID, &x.AccountName, &x.ResourceID, &x.ResourceName, &x.ResourceType, &x.Strategy, &x.Current, &x.Pending, &x.Previous, &x.InKeys, &x.OpenRun)
	}, v.also()+`hits AS (
		SELECT n.account_id AS id, n.stage AS stage, 0 AS in_key FROM versions n WHERE n.fingerprint IN (`+marks+`)
		UNION ALL SELECT m.account_id, '', 1 FROM secret_keys k JOIN mappings m ON m.secret_id = k.secret_id AND m.key_name = k.name
			JOIN secrets s ON s.id = k.secret_id WHERE s.state <> 'tombstone' AND k.fingerprint IN (`+marks+`))
	SELECT a.id, a.name, r.id, r.name, r.type, a.strategy, MAX(CASE WHEN h.stage = 'current' THEN 1 ELSE 0 END), MAX(CASE WHEN h.stage = 'pending' THEN 1 ELSE 0 END),
		MAX(CASE WHEN h.stage = 'previous' THEN 1 ELSE 0 END), SUM(h.in_key),
		COALESCE((SELECT MAX(id) FROM runs WHERE account_id = a.id AND state NOT IN ('done', 'rolled_back', 'cancelled')), '')
	FROM hits h JOIN accounts a ON a.id = h.id JOIN resources r ON r.id = a.resource_id WHERE 1 = 1`+v.readable(`a.id`, `accounts`)+`
	GROUP BY a.id, a.name, r.id, r.name, r.type, a.strategy ORDER BY r.name, a.name LIMIT `+c.arg(mostExposed+1), c.args...)
	if err != nil || len(all) == 0 {
		return all, false, err
	}
	if more = len(all) > mostExposed; more {
		all = all[:mostExposed]
	}
	return all, more, s.reach(ctx, all)
}

// reach fills in what each account repairs, and how far its mapped keys are spread.
func (s *Store) reach(ctx context.Context, all []rotation.Exposed) error {
	at := make(map[string]*rotation.Exposed, len(all))
	ids := make([]string, len(all))
	for i := range all {
		at[all[i].AccountID], ids[i] = &all[i], all[i].AccountID
	}
	return inChunks(ids, func(part []string) error {
		c := &clause{}
		_, err := queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
			var account, resource string
			err = r.Scan(&account, &resource)
			if x := at[account]; x != nil {
				x.Repairs = append(x.Repairs, resource)
			}
			return none, err
		}, `SELECT reconcile_account_id, id FROM resources WHERE reconcile_account_id IN (`+c.marks(part)+`) ORDER BY id`, c.args...)
		if err != nil {
			return err
		}
		c = &clause{}
		_, err = queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
			var account string
			var keys, namespaces, clusters int64
			err = r.Scan(&account, &keys, &namespaces, &clusters)
			if x := at[account]; x != nil {
				x.Keys, x.Namespaces, x.Clusters = keys, namespaces, clusters
			}
			return none, err
		}, `SELECT m.account_id, COUNT(*), COUNT(DISTINCT s.resource_id), COUNT(DISTINCT s.cluster_id) FROM mappings m JOIN secrets s ON s.id = m.secret_id
			WHERE m.state <> 'tombstone' AND m.account_id IN (`+c.marks(part)+`) GROUP BY 1`, c.args...)
		return err
	})
}

// KnownReader is a workload that held the value of an account when a run of that account looked.
type KnownReader struct {
	AccountID, ClusterID, ClusterName, Kind, Namespace, Name string
	SeenAt                                                   time.Time
}

// KnownReaders returns the workloads that the last run of each account found reading its keys, at most limit. Clusters that
// were not asked by a run are not in it, and what was deployed since is not either.
func (s *Store) KnownReaders(ctx context.Context, accounts []string, limit int) (all []KnownReader, err error) {
	err = inChunks(accounts, func(part []string) error {
		c := &clause{}
		some, err := queryAll(ctx, s.read(ctx), func(r scanner) (k KnownReader, err error) {
			var at int64
			err = r.Scan(&k.AccountID, &k.ClusterID, &k.ClusterName, &k.Kind, &k.Namespace, &k.Name, &at)
			k.SeenAt = instant(at)
			return k, err
		}, `SELECT r.account_id, w.cluster_id, c.name, w.kind, w.namespace, w.name, MAX(w.at) FROM run_rollouts w JOIN runs r ON r.id = w.run_id JOIN clusters c ON c.id = w.cluster_id
			WHERE r.id IN (SELECT MAX(l.id) FROM runs l WHERE l.account_id IN (`+c.marks(part)+`) AND EXISTS (SELECT 1 FROM run_censuses n WHERE n.run_id = l.id) GROUP BY l.account_id)
			GROUP BY r.account_id, w.cluster_id, c.name, w.kind, w.namespace, w.name ORDER BY c.name, w.namespace, w.kind, w.name, r.account_id LIMIT `+c.arg(limit), c.args...)
		all = append(all, some...)
		return err
	})
	return all[:min(len(all), limit)], err
}
