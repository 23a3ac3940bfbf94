package inventory

import (
	"context"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
)

// CodeExpired is the code of the error with which a cluster says that it has forgotten a state; CodeLeaseLost is that of a
// job which somebody else has taken over.
const (
	CodeExpired   = "list-expired"
	CodeLeaseLost = "lease-lost"
)

// Watch is the standing job of keeping the repository equal to what a cluster shows. It is a value, and its row is also
// its job: whoever holds its lease follows the cluster.
type Watch struct {
	ClusterID string
	State     WatchState
	// Positions say, for each namespace that is watched ("" is the whole cluster), up to which resourceVersion everything is
	// stored, or that it is Unfollowed.
	Positions map[string]string
	ChangedAt time.Time // when the last change was stored
	// Reason says why it waits, Cure what to do.
	Reason, Cure string
	Fence        int64 // which claim a write belongs to
	Tries        int64 // that ended early, since it was live
	NotBefore    time.Time
	Since        time.Time // it is in its state
	LeaseUntil   time.Time // until then somebody follows it; only as it is read
}

// Now returns the watch as it is at now: when whoever followed the cluster is gone without a word, nobody does.
func (w Watch) Now(now time.Time) Watch {
	if (w.State == WatchLive || w.State == WatchComparing) && !now.Before(w.LeaseUntil) {
		w.State, w.Since = WatchOff, w.LeaseUntil
	}
	return w
}

// Unfollowed is the position of a namespace that the connector may not list.
const Unfollowed = "-"

// WatchState is what a watch is doing. The words are those of client/state.
type WatchState string

// The states of a watch.
const (
	WatchLive      WatchState = "live"      // changes arrive as they happen
	WatchComparing WatchState = "comparing" // everything is compared, because it begins or lost its place, or on schedule
	WatchWaiting   WatchState = "waiting"   // for its next try, after something did not answer
	WatchOff       WatchState = "off"       // nothing was chosen yet, or nobody follows the cluster
)

// WatchStore keeps watches and what they bring. Methods that name a watch write only while its Fence is the stored one and
// fail with fault.Stale otherwise.
type WatchStore interface {
	FetchStore
	// ClaimWatch gives the watch of a cluster to owner for ttl under a new fence; one that nobody followed before is made.
	// It fails with fault.Conflict while another's lease holds, and when the cluster is removed.
	ClaimWatch(ctx context.Context, clusterID, owner string, ttl time.Duration) (Watch, error)
	// SaveWatch stores all of w and renews its lease, or gives it back when ttl is 0.
	SaveWatch(ctx context.Context, w Watch, ttl time.Duration) error
	// FollowSecrets stores up to MaxBatch Secrets, judges their mappings and makes tombstones of those that are gone, and
	// with them that this is all up to position. Secrets whose revision is not the one any more that it was decided on are
	// left out, and their ids returned; then the position is not stored.
	FollowSecrets(ctx context.Context, w Watch, at Position, batch []Import, gone []Stored, ev audit.Event) (moved []string, err error)
	// SetClusterState stores what was found out about a cluster. ev is recorded only if its state changed.
	SetClusterState(ctx context.Context, id string, state ClusterState, reason string, at time.Time, version string, ev audit.Event) error
	// Positions returns a watch's positions as they are stored; a compare that was carried out adds those that were missing.
	Positions(ctx context.Context, clusterID string) (map[string]string, error)
	// OpenFetch stores a new fetch. It fails with fault.Conflict while another one of the cluster has not ended.
	OpenFetch(ctx context.Context, f Fetch, ev audit.Event) error
	Fetch(ctx context.Context, id string) (Fetch, error)
}

// Position is how far a namespace, or with "" the whole cluster, was followed.
type Position struct{ Namespace, Version string }

// Change is what a cluster showed of one Secret. Without values Seen has no Data and no Type.
type Change struct {
	Seen Seen
	Gone bool
}

// Follow follows clusters: it compares everything once and then brings each change as it happens. All of its state is in
// the Store, so any number of them may work on one repository; nothing of a Secret stays in memory.
type Follow struct {
	// Fetcher decides what is stored of a Secret. Its owner names this process in leases, and its backoff is how long the
	// second try of a cluster waits that does not answer.
	Fetcher *Fetcher
	Store   WatchStore
	// Remotes give the way into a cluster.
	Remotes interface {
		Watched(ctx context.Context, clusterID string) (Watched, error)
		StateAfter(err error) ClusterState
	}
	// Compare carries out a sync that is stored, as Fetcher.Run does.
	Compare func(ctx context.Context, fetchID string) error
	// Every is how long after a compare of everything the next one begins. 0: never.
	Every time.Duration
	// Lease is how long a claim holds without being renewed.
	Lease time.Duration
}

// Watched reads and watches one cluster. Its methods may be called by several goroutines at once.
type Watched interface {
	Remote
	// Watch hands every change after the resourceVersion from to take, in order and never two of one Secret at once, with
	// the position after them; the first time, as soon as it stands, there is none. It returns nil when the cluster ended the watch, and an error with CodeExpired when it
	// has forgotten that state.
	Watch(ctx context.Context, namespace, from string, values bool, take func(all []Change, position string) error) error
}

// Run follows a cluster until ctx ends or something fails; then it says in the store when the next try is due. It may be
// called at any time, by any process, any number of times.
func (f *Follow) Run(ctx context.Context, clusterID string) error {
	w, err := f.Store.ClaimWatch(ctx, clusterID, f.Fetcher.Owner, f.Lease)
	if err != nil {
		return fmt.Errorf("follow %s: %w", clusterID, err)
	}
	if w.State != WatchWaiting { // whoever followed it before is gone
		w.State = WatchOff
	}
	job := &following{Follow: f, watch: w}
	return job.end(ctx, job.rounds(ctx))
}
