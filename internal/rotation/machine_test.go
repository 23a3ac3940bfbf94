package rotation

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestAnyOrderOfFaultsLosesNothing plays random histories of one account against the model world: resets, roll-backs and
// cancellations while calls fail or lose their replies, the process dies or is frozen until another has taken over, and
// people change the password, the policy and the Secrets, some of which are immutable and replaced. The invariants are checked after each step, and that everything
// ends well once the faults have ended.
func TestAnyOrderOfFaultsLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 10 { // of 100 histories each
			rapid.Check(bubble{t}, history)
		}
	})
}

// history plays one.
func history(t *rapid.T) {
	m := newMachine(t)
	t.Repeat(map[string]func(*rapid.T){
		"":               m.holds,
		"reset":          m.reset,
		"work":           func(*rapid.T) { m.work() },
		"resume":         func(*rapid.T) { m.requeue() },
		"roll back":      m.rollBack,
		"cancel":         m.cancel,
		"a call fails":   m.callFails,
		"crash":          m.crashes,
		"freeze":         m.freezes,
		"policy":         func(*rapid.T) { m.policy.Rev++ },
		"target rejects": func(t *rapid.T) { m.rejects = rapid.IntRange(1, 4).Draw(t, "times") },
		"immutable":      m.saysOfImmutable,
		"reconcile":      func(t *rapid.T) { m.reconciled = rapid.Bool().Draw(t, "on") },
		"password":       m.changedBehindItsBack,
		"Secret":         func(t *rapid.T) { m.secretChanges(t)() },
		"Secret, during": m.secretChangesDuring,
		"mend":           func(*rapid.T) { m.mend() },
	})
	m.converges()
}

// bubble is a test whose deadline rapid does not ask for, since a bubble of synctest has none.
type bubble struct{ rapid.TB }

// machine is the world with what its people have done to it.
type machine struct {
	*world
	t        *rapid.T
	last     int64             // the highest version that was ever there
	others   map[string]string // what the keys that are not mapped hold
	drifted  map[string]bool   // Secrets whose mapped key was changed since the run wrote it, or may have been
	taken    map[string]bool   // Secrets that somebody has deleted
	unmapped []Write
	even     bool // everything held what the target accepts when the run was opened, and nobody else changed it since
	dieAt    string
	freezeAt string
	// thenAgain says that the key is turned once more while the process is frozen.
	thenAgain bool
	during    map[string]func() // by point
	count     int               // makes names differ
}

func newMachine(t *rapid.T) *machine {
	m := &machine{world: newWorldOf(t, io.Discard).withWorkloads(), t: t, last: 1, others: map[string]string{}, drifted: map[string]bool{}, taken: map[string]bool{}, during: map[string]func(){}}
	if rapid.Bool().Draw(t, "replaces") {
		m.frozen()
	}
	m.meddled, m.on = true, m.passes
	for name := range m.secrets {
		m.others[name] = "stays"
	}
	if rapid.Bool().Draw(t, "waves") {
		m.inClusters(Waves{Size: "1"})
		for _, x := range m.workloads {
			x.ClusterID = m.writes[int(x.reads[1]-'0')].ClusterID
		}
	}
	m.policy.ID = DefaultPolicy
	m.run.State, m.run.Step = Finished, Done // nothing is under way yet
	return m
}

// points are where a process can die or be frozen.
var points = strings.Fields(`minted:before-store minted:stored applied:before-effect applied:after-effect applied:before-store applied:stored
	verified:before-effect verified:after-effect verified:before-store verified:stored published:before-waves published:waves published:before-effect
	published:after-effect published:before-proof published:before-wave published:wave published:before-store published:stored
	rolled_out:before-census rolled_out:census rolled_out:before-effect rolled_out:after-effect rolled_out:before-store rolled_out:stored
	retired:before-effect retired:after-effect retired:before-store retired:stored done:before-store done:stored
	published:before-choice published:choice published:before-replacement published:replacement retired:before-delete retired:deleted retired:delete-stored`)

