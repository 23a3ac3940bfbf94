package inventory

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	// listers is how many namespaces are listed at a time. Each may hold a page, which is bounded by the connection.
	listers = 4
	// maxAnswers bounds the pages, and maxTotal the Secrets, that one fetch takes from a cluster that never stops.
	maxAnswers = 100_000
	maxTotal   = 1_000_000
	// maxBytes bounds the values of one fetch.
	maxBytes = 8 << 30
	// maxMoves is how often a Secret that changes under the fetch is read and decided again.
	maxMoves = 5
)

// fetching is one claim of a fetch. The goroutines that list give pages to those that store, so that a page is read while
// the ones before are sealed and stored; no more than a few pages are in memory at a time.
type fetching struct {
	*Fetcher
	job     Fetch
	began   time.Time
	cluster Cluster
	remote  Remote
	chosen  []Selection

	// have is what the repository had at the start, of what the units reach. A Secret that changes in the repository
	// afterwards is caught by its revision when it is stored.
	have map[Place]Stored

	mu      sync.Mutex     // guards what follows, and job's Counts and Problems
	seen    map[Place]bool // those of have that a list or a read showed
	brought int64          // Secrets of this try that the repository has, or will have
	listed  []string       // namespaces, "" for all, whose list is complete
	missing []Place        // that a read did not find
	denied  []error
	answers int
	bytes   int64
	unread  int // units that gave nothing for want of a right
}

// work brings everything and then marks what is gone. An error means that the lists are not complete: nothing is marked.
func (w *fetching) work(ctx context.Context) error {
	units, err := w.prepare(ctx)
	if err != nil {
		return err
	}
	positions, err := w.positions(ctx)
	if err != nil {
		return err
	}
	if err := w.bring(ctx, units); err != nil {
		return err
	}
	if len(units) > 0 && w.unread == len(units) {
		return w.denied[0]
	}
	if err := w.vanished(ctx, units); err != nil {
		return err
	}
	if err := w.markGone(ctx); err != nil {
		return err
	}
	w.job.Positions, w.job.Began = positions, w.began
	return nil
}

// positions returns from where the cluster can be followed when this fetch has brought everything that was ever chosen, and
// nothing when it does not: what changes from now on is seen by the watch, and perhaps here too.
func (w *fetching) positions(ctx context.Context) (map[string]string, error) {
	first := w.cluster.ComparedAt.IsZero() && reflect.DeepEqual(w.cluster.Selections, JoinSelections(nil, w.job.Selection))
	if w.job.Kind != FetchSync && !first {
		return nil, nil
	}
	all := map[string]string{}
	for _, namespace := range w.cluster.streams() {
		at, err := w.remote.Position(ctx, namespace)
		if err != nil && codeOf(err) == "cluster-right-missing" && namespace != "" {
			at, err = Unfollowed, nil
		}
		if err != nil {
			return nil, err
		}
		all[namespace] = at
	}
	return all, nil
}

func (w *fetching) prepare(ctx context.Context) (units []unit, err error) {
	if w.cluster, err = w.Store.Cluster(ctx, w.job.ClusterID); err != nil {
		return nil, err
	}
	if w.cluster.State == ClusterRemoved {
		return nil, fault.New(fault.Conflict, "the cluster %s was removed", w.cluster.Name).WithCure("connect it again")
	}
	if w.remote, err = w.Remotes.Remote(ctx, w.cluster.ID); err != nil {
		return nil, err
	}
	w.chosen = w.cluster.Selections
	if w.job.Kind == FetchChosen {
		w.chosen = []Selection{w.job.Selection}
	}
	if units = plan(w.cluster.Scope, w.chosen, nil); w.job.Kind == FetchChosen {
		return units, w.load(ctx, units)
	}
	if err := w.load(ctx, []unit{{}}); err != nil {
		return nil, err
	}
	return plan(w.cluster.Scope, w.chosen, slices.Collect(maps.Keys(w.have))), nil
}

// load reads what the repository has of the units' namespaces.
func (w *fetching) load(ctx context.Context, units []unit) error {
	var namespaces []string
	for _, u := range units {
		if !u.whole() {
			namespaces = append(namespaces, u.namespace)
		}
	}
	rows, err := w.Store.StoredAll(ctx, w.cluster.ID, namespaces)
	if err != nil {
		return err
	}
	w.have, w.seen = make(map[Place]Stored, len(rows)), make(map[Place]bool, len(rows))
	for _, r := range rows {
		w.have[r.Place] = r
	}
	return nil
}

