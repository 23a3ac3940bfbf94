package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Readiness is what the last rehearsal showed of an account. The words are those of client/state.
type Readiness string

// The answers of a rehearsal.
const (
	Ready            Readiness = "ready"     // every part was proved
	NotReady         Readiness = "not_ready" // a part would fail
	ReadinessStale   Readiness = "stale"     // every part was proved, and that is too long ago
	ReadinessUnknown Readiness = "unknown"   // nothing would fail, and a part could not be proved; or there was no rehearsal
)

// ReadyFor is how long a rehearsal that passed says anything: a day, and what the next one may be late.
const ReadyFor = 26 * time.Hour

// Rehearsal is the whole way of a run, tried without changing anything.
type Rehearsal struct {
	AccountID    string
	State        Readiness
	Reason, Cure string
	At           time.Time
	By           identity.Actor
	Steps        []RehearsalStep
}

// RehearsalStep is one thing that was tried. StepUnverified means that it could not be told.
type RehearsalStep struct {
	Name    RehearsalName
	State   StepState
	Object  string
	Cluster string `json:",omitempty"` // its name
	// Proved says what was shown; Reason and Cure why it was not.
	Proved string `json:",omitempty"`
	Reason string `json:",omitempty"`
	Cure   string `json:",omitempty"`
}

// RehearsalName is what a step tries.
type RehearsalName string

// The names of steps.
const (
	RehearseLogin     RehearsalName = "login"     // with the current value
	RehearsePrivilege RehearsalName = "privilege" // to change it on the system
	RehearseCensus    RehearsalName = "census"    // of who reads a cluster's keys
	RehearseWrite     RehearsalName = "write"     // of one Secret's keys
	RehearseRestart   RehearsalName = "restart"   // of one workload
)

// RehearsalStore keeps the last rehearsal of each account, and who asked for the next.
type RehearsalStore interface {
	// AskRehearsal makes a rehearsal due at once. It fails with fault.Conflict while a run of the account is open.
	AskRehearsal(ctx context.Context, accountID string, by identity.Actor, at time.Time, ev audit.Event) error
	// DueRehearsals returns up to limit accounts whose rehearsal is due.
	DueRehearsals(ctx context.Context, now time.Time, limit int) ([]string, error)
	// ClaimRehearsal puts one that is due off until until. It reports whether it was due, and who asked for it: nobody if it
	// is due by itself.
	ClaimRehearsal(ctx context.Context, accountID string, now, until time.Time) (claimed bool, by identity.Actor, err error)
	// SaveRehearsal stores what a rehearsal that began at began has found. One that was asked for since stays due.
	SaveRehearsal(ctx context.Context, r Rehearsal, began time.Time, ev audit.Event) error
}

// How rehearsals work.
const (
	rehearsalLease = 15 * time.Minute // when one that was lost with its process is done again
	rehearseFor    = 10 * time.Minute
	// rehearseAtOnce is how many dry runs of one cluster are under way at a time.
	rehearseAtOnce = 8
	// mostSteps is how many steps of one kind and state are told one by one.
	mostSteps = 100
)

// Rehearsals try the whole way of a run. They have no state of their own: any number of them may work on one repository.
type Rehearsals struct {
	*Forecaster
	Kept RehearsalStore
	// Wake tells whoever carries rehearsals out that one is due. It must not block.
	Wake func()
}

// Ask has a run of the account rehearsed soon.
func (s *Rehearsals) Ask(ctx context.Context, actor identity.Actor, accountID string) error {
	account, err := s.Store.ResetAccount(ctx, accountID)
	if err != nil {
		return err
	}
	ev := audit.New(actor, "account.rehearse", audit.Object{Kind: "account", ID: account.ID, Name: account.Name, Parent: account.ResourceID})
	if err := s.Kept.AskRehearsal(ctx, account.ID, actor, time.Now().UTC(), ev); err != nil {
		return err
	}
	s.Wake()
	return nil
}