// failing are the calls that can fail, or take effect and lose their reply.
var failing = strings.Fields(`store:minted store:begin:applied store:applied store:begin:verified store:verified store:begin:published
	store:waves store:writes store:published store:census store:rollouts store:begin:rolled_out store:rolled_out store:begin:retired store:retired
	store:done store:renew store:sealed target:change target:drop target:login target:prove cluster:read cluster:patch cluster:census cluster:restart cluster:follow saw
	store:replacement cluster:replace cluster:delete`)

func (m *machine) reset(t *rapid.T) {
	if !m.run.State.Ended() {
		return // the store refuses it
	}
	m.open(Run{Strategy: rapid.SampledFrom([]Strategy{Single, Overlap}).Draw(t, "strategy")})
}

// open stores a run that begins from the current version.
func (m *machine) open(r Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	r.ID, r.AccountID, r.State, r.Step, r.Begun, r.Fence = fmt.Sprint("run", m.count), "acc", Queued, Planned, Planned, m.run.Fence+1
	for n, v := range m.versions {
		if v.stage == "current" {
			r.Old = n
		}
	}
	m.even = !m.outside()
	for _, s := range m.secrets {
		m.even = m.even && s.data["password"] == m.accepted
	}
	m.run, m.waves, m.censused, m.rollouts = r, map[string]int{}, nil, nil
	m.writes = append(m.writes, m.unmapped...)
	m.unmapped = nil
	for i := range m.writes {
		m.writes[i].State, m.writes[i].UID = WriteToDo, "uid-"+m.writes[i].Name
		if s := m.secrets["c1/"+m.writes[i].Name]; s != nil {
			m.writes[i].UID = s.uid
		}
	}
	clear(m.drifted)
}

// work has the engine carry the run on until it stops by itself, or dies at the point that was chosen.
func (m *machine) work() {
	id, ended := m.run.ID, m.run.State.Ended()
	m.carryOn(id)
	m.dead = false
	if !ended && m.run.ID == id && m.run.State == Finished {
		m.turned()
	}
}

// carryOn is a process that has the lease of the run.
func (m *machine) carryOn(id string) {
	m.mu.Lock()
	m.leased = ""
	m.mu.Unlock()
	_ = m.engine().Resume(m.t.Context(), id)
}

// passes is told of every point that a process passes.
func (m *machine) passes(point string) {
	m.mu.Lock()
	if point == m.dieAt {
		m.dieAt, m.dead = "", true
	}
	frozen := point == m.freezeAt && !m.dead
	if frozen {
		m.freezeAt = ""
	}
	during := m.during[point]
	delete(m.during, point)
	m.mu.Unlock()
	if during != nil {
		during()
	}
	if frozen {
		m.takenOver()
	}
}

// takenOver is what happens while a process is frozen: its lease ends, another one carries the run on, and perhaps turns the
// key once more.
func (m *machine) takenOver() {
	id := m.run.ID
	m.carryOn(id)
	m.mu.Lock()
	again := m.thenAgain && m.run.State.Ended() && !m.dead
	m.mu.Unlock()
	if again {
		m.open(Run{Strategy: m.run.Strategy})
		m.carryOn(m.run.ID)
	}
	time.Sleep(10 * time.Minute)
}

func (m *machine) requeue() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run.State != Waiting && m.run.State != NeedsAttention {
		return
	}
	m.run.Fence++
	m.again()
	for i := range m.writes {
		if m.writes[i].State != WriteDone {
			m.writes[i].State = WriteToDo
		}
	}
}

func (m *machine) rollBack(t *rapid.T) {
	if CanRollBack(m.run) != nil {
		return
	}
	m.keep(m.highest()+1, m.plain(m.run.Old), "pending")
	m.open(Run{Strategy: m.run.Strategy, Typed: true, New: m.highest(), Reverts: m.run.ID})
}

