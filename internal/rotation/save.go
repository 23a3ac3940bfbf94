package rotation

import (
	"context"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/internal/audit"
)

// maxSaved is how many Secrets are stored in one transaction, but for those of a single namespace.
const maxSaved = 256

// result is what became of the places of one namespace, and what the last read showed of them.
type result struct {
	cluster string
	seen    map[string]Seen
	places  []place
	done    func() // to be called when it is stored
}

// expect says which Secrets are about to be written.
func (e *Engine) expect(cluster, namespace string, ps []place) (done func()) {
	if e.Expect == nil {
		return func() {}
	}
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = p.name
	}
	return e.Expect(cluster, namespace, names)
}

// saw hands what was read back to the repository, before the writes count as done: a sync would otherwise take what this
// run wrote for a change that somebody made in the cluster. It returns the writes of all results.
func (e *Engine) saw(ctx context.Context, results []result) (writes []Write) {
	seen := map[string][]Seen{}
	for _, r := range results {
		for _, p := range r.places {
			if s, there := r.seen[p.now()]; there {
				s.Written, s.Ours, s.Made = p.written(), p.ours(s), p.now() != p.name
				seen[r.cluster] = append(seen[r.cluster], s)
			}
		}
	}
	errs := e.tell(ctx, seen)
	for _, r := range results {
		for _, p := range r.places {
			writes = append(writes, kept(p.writes, errs[r.cluster])...)
		}
	}
	return writes
}

// tell hands over what was read back, of all clusters at once, and returns what went wrong with each.
func (e *Engine) tell(ctx context.Context, seen map[string][]Seen) map[string]error {
	errs := map[string]error{}
	if e.Saw == nil {
		return errs
	}
	var mu sync.Mutex
	var work sync.WaitGroup
	for cluster, all := range seen {
		work.Go(func() {
			err := e.Saw(ctx, cluster, all)
			mu.Lock()
			defer mu.Unlock()
			errs[cluster] = err
		})
	}
	work.Wait()
	return errs
}

// written returns the keys that are proved to hold the new value.
func (p place) written() (keys []string) {
	for _, w := range p.writes {
		if w.State == WriteDone {
			keys = append(keys, w.Key)
		}
	}
	return keys
}

// kept holds writes back that the repository could not be told of: they are read and told again.
func kept(writes []Write, err error) []Write {
	for i := range writes {
		if err != nil && writes[i].State == WriteDone {
			writes[i].set(WriteHeld, "written and read back, but the repository did not take it: "+reason(err), "the run goes on by itself, or resume it")
		}
	}
	return writes
}

// save stores results as they come: those that came while the ones before were being stored go together, so that progress
// is live and a thousand Secrets are not a thousand commits. When that fails it calls stop, so that nothing more is
// written, and waits for what is under way.
func (e *Engine) save(ctx context.Context, run Run, results <-chan result, stop func()) (first error) {
	for r := range results {
		batch := []result{r}
		for secrets := len(r.places); len(results) > 0 && secrets < maxSaved; {
			r = <-results
			batch, secrets = append(batch, r), secrets+len(r.places)
		}
		if first == nil {
			if first = e.saveAll(ctx, run, e.saw(ctx, batch)); first != nil {
				stop()
			}
		}
		for _, r := range batch {
			r.done()
		}
	}
	return first
}

func (e *Engine) saveAll(ctx context.Context, run Run, writes []Write) error {
	evs := make([]audit.Event, len(writes))
	for i, w := range writes {
		evs[i] = e.writeEvent(run, w)
	}
	return e.Store.SaveWrites(ctx, run, writes, evs)
}

func (e *Engine) writeEvent(run Run, w Write) audit.Event {
	ev := audit.New(worker, "secret.write", audit.Object{Kind: "secret", ID: w.SecretID, Name: w.Namespace + "/" + w.Name})
	ev.Run = run.ID
	ev = ev.With("key", w.Key).With("state", string(w.State))
	if w.Moved.New != "" {
		ev = ev.With("moved_to", w.Namespace+"/"+w.Moved.New)
	}
	if w.Taken != "" {
		ev = ev.With("taken_over_from", w.Taken)
	}
	if w.Reason != "" {
		ev = ev.With("reason", strings.ToValidUTF8(w.Reason, "?"))
	}
	return ev
}