// Due returns up to limit accounts whose rehearsal is due at now.
func (s *Rehearsals) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return s.Kept.DueRehearsals(ctx, now, limit)
}

// Carry rehearses a run of the account, if that is due, and stores what was found.
func (s *Rehearsals) Carry(ctx context.Context, accountID string) error {
	began := time.Now().UTC()
	claimed, by, err := s.Kept.ClaimRehearsal(ctx, accountID, began, began.Add(rehearsalLease))
	if err != nil || !claimed {
		return err
	}
	if by.ID == "" {
		by = scheduler
	}
	account, err := s.Store.ResetAccount(ctx, accountID)
	if err != nil {
		return err
	}
	limited, stop := context.WithTimeout(ctx, rehearseFor)
	defer stop()
	steps, err := s.steps(limited, by, account)
	if err != nil {
		return err
	}
	r := Rehearsal{AccountID: account.ID, By: by, At: time.Now().UTC(), Steps: summed(steps)}
	r.State, r.Reason, r.Cure = judgeRehearsal(steps)
	ev := audit.New(worker, "account.rehearsed", audit.Object{Kind: "account", ID: account.ID, Name: account.Name, Parent: account.ResourceID}).
		With("state", string(r.State)).With("steps", fmt.Sprint(len(steps)))
	if r.Reason != "" {
		ev = ev.With("reason", r.Reason)
	}
	return s.Kept.SaveRehearsal(ctx, r, began, ev)
}

// judgeRehearsal says what all steps together mean. What failed comes before what could not be told.
func judgeRehearsal(steps []RehearsalStep) (state Readiness, why, cure string) {
	state = Ready
	for _, s := range steps {
		switch {
		case s.State == StepFailed && state != NotReady:
			state, why, cure = NotReady, s.at()+s.Reason, s.Cure
		case s.State == StepUnverified && state == Ready:
			state, why, cure = ReadinessUnknown, s.at()+s.Reason, s.Cure
		}
	}
	return state, why, cure
}

// at names what the step was tried on, for a sentence that stands alone.
func (s RehearsalStep) at() string {
	if s.Name == RehearseLogin || s.Name == RehearsePrivilege {
		return "" // it is the account that the sentence is about
	}
	return strings.TrimPrefix(s.Cluster+"/"+s.Object+": ", "/")
}

// summed leaves so many steps that somebody can read them, and says of how many others the same is true.
func summed(steps []RehearsalStep) []RehearsalStep {
	type kind struct {
		name  RehearsalName
		state StepState
	}
	seen := map[kind]int{}
	var out []RehearsalStep
	for _, s := range steps {
		k := kind{s.Name, s.State}
		if seen[k]++; seen[k] <= mostSteps {
			out = append(out, s)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(seen), func(a, b kind) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.state, b.state)) }) {
		if more := seen[k] - mostSteps; more > 0 {
			out = append(out, RehearsalStep{Name: k.name, State: k.state, Object: fmt.Sprintf("%d more", more), Proved: "as those above"})
		}
	}
	return out
}

// steps tries the way of a run, part by part.
func (s *Rehearsals) steps(ctx context.Context, by identity.Actor, account Account) ([]RehearsalStep, error) {
	target, err := s.Resets.Targets.Open(ctx, account.ID)
	if fault.KindOf(err) != "" {
		return []RehearsalStep{failedStep(RehearseLogin, account.Name, err)}, nil
	}
	if err != nil {
		return nil, err
	}
	steps, err := s.system(ctx, by, account, target)
	if err != nil {
		return nil, err
	}
	writes, err := s.Store.Writes(ctx, Run{AccountID: account.ID})
	if err != nil {
		return nil, err
	}
	standing, policies, err := s.Store.Standing(ctx, account.ID)
	if err != nil {
		return nil, err
	}
	policy, _ := Select(policies, standing.Subject)
	account.tell(writes)
	value, err := s.standIn(ctx, account, target, writes)
	if err != nil {
		if fault.KindOf(err) == "" {
			return nil, err
		}
		return append(steps, failedStep(RehearseWrite, account.Name, err)), nil
	}
	byCluster := map[string][]Write{}
	for _, w := range writes {
		byCluster[w.ClusterID] = append(byCluster[w.ClusterID], w)
	}
	found := make([][]RehearsalStep, len(byCluster))
	var work sync.WaitGroup
	for i, id := range slices.Sorted(maps.Keys(byCluster)) {
		work.Go(func() { found[i] = s.cluster(ctx, id, policy, byCluster[id], value) })
	}
	work.Wait()
	return slices.Concat(steps, slices.Concat(found...)), ctx.Err()
}

