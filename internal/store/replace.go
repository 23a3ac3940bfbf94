package store

import (
	"context"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation"
)

// Replacements implements rotation.ReplaceStore.
func (s *Store) Replacements(ctx context.Context, run rotation.Run) ([]rotation.Replacement, error) {
	return queryAll(ctx, s.read(ctx), scanReplacement, `SELECT `+replacementColumns+` FROM run_replacements WHERE run_id = $1 ORDER BY cluster_id, namespace, old_name`, run.ID)
}

// Abandoned implements rotation.ReplaceStore.
func (s *Store) Abandoned(ctx context.Context, accountID string) ([]rotation.Replacement, error) {
	return queryAll(ctx, s.read(ctx), scanReplacement, `SELECT `+replacementColumns+` FROM run_replacements
		WHERE value_key <> '' AND new_uid = '' AND gone = 0 AND run_id IN (SELECT id FROM runs WHERE account_id = $1 AND state IN ('rolled_back', 'cancelled'))
		ORDER BY run_id, cluster_id, namespace, old_name`, accountID)
}

func scanReplacement(r scanner) (x rotation.Replacement, err error) {
	return x, r.Scan(&x.RunID, &x.ClusterID, &x.Namespace, &x.Old, &x.OldUID, &x.Key, &x.New, &x.NewUID, &x.Gone)
}

const replacementColumns = `run_id, cluster_id, namespace, old_name, old_uid, value_key, new_name, new_uid, gone`

// SaveReplacement implements rotation.ReplaceStore.
func (s *Store) SaveReplacement(ctx context.Context, run rotation.Run, r rotation.Replacement, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := stillMine(ctx, tx, run); err != nil {
			return err
		}
		if r.NewUID == "" && !r.Gone {
			if err := mayChoose(ctx, tx, run, r); err != nil {
				return err
			}
		}
		if err := putReplacement(ctx, tx, r); err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

// mayChoose makes sure that of all runs this one alone puts another Secret in the place of the old one, and that its keys
// are mapped there still: what another run has put in its place since holds newer values of other keys.
func mayChoose(ctx context.Context, tx *Tx, run rotation.Run, r rotation.Replacement) error {
	busy := fault.New(fault.Unavailable, "another reset is about to replace the same Secret, or just has").WithCode("secret-replaced").
		WithCure("nothing to do: it goes on by itself")
	others, err := queryAll(ctx, tx, scanText, `SELECT x.run_id FROM run_replacements x JOIN runs r ON r.id = x.run_id
		WHERE x.run_id <> $1 AND x.cluster_id = $2 AND x.namespace = $3 AND (x.old_name = $4 OR x.new_name = $4) AND r.state NOT IN ('done', 'rolled_back', 'cancelled')`,
		run.ID, r.ClusterID, r.Namespace, r.Old)
	if err != nil {
		return err
	}
	mapped, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM mappings m JOIN secrets s ON s.id = m.secret_id
		WHERE m.account_id = $1 AND s.cluster_id = $2 AND s.namespace || '/' || s.name = $3`, run.AccountID, r.ClusterID, r.Namespace+"/"+r.Old)
	if err == nil && (len(others) > 0 || mapped == 0) {
		err = busy
	}
	return err
}

func putReplacement(ctx context.Context, tx *Tx, r rotation.Replacement) error {
	_, err := exec(ctx, tx, `INSERT INTO run_replacements (`+replacementColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)
		ON CONFLICT (run_id, cluster_id, namespace, old_name) DO UPDATE SET old_uid = excluded.old_uid, value_key = excluded.value_key, new_name = excluded.new_name, new_uid = excluded.new_uid, gone = excluded.gone`,
		r.RunID, r.ClusterID, r.Namespace, r.Old, r.OldUID, r.Key, r.New, r.NewUID, flag(r.Gone))
	return err
}

// moveMappings maps whatever was mapped to replaced Secrets to those in their place, other accounts' keys too: these are the
// same there to the byte.
func moveMappings(ctx context.Context, tx *Tx, writes []rotation.Write) error {
	moved := map[rotation.Replacement]bool{}
	for _, w := range writes {
		if w.Moved.New == "" || w.State != rotation.WriteDone {
			continue
		}
		to, err := queryOne(ctx, tx, "Secret that was made", scanText, `SELECT id FROM secrets WHERE cluster_id = $1 AND namespace || '/' || name = $2 AND uid = $3 AND deleted_at = 0`,
			w.ClusterID, w.Namespace+"/"+w.Moved.New, w.Moved.NewUID)
		if err != nil {
			return err
		}
		if !moved[w.Moved] {
			moved[w.Moved] = true
			if err := moveMapped(ctx, tx, w, to); err != nil {
				return err
			}
		}
		if w.Place.IsWhole() {
			continue
		}
		if _, err := exec(ctx, tx, `UPDATE secret_keys SET part = $3 WHERE secret_id = $1 AND name = $2`, to, w.Key, w.Proof.Value[:]); err != nil {
			return err
		}
	}
	return nil
}

func moveMapped(ctx context.Context, tx *Tx, w rotation.Write, to string) error {
	if err := putReplacement(ctx, tx, w.Moved); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `UPDATE secret_keys SET part = (SELECT o.part FROM secret_keys o WHERE o.secret_id = $2 AND o.name = secret_keys.name) WHERE secret_id = $1`, to, w.SecretID)
	if err != nil {
		return err
	}
	// The revision moves, so that a sync which has read the Secret and not these mappings decides again.
	if _, err := exec(ctx, tx, `UPDATE secrets SET rev = rev + 1 WHERE id IN ($1, $2)`, to, w.SecretID); err != nil {
		return err
	}
	type row struct {
		id, account string
		rev         int64
	}
	rows, err := queryAll(ctx, tx, func(r scanner) (x row, err error) { return x, r.Scan(&x.id, &x.account, &x.rev) },
		`UPDATE mappings SET secret_id = $2, uid = $3, rev = rev + 1 WHERE secret_id = $1 RETURNING id, account_id, rev`, w.SecretID, to, w.Moved.NewUID)
	if err != nil {
		return err
	}
	for _, x := range rows {
		tx.Changed("mapping", x.id, x.rev, x.account)
		if err := replan(ctx, tx, `SELECT $1`, x.account); err != nil { // policies may be for labels of its Secrets
			return err
		}
	}
	tx.Changed("secret", w.SecretID, 0, "")
	tx.Changed("secret", to, 0, "")
	return nil
}
