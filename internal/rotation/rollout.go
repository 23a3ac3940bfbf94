package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

const (
	// rollAtOnce is how many workloads of one cluster are restarted at a time.
	rollAtOnce = 8
	// tellEvery is how often progress of one rollout is stored at most.
	tellEvery = 500 * time.Millisecond
	// DefaultStuckFor is how long a rollout may not get on before the run says so, and DefaultRollFor how long it may take.
	DefaultStuckFor, DefaultRollFor = time.Minute, 30 * time.Minute
)

// RolloutStore keeps what became of the workloads that read a run's keys. All methods but Rollouts fail with fault.Stale
// when the stored fence is another than run.Fence.
type RolloutStore interface {
	// Rollouts returns the clusters of which a census is stored, and the workloads.
	Rollouts(ctx context.Context, run Run) (clusters []string, all []Rollout, err error)
	// SaveCensus stores that these were the workloads of the cluster that held the old value when the new one was written.
	SaveCensus(ctx context.Context, run Run, clusterID, note string, all []Rollout, ev audit.Event) error
	// SaveRollouts stores what became of some. Without events it is progress only.
	SaveRollouts(ctx context.Context, run Run, some []Rollout, evs []audit.Event) error
}

// rollOut restarts what reads the keys that were written and watches it to the end: afterwards no pod is left that could
// hold the old value. Who that is was fixed by a census right after the writes; what was made later has the new value.
func (e *Engine) rollOut(ctx context.Context, run Run) (Run, error) {
	writes, err := e.Store.Writes(ctx, run)
	if err != nil {
		return run, err
	}
	if !slices.ContainsFunc(writes, func(w Write) bool { return w.OnWrite != OnWriteNothing }) {
		return e.passed(ctx, run, RolledOut, "no mapping asks for a restart of what reads its key")
	}
	if run, _, err = e.begin(ctx, run, RolledOut); err != nil {
		return run, err
	}
	if run, err = e.restarted(ctx, run, writes); err != nil {
		return run, err
	}
	_, all, err := e.Store.Rollouts(ctx, run)
	if err != nil {
		return run, err
	}
	if len(all) == 0 {
		return e.passed(ctx, run, RolledOut, "no workload that could be seen reads the keys")
	}
	return e.passed(ctx, run, RolledOut, fmt.Sprintf("no pod of %d workloads is left from before the write", len(all)))
}

// restarted restarts what reads the keys of writes and watches it to the end. Without an error no pod is left that could
// hold the old value; otherwise the run was stored as one that waits or needs attention.
func (e *Engine) restarted(ctx context.Context, run Run, writes []Write) (Run, error) {
	failed, err := e.censuses(ctx, run, writes)
	if err != nil {
		return run, err
	}
	_, all, err := e.Store.Rollouts(ctx, run)
	if err != nil {
		return run, err
	}
	policy, err := e.policy(ctx, run)
	if err != nil {
		return run, err
	}
	opens, err := policy.Rules.Restarts.opens(time.Now(), policy.Rules.Zone)
	if err != nil {
		return run, err
	}
	if all, err = e.rollInOrder(ctx, run, policy.Rules.Restarts.groups(all), opens.After(time.Now())); err != nil {
		return run, err
	}
	done, state, why, what := judgeRollouts(all)
	switch {
	case state == NeedsAttention:
		stop := e.stop
		if !slices.ContainsFunc(all, func(r Rollout) bool { return r.State == RolloutStuck }) {
			stop = e.pause // those that ask are waited for
		}
		return stop(ctx, run, NeedsAttention, run.inWave(fmt.Sprintf("%d of %d workloads are not on the new value; first: %s", len(all)-done, len(all), why)), what)
	case failed != nil:
		return e.retry(ctx, run, run.inWave("who reads the keys is not known: "+reason(failed)), cure(failed, "bring the cluster back; the run goes on by itself, or resume it"))
	case opens.After(time.Now()) && slices.ContainsFunc(all, func(r Rollout) bool { return r.State == RolloutToDo }):
		run.NotBefore = opens
		return e.pause(ctx, run, Waiting, run.inWave(fmt.Sprintf("%d of %d workloads wait for the window in which they may be restarted", len(all)-done, len(all))),
			"nothing to do: it goes on by itself; or change the policy's windows for restarts, then resume")
	case state == Waiting:
		return e.retry(ctx, run, run.inWave(why), what)
	}
	return run, nil
}

