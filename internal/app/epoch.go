package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
)

// How heads are kept in clusters.
const (
	epochEvery    = 2 * time.Second  // how soon after a new value the clusters have a head that covers it
	epochAtOnce   = 8                // clusters
	epochAgain    = 30 * time.Second // when one that did not answer is looked at again
	epochPatience = 10 * time.Second // for a cluster; and for all, before the first run goes on after a start
)

// epoch keeps outside of the database how far the repository has come: the newest signed head of its audit log, in a file of
// the data folder and in each cluster that Keyturn writes to. What it keeps there was committed before. Before it replaces
// anything it reads it: a head that the database does not have says that the database was restored from a backup.
type epoch struct {
	store           *store.Store
	clusters        *Clusters
	repository, key string // the repository's id, and the public key of its log
	file            anchor
	log             *slog.Logger
	// begun is called when a restore was noticed. It must not block.
	begun func()

	restored atomic.Bool
	looked   chan struct{} // closed when every cluster was looked at after the start, or had its time

	writing sync.Mutex
	kept    string // what this process wrote into the file last; guarded by writing

	mu   sync.Mutex
	seen map[string]witness // by cluster
}

// witness is what one cluster keeps.
type witness struct {
	name    string
	size    int64     // of the head that it has
	problem string    // why it has none
	again   time.Time // when it is looked at again without a new value
}

func newEpoch(st *store.Store, clusters *Clusters, repository, key, dir string, log *slog.Logger) *epoch {
	return &epoch{store: st, clusters: clusters, repository: repository, key: key, file: newAnchor(dir), log: log, begun: func() {},
		looked: make(chan struct{}), seen: map[string]witness{}}
}

// verdict is what a head outside says of the database.
type verdict int

const (
	holds    verdict = iota // the database has it
	foreign                 // it is not of this repository
	accepted                // it is of a state whose loss a person has accepted
	lost                    // the database does not have it any more
)

// judge compares a head that was read somewhere outside with the database, which is read after it. What the database has
// lost is noticed.
func (e *epoch) judge(ctx context.Context, where string, signed []byte) (verdict, audit.Head, error) {
	outside, err := audit.OpenHead(signed, e.key)
	if err != nil {
		return foreign, audit.Head{}, nil
	}
	then, err := e.store.HeadOf(ctx, outside.Size)
	if err != nil {
		return holds, outside, err
	}
	inside, err := e.store.Head(ctx)
	if err != nil || !rotation.IsOlder(inside, outside, then) {
		return holds, outside, err
	}
	all, err := e.store.Restores(ctx)
	if err != nil {
		return holds, outside, err
	}
	for _, r := range all {
		if r.Known(outside) {
			return accepted, outside, nil
		}
	}
	return lost, outside, e.notice(ctx, where, inside, outside)
}

// notice stores that the repository is an older one. Nothing is changed from then on.
func (e *epoch) notice(ctx context.Context, where string, inside, outside audit.Head) error {
	r := rotation.Restore{ID: uuid.Must(uuid.NewV7()).String(), SeenIn: where, Inside: inside.Size, Outside: outside.Size, OutsideAt: outside.At,
		Head: string(outside.Signed), FoundAt: time.Now().UTC()}
	ev := audit.New(identity.System("server"), "restore.noticed", audit.Object{Kind: "repository", ID: e.repository}).With("seen in", r.SeenIn).With("lost", r.Lost())
	changed, err := e.store.BeginRestore(ctx, r, ev)
	if err != nil {
		return err
	}
	e.restored.Store(true)
	if changed {
		e.log.Error("the repository was restored from a backup that is older than what it had done: nothing is rotated or written until this is ended; see \"keyturn restore status\"",
			"seen in", r.SeenIn, "lost", r.Lost())
		e.begun()
	}
	return nil
}

const inFolder = "the data folder"

// start looks at the file, and whether a restore is not ended yet. It comes before everything that could change anything.
func (e *epoch) start(ctx context.Context) error {
	open, there, err := e.store.OpenRestore(ctx)
	if err != nil {
		return err
	}
	if e.restored.Store(there); there {
		e.log.Warn("the repository was restored from a backup, which is not ended yet: nothing is rotated or written", "seen in", open.SeenIn, "lost", open.Lost())
	}
	heads, err := e.file.heads(ctx)
	if err != nil {
		return err
	}
	for _, signed := range heads {
		if _, _, err := e.judge(ctx, inFolder, signed); err != nil {
			return err
		}
	}
	return nil
}

// put keeps a committed head in the file, for the audit sequencer. What the database has lost stays there until a person has
// accepted the loss; it is then put aside, for whoever wants to see that the log was another one.
func (e *epoch) put(ctx context.Context, signed []byte) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	heads, err := e.file.heads(ctx)
	if err != nil {
		return err
	}
	for _, old := range heads {
		if string(old) == e.kept {
			break
		}
		found, head, err := e.judge(ctx, inFolder, old)
		switch {
		case err != nil:
			return err
		case found == lost:
			return nil
		case found == accepted:
			if err := os.Rename(e.file.path, fmt.Sprintf("%s.lost-%d", e.file.path, head.Size)); err != nil {
				return fmt.Errorf("anchor: %w", err)
			}
		case found == foreign:
			e.log.Warn("the head of an audit log in the data folder is not of this repository; it is replaced", "file", e.file.path)
		}
	}
	if err := e.file.put(ctx, signed); err != nil {
		return err
	}
	e.kept = string(signed)
	return nil
}