func (m *machine) cancel(*rapid.T) {
	if CanCancel(m.run) != nil {
		return
	}
	m.run.State = Cancelled
	m.run.Fence++
	for n, v := range m.versions {
		if v.stage == "pending" {
			m.versions[n] = version{v.sealed, "retired"}
		}
	}
}

func (m *machine) callFails(t *rapid.T) {
	m.faults[rapid.SampledFrom(failing).Draw(t, "call")] = rapid.SampledFrom([]mode{fails, lost, vanished}).Draw(t, "how")
}

func (m *machine) crashes(t *rapid.T) { m.dieAt = rapid.SampledFrom(points).Draw(t, "at") }

func (m *machine) freezes(t *rapid.T) {
	m.freezeAt, m.thenAgain = rapid.SampledFrom(points).Draw(t, "at"), rapid.Bool().Draw(t, "and turned again")
}

func (m *machine) changedBehindItsBack(*rapid.T) {
	m.count++
	m.accepted, m.also, m.even = fmt.Sprint("outside", m.count), "", false
}

// outside reports whether the target accepts a password that Keyturn was never told of.
func (m *machine) outside() bool { return strings.HasPrefix(m.accepted, "outside") }

func (m *machine) secretChangesDuring(t *rapid.T) {
	change := m.secretChanges(t)
	m.during[rapid.SampledFrom([]string{"published:before-effect", "published:after-effect", "published:before-proof", "rolled_out:before-effect"}).Draw(t, "at")] = change
}

// secretChanges returns what somebody does to a Secret.
func (m *machine) secretChanges(t *rapid.T) func() {
	if len(m.secrets) == 0 {
		return func() {}
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(m.secrets))).Draw(t, "Secret")
	what := rapid.SampledFrom([]string{"other key", "password", "owned", "immutable", "deleted", "recreated", "mutated"}).Draw(t, "what")
	m.count++
	mark := fmt.Sprint(m.count)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		s := m.secrets[name]
		if s == nil || s.immutable && slices.Contains([]string{"other key", "password"}, what) { // the API server refuses it
			return
		}
		s.rv += "."
		switch what {
		case "other key":
			s.data["other"], m.others[name] = mark, mark
		case "password":
			s.data["password"], m.drifted[name] = "drifted"+mark, true
		case "owned":
			s.owners = map[string]Owner{"password": {Kind: OwnerReconciler, Name: "flux"}}
		case "immutable":
			s.immutable = true
		case "deleted":
			delete(m.secrets, name)
			m.drifted[name], m.taken[name] = true, true
		case "recreated":
			m.recreate(name, s.data["password"])
		case "mutated":
			s.mutate = true
		}
	}
}

func (m *machine) recreate(name, password string) {
	m.count++
	m.others[name] = cmp.Or(m.others[name], "stays")
	m.secrets[name] = &secret{uid: fmt.Sprint("uid", m.count), rv: "1", data: map[string]string{"password": password, "other": m.others[name]}}
	m.drifted[name] = true
	delete(m.taken, name)
}

// mend is what a person does who follows the cures that runs name.
func (m *machine) mend() {
	if m.outside() {
		m.accepted, m.also = m.current(), ""
	}
	for _, w := range slices.Concat(m.writes, m.unmapped) {
		name := "c1/" + w.Name
		s := m.secrets[name]
		if s == nil {
			m.recreate(name, "old")
		} else if s.immutable && !(m.mayReplace && m.policy.Rules.Immutable == ImmutableReplace) {
			m.recreate(name, s.data["password"])
		} else {
			s.owners, s.mutate = nil, false
		}
	}
	m.rename()
	for i := len(m.writes) - 1; i >= 0; i-- {
		if w := m.writes[i]; w.UID != m.secrets["c1/"+w.Name].uid {
			m.unmapped = append(m.unmapped, w)
			m.writes = slices.Delete(m.writes, i, i+1)
		}
	}
}

func (m *machine) highest() (last int64) {
	for n := range m.versions {
		last = max(last, n)
	}
	return last
}

