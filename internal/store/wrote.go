package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
)

// SaveWrites implements rotation.Store.
func (s *Store) SaveWrites(ctx context.Context, run rotation.Run, writes []rotation.Write, evs []audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := stillMine(ctx, tx, run); err != nil {
			return err
		}
		_, err := insertRows(ctx, tx, `INSERT INTO run_writes (run_id, mapping_id, state, reason, cure, taken, at)`, 7,
			`ON CONFLICT (run_id, mapping_id) DO UPDATE SET state = excluded.state, reason = excluded.reason, cure = excluded.cure,
			taken = excluded.taken, at = excluded.at`, len(writes), func(args []any, i int) []any {
				w := writes[i]
				return append(args, run.ID, w.MappingID, string(w.State), w.Reason, w.Cure, w.Taken, micro(w.At))
			})
		if err != nil {
			return err
		}
		if err := moveMappings(ctx, tx, writes); err != nil {
			return err
		}
		if err := saveMappings(ctx, tx, run, writes); err != nil {
			return err
		}
		return record(ctx, tx, evs...)
	})
}

// saveMappings gives mappings the state of their writes. Those that were written learn which version that was. Nearly all
// of them are in sync with its value already, since the repository was told what was read back; only the others are
// looked at.
func saveMappings(ctx context.Context, tx *Tx, run rotation.Run, writes []rotation.Write) error {
	done := map[string]rotation.Write{}
	var ids []string
	for _, w := range writes {
		if w.State == rotation.WriteDone {
			done[w.MappingID] = w
			ids = append(ids, w.MappingID)
		} else if err := saveMapping(ctx, tx, w); err != nil {
			return err
		}
	}
	return inChunks(ids, func(part []string) error {
		c := &clause{}
		text := `UPDATE mappings SET written = ` + c.arg(run.New) + `, checked_at = ` + c.arg(micro(time.Now())) + `, rev = rev + 1 WHERE id IN (` + c.marks(part) + `)
			RETURNING id, state, reason, fingerprint`
		rows, err := queryAll(ctx, tx, func(r scanner) (m mappedKey, err error) {
			var expected []byte
			err = r.Scan(&m.id, &m.is.State, &m.is.Reason, &expected)
			m.is.Expected = print(expected)
			return m, err
		}, text, c.args...)
		if err != nil {
			return err
		}
		var differ []string
		for _, m := range rows {
			if verdictOf(m.is) != (verdict{state: inventory.InSync, expected: done[m.id].Proof.Value, expects: true}) {
				differ = append(differ, m.id)
			}
		}
		if len(differ) == 0 {
			return nil
		}
		return judgeWrites(ctx, tx, done, differ)
	})
}

// judgeWrites gives mappings the state that their proved writes leave them in, after what else was stored of their Secrets.
func judgeWrites(ctx context.Context, tx *Tx, done map[string]rotation.Write, ids []string) error {
	type stored struct {
		mappedKey
		have inventory.Stored
	}
	c := &clause{}
	rows, err := queryAll(ctx, tx, func(r scanner) (x stored, err error) {
		var deleted int64
		x.mappedKey, err = scanMappedKey(wider{row: r, after: []any{&x.have.UID, &x.have.ResourceVersion, &deleted}})
		x.have.Gone = deleted > 0
		return x, err
	}, `SELECT `+mappedKeyColumns+`, s.uid, s.resource_version, s.deleted_at FROM `+mappedKeyTables+` JOIN secrets s ON s.id = m.secret_id
		WHERE m.id IN (`+c.marks(ids)+`)`, c.args...)
	if err != nil {
		return err
	}
	changed := map[verdict][]string{}
	for _, x := range rows {
		proof := done[x.id].Proof
		v := verdictOf(x.is.Wrote(x.have, proof.ResourceVersion, proof.Value))
		changed[v] = append(changed[v], x.id)
		tx.Changed("mapping", x.id, x.rev+1, x.account)
	}
	for v, ids := range changed {
		if err := v.store(ctx, tx, ids); err != nil {
			return err
		}
	}
	return nil
}

func saveMapping(ctx context.Context, tx *Tx, w rotation.Write) error {
	_, err := exec(ctx, tx, `UPDATE mappings SET state = $2, reason = $3, checked_at = $4, rev = rev + 1 WHERE id = $1`,
		w.MappingID, string(w.State), w.Reason, micro(w.At))
	return err
}
