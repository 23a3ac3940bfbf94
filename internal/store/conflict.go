package store

import (
	"context"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

var _ inventory.ConflictStore = (*Store)(nil)

// guarded is a Secret that is about to change and of which the cluster does not simply win, or which differs already.
type guarded struct {
	policy  inventory.DriftPolicy
	current int64
	was     map[string]vault.Fingerprint
	open    []inventory.DivergentKey
}

// driftPolicy is the policy in force for the Secret s of the resource r of the cluster c.
const driftPolicy = `COALESCE(NULLIF(s.on_drift, ''), NULLIF(r.on_drift, ''), c.on_drift)`

// guardedOf returns those of a batch that are guarded, by id. It must come before their keys are replaced.
func guardedOf(ctx context.Context, tx *Tx, batch []inventory.Import) (map[string]*guarded, error) {
	by := map[string]*guarded{}
	var ids []string
	for _, x := range batch {
		if x.Base > 0 {
			ids = append(ids, x.Secret.ID)
		}
	}
	return by, inChunks(ids, func(part []string) error {
		c := &clause{}
		var found []string
		_, err := queryAll(ctx, tx, func(r scanner) (none struct{}, err error) {
			var id string
			g := &guarded{was: map[string]vault.Fingerprint{}}
			err = r.Scan(&id, &g.policy, &g.current)
			by[id], found = g, append(found, id)
			return none, err
		}, `SELECT s.id, `+driftPolicy+`, s.current FROM secrets s JOIN resources r ON r.id = s.resource_id JOIN clusters c ON c.id = s.cluster_id
			WHERE s.id IN (`+c.marks(part)+`) AND (`+driftPolicy+` <> 'cluster_wins' OR EXISTS (SELECT 1 FROM conflicts x WHERE x.id = s.id AND x.state <> 'settled'))`, c.args...)
		if err != nil || len(found) == 0 {
			return err
		}
		c = &clause{}
		_, err = queryAll(ctx, tx, func(r scanner) (none struct{}, err error) {
			var id, name string
			var fp []byte
			err = r.Scan(&id, &name, &fp)
			by[id].was[name] = *print(fp)
			return none, err
		}, `SELECT secret_id, name, fingerprint FROM secret_keys WHERE secret_id IN (`+c.marks(found)+`)`, c.args...)
		if err != nil {
			return err
		}
		open, err := conflictKeys(ctx, tx, found)
		for id, keys := range open {
			by[id].open = keys
		}
		return err
	})
}

// conflictKeys returns the stored keys of divergences, those that are mapped left out.
func conflictKeys(ctx context.Context, on queryer, ids []string) (map[string][]inventory.DivergentKey, error) {
	by := map[string][]inventory.DivergentKey{}
	c := &clause{}
	_, err := queryAll(ctx, on, func(r scanner) (none struct{}, err error) {
		var id string
		var fp []byte
		var k inventory.DivergentKey
		err = r.Scan(&id, &k.Name, &k.Version, &fp, &k.There)
		k.Fingerprint = print(fp)
		by[id] = append(by[id], k)
		return none, err
	}, `SELECT d.secret_id, d.name, d.version, d.fingerprint, CASE WHEN k.name IS NULL THEN 0 ELSE 1 END FROM conflict_keys d
		LEFT JOIN secret_keys k ON k.secret_id = d.secret_id AND k.name = d.name WHERE d.secret_id IN (`+c.marks(ids)+`) ORDER BY d.name`, c.args...)
	return by, err
}

// mappedDivergences returns the mapped keys of Secrets that do not hold their account's credential. What a run is about to write is left out.
func mappedDivergences(ctx context.Context, on queryer, ids []string) (map[string][]inventory.DivergentKey, error) {
	by := map[string][]inventory.DivergentKey{}
	c := &clause{}
	_, err := queryAll(ctx, on, func(r scanner) (none struct{}, err error) {
		var id, place string
		var k inventory.DivergentKey
		if err = r.Scan(&id, &k.Name, &k.AccountID, &k.AccountName, &place, &k.There); err != nil {
			return none, err
		}
		k.Place, err = placeOf(place)
		by[id] = append(by[id], k)
		return none, err
	}, `SELECT m.secret_id, m.key_name, m.account_id, r.name || '/' || a.name, m.place, CASE WHEN k.name IS NULL THEN 0 ELSE 1 END
		FROM mappings m JOIN accounts a ON a.id = m.account_id JOIN resources r ON r.id = a.resource_id
		LEFT JOIN secret_keys k ON k.secret_id = m.secret_id AND k.name = m.key_name
		WHERE m.secret_id IN (`+c.marks(ids)+`) AND m.state = 'drift'
		AND NOT EXISTS (SELECT 1 FROM runs x WHERE x.account_id = m.account_id AND x.state NOT IN ('done', 'rolled_back', 'cancelled'))
		ORDER BY m.key_name`, c.args...)
	return by, err
}

// mappedNames returns the mapped keys of Secrets.
func mappedNames(ctx context.Context, tx *Tx, ids []string) (map[string]map[string]bool, error) {
	by := map[string]map[string]bool{}
	c := &clause{}
	_, err := queryAll(ctx, tx, func(r scanner) (none struct{}, err error) {
		var id, name string
		err = r.Scan(&id, &name)
		if by[id] == nil {
			by[id] = map[string]bool{}
		}
		by[id][name] = true
		return none, err
	}, `SELECT secret_id, key_name FROM mappings WHERE secret_id IN (`+c.marks(ids)+`)`, c.args...)
	return by, err
}

// diverge stores how guarded Secrets differ from what the vault wants of them, after the batch and its mappings were stored.
func diverge(ctx context.Context, tx *Tx, batch []inventory.Import, by map[string]*guarded) error {
	var ids []string
	for id := range by {
		ids = append(ids, id)
	}
	return inChunks(ids, func(part []string) error {
		names, err := mappedNames(ctx, tx, part)
		if err != nil {
			return err
		}
		mapped, err := mappedDivergences(ctx, tx, part)
		if err != nil {
			return err
		}
		for _, x := range batch {
			g, ok := by[x.Secret.ID]
			if !ok {
				continue
			}
			keys, changed := g.open, false
			if x.Values != nil {
				changed = true
				keys = inventory.Diverged(g.open, g.was, g.current, x.Secret.Keys, func(key string) bool { return names[x.Secret.ID][key] || slices.Contains(x.Written, key) })
			}
			if err := setConflict(ctx, tx, x.Secret, g, keys, len(mapped[x.Secret.ID]), changed); err != nil {
				return err
			}
		}
		return nil
	})
}

// setConflict stores which keys of a Secret differ now; with none and no mapped ones it is settled.
func setConflict(ctx context.Context, tx *Tx, x inventory.Secret, g *guarded, keys []inventory.DivergentKey, mapped int, changed bool) error {
	now := micro(time.Now())
	if len(keys)+mapped == 0 {
		return settle(ctx, tx, x.ID, x.ResourceID)
	}
	state, shown := inventory.ConflictOpen, inventory.Conflict
	if g.policy == inventory.VaultWins {
		state, shown = inventory.ConflictHealing, inventory.Drift
	}
	// One that stopped stays so until a person decides, or nothing differs: whoever changes it again does not start it anew.
	_, err := exec(ctx, tx, `INSERT INTO conflicts (id, cluster_id, resource_id, state, reason, cure, since, changed_at, changed_by, looked, actor_id, actor_name,
			heals, heals_from, tries, not_before, fence, lease_owner, lease_until, rev)
		VALUES ($1, $2, $3, $4, '', '', $5, $5, '', 0, '', '', 0, 0, 0, 0, 0, '', 0, 1)
		ON CONFLICT (id) DO UPDATE SET state = CASE WHEN conflicts.state = 'settled' THEN excluded.state ELSE conflicts.state END,
			since = CASE WHEN conflicts.state = 'settled' THEN excluded.since ELSE conflicts.since END,
			changed_at = CASE WHEN $6 = 1 THEN excluded.changed_at ELSE conflicts.changed_at END,
			looked = CASE WHEN $6 = 1 THEN 0 ELSE conflicts.looked END, rev = conflicts.rev + 1`,
		x.ID, x.ClusterID, x.ResourceID, string(state), now, flag(changed))
	if err != nil {
		return err
	}
	if _, err := exec(ctx, tx, `DELETE FROM conflict_keys WHERE secret_id = $1`, x.ID); err != nil {
		return err
	}
	_, err = insertFew(ctx, tx, `INSERT INTO conflict_keys (secret_id, name, version, fingerprint)`, 4, "", len(keys), func(args []any, i int) []any {
		return append(args, x.ID, keys[i].Name, keys[i].Version, printed(keys[i].Fingerprint))
	})
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE secrets SET reason = $3, state = CASE WHEN (SELECT state FROM conflicts WHERE id = $1) = 'healing' THEN 'drift' ELSE $2 END WHERE id = $1`,
		x.ID, string(shown), "it was changed in the cluster")
	tx.Changed("conflict", x.ID, 0, x.ResourceID)
	return err
}

// settle ends a Secret's divergence, if there is one.
func settle(ctx context.Context, tx *Tx, id, resourceID string) error {
	n, err := exec(ctx, tx, `UPDATE conflicts SET state = 'settled', reason = '', cure = '', actor_id = '', actor_name = '', tries = 0, not_before = 0, rev = rev + 1
		WHERE id = $1 AND state <> 'settled'`, id)
	if err != nil || n == 0 {
		return err
	}
	if _, err := exec(ctx, tx, `DELETE FROM conflict_keys WHERE secret_id = $1`, id); err != nil {
		return err
	}
	if _, err := exec(ctx, tx, `UPDATE secrets SET state = 'in_sync', reason = '' WHERE id = $1 AND state IN ('conflict', 'drift')`, id); err != nil {
		return err
	}
	tx.Changed("conflict", id, 0, resourceID)
	return nil
}

// settleAll is settle for many Secrets, few of which have a divergence.
func settleAll(ctx context.Context, tx *Tx, ids []string) error {
	c := &clause{}
	open, err := queryAll(ctx, tx, func(r scanner) (x [2]string, err error) { return x, r.Scan(&x[0], &x[1]) },
		`SELECT id, resource_id FROM conflicts WHERE state <> 'settled' AND id IN (`+c.marks(ids)+`)`, c.args...)
	for _, x := range open {
		if err := settle(ctx, tx, x[0], x[1]); err != nil {
			return err
		}
	}
	return err
}

// conflictColumns are of the divergence x, its Secret s, the Secret's resource r and its cluster c.
const (
	conflictColumns = `x.id, x.cluster_id, x.resource_id, s.namespace, s.name, s.current, s.state, s.rev, x.state, ` + driftPolicy + `, x.reason, x.cure, x.since, x.changed_at, x.changed_by,
	x.looked, x.actor_id, x.actor_name, x.heals, x.heals_from, x.tries, x.not_before, x.fence, x.rev`
	conflictJoins = `JOIN secrets s ON s.id = x.id JOIN resources r ON r.id = s.resource_id JOIN clusters c ON c.id = s.cluster_id`
)

func scanConflict(r scanner) (d inventory.Divergence, err error) {
	var since, changed, from, notBefore int64
	s, by := &d.Secret, &d.WantedBy
	err = r.Scan(&s.ID, &s.ClusterID, &s.ResourceID, &s.Namespace, &s.Name, &s.Current, &s.State, &s.Rev, &d.State, &d.Policy, &d.Reason, &d.Cure, &since, &changed, &d.ChangedBy,
		&d.Looked, &by.ID, &by.Name, &d.Heals, &from, &d.Tries, &notBefore, &d.Fence, &d.Rev)
	d.Since, d.ChangedAt, d.HealsFrom, d.NotBefore = instant(since), instant(changed), instant(from), instant(notBefore)
	if by.ID != "" {
		by.Kind = identity.KindUser
	}
	return d, err
}

// divergentKeys fills in the keys of divergences.
func divergentKeys(ctx context.Context, on queryer, all []*inventory.Divergence) error {
	by := map[string]*inventory.Divergence{}
	var ids []string
	for _, d := range all {
		by[d.Secret.ID], ids = d, append(ids, d.Secret.ID)
	}
	return inChunks(ids, func(part []string) error {
		keys, err := conflictKeys(ctx, on, part)
		if err != nil {
			return err
		}
		mapped, err := mappedDivergences(ctx, on, part)
		for _, id := range part {
			by[id].Keys = append(keys[id], mapped[id]...)
		}
		return err
	})
}

// DueConflicts returns the ids of up to limit Secrets whose divergence somebody should look at now, or heal: under no lease
// that holds and not waiting for a later time. While the repository is one that was restored there is none.
func (s *Store) DueConflicts(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM conflicts WHERE (state = 'healing' OR state <> 'settled' AND looked = 0)
		AND not_before <= $1 AND lease_until <= $1 AND `+noRestore+` AND cluster_id IN (SELECT id FROM clusters WHERE state <> 'removed')
		ORDER BY not_before, id LIMIT $2`, micro(now), limit)
}

