package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

// vanished reports named namespaces that are not there any more: their lists are empty without an error. A connector that
// may not list namespaces meets a missing right instead.
func (w *fetching) vanished(ctx context.Context, units []unit) error {
	if len(units) == 0 || units[0].whole() || !w.cluster.Scope.WholeCluster {
		return nil
	}
	there, err := w.remote.Namespaces(ctx)
	if err != nil {
		if errors.Is(err, fault.Denied) {
			return nil
		}
		return err
	}
	for _, u := range units {
		if u.names == nil && !slices.Contains(there, u.namespace) {
			w.problem(Problem{Namespace: u.namespace, Reason: "the cluster has no such namespace; it is gone, or was never there"})
		}
	}
	return nil
}

// markGone makes tombstones of what complete lists and single reads did not show.
func (w *fetching) markGone(ctx context.Context) error {
	gone := w.unseen()
	for ids := range slices.Chunk(gone, MaxBatch) {
		ev := audit.New(fetchWorker, "secret.gone", audit.Object{Kind: "cluster", ID: w.cluster.ID, Name: w.cluster.Name}).
			With("fetch", w.job.ID).With("secrets", fmt.Sprint(len(ids)))
		n, err := w.Store.MarkGone(ctx, w.progress(), ids, w.began, ev)
		if err != nil {
			return err
		}
		w.job.Counts.Gone += n
	}
	return nil
}

// unseen returns the ids of stored Secrets that are proved to be gone. A single one that was chosen, is gone and was never
// stored is a problem.
func (w *fetching) unseen() (ids []string) {
	for _, p := range w.missing {
		if have, known := w.have[p]; !known {
			w.problem(Problem{p.Namespace, p.Name, "it was chosen and is gone: it was deleted between list and read, or never there"})
		} else if !have.Gone {
			ids = append(ids, have.ID)
		}
	}
	listed := make(map[string]bool, len(w.listed))
	for _, ns := range w.listed {
		listed[ns] = true
	}
	for p, have := range w.have {
		if (listed[""] || listed[p.Namespace]) && !w.seen[p] && !have.Gone {
			ids = append(ids, have.ID)
		}
	}
	return ids
}