// bring reads all units and stores what they show.
func (w *fetching) bring(ctx context.Context, units []unit) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pages, todo := make(chan []Seen, 1), make(chan unit)
	var readers sync.WaitGroup
	for range min(listers, len(units)) {
		readers.Go(func() {
			for u := range todo {
				if err := w.read(ctx, u, pages); err != nil {
					cancel(err)
				}
			}
		})
	}
	go func() {
		for _, u := range units {
			todo <- u
		}
		close(todo)
		readers.Wait()
		close(pages)
	}()
	batches := make(chan []Seen)
	var storers sync.WaitGroup
	for range 2 { // one seals while the other waits for its commit
		storers.Go(func() {
			for batch := range batches {
				if ctx.Err() != nil {
					continue // to the end, or the readers would never stop
				}
				if err := w.store(ctx, batch); err != nil {
					cancel(err)
				}
				wipe(batch)
			}
		})
	}
	var batch []Seen
	for page := range pages {
		for batch = append(batch, page...); len(batch) >= MaxBatch; batch = batch[MaxBatch:] {
			batches <- batch[:MaxBatch:MaxBatch]
		}
	}
	if len(batch) > 0 {
		batches <- batch
	}
	close(batches)
	storers.Wait()
	return context.Cause(ctx)
}

func wipe(seen []Seen) {
	for _, s := range seen {
		for _, v := range s.Data {
			v.Wipe()
		}
	}
}

// read hands what a unit shows to pages. A missing right of one namespace is that namespace's problem; one that is missing
// for the whole cluster ends the fetch.
func (w *fetching) read(ctx context.Context, u unit, pages chan<- []Seen) error {
	if ctx.Err() != nil {
		return nil
	}
	send := func(page []Seen) error {
		if err := w.take(page); err != nil {
			return err
		}
		select {
		case pages <- page:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var err error
	if u.names == nil {
		err = w.remote.List(ctx, u.namespace, send)
	} else {
		err = w.readEach(ctx, u, send)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && u.names == nil:
		w.listed = append(w.listed, u.namespace)
	case err != nil && codeOf(err) == "cluster-right-missing" && !u.whole():
		w.denied = append(w.denied, err)
		w.unread++
		w.job.Problems = w.job.Problems.with(Problem{Namespace: u.namespace, Reason: "the connector may not read the Secrets of this namespace"})
		return nil
	}
	return err
}

// take counts a page, and refuses it from a cluster that sends without end.
func (w *fetching) take(page []Seen) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers++
	w.job.Counts.Total += int64(len(page))
	for _, s := range page {
		w.bytes += size(s.Data)
	}
	if w.answers > maxAnswers || w.job.Counts.Total > maxTotal || w.bytes > maxBytes {
		return fault.New(fault.TooLarge, "the cluster showed %d Secrets with %d MiB, more than one fetch takes", w.job.Counts.Total, w.bytes>>20).
			WithCode("cluster-too-large").WithCure("choose fewer namespaces")
	}
	return nil
}

func size(data map[string]vault.Value) (n int64) {
	for k, v := range data {
		n += int64(len(k) + v.Len())
	}
	return n
}

// readEach reads single Secrets, all at a time since a unit has few.
func (w *fetching) readEach(ctx context.Context, u unit, send func([]Seen) error) error {
	for names := range slices.Chunk(u.names, maxReads) {
		found, missing, err := w.get(ctx, u.namespace, names)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.missing = append(w.missing, missing...)
		w.mu.Unlock()
		if err := send(found); err != nil {
			return err
		}
	}
	return nil
}

func (w *fetching) get(ctx context.Context, namespace string, names []string) (found []Seen, missing []Place, err error) {
	all, errs := make([]Seen, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { all[i], errs[i] = w.remote.Get(ctx, namespace, name) })
	}
	wg.Wait()
	for i, name := range names {
		switch {
		case errs[i] == nil:
			found = append(found, all[i])
		case errors.Is(errs[i], fault.NotFound):
			missing = append(missing, Place{namespace, name})
		default:
			return nil, nil, errs[i]
		}
	}
	return found, missing, nil
}

func (w *fetching) problem(p Problem) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job.Problems = w.job.Problems.with(p)
}

// progress returns the fetch with its counts as they are now.
func (w *fetching) progress() Fetch {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.job
}
