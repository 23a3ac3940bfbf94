package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

var _ audit.Store = (*Store)(nil)

// pageRows is how many rows a long walk reads at a time, so that no query stays open while its reader works.
const pageRows = 1000

// Unsequenced implements audit.Store.
func (s *Store) Unsequenced(ctx context.Context, limit int) ([]audit.Pending, error) {
	return queryAll(ctx, s.read(ctx), func(r scanner) (p audit.Pending, err error) {
		return p, r.Scan(&p.ID, &p.Body)
	}, `SELECT id, body FROM audit_events WHERE seq IS NULL ORDER BY id LIMIT $1`, limit)
}

// Head implements audit.Store.
func (s *Store) Head(ctx context.Context) (audit.Head, error) { return head(ctx, s.read(ctx)) }

func head(ctx context.Context, q queryer) (audit.Head, error) {
	heads, err := queryAll(ctx, q, scanHead, `SELECT size, hash, at, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1`)
	if err != nil || len(heads) == 0 {
		return audit.Head{}, err
	}
	return heads[0], nil
}

func scanHead(r scanner) (h audit.Head, err error) {
	var hash []byte
	var at int64
	if err := r.Scan(&h.Size, &hash, &at, &h.Signed); err != nil {
		return h, err
	}
	copy(h.Hash[:], hash)
	h.At = time.UnixMicro(at).UTC()
	return h, nil
}

// Append implements audit.Store.
func (s *Store) Append(ctx context.Context, prev audit.Head, batch audit.Batch) error {
	err := s.write(ctx, func(tx *Tx) error {
		tx.logOnly = true
		now, err := head(ctx, tx)
		if err != nil {
			return err
		}
		if now.Size != prev.Size {
			return errOvertaken()
		}
		if err := number(ctx, tx, prev.Size, batch.IDs); err != nil {
			return err
		}
		if err := writeTiles(ctx, tx, batch.Tiles); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO audit_checkpoints (size, hash, at, note) VALUES ($1, $2, $3, $4)`,
			batch.Head.Size, batch.Head.Hash[:], batch.Head.At.UnixMicro(), string(batch.Head.Signed))
		return err
	})
	if err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}

func errOvertaken() error {
	return fault.New(fault.Conflict, "the audit log has grown in the meantime").WithCode("overtaken").
		WithUnchanged("nothing was written")
}

// number gives the events their places in the log, from first on.
func number(ctx context.Context, tx *Tx, first int64, ids []string) error {
	for i := 0; i < len(ids); {
		size := chunk(len(ids)-i, maxRows)
		args := make([]any, 0, 2*size)
		for j := range size {
			args = append(args, ids[i+j], first+int64(i+j))
		}
		// Both databases call the columns of VALUES column1 and column2. The casts tell PostgreSQL the types of them all.
		list := strings.Replace(values(size, 2, tx.numbered()), "($1,$2)", "(CAST($1 AS TEXT),CAST($2 AS BIGINT))", 1)
		n, err := exec(ctx, tx, `UPDATE audit_events SET seq = v.column2 FROM (`+list+`) AS v
			WHERE audit_events.id = v.column1 AND audit_events.seq IS NULL`, args...)
		if err != nil {
			return err
		}
		if n != int64(size) {
			return errOvertaken()
		}
		i += size
	}
	return nil
}

func writeTiles(ctx context.Context, tx *Tx, tiles []audit.Tile) error {
	for _, t := range tiles {
		_, err := exec(ctx, tx, `INSERT INTO audit_tiles (level, n, width, data) VALUES ($1, $2, $3, $4)
			ON CONFLICT (level, n) DO UPDATE SET width = excluded.width, data = excluded.data`,
			t.Level, t.N, len(t.Data)/32, t.Data)
		if err != nil {
			return err
		}
	}
	return nil
}

// Tile implements audit.Store.
func (s *Store) Tile(ctx context.Context, level int, n int64) ([]byte, error) {
	return queryOne(ctx, s.read(ctx), "tile", func(r scanner) (b []byte, err error) { return b, r.Scan(&b) },
		`SELECT data FROM audit_tiles WHERE level = $1 AND n = $2`, level, n)
}

// Entries implements audit.Store.
func (s *Store) Entries(ctx context.Context, from, to int64, fn func(seq int64, body []byte) error) error {
	type entry struct {
		seq  int64
		body []byte
	}
	for from < to {
		page, err := queryAll(ctx, s.read(ctx), func(r scanner) (e entry, err error) { return e, r.Scan(&e.seq, &e.body) },
			`SELECT seq, body FROM audit_events WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3`, from, to, pageRows)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := fn(e.seq, e.body); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return nil
		}
		from = page[len(page)-1].seq + 1
	}
	return nil
}

// Checkpoints implements audit.Store.
func (s *Store) Checkpoints(ctx context.Context, from, to int64, fn func(audit.Head) error) error {
	for from < to {
		page, err := queryAll(ctx, s.read(ctx), scanHead, `SELECT size, hash, at, note FROM audit_checkpoints
			WHERE size > $1 AND size <= $2 ORDER BY size LIMIT $3`, from, to, pageRows)
		if err != nil {
			return err
		}
		for _, h := range page {
			if err := fn(h); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return nil
		}
		from = page[len(page)-1].Size
	}
	return nil
}