// rollInOrder restarts and follows group after group, and goes no further when one was not followed to its end. While the
// window for restarts is shut, only those are followed that were begun. It returns what has become of all.
func (e *Engine) rollInOrder(ctx context.Context, run Run, groups [][]Rollout, shut bool) (all []Rollout, err error) {
	left := func(r Rollout) bool { return r.State != RolloutDone && r.State != RolloutSkipped }
	for i, group := range groups {
		if shut {
			group = slices.DeleteFunc(slices.Clone(group), func(r Rollout) bool { return r.State == RolloutToDo })
		}
		if err := e.rollAll(ctx, run, group); err != nil {
			return nil, err
		}
		if _, all, err = e.Store.Rollouts(ctx, run); err != nil {
			return nil, err
		}
		here := slices.DeleteFunc(slices.Clone(all), func(r Rollout) bool {
			return !slices.ContainsFunc(groups[i], func(g Rollout) bool { return g.Workload == r.Workload })
		})
		if slices.ContainsFunc(here, left) {
			break
		}
	}
	return all, nil
}

// censuses looks who reads the written keys, in each cluster, and stores it where that was not done yet; where it was, it
// settles what has gone since. The error of a cluster that did not answer is returned as failed, and holds only its part.
func (e *Engine) censuses(ctx context.Context, run Run, writes []Write) (failed, err error) {
	known, all, err := e.Store.Rollouts(ctx, run)
	if err != nil {
		return nil, err
	}
	replaced, err := e.replacements(ctx, run)
	if err != nil {
		return nil, err
	}
	for _, cluster := range clustersOf(writes) {
		here := slices.DeleteFunc(slices.Clone(writes), func(w Write) bool { return w.ClusterID != cluster || w.OnWrite == OnWriteNothing })
		was := slices.DeleteFunc(slices.Clone(all), func(r Rollout) bool { return r.ClusterID != cluster })
		again := slices.Contains(known, cluster)
		if again && !slices.ContainsFunc(was, func(r Rollout) bool {
			return r.State == RolloutStuck || r.State == RolloutToDo || r.State == RolloutHeld
		}) {
			continue
		}
		census, err := e.census(ctx, cluster, here, replaced)
		if err != nil {
			failed = err
			continue
		}
		now := consumers(here, census.Readers, replaced)
		if again {
			err = e.saveRollouts(ctx, run, stillThere(was, now))
		} else {
			ev := e.event(run, "run.census").With("cluster", cluster).With("workloads", fmt.Sprint(len(now)))
			if census.Note != "" {
				ev = ev.With("note", census.Note)
			}
			e.at("rolled_out:before-census")
			err = e.Store.SaveCensus(ctx, run, cluster, census.Note, now, ev)
			e.at("rolled_out:census")
		}
		if err != nil {
			return nil, err
		}
	}
	return failed, nil
}

func clustersOf(writes []Write) (all []string) {
	for _, w := range writes {
		if w.OnWrite != OnWriteNothing && !slices.Contains(all, w.ClusterID) {
			all = append(all, w.ClusterID)
		}
	}
	return all
}

// census asks one cluster who reads the keys of writes, and who names what was replaced.
func (e *Engine) census(ctx context.Context, cluster string, writes []Write, replaced []Replacement) (Census, error) {
	var secrets [][2]string
	for _, r := range replaced {
		if r.ClusterID == cluster {
			secrets = append(secrets, [2]string{r.Namespace, r.Old})
		}
	}
	for _, w := range writes {
		if at := [2]string{w.Namespace, w.Name}; !slices.Contains(secrets, at) {
			secrets = append(secrets, at)
		}
	}
	return censusOf(ctx, e.Clusters, cluster, secrets)
}

// censusOf asks one cluster who reads the Secrets. A connector that may not restart anything is not asked.
func censusOf(ctx context.Context, clusters Clusters, cluster string, secrets [][2]string) (Census, error) {
	c, may, err := clusters.Workloads(ctx, cluster)
	if err != nil {
		return Census{}, err
	}
	if !may {
		return Census{Note: "the connector may not restart workloads there, so what reads the keys was not looked at"}, nil
	}
	out, err := c.Readers(ctx, secrets)
	for i := range out.Readers {
		out.Readers[i].ClusterID = cluster
	}
	return out, err
}

// rollAll restarts and follows what is left to do, some of each cluster at a time.
func (e *Engine) rollAll(ctx context.Context, run Run, all []Rollout) error {
	limits := map[string]chan struct{}{}
	errs := make(chan error, len(all))
	var work sync.WaitGroup
	for _, r := range all {
		if r.State != RolloutToDo && r.State != RolloutRolling && r.State != RolloutHeld {
			continue
		}
		limit := limits[r.ClusterID]
		if limit == nil {
			limit = make(chan struct{}, rollAtOnce)
			limits[r.ClusterID] = limit
		}
		work.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			errs <- e.roll(ctx, run, r)
		})
	}
	work.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// roll restarts one workload, follows it and stores what became of it. Its error is that nothing could be stored.
