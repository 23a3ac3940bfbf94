package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
)

var _ inventory.FetchStore = (*Store)(nil)

const fetchColumns = `id, cluster_id, kind, state, selection, total, added, changed, unchanged, gone, skipped, problems, reason, cure,
	fence, not_before, tries, actor_id, actor_name, created_at, updated_at, ended_at`

func scanFetch(r scanner) (f inventory.Fetch, err error) {
	var selection, problems string
	var notBefore, created, updated, ended int64
	n := &f.Counts
	err = r.Scan(&f.ID, &f.ClusterID, &f.Kind, &f.State, &selection, &n.Total, &n.Added, &n.Changed, &n.Unchanged, &n.Gone, &n.Skipped, &problems,
		&f.Reason, &f.Cure, &f.Fence, &notBefore, &f.Tries, &f.StartedBy.ID, &f.StartedBy.Name, &created, &updated, &ended)
	if err != nil {
		return f, err
	}
	f.NotBefore, f.CreatedAt, f.UpdatedAt, f.EndedAt = instant(notBefore), instant(created), instant(updated), instant(ended)
	if err := json.Unmarshal([]byte(selection), &f.Selection); err != nil {
		return f, err
	}
	return f, json.Unmarshal([]byte(problems), &f.Problems)
}

// OpenFetch stores a new fetch in the state queued. What it chooses joins the cluster's selections. It fails with
// fault.Conflict, code "fetch-running", while another one of the cluster has not ended, and when the cluster was removed.
func (s *Store) OpenFetch(ctx context.Context, f inventory.Fetch, ev audit.Event) error {
	selection, err := json.Marshal(f.Selection)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *Tx) error {
		open, err := queryAll(ctx, tx, scanText, `SELECT id FROM fetches WHERE cluster_id = $1 AND state NOT IN ('done', 'failed')`, clean(f.ClusterID))
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return fault.New(fault.Conflict, "a fetch or sync of this cluster is running already").WithCode("fetch-running").
				WithCure("wait for it to end").WithUnchanged("nothing was changed")
		}
		if err := choose(ctx, tx, f); err != nil {
			return err
		}
		now := micro(f.CreatedAt)
		_, err = exec(ctx, tx, `INSERT INTO fetches (`+fetchColumns+`, lease_owner, lease_until)
			VALUES ($1,$2,$3,'queued',$4,0,0,0,0,0,0,'{}','','',$5,$9,0,$6,$7,$8,$8,0,'',0)`,
			f.ID, f.ClusterID, string(f.Kind), string(selection), f.Fence, f.StartedBy.ID, f.StartedBy.Name, now, micro(f.NotBefore))
		if err != nil {
			return err
		}
		tx.Changed("fetch", f.ID, 0, f.ClusterID)
		return record(ctx, tx, ev)
	})
}

// choose adds what f chooses to the selections of its cluster. The cluster's rev stays: it is not what somebody edits.
func choose(ctx context.Context, tx *Tx, f inventory.Fetch) error {
	c, err := queryOne(ctx, tx, "cluster", scanCluster, `SELECT `+clusterColumns+` FROM clusters WHERE id = $1`, f.ClusterID)
	if err != nil {
		return err
	}
	if c.State == inventory.ClusterRemoved {
		return fault.New(fault.Conflict, "the cluster was removed").WithCure("connect it again").WithUnchanged("nothing was changed")
	}
	if f.Kind != inventory.FetchChosen {
		return nil
	}
	all, err := selectionsText(inventory.JoinSelections(c.Selections, f.Selection))
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE clusters SET selections = $2 WHERE id = $1`, f.ClusterID, all)
	return err
}

// Fetch returns a fetch.
func (s *Store) Fetch(ctx context.Context, id string) (inventory.Fetch, error) {
	return queryOne(ctx, s.read(ctx), "fetch", scanFetch, `SELECT `+fetchColumns+` FROM fetches WHERE id = $1`, clean(id))
}

// Fetches returns up to limit fetches and syncs of a cluster, newest first. They name Secrets of the whole cluster, so
// they are for who may see it.
func (s *Store) Fetches(ctx context.Context, clusterID string, limit int) ([]inventory.Fetch, error) {
	return queryAll(ctx, s.read(ctx), scanFetch, `SELECT `+fetchColumns+` FROM fetches WHERE cluster_id = $1 ORDER BY id DESC LIMIT $2`,
		clean(clusterID), limit)
}

// DueFetches returns the ids of up to limit fetches that somebody should work on at now: not ended, not waiting for a
// later time, and under no lease that holds. Oldest first.
func (s *Store) DueFetches(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM fetches WHERE state IN ('queued', 'running', 'waiting')
		AND not_before <= $1 AND lease_until <= $1 ORDER BY not_before, id LIMIT $2`, micro(now), limit)
}

