package inventory

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

var clusterSync = identity.System("cluster-sync")

// errAnew ends a round of following whose beginning does not hold any more: the cluster was edited, or more was chosen.
var errAnew = errors.New("follow anew")

const (
	// maxFollowBackoff bounds how long a cluster that does not answer is left alone.
	maxFollowBackoff = 2 * time.Minute
	// settled is how long a watch has to hold for the next failure to count as the first.
	settled = time.Minute
)

// following is one claim of a watch.
type following struct {
	*Follow
	cluster Cluster
	remote  Watched

	streams []string

	mu       sync.Mutex // guards what follows, and keeps batches of one cluster apart
	watch    Watch
	standing map[string]bool // the streams whose watch the cluster has answered in this round
}

// rounds compares and follows until something fails.
func (f *following) rounds(ctx context.Context) error {
	for {
		err := f.round(ctx)
		if !errors.Is(err, errAnew) {
			return err
		}
	}
}

func (f *following) round(ctx context.Context) (err error) {
	if f.cluster, err = f.Store.Cluster(ctx, f.watch.ClusterID); err != nil {
		return err
	}
	if f.remote, err = f.Remotes.Watched(ctx, f.cluster.ID); err != nil {
		return err
	}
	f.streams = f.cluster.streams()
	if err := f.reached(ctx); err != nil {
		return err
	}
	held, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var loops sync.WaitGroup
	defer loops.Wait()
	defer cancel(nil)
	loops.Go(func() { f.hold(held, cancel) })
	if f.due(time.Now()) {
		if err := f.compare(held); err != nil {
			return causeOf(held, err)
		}
	}
	f.standing = map[string]bool{}
	values := f.cluster.wholly()
	for _, namespace := range f.streams {
		loops.Go(func() {
			if err := f.stream(held, namespace, values); err != nil {
				cancel(err)
			}
		})
	}
	<-held.Done()
	return context.Cause(held)
}

// reached asks a cluster that did not answer last time, so that it does not stay called unreachable until somebody tests it.
func (f *following) reached(ctx context.Context) error {
	switch f.cluster.State {
	case ClusterUnreachable, ClusterUntrusted, ClusterUnauthorised:
	default:
		return nil
	}
	if _, err := f.remote.Position(ctx, f.streams[0]); err != nil {
		return err
	}
	return f.found(ctx, ClusterConnected, "")
}

// found stores what following showed of the cluster itself.
func (f *following) found(ctx context.Context, state ClusterState, reason string) error {
	ev := audit.New(clusterSync, "cluster.state", audit.Object{Kind: "cluster", ID: f.cluster.ID, Name: f.cluster.Name}).With("state", string(state))
	return f.Store.SetClusterState(ctx, f.cluster.ID, state, reason, time.Now(), "", ev)
}

// causeOf is why held ended, or err if it goes on.
func causeOf(held context.Context, err error) error {
	if cause := context.Cause(held); cause != nil {
		return cause
	}
	return err
}

// streams are the namespaces to watch; "" alone is the whole cluster.
func (c Cluster) streams() []string {
	if c.Scope.WholeCluster {
		return []string{""}
	}
	return c.Scope.Namespaces
}

// wholly reports whether every Secret of the cluster is wanted, so that values are worth watching.
func (c Cluster) wholly() bool {
	for _, s := range c.Selections {
		if s.All {
			return true
		}
	}
	return false
}

// due reports whether everything has to be compared before the streams can be followed.
func (f *following) due(now time.Time) bool {
	return slices.ContainsFunc(f.streams, func(namespace string) bool { return f.watch.Positions[namespace] == "" }) || f.old(now)
}

// old reports whether the last compare is so long ago that it is time for the next.
func (f *following) old(now time.Time) bool {
	return f.Every > 0 && now.Sub(f.cluster.ComparedAt) >= f.Every
}

// hold renews the lease, and ends the round when it is lost, when the time of the next compare has come, or when the
// cluster is not the one that the round began with.
func (f *following) hold(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(f.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.renew(ctx); errors.Is(err, fault.Stale) || errors.Is(err, errAnew) {
			cancel(err)
		} else if err != nil && ctx.Err() == nil {
			f.Fetcher.Log.WarnContext(ctx, "lease not renewed", "cluster", f.cluster.ID, "err", err)
		}
	}
}

func (f *following) renew(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watch.State == WatchLive && time.Since(f.watch.Since) > settled {
		f.watch.Tries = 0
	}
	if err := f.Store.SaveWatch(ctx, f.watch, f.Lease); err != nil {
		return err
	}
	if err := f.unchanged(ctx); err != nil {
		return err
	}
	if f.watch.State == WatchLive && f.old(time.Now()) {
		return errAnew
	}
	return nil
}