// system tries the login and the right to change it.
func (s *Rehearsals) system(ctx context.Context, by identity.Actor, account Account, target Target) ([]RehearsalStep, error) {
	login := RehearsalStep{Name: RehearseLogin, Object: account.Name}
	privilege := RehearsalStep{Name: RehearsePrivilege, Object: account.Name}
	if !target.Remote() {
		login.State, login.Reason = StepUnverified, "not proved: this resource has no remote side"
		privilege.State, privilege.Reason = StepSkipped, "there is no system to change"
		return []RehearsalStep{login, privilege}, nil
	}
	found, err := s.Resets.Verify(ctx, by, account.ID)
	switch {
	case errors.Is(err, fault.Conflict) || errors.Is(err, fault.Stale):
		login.State, login.Reason, login.Cure = StepUnverified, "not proved: the account was changed meanwhile", "rehearse again"
	case err != nil:
		return nil, err
	case found.State == AccountVerified:
		login.State, login.Proved = StepDone, fmt.Sprintf("a login with version %d worked, and one with a random value was refused", account.Current)
	case account.Current == 0 && target.Reconciled():
		login.State, login.Reason = StepSkipped, found.Reason
	default:
		login.State, login.Reason, login.Cure = StepFailed, found.Reason, found.Cure
	}
	if login.State == StepFailed && !target.Reconciled() {
		privilege.State, privilege.Reason = StepSkipped, "without a login of the account its right to change itself cannot be tried"
		return []RehearsalStep{login, privilege}, nil
	}
	value, stored := vault.NewValue(nil), account.Current
	if account.Strategy == Alternating {
		target, stored = target.As(account.Idle()), account.Spare
	}
	if stored > 0 {
		if value, err = s.version(ctx, account, stored); err != nil {
			return nil, err
		}
	}
	proved, err := target.Rehearse(ctx, value)
	switch {
	case err == nil:
		privilege.State, privilege.Proved = StepDone, proved
	case fault.KindOf(err) == "":
		return nil, err
	case asFault(err).Code == NotProvable:
		privilege.State, privilege.Reason, privilege.Cure = StepUnverified, "not proved: "+reason(err), cure(err, "")
	default:
		privilege = failedStep(RehearsePrivilege, account.Name, err)
	}
	return []RehearsalStep{login, privilege}, nil
}

// NotProvable is the code of what a rehearsal cannot try without changing something.
const NotProvable = "not-provable"

// cluster tries to write the keys of one cluster and to restart what reads them there.
func (s *Rehearsals) cluster(ctx context.Context, id string, policy Policy, writes []Write, value vault.Value) []RehearsalStep {
	name := writes[0].ClusterName
	c, err := s.Clusters.Open(ctx, id)
	if err != nil {
		return []RehearsalStep{failedStep(RehearseWrite, "its Secrets", err).in(name)}
	}
	all := places(writes)
	names := map[string][]string{}
	for _, p := range all {
		names[p.namespace] = append(names[p.namespace], p.name)
	}
	seen := map[[2]string]Seen{}
	for namespace, some := range names {
		found, err := c.Read(ctx, namespace, some)
		if err != nil {
			return []RehearsalStep{failedStep(RehearseWrite, "its Secrets in "+namespace, err).in(name)}
		}
		for secret, x := range found {
			seen[[2]string{namespace, secret}] = x
		}
	}
	steps, replaced := make([]RehearsalStep, len(all)), make([]Replacement, len(all))
	side(len(all), func(i int) {
		x, there := seen[[2]string{all[i].namespace, all[i].name}]
		var instead string
		steps[i], instead = tryWrite(ctx, c, all[i].under(policy, false, c.MayReplace()), x, there, value)
		steps[i] = steps[i].in(name)
		replaced[i] = Replacement{ClusterID: id, Namespace: all[i].namespace, Old: all[i].name, New: instead}
	})
	replaced = slices.DeleteFunc(replaced, func(r Replacement) bool { return r.New == "" })
	return append(steps, s.restarts(ctx, id, name, writes, replaced)...)
}

