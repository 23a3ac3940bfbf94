package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

// stream follows a namespace, or the whole cluster, until something fails.
func (f *following) stream(ctx context.Context, namespace string, values bool) error {
	for {
		f.mu.Lock()
		from := f.watch.Positions[namespace]
		f.mu.Unlock()
		if from == Unfollowed { // the sync reported it
			return f.stands(ctx, namespace)
		}
		err := f.remote.Watch(ctx, namespace, from, values, func(all []Change, position string) error {
			return f.take(ctx, Position{namespace, position}, all)
		})
		if codeOf(err) == CodeExpired {
			return f.lost(ctx)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// stands notes that a stream is followed. When all of them are, the watch is live.
func (f *following) stands(ctx context.Context, namespace string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.standsNow(ctx, namespace)
}

func (f *following) standsNow(ctx context.Context, namespace string) error {
	f.standing[namespace] = true
	if len(f.standing) < len(f.streams) {
		return nil
	}
	return f.become(ctx, WatchLive)
}

// lost forgets every position, so that everything is compared.
func (f *following) lost(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watch.Positions = map[string]string{}
	if err := f.Store.SaveWatch(ctx, f.watch, f.Lease); err != nil {
		return err
	}
	return errAnew
}

// take stores what a watch handed over.
func (f *following) take(ctx context.Context, at Position, all []Change) error {
	defer func() {
		for _, c := range all {
			wipe([]Seen{c.Seen})
		}
	}()
	f.Fetcher.Expected.wait(ctx, f.cluster.ID, all)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.standsNow(ctx, at.Namespace); err != nil {
		return err
	}
	if len(all) > 0 {
		if err := f.unchanged(ctx); err != nil {
			return err
		}
	}
	for range maxMoves {
		moved, err := f.bring(ctx, at, all)
		if err != nil || !moved {
			return err
		}
	}
	return fault.New(fault.Stale, "Secrets changed while they were stored").WithCode("secret-changed")
}

// bring stores changes, and that this is all up to at. It reports whether a Secret changed in the repository meanwhile: then
// it has to be decided anew.
func (f *following) bring(ctx context.Context, at Position, all []Change) (moved bool, err error) {
	seen := make([]Seen, len(all))
	for i, c := range all {
		seen[i] = c.Seen
	}
	have, err := f.Fetcher.stored(ctx, f.cluster.ID, seen)
	if err != nil {
		return false, err
	}
	differ, gone := siftChanges(all, have, f.mayWant)
	if differ, err = f.valued(ctx, differ, have); err != nil {
		return false, err
	}
	if len(differ)+len(gone) > 0 {
		batch, err := f.Fetcher.imports(ctx, clusterSync, differ, have)
		if err != nil {
			return false, err
		}
		ev := audit.New(clusterSync, "secret.import", audit.Object{Kind: "cluster", ID: f.cluster.ID, Name: f.cluster.Name}).
			With("secrets", fmt.Sprint(len(batch))).With("gone", fmt.Sprint(len(gone)))
		f.watch.ChangedAt = time.Now()
		ids, err := f.Store.FollowSecrets(ctx, f.watch, at, batch, gone, ev)
		if err != nil || len(ids) > 0 {
			return true, err
		}
	}
	f.watch.Positions[at.Namespace] = at.Version // where nothing was stored, the next renewal does
	return false, nil
}

// siftChanges returns what of the changes is news to the repository: what it has, or what it may want, and what is gone of
// what it has.
func siftChanges(all []Change, have map[Place]Stored, wants func(Seen) bool) (differ []Seen, gone []Stored) {
	for _, c := range all {
		stored, known := have[c.Seen.place()]
		switch {
		case c.Gone && known && !stored.Gone && stored.UID == c.Seen.UID:
			gone = append(gone, stored)
		case c.Gone, known && (compare(stored, c.Seen) == same || overtaken(stored, c.Seen)):
		case known || wants(c.Seen):
			differ = append(differ, c.Seen)
		}
	}
	return differ, gone
}

// wants reports whether a Secret is chosen.
func (f *following) wants(s Seen) bool {
	return slices.ContainsFunc(f.cluster.Selections, func(c Selection) bool { ok, _ := c.Matches(s.meta()); return ok })
}

// mayWant is wants for a Secret of which the type may not be known.
func (f *following) mayWant(s Seen) bool {
	if s.Data != nil {
		return f.wants(s)
	}
	return slices.ContainsFunc(f.cluster.Selections, func(c Selection) bool {
		if c.Rule != nil {
			rule := *c.Rule
			rule.Types = nil
			c.Rule = &rule
		}
		ok, _ := c.Matches(s.meta())
		return ok
	})
}

// valued returns Secrets with their values. Those that came without are read, many at once; what is gone again is left out,
// since the watch says so next, and so is what turns out not to be wanted.
func (f *following) valued(ctx context.Context, all []Seen, have map[Place]Stored) (out []Seen, err error) {
	if len(all) == 0 || all[0].Data != nil {
		return all, nil
	}
	got, errs := make([]Seen, len(all)), make([]error, len(all))
	err = parallelIn(len(all), maxReads, func(i int) error {
		got[i], errs[i] = f.remote.Get(ctx, all[i].Namespace, all[i].Name)
		if errors.Is(errs[i], fault.NotFound) {
			return nil
		}
		return errs[i]
	})
	if err != nil {
		return nil, err
	}
	for i, s := range got {
		stored, known := have[s.place()]
		if errs[i] == nil && (known && compare(stored, s) != same || !known && f.wants(s)) {
			out = append(out, s)
		}
	}
	return out, nil
}
