package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// FetchKind is what a fetch is for.
type FetchKind string

// The kinds.
const (
	FetchChosen FetchKind = "fetch" // bring what its selection chooses
	FetchSync   FetchKind = "sync"  // bring what was ever chosen or stored up to date
)

// FetchState is what a fetch is doing. The words are those of client/state.
type FetchState string

// The states of a fetch.
const (
	FetchQueued  FetchState = "queued"
	FetchRunning FetchState = "running"
	FetchWaiting FetchState = "waiting" // for its next try, after something did not answer
	FetchDone    FetchState = "done"    // complete, but for its problems
	FetchFailed  FetchState = "failed"  // it says why; what was brought until then is kept, nothing was marked as gone
)

// Ended reports whether nothing more will happen to a fetch in state s.
func (s FetchState) Ended() bool { return s == FetchDone || s == FetchFailed }

// Fetch is one fetch or sync of a cluster. It is a value, and its row is also its job: whoever holds its lease works on it.
type Fetch struct {
	ID        string
	ClusterID string
	Kind      FetchKind
	State     FetchState
	Selection Selection // of a fetch; a sync has none
	Counts    Counts
	Problems  Problems
	// Reason says why it waits or failed, Cure what to do.
	Reason, Cure string
	Fence        int64 // which claim a write belongs to
	Tries        int64 // that ended early, since it was opened
	// Positions are those from which the cluster is to be followed, if this brought everything that was ever chosen, and
	// Began is since when that holds.
	Positions map[string]string
	Began     time.Time
	NotBefore time.Time
	StartedBy identity.Actor // ID and Name only
	CreatedAt time.Time
	UpdatedAt time.Time
	EndedAt   time.Time
}

// Counts is what a fetch did so far. Every Secret that was seen is in Total and in one of the others; Gone ones were not
// seen. Added, Changed and Gone go on over a second try, the others are those of the last one.
type Counts struct {
	Total, Added, Changed, Unchanged, Gone, Skipped int64
}

// Problem is a Secret, or without Name a namespace, that was not brought.
type Problem struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name,omitempty"`
	Reason    string `json:"reason"`
}

// Problems are the first 100 problems, and how many more there were.
type Problems struct {
	First []Problem `json:"first,omitempty"`
	More  int64     `json:"more,omitempty"`
}

const maxProblems = 100

func (p Problems) with(x Problem) Problems {
	if len(p.First) < maxProblems {
		p.First = append(p.First[:len(p.First):len(p.First)], x)
	} else {
		p.More++
	}
	return p
}

// FetchStore keeps fetches and what they bring. Methods that name a fetch write only while its Fence is the stored one and
// fail with fault.Stale otherwise; they store its Counts and Problems and commit the event in the same transaction.
type FetchStore interface {
	// ClaimFetch gives the fetch to owner for ttl under a new fence. It fails with fault.Conflict while another's lease holds
	// or when it has ended.
	ClaimFetch(ctx context.Context, id, owner string, ttl time.Duration) (Fetch, error)
	RenewFetch(ctx context.Context, f Fetch, ttl time.Duration) error
	Cluster(ctx context.Context, id string) (Cluster, error)
	// Stored returns those of places that the repository has, tombstones included.
	Stored(ctx context.Context, clusterID string, places []Place) ([]Stored, error)
	// StoredAll returns what the repository has of the named namespaces, or of the whole cluster when none is named.
	StoredAll(ctx context.Context, clusterID string, namespaces []string) ([]Stored, error)
	// Histories returns the history of each of these Secrets, by id.
	Histories(ctx context.Context, ids []string) (map[string]History, error)
	// ImportSecrets stores up to MaxBatch Secrets and judges their mappings. Those whose revision is not their Base any more
	// are left out, and their ids returned. ev is left out when the batch is empty.
	ImportSecrets(ctx context.Context, f Fetch, batch []Import, ev audit.Event) (moved []string, err error)
	// SawSecrets is ImportSecrets outside of a fetch, for Secrets that are stored.
	SawSecrets(ctx context.Context, clusterID string, batch []Import, ev audit.Event) (moved []string, err error)
	// MarkGone makes tombstones of up to MaxBatch Secrets and their mappings, but for those that were seen after before.
	// It returns how many it made. Values are kept.
	MarkGone(ctx context.Context, f Fetch, ids []string, before time.Time, ev audit.Event) (int64, error)
	// EndFetch stores f's state, reason and tries and gives the lease back. A state other than "" is given to the cluster,
	// with f.Reason; a fetch that is done sets the time of the cluster's last sync. If it has positions it sets the time of the
	// last compare too, and stores those that the cluster's watch lacks.
	EndFetch(ctx context.Context, f Fetch, cluster ClusterState, ev audit.Event) error
}

// MaxBatch is how many Secrets are read, sealed and stored at a time.
const MaxBatch = 500

// Remotes gives a fetch its way into a cluster.
type Remotes interface {
	Remote(ctx context.Context, clusterID string) (Remote, error)
	// StateAfter says what an error of a Remote means for the cluster as a whole, and "" when it means nothing.
	StateAfter(err error) ClusterState
}

// Remote reads one cluster. Its methods may be called by several goroutines at once. A missing right is fault.Denied with
// the code "cluster-right-missing".
type Remote interface {
	Namespaces(ctx context.Context) ([]string, error)
	// List hands all Secrets of namespace, or of the cluster when it is empty, to page, MaxBatch or fewer at a time. After
	// an error the list is incomplete.
	List(ctx context.Context, namespace string, page func([]Seen) error) error
	// Position returns the resourceVersion that the Secrets of namespace, or of the cluster when it is empty, have now.
	Position(ctx context.Context, namespace string) (string, error)
	// Get fails with fault.NotFound when there is no such Secret.
	Get(ctx context.Context, namespace, name string) (Seen, error)
}

