package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Clusters gives a run its way into a cluster.
type Clusters interface {
	Open(ctx context.Context, clusterID string) (Cluster, error)
	// Workloads opens the way to what reads a cluster's Secrets. may is false where the connector has no right to restart it.
	Workloads(ctx context.Context, clusterID string) (w Workloads, may bool, err error)
}

// Cluster reads and writes Secrets of one cluster. All methods may be called by several goroutines at once.
type Cluster interface {
	// Read returns those of the named Secrets of namespace that exist.
	Read(ctx context.Context, namespace string, names []string) (map[string]Seen, error)
	// ReadBack is Read for whom it is all the same who owns a key: Owners stay empty, which takes less time than to read them.
	ReadBack(ctx context.Context, namespace string, names []string) (map[string]Seen, error)
	// Patch writes exactly the given keys of the Secret that was seen, and returns it as the API server stored it. It fails
	// with fault.Stale when the Secret changed since it was seen, fault.NotFound when it is gone, fault.Invalid or
	// fault.Denied when the API server refuses, fault.Unavailable when it does not answer.
	Patch(ctx context.Context, seen Seen, data map[string]vault.Value) (Seen, error)
	// TryPatch is Patch without its effect: the API server checks the request to its end, admission included, and returns
	// what it would store. It fails with the code NotProvable where it cannot do that.
	TryPatch(ctx context.Context, seen Seen, data map[string]vault.Value) (Seen, error)
	Replacer
}

// OwnerKind is who last wrote a key.
type OwnerKind int

// The kinds of owner of a key.
const (
	OwnerNone       OwnerKind = iota // nobody claims it
	OwnerKeyturn                     // this program
	OwnerOneShot                     // a person's tool, which will not write again by itself
	OwnerReconciler                  // a controller, which would undo or fight the write
	OwnerCluster                     // the cluster itself, which has filled the key in
)

// Owner is who holds a key of a Secret, and for a reconciler what to do instead of writing.
type Owner struct {
	Kind         OwnerKind
	Name, Advice string
}

// Seen is a Secret as it was read or as a patch's reply showed it.
type Seen struct {
	Namespace, Name      string
	UID, ResourceVersion string
	Type                 string
	Labels, Annotations  map[string]string
	CreatedAt            time.Time
	Immutable            bool
	Data                 map[string]vault.Value
	Owners               map[string]Owner // by key
	// Written are the keys that this run has put there and proved; only what is given to Engine.Saw has any.
	Written []string
	// Ours are the keys that were Keyturn's own in the very state; only what is given to Engine.Saw has any.
	Ours []string
	// Base and MadeBy are what Made said of a Secret that Keyturn made in place of another; empty of any other.
	Base, MadeBy string
	// Made says that this run put the Secret in the place of another; only what is given to Engine.Saw has it.
	Made bool
}

// maxConflicts is how often a Secret that changes under the write is read and decided again.
const maxConflicts = 5

// publish brings every mapped key to the new version, wave by wave.
func (e *Engine) publish(ctx context.Context, run Run) (Run, error) {
	value, err := e.open(ctx, run, run.New)
	if err != nil {
		return run, err
	}
	if run, _, err = e.begin(ctx, run, Published); err != nil {
		return run, err
	}
	policy, err := e.policy(ctx, run)
	if err != nil {
		return run, err
	}
	writes, err := e.Store.Writes(ctx, run)
	if err != nil {
		return run, err
	}
	run, waves, err := e.waved(ctx, run, writes)
	if err != nil {
		return run, err
	}
	for {
		if err := e.writeAll(ctx, run, policy, soFar(run, waves, writes), value); err != nil {
			return run, err
		}
		if writes, err = e.Store.Writes(ctx, run); err != nil {
			return run, err
		}
		done, state, why, what := judge(soFar(run, waves, writes))
		switch {
		case state == Waiting:
			return e.retry(ctx, run, run.inWave(why), what)
		case state != Finished:
			return e.stop(ctx, run, NeedsAttention, run.inWave(why), what)
		case run.Wave == run.Waves:
			return e.passed(ctx, run, Published, fmt.Sprintf("%d of %d keys written and read back", done, len(writes)))
		}
		if run, err = e.next(ctx, run, soFar(run, waves, writes)); err != nil {
			return run, err
		}
	}
}

