package policy

import "github.com/keyturn/keyturn/internal/fault"

// Level is how much a grant gives on one object. Each level includes those before it, so levels compare with < and >=.
type Level int

// The levels.
const (
	None   Level = iota // nothing: not even that the object exists
	View                // metadata
	Use                 // reset and verify, without seeing the value
	Reveal              // the value too
	Manage              // change, delete and share it
)

// Levels lists every level, least first.
func Levels() []Level { return []Level{None, View, Use, Reveal, Manage} }

// String returns the level's word, or "unknown" for a number that is none.
func (l Level) String() string {
	switch l {
	case None:
		return "none"
	case View:
		return "view"
	case Use:
		return "use"
	case Reveal:
		return "reveal"
	case Manage:
		return "manage"
	}
	return "unknown"
}

// ParseLevel returns the level of a word. It fails with fault.Invalid for any other text.
func ParseLevel(s string) (Level, error) {
	for _, l := range Levels() {
		if l.String() == s {
			return l, nil
		}
	}
	return None, fault.New(fault.Invalid, "that is not a level of access").WithField("level").
		WithCure("choose view, use, reveal or manage")
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It fails like [ParseLevel].
func (l *Level) UnmarshalText(b []byte) error {
	parsed, err := ParseLevel(string(b))
	if err == nil {
		*l = parsed
	}
	return err
}