// Ring seals values and makes their fingerprints.
type Ring interface {
	Seal(vault.Record, vault.Value) (vault.Sealed, error)
	Fingerprint(vault.Value) vault.Fingerprint
}

// Fetcher carries fetches out. All of its state is in the Store, so any number of them may work on one repository.
type Fetcher struct {
	Store   FetchStore
	Remotes Remotes
	Ring    Ring
	Log     *slog.Logger
	// Owner names this process in leases.
	Owner string
	// Lease is how long a claim holds without being renewed.
	Lease time.Duration
	// MaxTries is how often a fetch is tried against a cluster that does not answer before it fails.
	MaxTries int64
	// Backoff is how long the second try waits; each later one waits twice as long, up to 5 minutes.
	Backoff time.Duration
	// Expected, if set, are the Secrets that this process writes itself.
	Expected *Expected
}

const maxBackoff = 5 * time.Minute

var fetchWorker = identity.System("fetch-worker")

// Run works on a fetch until it is done, failed or waits for its next try. It may be called at any time, by any process,
// any number of times; a run that was cut off is begun again from the start and brings what is missing. It returns nil
// when the outcome is stored, and an error when it is not: then calling it again is right.
func (f *Fetcher) Run(ctx context.Context, fetchID string) error {
	job, err := f.Store.ClaimFetch(ctx, fetchID, f.Owner, f.Lease)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", fetchID, err)
	}
	held, stop := f.hold(ctx, job)
	defer stop()
	job.Counts = Counts{Added: job.Counts.Added, Changed: job.Counts.Changed, Gone: job.Counts.Gone}
	job.Problems = Problems{}
	w := &fetching{Fetcher: f, job: job, began: time.Now()}
	failed := w.work(held)
	if cause := context.Cause(held); cause != nil { // stopped, or the lease is lost: nothing is known about the fetch itself
		return fmt.Errorf("fetch %s: %w", fetchID, cause)
	}
	ended, event := f.outcome(w.job, failed, time.Now())
	state := ClusterState("")
	if failed != nil {
		state = f.Remotes.StateAfter(failed)
	}
	if err := f.Store.EndFetch(held, ended, state, event); err != nil {
		return fmt.Errorf("fetch %s: %w", fetchID, err)
	}
	return nil
}

// hold renews the lease until stop is called, and cancels the returned context when it is lost.
func (f *Fetcher) hold(ctx context.Context, job Fetch) (held context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(f.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			err := f.Store.RenewFetch(held, job, f.Lease)
			if errors.Is(err, fault.Stale) {
				cancel(err)
			} else if err != nil && held.Err() == nil {
				f.Log.WarnContext(held, "lease not renewed", "fetch", job.ID, "err", err)
			}
		}
	})
	return held, func() {
		cancel(context.Canceled)
		done.Wait()
	}
}

// outcome returns the fetch as it ends, or as it waits for its next try, and what to record.
func (f *Fetcher) outcome(job Fetch, failed error, now time.Time) (Fetch, audit.Event) {
	job.NotBefore, job.Reason, job.Cure = time.Time{}, "", ""
	switch {
	case failed == nil:
		job.State = FetchDone
	case again(failed) && job.Tries+1 < f.MaxTries:
		job.State, job.NotBefore = FetchWaiting, now.Add(f.backoff(failed, job.Tries))
		job.Tries++
	default:
		job.State = FetchFailed
		job.Tries++
	}
	if failed != nil {
		job.Reason, job.Cure = explain(failed)
		if fault.KindOf(failed) == "" {
			f.Log.Error("fetch failed", "fetch", job.ID, "cluster", job.ClusterID, "err", failed)
		}
	}
	ev := fetchEvent(job, "fetch."+string(job.State))
	if failed != nil {
		ev = ev.Failed(job.Reason)
	}
	return job, ev
}

// again reports whether a fetch that failed so may work later without anybody doing something.
func again(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable:
		code := codeOf(err)
		return code != "cluster-untrusted" && code != "cluster-address-refused"
	case fault.Stale, fault.Throttled:
		return true
	default:
		return false
	}
}

func (f *Fetcher) backoff(err error, tries int64) time.Duration {
	wait := f.Backoff << min(tries, 20)
	if wait <= 0 || wait > maxBackoff {
		wait = maxBackoff
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		wait = max(wait, min(e.RetryAfter, maxBackoff))
	}
	return wait
}

// explain returns what a person may know of err. Errors that are no faults are for the log only.
func explain(err error) (reason, cure string) {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Msg, e.Cure
	}
	return "an internal error", "look at the server's log"
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Code
	}
	return ""
}

func fetchEvent(job Fetch, action string) audit.Event {
	n := job.Counts
	ev := audit.New(fetchWorker, action, audit.Object{Kind: "cluster", ID: job.ClusterID}).
		With("fetch", job.ID).With("kind", string(job.Kind)).With("started_by", job.StartedBy.Name)
	for name, count := range map[string]int64{"total": n.Total, "added": n.Added, "changed": n.Changed, "unchanged": n.Unchanged,
		"gone": n.Gone, "skipped": n.Skipped, "problems": int64(len(job.Problems.First)) + job.Problems.More} {
		ev = ev.With(name, fmt.Sprint(count))
	}
	return ev
}
