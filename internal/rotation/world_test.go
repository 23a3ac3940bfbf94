package rotation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// world is a model of everything outside the engine: a store, a target and a cluster, each of which can fail at any call
// in two ways. The real ones have tests of their own; this one reaches every branch of the state machine.
type world struct {
	t    reporter
	log  io.Writer
	ring *vault.Ring

	mu         sync.Mutex
	run        Run
	versions   map[int64]version
	writes     []Write
	events     []audit.Event
	leased     string
	accepted   string // what the target accepts
	also       string // what it accepts beside, if anything
	beside     string // what the other login of a pair accepts
	differ     []string
	rejects    int // how many more values its policy refuses
	changes    int
	made       int
	makes      string // what is generated; empty: another value each time
	secrets    map[string]*secret
	noRemote   bool
	reconciled bool
	saw        map[string]string // what the repository was told of written keys
	known      map[string]string // and at which resourceVersion they were Keyturn's own
	reads      []string          // what was read of Secrets, and how

	workloads map[string]*workload // by name; nil: no mapping asks for a restart
	censused  []string
	policy    Policy
	waves     map[string]int
	rollouts  []Rollout

	faults   map[string]mode // by name of the call, used up once
	crash    string          // the point at which the process dies, once
	on       func(string)    // told of every point beside
	dead     bool            // the process has died: nothing that it does has an effect any more
	restarts map[string]int  // by workload and marker

	mayReplace bool
	replaced   []Replacement
	homes      map[string]string // of a system that makes its values itself: the Secret of each
	meddled    bool              // somebody changes Secrets while they are written
}

// reporter is what a world needs of a test, whether that is one of testing or of rapid.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

type version struct {
	sealed vault.Sealed
	stage  string
}

type secret struct {
	uid, rv   string
	immutable bool
	data      map[string]string
	owners    map[string]Owner
	mutate    bool // an admission webhook changes what is written

	base, madeBy string
	copied       string // what the Secret that it was made like held in its key "other"
}

// mode is how a call fails: lost means that it took effect and only its reply was lost. To whom sends it, a change of the target
// that is vanished looks the same, but has no effect.
type mode int

const (
	fails mode = iota + 1
	lost
	vanished
)

type crashed struct{ point string }

var errInjected = fault.New(fault.Unavailable, "injected fault")

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, t.Output())
}

func newWorldOf(t reporter, log io.Writer) *world {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	root, err := vault.NewRootKey(key)
	if err != nil {
		t.Fatal(err)
	}
	ring, _, err := vault.NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, log: log, ring: ring, versions: map[int64]version{}, secrets: map[string]*secret{}, saw: map[string]string{}, known: map[string]string{}, faults: map[string]mode{}, restarts: map[string]int{}}
	w.accepted = "old"
	w.keep(1, "old", "current")
	w.waves = map[string]int{}
	w.run = Run{ID: "run", AccountID: "acc", Strategy: Single, State: Queued, Step: Planned, Begun: Planned, Old: 1}
	for i := range 3 {
		name := fmt.Sprintf("s%d", i)
		w.secrets["c1/"+name] = &secret{uid: "uid-" + name, rv: "1", data: map[string]string{"password": "old", "other": "stays"}}
		w.writes = append(w.writes, Write{MappingID: "m" + name, ClusterID: "c1", SecretID: name, Namespace: "ns", Name: name, UID: "uid-" + name, Key: "password", OnWrite: OnWriteNothing, State: WriteToDo})
	}
	return w
}

