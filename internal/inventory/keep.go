package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

// store brings a batch into the repository: what is chosen and what is stored already.
func (w *fetching) store(ctx context.Context, batch []Seen) error {
	differ, late := w.sift(batch)
	for _, p := range late {
		now, err := w.remote.Get(ctx, p.Namespace, p.Name)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		if err == nil {
			differ = append(differ, now)
		}
	}
	return w.keep(ctx, differ, w.have)
}

// sift returns what of a batch has to be stored. In late are those of which the repository has a later state: a write of
// ours was stored after the page was read, and only a look at the Secret itself says what holds now.
func (w *fetching) sift(batch []Seen) (differ []Seen, late []Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range batch {
		stored, known := w.have[s.place()]
		if !known && !w.wants(s) {
			w.job.Counts.Skipped++
			continue
		}
		w.brought++
		if !known {
			differ = append(differ, s)
			continue
		}
		w.seen[s.place()] = true
		switch compare(stored, s) {
		case newer:
			differ = append(differ, s)
		case earlier:
			late = append(late, s.place())
		}
	}
	return differ, late
}

func (w *fetching) wants(s Seen) bool {
	return slices.ContainsFunc(w.chosen, func(c Selection) bool { ok, _ := c.Matches(s.meta()); return ok })
}

// keep stores what differs, again with a fresh look for those that changed in between.
func (w *fetching) keep(ctx context.Context, differ []Seen, have map[Place]Stored) error {
	for move := 0; ; move++ {
		batch, err := w.imports(ctx, w.job.StartedBy, differ, have)
		if err != nil {
			return err
		}
		moved, err := w.Store.ImportSecrets(ctx, w.count(batch, have, 1), batch, w.importEvent(batch))
		if err != nil || len(moved) == 0 {
			return err
		}
		batch = slices.DeleteFunc(batch, func(x Import) bool { return !slices.Contains(moved, x.Secret.ID) })
		w.count(batch, have, -1)
		if differ, err = w.readAgain(ctx, batch); err != nil {
			return err
		}
		if move == maxMoves {
			for _, s := range differ {
				w.problem(Problem{s.Namespace, s.Name, "it changes all the time; the next sync tries again"})
			}
			return nil
		}
		if have, err = w.stored(ctx, w.cluster.ID, differ); err != nil {
			return err
		}
	}
}

// count adds what a batch does to the counts, or takes it back with -1, and returns the fetch with them.
func (w *fetching) count(batch []Import, have map[Place]Stored, by int64) Fetch {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := &w.job.Counts
	for _, x := range batch {
		old := have[Place{x.Secret.Namespace, x.Secret.Name}]
		switch {
		case x.Base == 0:
			n.Added += by
		case x.Values != nil || old.Gone || old.UID != x.Secret.UID:
			n.Changed += by
		}
	}
	// What an earlier try added or changed is counted there, and is unchanged for this one.
	n.Unchanged = max(0, w.brought-n.Added-n.Changed)
	return w.job
}

func (w *fetching) readAgain(ctx context.Context, batch []Import) (again []Seen, err error) {
	for _, x := range batch {
		s, err := w.remote.Get(ctx, x.Secret.Namespace, x.Secret.Name)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		again = append(again, s)
	}
	return again, nil
}

func (w *fetching) importEvent(batch []Import) audit.Event {
	return audit.New(fetchWorker, "secret.import", audit.Object{Kind: "cluster", ID: w.cluster.ID, Name: w.cluster.Name}).
		With("fetch", w.job.ID).With("started_by", w.job.StartedBy.Name).With("secrets", fmt.Sprint(len(batch)))
}

// stored returns what the repository has of the batch.
func (f *Fetcher) stored(ctx context.Context, clusterID string, batch []Seen) (map[Place]Stored, error) {
	places := make([]Place, len(batch))
	for i, s := range batch {
		places[i] = s.place()
	}
	rows, err := f.Store.Stored(ctx, clusterID, places)
	if err != nil {
		return nil, err
	}
	have := make(map[Place]Stored, len(rows))
	for _, r := range rows {
		have[r.Place] = r
	}
	return have, nil
}
