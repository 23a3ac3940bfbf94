package store

import (
	"context"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/rotation"
)

var _ rotation.ForecastStore = (*Store)(nil)

// How earlier runs are measured.
const (
	paceRuns = 5 // the newest that ended well
	// longestStep is from when on a step was not busy but waited for somebody, so that its length says nothing.
	longestStep = time.Hour
)

// timed is one run as its events tell it.
type timed struct {
	at   map[string]int64 // micro of each step
	keys int64
	pods int64 // of its largest workload
}

// Pace implements rotation.ForecastStore. A run in waves is left out, for its steps hold pauses. The length of a step is
// the time between its event and that of the one before.
func (s *Store) Pace(ctx context.Context, accountID string) (rotation.Pace, error) {
	for _, whose := range []struct {
		of    rotation.PaceOf
		where string
	}{{rotation.PaceAccount, `r.account_id = $1`}, {rotation.PaceResource, `r.account_id IN (SELECT id FROM accounts WHERE resource_id = (SELECT resource_id FROM accounts WHERE id = $1))`}} {
		runs, err := queryAll(ctx, s.read(ctx), scanText, `SELECT r.id FROM runs r WHERE r.state = 'done' AND r.waves = 0 AND `+whose.where+` ORDER BY r.created_at DESC, r.id DESC LIMIT $2`,
			accountID, paceRuns)
		if err != nil {
			return rotation.Pace{}, err
		}
		if len(runs) > 0 {
			return s.paceOf(ctx, runs, whose.of)
		}
	}
	return rotation.Pace{}, nil
}

func (s *Store) paceOf(ctx context.Context, runs []string, of rotation.PaceOf) (rotation.Pace, error) {
	var all []timed
	for _, id := range runs {
		t := timed{at: map[string]int64{}}
		type step struct {
			action string
			at     int64
		}
		steps, err := queryAll(ctx, s.read(ctx), func(r scanner) (x step, err error) { return x, r.Scan(&x.action, &x.at) },
			`SELECT action, MAX(at) FROM audit_events WHERE run_id = $1 AND action IN ('run.minted', 'run.applied', 'run.verified', 'run.published', 'run.rolled_out', 'run.retired')
			GROUP BY action`, id)
		if err != nil {
			return rotation.Pace{}, err
		}
		for _, x := range steps {
			t.at[x.action] = x.at
		}
		if t.keys, err = queryOne(ctx, s.read(ctx), "count", scanInt, `SELECT COUNT(*) FROM run_writes WHERE run_id = $1`, id); err != nil {
			return rotation.Pace{}, err
		}
		if t.pods, err = queryOne(ctx, s.read(ctx), "count", scanInt, `SELECT COALESCE(MAX(wanted), 0) FROM run_rollouts WHERE run_id = $1 AND state = 'done'`, id); err != nil {
			return rotation.Pace{}, err
		}
		all = append(all, t)
	}
	between := func(from, to string, parts func(timed) int64) time.Duration {
		var took []time.Duration
		for _, t := range all {
			n := parts(t)
			if d := time.Duration(t.at[to]-t.at[from]) * time.Microsecond; t.at[from] > 0 && d > 0 && d < longestStep && n > 0 {
				took = append(took, d/time.Duration(n))
			}
		}
		if len(took) == 0 {
			return 0
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	whole := func(timed) int64 { return 1 }
	return rotation.Pace{
		Runs: len(all), Of: of,
		Apply: between("run.minted", "run.applied", whole), Verify: between("run.applied", "run.verified", whole),
		Retire: between("run.rolled_out", "run.retired", whole),
		Key:    between("run.verified", "run.published", func(t timed) int64 { return t.keys }),
		Pod:    between("run.published", "run.rolled_out", func(t timed) int64 { return t.pods }),
	}, nil
}