func (m *machine) current() string {
	for n, v := range m.versions {
		if v.stage == "current" {
			return m.plain(n)
		}
	}
	m.t.Fatal("no version is current")
	return ""
}

// holds fails the test when an invariant does not hold.
func (m *machine) holds(t *rapid.T) {
	stages := map[string]int{}
	known := map[string]bool{} // values that the vault has and has not given up
	for n, v := range m.versions {
		stages[v.stage]++
		known[m.plain(n)] = known[m.plain(n)] || v.stage != "retired"
	}
	if !m.outside() && !known[m.accepted] || m.also != "" && !known[m.also] {
		t.Errorf("the target accepts %q and %q, the vault has %v", m.accepted, m.also, known)
	}
	if m.highest() < m.last || stages["current"] != 1 || stages["pending"] > 1 {
		t.Errorf("versions up to %d (were %d): %v", m.highest(), m.last, stages)
	}
	m.last = m.highest()
	for name, s := range m.secrets {
		if want := cmp.Or(s.copied, m.others[name]); s.data["other"] != want {
			t.Errorf("a key of %s that is not mapped was changed to %q", name, s.data["other"])
		}
		if has := s.data["password"]; m.even && m.inUse(name) && m.run.Strategy == Overlap && !m.drifted[name] && has != "mutated" && has != m.accepted && has != m.also {
			t.Errorf("what reads %s cannot log in with %q: it is %q or %q", name, has, m.accepted, m.also)
		}
	}
	for name, x := range m.workloads {
		if at := "c1/" + x.reads; m.secrets[at] == nil && !m.taken[at] {
			t.Errorf("%s names %s, which is not there", name, x.reads)
		}
	}
	for at, n := range m.restarts {
		if n > 1 {
			t.Errorf("%s: restarted %d times by one run", at, n)
		}
	}
	if s := m.run.State; (s == NeedsAttention || s == Waiting || s == RolledBack) && m.run.Reason == "" {
		t.Errorf("the run is %s and does not say why", s)
	}
}

// turned fails the test when a run that says that it is done has not done what it says.
func (m *machine) turned() {
	m.tidied()
	value := m.plain(m.run.New)
	if m.current() != value || !m.outside() && (m.accepted != value || m.also != "") {
		m.t.Errorf("done: current is %q, the run's %q, the target accepts %q and %q", m.current(), value, m.accepted, m.also)
	}
	for _, w := range m.writes {
		s := m.secrets["c1/"+w.Name]
		if m.drifted["c1/"+w.Name] {
			continue
		}
		if s == nil || s.data["password"] != value {
			m.t.Errorf("done: %s holds %+v, not %q", w.Name, s, value)
		}
		for name, x := range m.workloads {
			if x.reads == w.Name && slices.ContainsFunc(x.holds, func(v string) bool { return v != value }) {
				m.t.Errorf("done: pods of %s hold %v, not %q", name, x.holds, value)
			}
		}
	}
}

// converges fails the test unless, once every fault has ended and every cure was followed, the run that is open ends and
// another one turns the key everywhere.
func (m *machine) converges() {
	m.faults, m.rejects, m.dieAt, m.freezeAt, m.during = map[string]mode{}, 0, "", "", map[string]func(){}
	for i := 0; i < 6 && !m.run.State.Ended(); i++ {
		m.mend()
		m.requeue()
		m.work()
		m.holds(m.t)
	}
	if !m.run.State.Ended() {
		m.t.Fatalf("the run does not end: %s after %s: %s; %s", m.run.State, m.run.Step, m.run.Reason, m.run.Cure)
	}
	m.mend()
	m.open(Run{Strategy: Overlap})
	m.work()
	m.holds(m.t)
	if m.run.State != Finished || len(m.writes) != 3 || len(m.drifted) > 0 {
		m.t.Fatalf("the last run: %s after %s: %s; %s", m.run.State, m.run.Step, m.run.Reason, m.run.Cure)
	}
}