// ClaimConflict implements inventory.ConflictStore.
func (s *Store) ClaimConflict(ctx context.Context, secretID, owner string, ttl time.Duration) (d inventory.Divergence, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		if err := unrestored(ctx, tx); err != nil {
			return err
		}
		now := time.Now()
		err := execOne(ctx, tx, fault.New(fault.Conflict, "the conflict is settled, or somebody else works on it"),
			`UPDATE conflicts SET fence = fence + 1, lease_owner = $2, lease_until = $3 WHERE id = $1 AND lease_until <= $4
			AND (state = 'healing' OR state <> 'settled' AND looked = 0)`, secretID, owner, micro(now.Add(ttl)), micro(now))
		if err != nil {
			return err
		}
		d, err = queryOne(ctx, tx, "conflict", scanConflict, `SELECT `+conflictColumns+` FROM conflicts x `+conflictJoins+` WHERE x.id = $1`, secretID)
		if err != nil {
			return err
		}
		return divergentKeys(ctx, tx, []*inventory.Divergence{&d})
	})
	return d, err
}

// SaveConflict implements inventory.ConflictStore.
func (s *Store) SaveConflict(ctx context.Context, d inventory.Divergence, keep bool, evs ...audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		// What was changed or decided meanwhile (rev) is not written over; the next look begins with it.
		n, err := exec(ctx, tx, `UPDATE conflicts SET state = $4, reason = $5, cure = $6, changed_by = $7, looked = $8, actor_id = $9, actor_name = $10, heals = $11,
			heals_from = $12, tries = $13, not_before = $14, rev = CASE WHEN $15 = 1 THEN rev ELSE rev + 1 END,
			lease_until = CASE WHEN $15 = 1 THEN lease_until ELSE 0 END WHERE id = $1 AND fence = $2 AND rev = $3`,
			d.Secret.ID, d.Fence, d.Rev, string(d.State), d.Reason, d.Cure, d.ChangedBy, flag(d.Looked), d.WantedBy.ID, d.WantedBy.Name, d.Heals,
			micro(d.HealsFrom), d.Tries, micro(d.NotBefore), flag(keep))
		if err != nil {
			return err
		}
		if n == 0 {
			if keep {
				return lostConflict()
			}
			_, err := exec(ctx, tx, `UPDATE conflicts SET lease_until = 0 WHERE id = $1 AND fence = $2`, d.Secret.ID, d.Fence)
			return err
		}
		if d.State == inventory.ConflictStopped {
			if _, err := exec(ctx, tx, `UPDATE secrets SET state = 'conflict', reason = $2 WHERE id = $1 AND state = 'drift'`, d.Secret.ID, d.Reason); err != nil {
				return err
			}
		}
		tx.Changed("conflict", d.Secret.ID, 0, d.Secret.ResourceID)
		return record(ctx, tx, evs...)
	})
}