// restarts tries to restart what reads the keys of one cluster.
func (s *Rehearsals) restarts(ctx context.Context, id, name string, writes []Write, replaced []Replacement) []RehearsalStep {
	var refs [][2]string
	for _, w := range writes {
		if ref := [2]string{w.Namespace, w.Name}; w.OnWrite != OnWriteNothing && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	census := RehearsalStep{Name: RehearseCensus, Object: "who reads the keys", Cluster: name}
	work, may, err := s.Clusters.Workloads(ctx, id)
	if err != nil {
		return []RehearsalStep{failedStep(census.Name, census.Object, err).in(name)}
	}
	if !may {
		census.State, census.Reason = StepSkipped, "the connector may not restart workloads there, so a run does not look at what reads the keys"
		return []RehearsalStep{census}
	}
	found, err := work.Readers(ctx, refs)
	if err != nil {
		return []RehearsalStep{failedStep(census.Name, census.Object, err).in(name)}
	}
	for i := range found.Readers {
		found.Readers[i].ClusterID = id
	}
	all := consumers(writes, found.Readers, replaced)
	census.State, census.Proved = StepDone, fmt.Sprintf("%d workloads are to be restarted or looked after", len(all))
	if found.Note != "" {
		census.State, census.Proved, census.Reason = StepUnverified, "", "not proved: "+found.Note
	}
	steps := make([]RehearsalStep, len(all))
	side(len(all), func(i int) { steps[i] = tryRestart(ctx, work, all[i], replaced).in(name) })
	return append([]RehearsalStep{census}, steps...)
}

func tryRestart(ctx context.Context, work Workloads, r Rollout, replaced []Replacement) RehearsalStep {
	step := RehearsalStep{Name: RehearseRestart, Object: r.Kind + " " + r.Namespace + "/" + r.Name}
	switch r.State {
	case RolloutStuck:
		step.State, step.Reason, step.Cure = StepFailed, r.Reason, r.Cure
		return step
	case RolloutSkipped:
		step.State, step.Reason = StepSkipped, r.Reason
		return step
	}
	if err := work.TryRestart(ctx, r.Workload, namesOf(replaced, r.Workload)); err != nil {
		return triedStep(step.Name, step.Object, err)
	}
	step.State, step.Proved = StepDone, "the API server would take the mark of a restart"
	return step
}

// failedStep is a step that err keeps from going on. What did not answer keeps a run from going on too.
func failedStep(name RehearsalName, object string, err error) RehearsalStep {
	return RehearsalStep{Name: name, State: StepFailed, Object: object, Reason: reason(err), Cure: cure(err, "mend the cause, then rehearse again")}
}

// triedStep is failedStep, unless err says that it could not be tried without changing something.
func triedStep(name RehearsalName, object string, err error) RehearsalStep {
	step := failedStep(name, object, err)
	if f := asFault(err); f != nil && f.Code == NotProvable {
		step.State, step.Reason = StepUnverified, "not proved: "+step.Reason
	}
	return step
}

func (s RehearsalStep) in(cluster string) RehearsalStep {
	s.Cluster = cluster
	return s
}

// side calls do for 0 to n-1, some at a time.
func side(n int, do func(int)) {
	limit := make(chan struct{}, rehearseAtOnce)
	var work sync.WaitGroup
	for i := range n {
		limit <- struct{}{}
		work.Go(func() { defer func() { <-limit }(); do(i) })
	}
	work.Wait()
}