// judge says what the state of all writes together means for the run: Finished, Waiting or NeedsAttention.
func judge(writes []Write) (done int, state State, why, cure string) {
	state = Finished
	for _, w := range writes {
		switch w.State {
		case WriteDone:
			done++
		case WriteBlocked, WriteHands:
			if state != NeedsAttention {
				state, why, cure = NeedsAttention, w.Namespace+"/"+w.Name+" key "+w.Key+": "+w.Reason, w.Cure
			}
		default:
			if state == Finished {
				state, why, cure = Waiting, w.Namespace+"/"+w.Name+" key "+w.Key+": "+w.Reason, w.Cure
			}
		}
	}
	if state != Finished {
		why = fmt.Sprintf("%d of %d keys are not written; first: %s", len(writes)-done, len(writes), why)
	}
	return done, state, why, cure
}

// place is one Secret with the keys of it that a run writes.
type place struct {
	cluster, namespace, name string
	writes                   []Write
}

// places groups writes by Secret, in a stable order. Those that are done are left out.
func places(writes []Write) []place {
	at := map[[3]string]int{}
	var all []place
	for _, w := range writes {
		if w.State == WriteDone {
			continue
		}
		id := [3]string{w.ClusterID, w.Namespace, w.Name}
		i, ok := at[id]
		if !ok {
			i = len(all)
			at[id] = i
			all = append(all, place{cluster: w.ClusterID, namespace: w.Namespace, name: w.Name})
		}
		all[i].writes = append(all[i].writes, w)
	}
	return all
}

// writeAll writes every place and stores what became of each. A cluster that does not answer holds only its own part.
func (e *Engine) writeAll(ctx context.Context, run Run, policy Policy, writes []Write, value vault.Value) error {
	credential := e.Vault.Fingerprint(value)
	known, err := e.Store.Replacements(ctx, run)
	if err != nil {
		return err
	}
	leadTo(writes, known)
	for i := range writes {
		writes[i].Proof.Value, writes[i].User, writes[i].Pair = credential, run.user(), run.Strategy == Alternating
	}
	byNamespace, unread := map[[2]string][]place{}, false
	for _, p := range places(writes) {
		id := [2]string{p.cluster, p.namespace}
		byNamespace[id] = append(byNamespace[id], p)
		_, known := p.known()
		unread = unread || known
	}
	if unread { // what is known was stored before anybody can take the run over from here on; see read
		if err := e.Store.Renew(ctx, run, e.Lease); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan result, len(byNamespace))
	var work sync.WaitGroup
	limits := map[string]limit{}
	for id := range byNamespace {
		if limits[id[0]].requests == nil {
			limits[id[0]] = limit{requests: make(chan struct{}, inFlight), secrets: newBudget(underWay)}
		}
	}
	for id, ps := range byNamespace {
		work.Go(func() {
			share := min(len(ps), underWay)
			limits[id[0]].secrets.take(share)
			defer limits[id[0]].secrets.give(share)
			results <- e.writeNamespace(ctx, run, policy, id[0], id[1], ps, value, limits[id[0]].requests)
		})
	}
	go func() { work.Wait(); close(results) }()
	return e.save(ctx, run, results, stop)
}