func (w *world) keep(n int64, value, stage string) {
	sealed, err := w.ring.Seal(vault.Record{Kind: "version", ID: "acc", Version: n}, vault.NewValue([]byte(value)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.versions[n] = version{sealed, stage}
}

func (w *world) plain(n int64) string {
	v, err := w.ring.Open(vault.Record{Kind: "version", ID: "acc", Version: n}, w.versions[n].sealed)
	if err != nil {
		w.t.Fatal(err)
	}
	return text(v)
}

func text(v vault.Value) (s string) {
	_ = v.Expose(func(b []byte) error { s = string(b); return nil })
	return s
}

func (w *world) engine() *Engine {
	e := &Engine{Store: w, Vault: w.ring, Targets: w, Clusters: clusters{w}, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Policy: func(context.Context, string) (Policy, error) { return w.policy, nil }, Owner: "test", Lease: time.Minute, MaxTries: 5, Saw: w.sees, StuckFor: 10 * time.Millisecond}
	e.At = func(point string) {
		w.mu.Lock()
		die := w.crash == point
		if die {
			w.crash = ""
		}
		on := w.on
		w.mu.Unlock()
		if die {
			panic(crashed{point})
		}
		if on != nil {
			on(point)
		}
	}
	return e
}

// sees is the repository being told of what was read back.
func (w *world) sees(_ context.Context, _ string, seen []Seen) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.take("saw")
	for _, s := range seen {
		for _, key := range s.Written {
			if m != fails {
				w.saw["c1/"+s.Name+":"+key] = text(s.Data[key])
				delete(w.known, "c1/"+s.Name+":"+key)
			}
		}
		for _, key := range s.Ours {
			if m != fails {
				w.known["c1/"+s.Name+":"+key] = s.ResourceVersion
			}
		}
	}
	if m != 0 {
		return errInjected
	}
	return nil
}

// resume runs the engine until it stops by itself, fails or the process "dies".
func (w *world) resume() (err error) {
	defer func() {
		switch c := recover().(type) {
		case nil:
		case crashed:
			err = fmt.Errorf("crashed at %s", c.point)
		default:
			panic(c)
		}
	}()
	w.mu.Lock()
	w.leased, w.dead = "", false
	id := w.run.ID
	w.mu.Unlock()
	return w.engine().Resume(w.t.Context(), id)
}

// take uses up the fault of a call, if there is one.
func (w *world) take(call string) mode {
	if w.dead {
		return fails
	}
	m := w.faults[call]
	delete(w.faults, call)
	return m
}

// with carries out a call of the store under its injected fault and its fence.
func (w *world) with(call string, run Run, effect func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if run.ID != w.run.ID || run.Fence != w.run.Fence {
		return fault.New(fault.Stale, "fence %d is not %d", run.Fence, w.run.Fence)
	}
	m := w.take("store:" + call)
	if m != fails {
		effect()
	}
	if m != 0 {
		return errors.New("injected store fault")
	}
	return nil
}

func (w *world) Claim(_ context.Context, _, owner string, _ time.Duration) (Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leased != "" && w.leased != owner {
		return Run{}, fault.New(fault.Conflict, "leased")
	}
	if w.run.State.Ended() || w.run.State == NeedsAttention {
		return Run{}, fault.New(fault.Conflict, "the run is %s", w.run.State)
	}
	w.leased = owner
	w.run.Fence++
	w.run.State = Running
	return w.run, nil
}

func (w *world) Renew(_ context.Context, run Run, _ time.Duration) error {
	return w.with("renew", run, func() {})
}

func (w *world) Begin(_ context.Context, run Run, step Step) error {
	return w.with("begin:"+string(step), run, func() { w.run.Begun = step })
}

func (w *world) Mint(_ context.Context, run Run, sealed vault.Sealed, ev audit.Event) error {
	if v, err := w.ring.Open(vault.Record{Kind: "version", ID: run.AccountID, Version: run.New}, sealed); err != nil || run.Mark != vault.MarkOf(w.ring, v) {
		w.t.Errorf("version %d is stored with another mark than its value's: %v", run.New, err)
	}
	return w.with("minted", run, func() {
		for n, v := range w.versions {
			if v.stage == "pending" && n != run.New {
				w.versions[n] = version{v.sealed, "retired"}
			}
		}
		w.versions[run.New] = version{sealed, "pending"}
		w.run, w.run.OldRefused = run, time.Time{}
		w.events = append(w.events, ev)
	})
}

func (w *world) Advance(_ context.Context, run Run, ev audit.Event) error {
	return w.with(string(run.Step), run, func() {
		stage := func(n int64, to string) {
			if n > 0 {
				w.versions[n] = version{w.versions[n].sealed, to}
			}
		}
		if run.Step != w.run.Step {
			switch run.Step {
			case Verified:
				stage(run.Old, "previous")
				stage(run.New, "current")
			case RetiredOld:
				stage(run.before(), "retired")
			}
		}
		if run.State == RolledBack {
			stage(run.New, "retired")
		}
		w.run, w.run.OldRefused = run, time.Time{}
		w.events = append(w.events, ev)
	})
}

func (w *world) Writes(context.Context, Run) ([]Write, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.writes)
	for i := range all {
		all[i].Known = w.known["c1/"+all[i].Name+":"+all[i].Key]
	}
	return all, nil
}

