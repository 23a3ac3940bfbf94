package store

import (
	"context"
	"maps"
	"slices"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/rotation"
)

// Waves implements rotation.WaveStore.
func (s *Store) Waves(ctx context.Context, run rotation.Run) (map[string]int, error) {
	type row struct {
		cluster string
		wave    int
	}
	all, err := queryAll(ctx, s.read(ctx), func(r scanner) (x row, err error) { return x, r.Scan(&x.cluster, &x.wave) },
		`SELECT cluster_id, wave FROM run_waves WHERE run_id = $1`, run.ID)
	waves := make(map[string]int, len(all))
	for _, x := range all {
		waves[x.cluster] = x.wave
	}
	return waves, err
}

// SaveWaves implements rotation.WaveStore.
func (s *Store) SaveWaves(ctx context.Context, run rotation.Run, waves map[string]int, ev audit.Event) error {
	clusters := slices.Sorted(maps.Keys(waves))
	return s.write(ctx, func(tx *Tx) error {
		if err := stillMine(ctx, tx, run); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE runs SET wave = $2, waves = $3 WHERE id = $1`, run.ID, run.Wave, run.Waves); err != nil {
			return err
		}
		_, err := insertRows(ctx, tx, `INSERT INTO run_waves (run_id, cluster_id, wave)`, 3, ``, len(clusters), func(args []any, i int) []any {
			return append(args, run.ID, clusters[i], waves[clusters[i]])
		})
		if err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}