// heads returns what the file has, for whoever verifies the log; not what a person has accepted to be lost.
func (e *epoch) heads(ctx context.Context) ([][]byte, error) {
	heads, err := e.file.heads(ctx)
	if err != nil || len(heads) == 0 {
		return nil, err
	}
	found, _, err := e.judge(ctx, inFolder, heads[0])
	if found == accepted {
		return nil, err
	}
	return heads, err
}

// run keeps heads in clusters until ctx ends.
func (e *epoch) run(ctx context.Context) error {
	first, stop := context.WithTimeout(ctx, epochPatience)
	e.round(first)
	stop()
	close(e.looked)
	return every(ctx, epochEvery, e.round)
}

// round looks at each cluster whose head does not cover the newest value, and at those that were not looked at yet. One
// write in a cluster stands for all values since the one before.
func (e *epoch) round(ctx context.Context) {
	open, there, err := e.store.OpenRestore(ctx)
	if err == nil {
		if e.restored.Swap(there) != there && there {
			e.log.Warn("another server noticed that the repository was restored from a backup", "seen in", open.SeenIn)
		}
	}
	value, err2 := e.store.LastValue(ctx)
	clusters, err3 := e.store.ConnectedClusters(ctx)
	if err := errors.Join(err, err2, err3); err != nil {
		if ctx.Err() == nil {
			e.log.Warn("how far the repository has come was not kept in clusters", "err", err)
		}
		return
	}
	var work errgroup.Group
	work.SetLimit(epochAtOnce)
	for _, c := range clusters {
		if !c.Scope.ReadWrite {
			continue
		}
		e.mu.Lock()
		w, known := e.seen[c.ID]
		e.mu.Unlock()
		if known && (time.Now().Before(w.again) || w.problem == "" && w.size > value) {
			continue
		}
		work.Go(func() error {
			w := e.look(ctx, c.ID, c.Name, w.problem, value)
			e.mu.Lock()
			e.seen[c.ID] = w
			e.mu.Unlock()
			return nil
		})
	}
	_ = work.Wait() // each says for itself what went wrong
}

// look reads what a cluster keeps and, unless it shows that the database is an older one, replaces it by the newest head.
// What was said of it before is not said again.
func (e *epoch) look(ctx context.Context, id, name, said string, value int64) witness {
	w := witness{name: name}
	patient, stop := context.WithTimeout(ctx, epochPatience) // one that hangs does not hold up the others for long
	defer stop()
	err := e.exchange(patient, id, &w, value)
	if err == nil || errors.Is(err, fault.Stale) { // another server was faster: look again at once
		return w
	}
	w.again, w.problem = time.Now().Add(epochAgain), "internal error"
	if f, ok := errors.AsType[*fault.Error](err); ok {
		w.problem = f.Msg
	}
	if ctx.Err() == nil && w.problem != said {
		e.log.Warn("a cluster does not keep how far the repository has come; the file in the data folder counts alone", "cluster", name, "err", err)
	}
	return w
}

func (e *epoch) exchange(ctx context.Context, id string, w *witness, value int64) error {
	conn, err := e.clusters.conn(ctx, id)
	if err != nil {
		return err
	}
	was, err := conn.Epoch(ctx, e.repository)
	if err != nil {
		return err
	}
	if was.Text != "" {
		found, head, err := e.judge(ctx, "cluster "+w.name, []byte(was.Text))
		switch {
		case err != nil:
			return err
		case found == foreign:
			e.log.Warn("what a cluster kept of this repository was not signed by it; it is replaced", "cluster", w.name)
		case found == lost:
			w.problem, w.again = fmt.Sprintf("it has seen %d entries of the audit log, which the database does not have", head.Size), time.Now().Add(epochAgain)
			return nil
		case found == holds:
			w.size = head.Size
		}
	}
	newest, err := e.store.Head(ctx)
	if err != nil || e.restored.Load() || newest.Size <= value || newest.Size <= w.size {
		return err // what is not in the log yet is there at the next look
	}
	if err := conn.SetEpoch(ctx, e.repository, string(newest.Signed), was); err != nil {
		return err
	}
	w.size = newest.Size
	return nil
}

// Witnesses returns what each cluster keeps, by name: the size of the log that it has seen, or why it keeps none.
func (e *epoch) Witnesses() map[string]rotation.Witness {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[string]rotation.Witness, len(e.seen))
	for _, w := range e.seen {
		out[w.name] = rotation.Witness{Size: w.size, Problem: w.problem}
	}
	return out
}