// ReleaseConflict implements inventory.ConflictStore.
func (s *Store) ReleaseConflict(ctx context.Context, d inventory.Divergence, rest time.Duration) error {
	return s.write(ctx, func(tx *Tx) error {
		return execOne(ctx, tx, lostConflict(), `UPDATE conflicts SET lease_until = 0, not_before = CASE WHEN state = 'healing' THEN $3 ELSE 0 END WHERE id = $1 AND fence = $2`,
			d.Secret.ID, d.Fence, micro(time.Now().Add(rest)))
	})
}

func lostConflict() error {
	return fault.New(fault.Stale, "another worker has taken this conflict over, or it was changed meanwhile").WithCode(inventory.CodeLeaseLost).WithUnchanged("nothing was stored")
}

// ConflictQuery chooses divergences. Empty fields choose everything but what is settled. Sort is since, path or changed.
type ConflictQuery struct {
	ListQuery
	ID         string
	ClusterID  string
	ResourceID string
	State      []string
}

// ConflictRow is a divergence as a list shows it.
type ConflictRow struct {
	inventory.Divergence
	ClusterName, ResourceName string
	Level                     policy.Level
}

// Conflicts returns one page of the divergences of Secrets that v may know of.
func (s *Store) Conflicts(ctx context.Context, v Viewer, q ConflictQuery) (Page[ConflictRow], error) {
	where := v.clause()
	v.visible(where, seesAccount)
	where.equal(`x.id`, q.ID)
	where.equal(`x.cluster_id`, q.ClusterID)
	where.equal(`x.resource_id`, q.ResourceID)
	if q.Search != "" {
		where.and(`x.id IN (SELECT id FROM secrets WHERE ` + like(`(namespace || '/' || name)`, where.pattern(q.Search)) + `)`)
	}
	on := s.read(ctx)
	path := `(SELECT namespace || '/' || name FROM secrets WHERE id = x.id)`
	l := listing[ConflictRow]{
		with: v.with(), table: `conflicts`, state: `x.state`, usual: "-since",
		sorts:   map[string]column{"since": {expr: `x.since`, number: true}, "changed": {expr: `x.changed_at`, number: true}, "path": {expr: path}},
		columns: conflictColumns + `, c.name, r.name, ` + v.level(reachesAccount), joins: conflictJoins,
		scan: func(r scanner) (row ConflictRow, err error) {
			row.Divergence, err = scanConflict(wider{row: r, after: []any{&row.ClusterName, &row.ResourceName, &row.Level}})
			return row, err
		},
	}
	if q.ID == "" {
		l.hidden = string(inventory.ConflictSettled)
	}
	p, err := l.page(ctx, on, q.ListQuery, q.State, where)
	if err != nil {
		return p, err
	}
	all := make([]*inventory.Divergence, len(p.Items))
	for i := range p.Items {
		all[i] = &p.Items[i].Divergence
	}
	return p, divergentKeys(ctx, on, all)
}