// writeNamespace writes the places of one namespace: a patch for each, of those whose Secrets are not known well enough
// after one read of all, and one read of all as the proof.
func (e *Engine) writeNamespace(ctx context.Context, run Run, policy Policy, cluster, namespace string, ps []place, value vault.Value, limit chan struct{}) result {
	done := e.expect(cluster, namespace, ps)
	c, err := e.Clusters.Open(ctx, cluster)
	if err == nil {
		if unread := e.writeKnown(ctx, run, c, ps, value, limit); len(unread) > 0 {
			err = e.writeRead(ctx, run, policy, c, namespace, ps, unread, value, limit)
		}
	}
	names := make([]string, 0, len(ps))
	for i, p := range ps {
		if err != nil {
			ps[i].writes = failed(p.writes, err)
		}
		if slices.ContainsFunc(ps[i].writes, Write.done) {
			names = append(names, ps[i].now())
		}
	}
	if len(names) == 0 {
		return result{cluster: cluster, places: ps, done: done}
	}
	e.at("published:before-proof")
	limit <- struct{}{}
	seen, err := c.ReadBack(ctx, namespace, names)
	<-limit
	for i := range ps {
		s := seen[ps[i].now()]
		ps[i].writes = proved(ps[i].writes, s, err, value)
		for j, w := range ps[i].writes {
			ps[i].writes[j].Proof.Value = e.proof(w, s.Data[w.Key], w.Proof.Value)
		}
	}
	return result{cluster, seen, ps, done}
}

// writeRead reads the named Secrets of a namespace and writes them.
func (e *Engine) writeRead(ctx context.Context, run Run, policy Policy, c Cluster, namespace string, ps []place, names []string, value vault.Value, limit chan struct{}) error {
	limit <- struct{}{}
	seen, err := e.read(ctx, run, c, namespace, names)
	<-limit
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	for i := range ps {
		if !slices.Contains(names, ps[i].name) {
			continue
		}
		limit <- struct{}{}
		ps[i] = ps[i].under(policy, run.Reverts != "", c.MayReplace())
		work.Go(func() {
			defer func() { <-limit }()
			s, there := seen[ps[i].name]
			ps[i].writes = e.write(ctx, run, c, ps[i], s, there, value)
		})
	}
	work.Wait()
	return nil
}

// read reads Secrets that are about to be written, and then makes sure that the run is still this worker's. Whoever takes
// it over later writes later, so a patch that names what was read here conflicts with whatever they write: a worker that
// was frozen between the two cannot put an old value over a newer one.
func (e *Engine) read(ctx context.Context, run Run, c Cluster, namespace string, names []string) (map[string]Seen, error) {
	seen, err := c.Read(ctx, namespace, names)
	if err != nil {
		return nil, err
	}
	return seen, e.Store.Renew(ctx, run, e.Lease)
}

// write brings one Secret to the new value. The writes it returns as WriteDone were proved by the patch's reply.
func (e *Engine) write(ctx context.Context, run Run, c Cluster, p place, seen Seen, there bool, value vault.Value) []Write {
	for range maxConflicts {
		d := decide(p.writes, seen, there, value)
		if len(d.patch) == 0 {
			return d.writes
		}
		if d.issued() != "" {
			return e.moved(ctx, run, c, p, seen, d, value)
		}
		if d.replace {
			return e.replaced(ctx, run, c, p, seen, d, value)
		}
		e.at("published:before-effect")
		reply, err := c.Patch(ctx, seen, d.patch)
		e.at("published:after-effect")
		if err == nil {
			return answered(d, reply, value)
		}
		if !errors.Is(err, fault.Stale) {
			return failed(d.writes, err)
		}
		again, err := e.read(ctx, run, c, p.namespace, []string{p.name})
		if err != nil {
			return failed(d.writes, err)
		}
		seen, there = again[p.name]
	}
	return failed(p.writes, fault.New(fault.Unavailable, "the Secret changed %d times while it was written", maxConflicts).
		WithCure("find what else writes it, then resume"))
}

// decision is what to do with one Secret: which keys to patch, and what the other writes have become without it. With
// replace they are not patched, but written into a Secret that takes its place.
type decision struct {
	patch   map[string]vault.Value
	writes  []Write
	replace bool
}

