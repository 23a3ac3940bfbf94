package audit

import "fmt"

// Tampering is what was done to a log.
type Tampering string

// What can be told apart. Where the leaf hashes survived, the entry is named; where they were recomputed too, the two
// signed heads that enclose it.
const (
	Edited    Tampering = "edited"    // the entry's text, or its leaf hash, is not what was signed
	Deleted   Tampering = "deleted"   // the entry is missing; later ones are there
	Inserted  Tampering = "inserted"  // the entry was never signed
	Reordered Tampering = "reordered" // the entry stands in another place
	Cut       Tampering = "cut"       // everything from the entry on is missing
	Forged    Tampering = "forged"    // entries and hashes fit each other, but not the signed head at the end of the range
	BadTile   Tampering = "tile"      // the entries are genuine, stored hashes over them are not
	Signature Tampering = "signature" // the signed head at the end of the range is not signed by the key
	Forked    Tampering = "forked"    // the log contradicts a head that was anchored outside, and its own heads do not
	Malformed Tampering = "malformed" // the entry's line in the export cannot be read, or says more than it should
)

// Finding is the first thing that is wrong with a log. The bad entry is From when To is From+1, and otherwise lies in
// From ≤ seq < To.
type Finding struct {
	Kind     Tampering
	From, To int64
}

// Exact reports whether the entry is known, not only a range.
func (f Finding) Exact() bool { return f.To == f.From+1 }

// String says what is wrong and where, in one sentence.
func (f Finding) String() string {
	switch {
	case f.Kind == Cut:
		return fmt.Sprintf("the log was cut: entry %d and everything after it is missing, up to entry %d at least", f.From, f.To-1)
	case f.Kind == Signature:
		return fmt.Sprintf("the signed head after entry %d has no valid signature of the key", f.To-1)
	case f.Kind == Forked:
		return fmt.Sprintf("the log contradicts the anchored head of %d entries: it was changed somewhere from entry %d to %d",
			f.To, f.From, f.To-1)
	case f.Kind == BadTile:
		return fmt.Sprintf("stored hashes of entries %d to %d were changed; the entries are genuine", f.From, f.To-1)
	case f.Exact():
		return fmt.Sprintf("entry %d was %s", f.From, f.Kind)
	default:
		return fmt.Sprintf("an entry from %d to %d was %s: the entries do not give the signed head of %d entries",
			f.From, f.To-1, f.Kind, f.To)
	}
}

// Result is what a verification found.
type Result struct {
	Head        Head  // the newest signed head, as far as it was signed by the key
	Entries     int64 // how many entries were checked
	Checkpoints int64 // how many signed heads, anchored ones included, they agree with
	Withheld    int64 // how many of the entries an export shows by their hash only
	// Skipped is how many anchored heads are older than what an export begins with, so that it cannot prove them.
	Skipped int64
	// SelfSigned says that no key was given to verify with, so the export's own was used: it proves that the export is
	// consistent, not whose it is.
	SelfSigned bool
	// Bad is the first thing that is wrong, nil when everything holds.
	Bad *Finding
}

// OK reports whether everything holds.
func (r Result) OK() bool { return r.Bad == nil }
