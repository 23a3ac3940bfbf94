package store

import (
	"context"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/inventory"
)

// drifting says of which table's rows a drift policy can be set, and which divergences are under such a row.
var drifting = map[string]struct{ table, under string }{
	"cluster":  {`clusters`, `x.cluster_id = $1`},
	"resource": {`resources`, `x.resource_id = $1`},
	"secret":   {`secrets`, `x.id = $1`},
}

// SetDriftPolicy gives a cluster, a kubernetes resource or a Secret its drift policy, and open divergences what follows from
// it: those under a cluster that wins now are settled. It fails with fault.Stale when rev is not the stored one.
func (s *Store) SetDriftPolicy(ctx context.Context, kind, id string, rev int64, p inventory.DriftPolicy, ev audit.Event) error {
	at := drifting[kind]
	return s.write(ctx, func(tx *Tx) error {
		if err := execOne(ctx, tx, stale(kind), `UPDATE `+at.table+` SET on_drift = $3, rev = rev + 1 WHERE id = $1 AND rev = $2`, id, rev, string(p)); err != nil {
			return err
		}
		open, err := queryAll(ctx, tx, scanConflict, `SELECT `+conflictColumns+` FROM conflicts x `+conflictJoins+` WHERE `+at.under+` AND x.state <> 'settled'`, id)
		if err != nil {
			return err
		}
		for _, d := range open {
			if err := reconsider(ctx, tx, d); err != nil {
				return err
			}
		}
		tx.Changed(kind, id, rev+1, "")
		return record(ctx, tx, ev)
	})
}

// reconsider gives a divergence the state that its policy asks for. What a person asked to be healed stays so.
func reconsider(ctx context.Context, tx *Tx, d inventory.Divergence) error {
	state, shown := inventory.ConflictOpen, inventory.Conflict
	switch {
	case d.Policy == inventory.ClusterWins:
		return settle(ctx, tx, d.Secret.ID, d.Secret.ResourceID)
	case d.WantedBy.ID != "":
		return nil
	case d.Policy == inventory.VaultWins:
		state, shown = inventory.ConflictHealing, inventory.Drift
	}
	if _, err := exec(ctx, tx, `UPDATE conflicts SET state = $2, reason = '', cure = '', tries = 0, not_before = 0, rev = rev + 1 WHERE id = $1`, d.Secret.ID, string(state)); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `UPDATE secrets SET state = $2 WHERE id = $1 AND state IN ('drift', 'conflict')`, d.Secret.ID, string(shown))
	tx.Changed("conflict", d.Secret.ID, 0, d.Secret.ResourceID)
	return err
}

// DriftPolicies returns the drift policy that is set on each of them by itself, and, of what it inherits, the one in force.
func (s *Store) DriftPolicies(ctx context.Context, kind string, ids []string) (map[string]inventory.DriftPolicies, error) {
	by := make(map[string]inventory.DriftPolicies, len(ids))
	text := map[string]string{
		"cluster":  `SELECT c.id, c.on_drift, c.on_drift FROM clusters c WHERE c.id`,
		"resource": `SELECT r.id, r.on_drift, COALESCE(NULLIF(r.on_drift, ''), c.on_drift) FROM resources r JOIN clusters c ON c.id = r.cluster_id WHERE r.id`,
		"secret":   `SELECT s.id, s.on_drift, ` + driftPolicy + ` FROM secrets s JOIN resources r ON r.id = s.resource_id JOIN clusters c ON c.id = s.cluster_id WHERE s.id`,
	}[kind]
	return by, inChunks(ids, func(part []string) error {
		c := &clause{}
		_, err := queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
			var id string
			var p inventory.DriftPolicies
			err = r.Scan(&id, &p.Own, &p.InForce)
			by[id] = p
			return none, err
		}, text+` IN (`+c.marks(part)+`)`, c.args...)
		return err
	})
}