func (e *Engine) roll(ctx context.Context, run Run, r Rollout) error {
	c, may, err := e.Clusters.Workloads(ctx, r.ClusterID)
	if err == nil && !may {
		err = fault.New(fault.Denied, "the connector may not restart workloads any more").WithCure("apply the manifest with --restart again, then resume")
	}
	follow := true
	if err == nil {
		var names map[string]string
		if names, err = e.names(ctx, run, r.Workload); err != nil {
			return err
		}
		e.at("rolled_out:before-effect")
		follow, err = c.Restart(ctx, r.Workload, run.ID, names)
		e.at("rolled_out:after-effect")
	}
	if errors.Is(err, fault.NotFound) {
		r.Old = 0
		r.set(RolloutSkipped, "it is gone", "")
		return e.saveRollouts(ctx, run, []Rollout{r})
	}
	if err != nil {
		return e.unrolled(ctx, run, r, err)
	}
	if !follow {
		r.Old = 0
		r.set(RolloutDone, "", "")
		return e.saveRollouts(ctx, run, []Rollout{r})
	}
	if r.State != RolloutRolling {
		r.set(RolloutRolling, "", "")
		if err := e.saveRollouts(ctx, run, []Rollout{r}); err != nil {
			return err
		}
	}
	return e.follow(ctx, run, c, r)
}

// errStuck is why following is given up.
var errStuck = errors.New("stuck")

// follow watches one restart to its end. It gives up when the same reason keeps it from getting on for long.
func (e *Engine) follow(ctx context.Context, run Run, c Workloads, r Rollout) error {
	ctx, cancel := context.WithTimeout(ctx, orDefault(e.RollFor, DefaultRollFor))
	defer cancel()
	var told, stuckSince time.Time
	var lost error
	end, err := c.Follow(ctx, r.Workload, run.ID, func(s Sight) error {
		r.Wanted, r.New, r.Ready, r.Old = s.Wanted, s.New, s.Ready, s.Old
		if r.Reason = s.Stuck; r.Reason == "" {
			stuckSince = time.Time{}
		} else if s.GivenUp {
			return errStuck
		} else if stuckSince.IsZero() {
			stuckSince = time.Now()
		} else if time.Since(stuckSince) > orDefault(e.StuckFor, DefaultStuckFor) {
			return errStuck
		}
		if time.Since(told) < tellEvery {
			return nil
		}
		told, r.At = time.Now(), time.Now().UTC()
		lost = e.Store.SaveRollouts(ctx, run, []Rollout{r}, nil)
		return lost
	})
	switch {
	case lost != nil:
		return lost
	case errors.Is(err, errStuck):
		r.set(RolloutStuck, r.Reason, "mend it and resume; or roll the run back while the old value is valid")
	case err != nil:
		return e.unrolled(ctx, run, r, err)
	case end.Gone:
		r.Wanted, r.New, r.Ready, r.Old = 0, 0, 0, 0
		r.set(RolloutSkipped, "it is gone", "")
	default:
		r.Wanted, r.New, r.Ready, r.Old = end.Wanted, end.New, end.Ready, end.Old
		r.set(RolloutDone, "", "")
	}
	e.at("rolled_out:before-proof")
	return e.saveRollouts(context.WithoutCancel(ctx), run, []Rollout{r})
}

// unrolled stores why a workload is not restarted.
func (e *Engine) unrolled(ctx context.Context, run Run, r Rollout, err error) error {
	if ctx.Err() != nil && context.Cause(ctx) != context.DeadlineExceeded {
		return err // the process stops, or the lease is lost
	}
	if fault.KindOf(err) == "" || unreachable(err) {
		r.set(RolloutHeld, reason(err), cure(err, "bring the cluster back; the run goes on by itself, or resume it"))
	} else {
		r.set(RolloutStuck, reason(err), cure(err, "mend the cause, then resume"))
	}
	return e.saveRollouts(context.WithoutCancel(ctx), run, []Rollout{r})
}

func (e *Engine) saveRollouts(ctx context.Context, run Run, some []Rollout) error {
	if len(some) == 0 {
		return nil
	}
	evs := make([]audit.Event, len(some))
	for i, r := range some {
		ev := audit.New(worker, "workload.restart", audit.Object{Kind: "cluster", ID: r.ClusterID, Name: r.Kind + " " + r.Namespace + "/" + r.Name})
		ev.Run = run.ID
		evs[i] = ev.With("state", string(r.State)).With("pods", fmt.Sprintf("%d of %d new and ready, %d old", r.Ready, r.Wanted, r.Old))
		if r.Reason != "" {
			evs[i] = evs[i].With("reason", r.Reason)
		}
	}
	return e.Store.SaveRollouts(ctx, run, some, evs)
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
