package rotation

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// OnWrite is what a mapping says is to be done with what reads its key after the key was written.
type OnWrite string

// The answers of a mapping.
const (
	OnWriteRestart OnWrite = "restart" // every workload that reads the key is restarted and watched to the end
	OnWriteAsk     OnWrite = "ask"     // the same, when a person has resumed the run
	OnWriteNothing OnWrite = "nothing" // what reads the key takes it up by itself, or somebody else restarts it
)

// Workload names an object that reads Secrets. With another UID it is another object.
type Workload struct {
	ClusterID, Kind, Namespace, Name, UID string
}

// Reader is a workload and which keys of Secrets of its namespace its pods hold.
type Reader struct {
	Workload
	Holds []Holding
	// Refused is why Keyturn does not restart it, and Cure what to do instead; empty if it does.
	Refused, Cure string
	// Later says that its next pods read what stands there then, so that nothing is to be done.
	Later bool
	// Kept names what would put an old name of a Secret back into it; empty if nothing would.
	Kept string
	// Wanted counts the pods that there should be, Ready those of them that are.
	Wanted, Ready int
	// Single says that a restart replaces its only pod.
	Single bool
	// Uses are all of its references to Secrets, those too by which its pods hold nothing.
	Uses []Use
	// Weigh are facts to weigh before it is restarted, those that forbid it too.
	Weigh []Warning
}

// Use is one reference of an object to a Secret of its namespace. Nil keys are all.
type Use struct {
	Secret string
	Keys   []string
	// How is env, envFrom, volume, projected, subPath, csi, volume driver, pull secret, service account or ingress.
	How string
	// Container is empty when the object as a whole reads it; Init says that it is an init container. At is the variable,
	// the mount's path or the volume.
	Container string
	Init      bool
	At        string
	Optional  bool
	// Refreshes says that what runs gets to see a change without a restart.
	Refreshes bool
	// InPodsOnly says that running pods have the reference and the template does not.
	InPodsOnly bool
}

// Holding is a Secret that pods read. Nil keys are all.
type Holding struct {
	Secret string
	Keys   []string
}

// RolloutState is how far the restart of one workload has come. The words are those of client/state.
type RolloutState string

// The states of a rollout.
const (
	RolloutToDo    RolloutState = "to_do"
	RolloutAsks    RolloutState = "asks"    // for a person to resume the run
	RolloutRolling RolloutState = "rolling" // pods are being replaced
	RolloutDone    RolloutState = "done"    // every pod was made after the write, and is ready
	RolloutStuck   RolloutState = "stuck"   // it does not get on, or may not be restarted
	RolloutHeld    RolloutState = "held"    // no answer; will be tried again
	RolloutSkipped RolloutState = "skipped" // nothing is to be done, or not any more
)

// Rollout is one workload that held the old value when a run had written the new one, and what became of it.
type Rollout struct {
	Workload
	State RolloutState
	// Wanted counts the pods that there should be, New those made after the write, Ready those of them that are ready, and
	// Old those left from before.
	Wanted, New, Ready, Old int
	Reason, Cure            string
	At                      time.Time
}

func (r *Rollout) set(s RolloutState, reason, cure string) {
	r.State, r.Reason, r.Cure, r.At = s, reason, cure, time.Now().UTC()
}

// Census is who reads a cluster's Secrets. Note says what could not be seen; empty if everything could.
type Census struct {
	Readers []Reader
	Note    string
}

// Workloads finds and restarts what reads the Secrets of one cluster. Its methods may be called by several goroutines at
// once.
type Workloads interface {
	// Readers returns who reads the Secrets, named by namespace and name.
	Readers(ctx context.Context, secrets [][2]string) (Census, error)
	// Restart has the workload's pods replaced by new ones that carry marker, and in the same write has it name other Secrets:
	// the new name by the old one. What has no pods that a controller replaces only names them, and follow is false. Doing it
	// again with the same marker changes nothing. It fails with fault.NotFound when the workload is gone and with
	// fault.Conflict when it may not be restarted.
	Restart(ctx context.Context, w Workload, marker string, names map[string]string) (follow bool, err error)
	// TryRestart is Restart without its effect, as TryPatch is.
	TryRestart(ctx context.Context, w Workload, names map[string]string) error
	// Follow watches until every pod carries marker, or that of a later restart, and is ready, and none from before is left;
	// or until the workload is gone. seen is told of each change before that, and every second or so while nothing changes;
	// what it returns is why to give up, if it is not nil.
	Follow(ctx context.Context, w Workload, marker string, seen func(Sight) error) (Sight, error)
}

// Sight is what is seen of a restart.
type Sight struct {
	Wanted, New, Ready, Old int
	// Gone says that the workload is not there any more: no pod of it holds anything.
	Gone bool
	// Stuck is why it does not get on at the moment, as one sentence; empty if it does.
	Stuck string
	// GivenUp says that its own controller does not expect it to get on, so that waiting longer is in vain.
	GivenUp bool
}