func (w *world) SaveWrites(_ context.Context, run Run, writes []Write, evs []audit.Event) error {
	return w.with("writes", run, func() {
		for _, n := range writes {
			if !w.meddled {
				w.provedBy(run, n)
			}
			for i := range w.writes {
				if w.writes[i].MappingID == n.MappingID {
					w.writes[i] = w.moved(n)
				}
			}
		}
		w.events = append(w.events, evs...)
	})
}

// provedBy fails the test when a write that is done names another state of its Secret than that in which the key holds the
// value.
func (w *world) provedBy(run Run, n Write) {
	if n.State != WriteDone {
		return
	}
	at := w.secrets["c1/"+cmp.Or(n.Moved.New, n.Name)]
	stands := w.plain(run.New)
	switch n.Place.Holds {
	case composite.HoldsUser:
		stands = run.user()
	case composite.HoldsBoth:
		stands = text(composite.Both(run.user(), vault.NewValue([]byte(stands))))
	}
	if n.Place.Hashed() {
		stands = at.data[n.Key]
	}
	if want := (Proof{at.rv, w.ring.Fingerprint(vault.NewValue([]byte(stands)))}); n.Proof != want {
		w.t.Errorf("%s is done by the proof %v, want %v", n.Name, n.Proof, want)
	}
}

func (w *world) LastVersion(context.Context, string) (n int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.versions {
		n = max(n, k)
	}
	return n, nil
}

func (w *world) Sealed(_ context.Context, _ string, n int64) (vault.Sealed, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.take("store:sealed") != 0 {
		return nil, errors.New("injected store fault")
	}
	v, ok := w.versions[n]
	if !ok {
		return nil, fault.New(fault.NotFound, "no version %d", n)
	}
	return v.sealed, nil
}

// clusters is the model's way into its one cluster.
type clusters struct{ w *world }

func (c clusters) Open(context.Context, string) (Cluster, error) { return c, nil }

func (c clusters) Read(_ context.Context, namespace string, names []string) (map[string]Seen, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.take("cluster:read") != 0 {
		return nil, errInjected
	}
	c.w.reads = append(c.w.reads, "read "+strings.Join(names, " "))
	out := map[string]Seen{}
	for _, name := range names {
		if s, ok := c.w.secrets["c1/"+name]; ok {
			out[name] = s.seen(namespace, name)
		}
	}
	return out, nil
}

func (c clusters) ReadBack(ctx context.Context, namespace string, names []string) (map[string]Seen, error) {
	out, err := c.Read(ctx, namespace, names)
	if err == nil {
		c.w.mu.Lock()
		c.w.reads[len(c.w.reads)-1] = "read back " + strings.Join(names, " ")
		c.w.mu.Unlock()
	}
	for name, s := range out {
		s.Owners = nil
		out[name] = s
	}
	return out, err
}

func (s *secret) seen(namespace, name string) Seen {
	data := map[string]vault.Value{}
	for k, v := range s.data {
		data[k] = vault.NewValue([]byte(v))
	}
	return Seen{Namespace: namespace, Name: name, UID: s.uid, ResourceVersion: s.rv, Immutable: s.immutable, Data: data, Owners: maps.Clone(s.owners), Base: s.base, MadeBy: s.madeBy}
}

func (c clusters) Patch(ctx context.Context, seen Seen, data map[string]vault.Value) (Seen, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	m := c.w.take("cluster:patch")
	if m == fails || ctx.Err() != nil {
		return Seen{}, errInjected
	}
	s, ok := c.w.secrets["c1/"+seen.Name]
	if !ok {
		return Seen{}, fault.New(fault.NotFound, "no such Secret")
	}
	if s.rv != seen.ResourceVersion || s.uid != seen.UID {
		return Seen{}, fault.New(fault.Stale, "changed")
	}
	if s.immutable {
		return Seen{}, fault.New(fault.Invalid, "the Secret is immutable")
	}
	for k, v := range data {
		s.data[k] = text(v)
		if s.owners == nil {
			s.owners = map[string]Owner{}
		}
		s.owners[k] = Owner{Kind: OwnerKeyturn}
		if s.mutate {
			s.data[k] = "mutated"
		}
	}
	s.rv += "+"
	if m == lost {
		return Seen{}, errInjected
	}
	return s.seen(seen.Namespace, seen.Name), nil
}