// ClaimFetch implements inventory.FetchStore.
func (s *Store) ClaimFetch(ctx context.Context, id, owner string, ttl time.Duration) (f inventory.Fetch, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		now := time.Now()
		err := execOne(ctx, tx, fault.New(fault.Conflict, "the fetch has ended or is worked on by somebody else"),
			`UPDATE fetches SET state = 'running', fence = fence + 1, lease_owner = $2, lease_until = $3, updated_at = $4
			WHERE id = $1 AND state IN ('queued', 'running', 'waiting') AND (lease_until <= $4 OR lease_owner = $2)`,
			id, owner, micro(now.Add(ttl)), micro(now))
		if err != nil {
			return err
		}
		f, err = queryOne(ctx, tx, "fetch", scanFetch, `SELECT `+fetchColumns+` FROM fetches WHERE id = $1`, id)
		tx.Changed("fetch", id, f.Fence, f.ClusterID)
		return err
	})
	return f, err
}

// RenewFetch implements inventory.FetchStore.
func (s *Store) RenewFetch(ctx context.Context, f inventory.Fetch, ttl time.Duration) error {
	return s.write(ctx, func(tx *Tx) error {
		return execOne(ctx, tx, lostFetch(), `UPDATE fetches SET lease_until = $3 WHERE id = $1 AND fence = $2 AND ended_at = 0`,
			f.ID, f.Fence, micro(time.Now().Add(ttl)))
	})
}

