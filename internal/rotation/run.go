package rotation

import (
	"time"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Step is a point that a run has reached. A run's Step is the last one that is stored as done.
type Step string

// The steps, in order.
const (
	Planned    Step = "planned"
	Minted     Step = "minted"
	Applied    Step = "applied"
	Verified   Step = "verified"
	Published  Step = "published"
	RolledOut  Step = "rolled_out"
	RetiredOld Step = "retired"
	Done       Step = "done"
)

// Steps lists every step in order.
func Steps() []Step {
	return []Step{Planned, Minted, Applied, Verified, Published, RolledOut, RetiredOld, Done}
}

// After returns the step that follows s; Done follows itself.
func (s Step) After() Step {
	all := Steps()
	for i, x := range all[:len(all)-1] {
		if x == s {
			return all[i+1]
		}
	}
	return Done
}

// State is what a run is doing as a whole. The words are those of client/state.
type State string

// The states of a run.
const (
	Queued         State = "queued"
	Running        State = "running"
	Waiting        State = "waiting" // for the next try of something that did not answer
	Finished       State = "done"
	RolledBack     State = "rolled_back"
	NeedsAttention State = "needs_attention"
	Cancelled      State = "cancelled"
)

// Scheduled reports whether Keyturn began the run by itself. Such a run begins inside the policy's windows only.
func (r Run) Scheduled() bool { return r.StartedBy.ID == scheduler.ID }

// Ended reports whether nothing more will happen to a run in state s. A run that needs attention has not ended: it keeps
// its account until somebody resumes it.
func (s State) Ended() bool { return s == Finished || s == RolledBack || s == Cancelled }

// StepState is what became of one step. The words are those of client/state.
type StepState string

// The states of a step.
const (
	StepToDo       StepState = "to_do"
	StepRunning    StepState = "running"
	StepDone       StepState = "done"
	StepFailed     StepState = "failed"
	StepSkipped    StepState = "skipped"
	StepUnverified StepState = "unverified" // its outcome is being settled
)

// Strategy is how the old value and the new one follow each other on the target.
type Strategy string

// The strategies.
const (
	// Single: the account takes one value. From the change on, readers of the old one are refused until they have the new.
	Single Strategy = "single"
	// Overlap: the account takes both values until every reader is proved to have the new one.
	Overlap Strategy = "overlap"
	// Alternating: the account is a pair of logins. A run sets a value for the one that nobody uses, publishes its name and
	// value together, and leaves the other valid.
	Alternating Strategy = "alternating"
)

// Run is one change of one credential. Runs are values: the engine returns new ones and the store keeps them.
type Run struct {
	ID        string
	AccountID string
	// AccountName is what the audit log calls the account. Only Leases.Claim fills it in.
	AccountName string
	State       State
	Strategy    Strategy
	Step        Step
	// Begun is the step whose effect may have been started after Step was stored; equal to Step when none was. It is what
	// makes a run that comes back after a crash ask the target before it sends anything again.
	Begun Step
	// Fence is the number of the lease under which the run is worked on. Every change names it.
	Fence int64

	// Wave is the wave that is being written, of Waves; both are 0 when all clusters go at once. See Waves.
	Wave, Waves int

	New int64 // number of the version that this run sets; 0 before minted
	Old int64 // number of the version that was current when the run was planned; 0 if there was none
	// Login is the login whose value this run sets, and Beside the one that it leaves alone, which Old belongs to; empty for
	// the account's name. Spare is the version that Login took when the run was planned; 0 if that is not known. They are set
	// under Alternating only.
	Login, Beside string
	Spare         int64
	// Prepared is the text that is sent to the target, computed once so that sending it again changes nothing more.
	Prepared vault.Sealed
	// Mark is that of the value of New, in the call that stores the value; it is not read back.
	Mark vault.Mark
	// Minted counts the values that were made: one more after each that the target's policy refused.
	Minted int
	// Tries counts the attempts at the step after Step, since Step was stored.
	Tries int

	// Proved is set when a login with the new value was proved on the target; a generic resource has nothing to prove it on.
	Proved bool
	// OldRefused is when a login with the old value was refused as the new one was proved; zero if none was. It is not stored.
	OldRefused time.Time
	// Typed is set when a person gave the value: it cannot be made anew.
	Typed bool
	// Policy is how a value is generated, as Target.Generate takes it; empty is the default.
	Policy string
	// MadeUnder is the mark of the account's policy under which the value was generated; empty if there was none.
	MadeUnder string
	// Reverts is the run whose work this one undoes; empty for any other.
	Reverts string
	// GivesUp is set when the run needs attention and is to be rolled back without being asked, as its account's policy says.
	GivesUp bool
	// Plan is the hash of the forecast that the run is bound to; empty for none.
	Plan string
	// Restores is the older version whose value is given; 0 of any other run. It is not stored.
	Restores int64
	// Due is the time by which a schedule began the run; zero of any other. It is not stored.
	Due time.Time

	Reason, Cure string // why it waits, was rolled back or needs attention
	NotBefore    time.Time
	StartedBy    identity.Actor
	CreatedAt    time.Time
	UpdatedAt    time.Time
	EndedAt      time.Time
}

// PreparedRecord is what a run's prepared text is bound to when it is sealed.
func PreparedRecord(runID string, version int64) vault.Record {
	return vault.Record{Kind: "prepared", ID: runID, Version: version}
}

// WriteState is how far one mapped key has come. The words are those of client/state.
type WriteState string

// The states of a write.
const (
	WriteToDo    WriteState = "to_do"
	WriteDone    WriteState = "in_sync"
	WriteBlocked WriteState = "blocked"   // the API server refused, and will again until something is changed there
	WriteHeld    WriteState = "behind"    // no answer; will be tried again
	WriteHands   WriteState = "hands_off" // another controller owns the key
)

// Write is one mapped key that a run has to bring to the new version.
type Write struct {
	MappingID       string
	ClusterID       string
	ClusterName     string
	SecretID        string
	Namespace, Name string
	UID             string // the Secret's, as mapped; another one means that it was made anew
	Key             string
	// Known is the resourceVersion of the Secret as the repository has it, if the key was Keyturn's own then; empty if that
	// is not known.
	Known   string
	OnWrite OnWrite
	Place   composite.Spec // where in the key's value the credential stands; the zero Spec: it is the value
	// User is the login that is written, and Pair says that it is one of two. The engine fills both in.
	User         string
	Pair         bool
	State        WriteState
	Reason, Cure string
	// Moved is set of a write that was proved in a Secret which the run has put in the place of an immutable one.
	Moved Replacement
	// ours is the resourceVersion of the reply to this write, if the key is Keyturn's own in it and can be written again.
	ours string
	// replace is whether the Secret may be replaced if it is immutable, or has to be.
	replace mayReplace
	// to is the Secret that the system has made for the new value, of the key in which the one before stands; empty of any
	// other.
	to string
	// Taken names the one-shot writer whose key this run took over, if it did.
	Taken string
	At    time.Time
	// Proof is what was read back of a write that is done. Store.Writes leaves it empty.
	Proof Proof
}

// Proof is the state of a Secret in which a key was proved to hold a value. Value is the fingerprint of the credential, or of
// the whole value where that holds only its hash.
type Proof struct {
	ResourceVersion string
	Value           vault.Fingerprint
}