// decide is pure: from what was seen of a Secret it says which keys are written, which are right already, and which are
// not touched and why.
func decide(writes []Write, seen Seen, there bool, value vault.Value) decision {
	d := decision{patch: map[string]vault.Value{}, writes: slices.Clone(writes)}
	token := slices.ContainsFunc(writes, func(w Write) bool { return w.to != "" })
	for i := range d.writes {
		w := &d.writes[i]
		have, has := seen.Data[w.Key]
		owner := seen.Owners[w.Key]
		switch {
		case !there:
			w.set(WriteBlocked, "the Secret is not in the cluster any more", "restore it or remove the mapping, then resume")
		case w.UID != "" && w.UID != seen.UID:
			w.set(WriteBlocked, "the Secret was deleted and made anew since it was mapped", "remove the mapping and resume; if it is the right Secret, sync the cluster and map the key again when the run has ended")
		case has && w.holds(have, value):
			w.set(WriteDone, "", "")
		case w.to != "" && !w.isFixed(seen):
			d.patch[w.Key] = value
		case w.to != "":
		case token:
			w.set(WriteBlocked, "it stands beside a token, which the cluster makes in another Secret", "remove the mapping and resume; then map a key of a Secret of its own")
		case owner.Kind == OwnerReconciler || owner.Kind == OwnerCluster:
			w.set(WriteHands, "the key belongs to "+owner.Name, owner.Advice)
		case seen.Immutable && w.isFixed(seen):
		default:
			next, err := w.compose(have, has, value)
			if err != nil {
				w.set(WriteBlocked, "the key's value cannot take the new password: "+reason(err), cure(err, "mend the value, then resume"))
				continue
			}
			if owner.Kind == OwnerOneShot {
				w.Taken = owner.Name
			}
			d.patch[w.Key] = next
		}
	}
	d.together(seen.Immutable || token)
	d.replace = (seen.Immutable || token) && len(d.patch) > 0
	return d
}

// answered reads a patch's reply: what it does not show, to the byte, was not stored.
func answered(d decision, reply Seen, value vault.Value) []Write {
	writes := d.writes
	for i := range writes {
		w := &writes[i]
		if w.State == WriteHands || w.State == WriteBlocked {
			continue
		}
		have, ok := reply.Data[w.Key]
		if sent, was := d.patch[w.Key]; ok && (was && have.Equal(sent) || !was && w.holds(have, value)) {
			w.set(WriteDone, "", "")
			if reply.Owners[w.Key].Kind == OwnerKeyturn && !reply.Immutable {
				w.ours = reply.ResourceVersion
			}
		} else {
			w.set(WriteBlocked, "the API server stored another value than it was sent", "look for an admission webhook that changes Secrets, then resume")
		}
	}
	return writes
}

// proved compares what the last read showed with what was written.
func proved(writes []Write, seen Seen, err error, value vault.Value) []Write {
	for i := range writes {
		w := &writes[i]
		if w.State != WriteDone {
			continue
		}
		if err != nil {
			w.set(WriteHeld, "written, but could not be read back: "+reason(err), cure(err, "bring the cluster back; the run goes on by itself, or resume it"))
			continue
		}
		uid := cmp.Or(w.Moved.NewUID, w.UID)
		if have, ok := seen.Data[w.Key]; !ok || !w.holds(have, value) || uid != "" && uid != seen.UID {
			w.set(WriteHeld, "written, but changed again by somebody else right after", "find what else writes it, then resume")
			continue
		}
		w.Proof.ResourceVersion = seen.ResourceVersion
	}
	return writes
}

// failed gives every write that is not settled the state that err means.
func failed(writes []Write, err error) []Write {
	out := slices.Clone(writes)
	for i := range out {
		w := &out[i]
		if w.State != WriteToDo && w.State != WriteHeld {
			continue
		}
		if fault.KindOf(err) == "" || unreachable(err) {
			w.set(WriteHeld, reason(err), cure(err, "bring the cluster back; the run goes on by itself, or resume it"))
		} else {
			w.set(WriteBlocked, reason(err), cure(err, "mend the cause, then resume"))
		}
	}
	return out
}

func (w Write) done() bool { return w.State == WriteDone }

func (w *Write) set(s WriteState, reason, cure string) {
	w.State, w.Reason, w.Cure, w.At = s, reason, cure, time.Now().UTC()
}
