package rotation

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

// maxCanary is how many globs may name the clusters of the first wave.
const maxCanary = 50

// PauseAsk is the pause that lasts until a person resumes the run.
const PauseAsk = "ask"

// Waves say in which order the clusters of an account get a new value. A wave begins when every key of the one before is
// written and read back, and no pod there is left from before. The zero Waves are one wave of all.
type Waves struct {
	// Canary are globs of the names of the clusters that go first.
	Canary []string `json:"canary,omitempty"`
	// Size is how many clusters each later wave has, as a number or as a share of those that are left after the canary,
	// such as "25%"; empty is all of them.
	Size string `json:"size,omitempty"`
	// Pause is how long to wait between two waves, such as "30m", or PauseAsk; empty is not at all.
	Pause string `json:"pause,omitempty"`
}

// WaveStore keeps the order in which a run's clusters get the new value. It is fixed once, so that a policy that changes in
// the middle moves no cluster from one wave to another.
type WaveStore interface {
	// Waves returns the wave of each cluster, counted from 1; empty if none were stored.
	Waves(ctx context.Context, run Run) (map[string]int, error)
	// SaveWaves stores them, with run.Wave and run.Waves. It fails with fault.Stale when the stored fence is another than
	// run.Fence.
	SaveWaves(ctx context.Context, run Run, waves map[string]int, ev audit.Event) error
}

// check fails with fault.Invalid, naming the field, when the waves cannot be followed.
func (w Waves) check() error {
	if len(w.Canary) > maxCanary {
		return policyFault("canary", "too many globs name the first wave", "give 50 at most")
	}
	for _, glob := range w.Canary {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return policyFault("canary", "that is not a glob of names of clusters", "use names, * and ?, such as stage-*")
		}
	}
	if _, err := w.size(100); err != nil {
		return err
	}
	_, err := w.pause()
	return err
}

// size returns how many of n clusters make a wave, one at least.
func (w Waves) size(n int) (int, error) {
	if w.Size == "" {
		return max(n, 1), nil
	}
	text, share := strings.CutSuffix(w.Size, "%")
	many, err := strconv.Atoi(text)
	if err != nil || many < 1 || share && many > 100 || many > 1_000_000 {
		return 0, policyFault("waveSize", "that is not the size of a wave", "give a number of clusters such as 3, or a share such as 25%")
	}
	if share {
		many = (n*many + 99) / 100
	}
	return max(many, 1), nil
}

// pause returns how long to wait between two waves; ask is negative.
func (w Waves) pause() (time.Duration, error) {
	if w.Pause == PauseAsk {
		return -1, nil
	}
	return schedule.ParseSpan(w.Pause, "wavePause")
}

// order says which wave each cluster belongs to, counted from 1. Clusters are ids with their names; within the canary and
// after it they go by name. It fails as check does.
func (w Waves) order(clusters map[string]string) (map[string]int, error) {
	var canary, rest []string
	for id, name := range clusters {
		if slices.ContainsFunc(w.Canary, func(glob string) bool { ok, err := path.Match(glob, name); return ok && err == nil }) {
			canary = append(canary, id)
		} else {
			rest = append(rest, id)
		}
	}
	size, err := w.size(len(rest))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rest, func(a, b string) int { return cmp.Or(cmp.Compare(clusters[a], clusters[b]), cmp.Compare(a, b)) })
	waves, wave := map[string]int{}, 0
	if len(canary) > 0 {
		wave = 1
	}
	for _, id := range canary {
		waves[id] = 1
	}
	for i, id := range rest {
		waves[id] = wave + 1 + i/size
	}
	return waves, nil
}

// waved returns which wave each of the run's clusters belongs to, and stores it the first time. A cluster that joined since
// goes with the last wave. A run of one wave stores none; one that undoes another has one, since what it sets was in use.
func (e *Engine) waved(ctx context.Context, run Run, writes []Write) (Run, map[string]int, error) {
	if run.Reverts != "" {
		return run, nil, nil
	}
	waves, err := e.Store.Waves(ctx, run)
	if err != nil {
		return run, nil, err
	}
	if len(waves) > 0 {
		return run, waves, nil
	}
	policy, err := e.policy(ctx, run)
	if err != nil {
		return run, nil, err
	}
	clusters := map[string]string{}
	for _, w := range writes {
		clusters[w.ClusterID] = w.ClusterName
	}
	if waves, err = policy.Rules.Waves.order(clusters); err != nil {
		return run, nil, err
	}
	last := 0
	for _, wave := range waves {
		last = max(last, wave)
	}
	if last < 2 {
		return run, nil, nil
	}
	run.Wave, run.Waves = 1, last
	e.at("published:before-waves")
	err = e.Store.SaveWaves(ctx, run, waves, e.event(run, "run.waves").With("waves", fmt.Sprint(last)).With("clusters", fmt.Sprint(len(clusters))))
	e.at("published:waves")
	return run, waves, err
}

// soFar leaves the writes of the run's wave and of those before it.
func soFar(run Run, waves map[string]int, writes []Write) []Write {
	return slices.DeleteFunc(slices.Clone(writes), func(w Write) bool {
		wave, known := waves[w.ClusterID]
		if !known {
			wave = run.Waves
		}
		return wave > run.Wave
	})
}

// next ends a wave whose keys are written: what reads them is restarted and watched to the end, and then the next wave
// begins, after the pause. Whatever is not proved keeps the run from going on, so that the clusters of later waves stay as
// they are.
func (e *Engine) next(ctx context.Context, run Run, writes []Write) (Run, error) {
	if after, err := e.restarted(ctx, run, writes); err != nil {
		return after, err
	}
	policy, err := e.policy(ctx, run)
	if err != nil {
		return run, err
	}
	pause, err := policy.Rules.Waves.pause()
	if err != nil {
		return run, err
	}
	after := run
	after.Wave, after.Tries, after.State, after.Reason, after.Cure = run.Wave+1, 0, Running, "", ""
	e.at("published:before-wave")
	switch {
	case pause < 0:
		return e.pause(ctx, after, NeedsAttention, fmt.Sprintf("wave %d of %d is proved; the next one waits for a person", run.Wave, run.Waves),
			"resume the run to begin it, or roll the run back")
	case pause > 0:
		after.NotBefore = time.Now().Add(pause)
		return e.pause(ctx, after, Waiting, fmt.Sprintf("wave %d of %d is proved; the next one begins after a pause", run.Wave, run.Waves),
			"nothing to do: it goes on by itself; or resume it now")
	}
	err = e.Store.Advance(ctx, after, e.event(run, "run.wave").With("wave", fmt.Sprint(run.Wave)))
	e.at("published:wave")
	return after, err
}

// inWave says of which wave something holds.
func (r Run) inWave(what string) string {
	if r.Waves == 0 {
		return what
	}
	return fmt.Sprintf("wave %d of %d: %s", r.Wave, r.Waves, what)
}