// unchanged fails with errAnew when the cluster is not the one that the round began with, and takes what was chosen since.
func (f *following) unchanged(ctx context.Context) error {
	now, err := f.Store.Cluster(ctx, f.cluster.ID)
	if err != nil {
		return err
	}
	if now.State == ClusterRemoved || now.Rev != f.cluster.Rev || now.wholly() != f.cluster.wholly() {
		return errAnew
	}
	f.cluster.Selections, f.cluster.ComparedAt = now.Selections, now.ComparedAt
	return nil
}

// become stores that the watch is in another state. The caller holds f.mu.
func (f *following) become(ctx context.Context, state WatchState) error {
	if f.watch.State == state && f.watch.Reason == "" {
		return nil
	}
	f.watch.State, f.watch.Since, f.watch.Reason, f.watch.Cure, f.watch.NotBefore = state, time.Now(), "", "", time.Time{}
	return f.Store.SaveWatch(ctx, f.watch, f.Lease)
}

// compare brings everything up to date with a sync, whose row shows how far it is, and takes the positions that it found
// before it began: what happens meanwhile is seen twice, which changes nothing.
func (f *following) compare(ctx context.Context) error {
	f.mu.Lock()
	err := f.become(ctx, WatchComparing)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if err := f.sync(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	cluster, err := f.Store.Cluster(ctx, f.cluster.ID)
	if err != nil {
		return err
	}
	f.cluster.ComparedAt = cluster.ComparedAt
	f.watch.Positions, err = f.Store.Positions(ctx, f.cluster.ID)
	return err
}

// sync opens a sync and carries it out.
func (f *following) sync(ctx context.Context) error {
	now := time.Now().UTC()
	job := Fetch{ID: uuid.Must(uuid.NewV7()).String(), ClusterID: f.cluster.ID, Kind: FetchSync, State: FetchQueued, StartedBy: clusterSync, CreatedAt: now,
		UpdatedAt: now, NotBefore: now.Add(f.Lease)} // it is carried out here; others do it only when this process does not
	ev := audit.New(clusterSync, "cluster.sync", audit.Object{Kind: "cluster", ID: f.cluster.ID, Name: f.cluster.Name}).With("fetch", job.ID)
	if err := f.Store.OpenFetch(ctx, job, ev); err != nil {
		return err
	}
	if err := f.Compare(ctx, job.ID); err != nil {
		return err
	}
	ended, err := f.Store.Fetch(ctx, job.ID)
	if err != nil || ended.State == FetchDone {
		return err
	}
	return fault.New(fault.Unavailable, "%s", ended.Reason).WithCode(codeSyncFailed).WithCure("%s", ended.Cure)
}

// codeSyncFailed is the code of a compare that did not come to its end. What that means for the cluster, its own row said.
const codeSyncFailed = "sync-failed"

// end stores how the watch goes on after failed, and gives the lease back.
func (f *following) end(ctx context.Context, failed error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errors.Is(failed, fault.Stale) && codeOf(failed) == CodeLeaseLost {
		return fmt.Errorf("follow %s: %w", f.watch.ClusterID, failed)
	}
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if ctx.Err() != nil { // this process stops; another goes on from here
		w := f.watch
		w.State, w.Since, w.Reason, w.Cure = WatchOff, time.Now(), "", ""
		return f.Store.SaveWatch(storing, w, 0)
	}
	reason, cure := explain(failed)
	wait := f.backoff(failed)
	w := f.watch
	if w.State != WatchWaiting || w.Reason != reason {
		w.Since = time.Now()
	}
	w.State, w.Reason, w.Cure, w.NotBefore = WatchWaiting, reason, cure, time.Now().Add(wait)
	w.Tries++
	if state := f.Remotes.StateAfter(failed); state != "" && f.cluster.ID != "" {
		if err := f.found(storing, state, reason); err != nil {
			f.Fetcher.Log.WarnContext(ctx, "the state of a cluster was not stored", "cluster", w.ClusterID, "err", err)
		}
	}
	if fault.KindOf(failed) == "" {
		f.Fetcher.Log.ErrorContext(ctx, "a watch failed", "cluster", w.ClusterID, "err", failed)
	}
	return f.Store.SaveWatch(storing, w, 0)
}

// backoff is how long to wait after failed: twice as long each time, and not the same for clusters that fail together.
func (f *following) backoff(failed error) time.Duration {
	wait := min(f.Fetcher.Backoff<<min(f.watch.Tries, 20), maxFollowBackoff)
	if wait <= 0 {
		wait = maxFollowBackoff
	}
	if e, ok := errors.AsType[*fault.Error](failed); ok {
		wait = max(wait, min(e.RetryAfter, maxFollowBackoff))
	}
	return spread(wait, f.watch.ClusterID, f.watch.Tries)
}

// spread returns half of wait to all of it, by cluster and try, so that clusters which fail together do not come back together.
func spread(wait time.Duration, clusterID string, tries int64) time.Duration {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%d", clusterID, tries) // never fails
	return wait/2 + time.Duration(h.Sum64()%uint64(wait/2+1))
}