// Conflict returns a Secret's divergence, a settled one too. It fails with fault.NotFound when there never was one.
func (s *Store) Conflict(ctx context.Context, secretID string) (inventory.Divergence, error) {
	on := s.read(ctx)
	d, err := queryOne(ctx, on, "conflict", scanConflict, `SELECT `+conflictColumns+` FROM conflicts x `+conflictJoins+` WHERE x.id = $1`, clean(secretID))
	if err != nil {
		return d, err
	}
	return d, divergentKeys(ctx, on, []*inventory.Divergence{&d})
}

// KeepCluster ends a divergence with what the cluster has. It fails with fault.Stale when rev is not the stored one.
func (s *Store) KeepCluster(ctx context.Context, d inventory.Divergence, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := execOne(ctx, tx, stale("conflict"), `UPDATE conflicts SET rev = rev + 1 WHERE id = $1 AND rev = $2 AND state <> 'settled'`, d.Secret.ID, rev); err != nil {
			return err
		}
		if err := settle(ctx, tx, d.Secret.ID, d.Secret.ResourceID); err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

// KeepVault has the vault's values written, whatever the policy is. It fails with fault.Stale when rev is not the stored one.
func (s *Store) KeepVault(ctx context.Context, d inventory.Divergence, rev int64, by identity.Actor, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := unrestored(ctx, tx); err != nil {
			return err
		}
		err := execOne(ctx, tx, stale("conflict"), `UPDATE conflicts SET state = 'healing', reason = '', cure = '', actor_id = $3, actor_name = $4, tries = 0, not_before = 0,
			rev = rev + 1 WHERE id = $1 AND rev = $2 AND state <> 'settled'`, d.Secret.ID, rev, by.ID, by.Name)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE secrets SET state = 'drift' WHERE id = $1 AND state = 'conflict'`, d.Secret.ID); err != nil {
			return err
		}
		tx.Changed("conflict", d.Secret.ID, 0, d.Secret.ResourceID)
		return record(ctx, tx, ev)
	})
}
