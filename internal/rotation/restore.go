package rotation

import (
	"fmt"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// The restore epoch is how far the repository has come: the size of its audit log, which grows in the transaction of every
// value that is made or becomes current. Its signed heads are kept outside of the database too, and only after they were
// committed, so a head outside that the database does not have says for sure that the database is an older one.
//
//	restored ──▶ every account is checked ──▶ a person accepts the rest ──▶ ended
//
// Until then nothing is changed on any system nor in any cluster: no run begins or goes on.

// Restore is one time that the repository was found to be older than what is kept outside of it.
type Restore struct {
	ID string
	// SeenIn is where the newer head was found, as people say it.
	SeenIn string
	// Inside is how many entries the audit log has, Outside how many it once had; OutsideAt is when that head was signed.
	Inside, Outside int64
	OutsideAt       time.Time
	Head            string // that head, as it was signed
	FoundAt         time.Time
	EndedAt         time.Time // zero: it is not
	EndedBy         string
}

// Lost says how much of the log the repository has lost.
func (r Restore) Lost() string {
	if r.Outside > r.Inside {
		return fmt.Sprintf("the audit log has %d entries and had %d", r.Inside, r.Outside)
	}
	return fmt.Sprintf("the audit log has %d entries, but not those that it had at %d", r.Inside, r.Outside)
}

// Known reports whether outside is a head of the log that an ended restore was about, so that its loss was accepted.
func (r Restore) Known(outside audit.Head) bool {
	return !r.EndedAt.IsZero() && outside.Size <= r.Outside && !outside.At.After(r.OutsideAt)
}

// IsOlder reports whether a log whose newest head is inside has lost what outside shows that it had. then is the log's own
// head of outside's size; the zero Head if it has none.
func IsOlder(inside, outside, then audit.Head) bool {
	return outside.Size > inside.Size || outside.Hash != then.Hash
}

// ErrRestored is why nothing may be changed while a restore is not ended.
func ErrRestored() error {
	return fault.New(fault.Conflict, "the repository was restored from a backup that is older than what it had done, so values on the systems may be newer").
		WithCode("repository-restored").WithCure("see \"keyturn restore status\"; when every account is checked or accepted, \"keyturn restore accept\" ends it").
		WithUnchanged("nothing was changed")
}

// RestoredState is what became of one account after a restore. The words are those of client/state.
type RestoredState string

// The states of an account after a restore.
const (
	RestoredToCheck    RestoredState = "to_check"
	RestoredVerified   RestoredState = "verified"   // the stored value logs in
	RestoredAdopted    RestoredState = "adopted"    // another value did, and is the current one now
	RestoredAgrees     RestoredState = "agrees"     // there is nothing to log in to, and every mapped key holds the stored value
	RestoredUndecided  RestoredState = "undecided"  // there is nothing to log in to, and a mapped key holds another value
	RestoredUnresolved RestoredState = "unresolved" // no known value logs in, or nothing answered
)

// Settled reports whether nothing is left to be done or decided.
func (s RestoredState) Settled() bool {
	return s == RestoredVerified || s == RestoredAdopted || s == RestoredAgrees
}

// Tried is a value that was refused.
type Tried struct {
	What  string            `json:"what"`
	Print vault.Fingerprint `json:"print"`
}

// RestoredAccount is what became of one account after a restore.
type RestoredAccount struct {
	RestoreID, AccountID string
	Name                 string // with that of its resource; empty if it was deleted
	State                RestoredState
	Reason, Cure         string
	Tried                []Tried
	RunID                string // the open run that was given up with it; empty if there was none
	At                   time.Time
}

// maxRestoredTries is how many values one check tries: systems lock accounts out after a few failed logins.
const maxRestoredTries = 3

// candidate is a value that may be the one that the system accepts.
type candidate struct {
	what  string
	value vault.Value
	print vault.Fingerprint
	// version is the number under which it is stored; 0 for one that stands in clusters alone.
	version int64
}

// candidates says which values to try, in order and at most most: the current one always, and each other one once, unless it
// was refused before. When all were, they start over. left is how many more there are.
func candidates(all []candidate, tried []Tried, most int) (try []candidate, left int) {
	refused := func(c candidate) bool {
		return slices.ContainsFunc(tried, func(t Tried) bool { return t.Print == c.print })
	}
	var fresh, again []candidate
	seen := map[vault.Fingerprint]bool{}
	for i, c := range all {
		switch {
		case seen[c.print]:
		case i > 0 && refused(c):
			again = append(again, c)
		default:
			fresh = append(fresh, c)
		}
		seen[c.print] = true
	}
	if len(fresh) <= 1 {
		fresh = append(fresh, again...)
	}
	if len(fresh) > most {
		return fresh[:most], len(fresh) - most
	}
	return fresh, 0
}

// Witness is what a cluster keeps of how far the repository has come.
type Witness struct {
	Size    int64  // of the log that it has seen
	Problem string // why it keeps none; empty if it does
}