// consumers returns the workloads that a run has to see restarted: those whose pods hold a key that it wrote and whose
// mapping does not say nothing; and whatever names a Secret that is replaced.
func consumers(writes []Write, readers []Reader, replaced []Replacement) []Rollout {
	type key struct{ namespace, secret, key string }
	says := map[key]OnWrite{}
	for _, w := range writes {
		says[key{w.Namespace, w.Name, w.Key}] = w.OnWrite
		for _, r := range replaced {
			if r.ClusterID == w.ClusterID && r.Namespace == w.Namespace && r.New == w.Name {
				says[key{w.Namespace, r.Old, w.Key}] = w.OnWrite
			}
		}
	}
	var out []Rollout
	for _, r := range readers {
		answer := OnWriteNothing
		for k, s := range says {
			named := r.renamed(replaced, k.secret) != nil
			if r.Namespace == k.namespace && s != OnWriteNothing && (r.holds(k.secret, k.key) || named) && answer != OnWriteAsk {
				answer = s
			}
		}
		old, kept := r.renamed(replaced, ""), r.kept(replaced)
		if old != nil && answer == OnWriteNothing {
			answer = OnWriteRestart
		}
		if answer == OnWriteNothing {
			continue
		}
		x := Rollout{Workload: r.Workload, Wanted: r.Wanted, Old: r.Wanted}
		switch {
		case kept != nil:
			x.set(RolloutStuck, "it names the Secret "+kept.Old+", and "+r.Kept+" would put that name back if it were changed here",
				"have its source name "+kept.New+" in place of "+kept.Old+", then resume")
		case old != nil && r.quiet() && answer == OnWriteRestart:
			x.set(RolloutToDo, "", "")
		case old != nil && r.quiet():
			x.set(RolloutAsks, "its mapping asks before it is told of another Secret", "resume the run to tell it")
		case r.Later:
			x.set(RolloutSkipped, "its next pods read the new value", "")
		case r.Refused != "":
			x.set(RolloutStuck, r.Refused, r.Cure)
		case answer == OnWriteAsk:
			x.set(RolloutAsks, "its mapping asks before it is restarted", "resume the run to restart it")
		default:
			x.set(RolloutToDo, "", "")
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Rollout) int { return a.compare(b.Workload) })
	return out
}

// renamed returns the replacement of a Secret that the reader names: of secret, or of any if that is empty. Nil if there is none.
func (r Reader) renamed(replaced []Replacement, secret string) *Replacement {
	for i, x := range replaced {
		if x.ClusterID == r.ClusterID && x.Namespace == r.Namespace && (secret == "" || x.Old == secret) && r.names(x.Old) {
			return &replaced[i]
		}
	}
	return nil
}

// kept returns the replacement of a Secret whose name would be put back into the object; nil if there is none.
func (r Reader) kept(replaced []Replacement) *Replacement {
	for i, x := range replaced {
		if r.Kept != "" && x.ClusterID == r.ClusterID && x.Namespace == r.Namespace && r.says(x.Old) {
			return &replaced[i]
		}
	}
	return nil
}

// says reports whether the object itself names the Secret, and not only pods that were made from it earlier.
func (r Reader) says(secret string) bool {
	return slices.ContainsFunc(r.Uses, func(u Use) bool { return u.Secret == secret && !u.InPodsOnly })
}

// quietKinds name Secrets and have no pods that a controller replaces.
var quietKinds = []string{"CronJob", "Ingress", "ServiceAccount"}

func (w Workload) quiet() bool { return slices.Contains(quietKinds, w.Kind) }

func (r Reader) holds(secret, key string) bool {
	return slices.ContainsFunc(r.Holds, func(h Holding) bool {
		return h.Secret == secret && (h.Keys == nil || slices.Contains(h.Keys, key))
	})
}

func (w Workload) compare(o Workload) int {
	return cmp.Or(cmp.Compare(w.ClusterID, o.ClusterID), cmp.Compare(w.Namespace, o.Namespace), cmp.Compare(w.Kind, o.Kind), cmp.Compare(w.Name, o.Name), cmp.Compare(w.UID, o.UID))
}

// stillThere settles rollouts that are open by what is there now: a workload that is gone, or reads the key no more, or is
// not to be restarted any more, holds the run up no longer. What came since was made after the write.
func stillThere(have, now []Rollout) []Rollout {
	var settled []Rollout
	for _, r := range have {
		if r.State == RolloutDone || r.State == RolloutSkipped {
			continue
		}
		i := slices.IndexFunc(now, func(n Rollout) bool { return n.Workload == r.Workload })
		switch {
		case i < 0:
			r.Old = 0
			r.set(RolloutSkipped, "it is gone, or does not hold the key any more", "")
		case now[i].State == RolloutStuck && r.State != RolloutRolling, now[i].State == RolloutSkipped:
			r.set(now[i].State, now[i].Reason, now[i].Cure)
		default:
			continue
		}
		settled = append(settled, r)
	}
	return settled
}

// judgeRollouts says what all of them together mean for the run: Finished, Waiting or NeedsAttention.
func judgeRollouts(all []Rollout) (done int, state State, why, cure string) {
	state = Finished
	for _, r := range all {
		switch r.State {
		case RolloutDone, RolloutSkipped:
			done++
		case RolloutStuck, RolloutAsks:
			if state != NeedsAttention {
				state, why, cure = NeedsAttention, r.Kind+" "+r.Namespace+"/"+r.Name+": "+r.Reason, r.Cure
			}
		default:
			if state == Finished {
				state, why, cure = Waiting, r.Kind+" "+r.Namespace+"/"+r.Name+": "+r.Reason, r.Cure
			}
		}
	}
	return done, state, why, cure
}