// EndFetch implements inventory.FetchStore.
func (s *Store) EndFetch(ctx context.Context, f inventory.Fetch, cluster inventory.ClusterState, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		now := micro(time.Now())
		var ended int64
		if f.State.Ended() {
			ended = now
		}
		if err := progress(ctx, tx, f); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE fetches SET state = $2, reason = $3, cure = $4, not_before = $5, tries = $6, ended_at = $7, lease_until = 0 WHERE id = $1`,
			f.ID, string(f.State), f.Reason, f.Cure, micro(f.NotBefore), f.Tries, ended)
		if err != nil {
			return err
		}
		if f.State == inventory.FetchDone {
			if _, err := exec(ctx, tx, `UPDATE clusters SET synced_at = $2 WHERE id = $1`, f.ClusterID, now); err != nil {
				return err
			}
			if err := beginAt(ctx, tx, f.ClusterID, f.Positions); err != nil {
				return err
			}
			if len(f.Positions) > 0 {
				if _, err := exec(ctx, tx, `UPDATE clusters SET compared_at = $2 WHERE id = $1`, f.ClusterID, micro(f.Began)); err != nil {
					return err
				}
			}
			// It answered and the token was good, which is more than these states say.
			_, err := exec(ctx, tx, `UPDATE clusters SET state = 'connected', reason = '', since = $2
				WHERE id = $1 AND state IN ('unreachable', 'untrusted', 'unauthorised')`, f.ClusterID, now)
			if err != nil {
				return err
			}
		} else if cluster != "" {
			_, err := exec(ctx, tx, `UPDATE clusters SET reason = $3, since = CASE WHEN state = $2 THEN since ELSE $4 END, state = $2
				WHERE id = $1 AND state <> 'removed'`, f.ClusterID, string(cluster), f.Reason, now)
			if err != nil {
				return err
			}
		}
		tx.Changed("cluster", f.ClusterID, 0, "")
		return record(ctx, tx, ev)
	})
}

// progress stores the counts and problems of f, if its fence is still the stored one.
func progress(ctx context.Context, tx *Tx, f inventory.Fetch) error {
	problems, err := json.Marshal(f.Problems)
	if err != nil {
		return err
	}
	n := f.Counts
	tx.Changed("fetch", f.ID, f.Fence, f.ClusterID)
	return execOne(ctx, tx, lostFetch(), `UPDATE fetches SET total = $3, added = $4, changed = $5, unchanged = $6, gone = $7, skipped = $8, problems = $9,
		updated_at = $10 WHERE id = $1 AND fence = $2 AND ended_at = 0`,
		f.ID, f.Fence, n.Total, n.Added, n.Changed, n.Unchanged, n.Gone, n.Skipped, string(problems), micro(time.Now()))
}

func lostFetch() error {
	return fault.New(fault.Stale, "another worker has taken this fetch over").WithCode("lease-lost").WithUnchanged("nothing was stored")
}

// Stored implements inventory.FetchStore.
func (s *Store) Stored(ctx context.Context, clusterID string, places []inventory.Place) (all []inventory.Stored, err error) {
	paths := make([]string, len(places))
	for i, p := range places {
		paths[i] = p.Namespace + "/" + p.Name
	}
	err = inChunks(paths, func(part []string) error {
		c := &clause{}
		some, err := queryAll(ctx, s.read(ctx), scanStored, `SELECT `+storedColumns+` FROM secrets WHERE cluster_id = `+c.arg(clusterID)+
			` AND (namespace || '/' || name) IN (`+c.marks(part)+`)`, c.args...)
		all = append(all, some...)
		return err
	})
	return all, err
}

const storedColumns = `namespace, name, id, uid, resource_version, deleted_at, rev`

func scanStored(r scanner) (x inventory.Stored, err error) {
	var deleted int64
	err = r.Scan(&x.Namespace, &x.Name, &x.ID, &x.UID, &x.ResourceVersion, &deleted, &x.Rev)
	x.Gone = deleted > 0
	return x, err
}

// StoredAll implements inventory.FetchStore.
func (s *Store) StoredAll(ctx context.Context, clusterID string, namespaces []string) (all []inventory.Stored, err error) {
	const text = `SELECT ` + storedColumns + ` FROM secrets WHERE cluster_id = $1`
	if len(namespaces) == 0 {
		return queryAll(ctx, s.read(ctx), scanStored, text, clusterID)
	}
	err = inChunks(namespaces, func(part []string) error {
		c := &clause{}
		c.arg(clusterID)
		some, err := queryAll(ctx, s.read(ctx), scanStored, text+` AND namespace IN (`+c.marks(part)+`)`, c.args...)
		all = append(all, some...)
		return err
	})
	return all, err
}

// Histories implements inventory.FetchStore.
func (s *Store) Histories(ctx context.Context, ids []string) (map[string]inventory.History, error) {
	type version struct {
		id            string
		last, current int64
	}
	all := make(map[string]inventory.History, len(ids))
	err := inChunks(ids, func(part []string) error {
		c := &clause{}
		rows, err := queryAll(ctx, s.read(ctx), func(r scanner) (v version, err error) { return v, r.Scan(&v.id, &v.last, &v.current) },
			`SELECT account_id, MAX(number), MAX(CASE WHEN stage = 'current' THEN number ELSE 0 END) FROM versions
			WHERE account_id IN (`+c.marks(part)+`) GROUP BY account_id`, c.args...)
		if err != nil {
			return err
		}
		for _, v := range rows {
			all[v.id] = inventory.History{Last: v.last, Current: v.current}
		}
		keys, err := s.SecretKeys(ctx, part...)
		for id, ks := range keys {
			h := all[id]
			h.Keys = prints(ks)
			all[id] = h
		}
		if err != nil {
			return err
		}
		places, err := s.places(ctx, part)
		for id, p := range places {
			h := all[id]
			h.Places = p
			all[id] = h
		}
		return err
	})
	return all, err
}

// places returns, by Secret and key, where the mapped credentials stand that are a part of a value.
func (s *Store) places(ctx context.Context, secrets []string) (map[string]map[string]composite.Spec, error) {
	by := map[string]map[string]composite.Spec{}
	c := &clause{}
	_, err := queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
		var id, key, text string
		if err = r.Scan(&id, &key, &text); err != nil {
			return none, err
		}
		if by[id] == nil {
			by[id] = map[string]composite.Spec{}
		}
		by[id][key], err = placeOf(text)
		return none, err
	}, `SELECT secret_id, key_name, place FROM mappings WHERE place <> '' AND secret_id IN (`+c.marks(secrets)+`)`, c.args...)
	return by, err
}
