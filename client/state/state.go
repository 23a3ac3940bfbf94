// Package state is the one list of state words that people read: on pages, in
// the command line, in the API and in the documentation.
//
// A word belongs to an object: "unverified" is said of an account and of a
// step, and means something of its own in each. In the API a space is written
// as an underscore, see [Word.API]. The console reads the same list from a
// file that gen writes; a test fails when that file is out of date.
package state

import (
	"slices"
	"strings"
)

// Object is what a state word is said of.
type Object string

// The objects that have states.
const (
	Cluster   Object = "cluster"
	Watch     Object = "watch"    // of a cluster
	Key       Object = "key"      // also of a Secret and of a mapping
	Conflict  Object = "conflict" // of a Secret
	Account   Object = "account"
	Version   Object = "version"
	Run       Object = "run"
	Step      Object = "step" // also of a check
	Rollout   Object = "rollout"
	Readiness Object = "readiness"
	Schedule  Object = "schedule" // of an account's next change
	Request   Object = "request"
	Grant     Object = "grant" // also of a checkout
	Finding   Object = "finding"
	AuditLog  Object = "audit log"
	Restored  Object = "restored" // an account after a restore from a backup
	DataKey   Object = "data key"
	Page      Object = "page"
)

// API returns the object as the API writes it.
func (o Object) API() string { return underscore(string(o)) }

// Word is a state as people read it, such as "in sync".
type Word string

// API returns the word as the API writes it, such as "in_sync".
func (w Word) API() string { return underscore(string(w)) }

// Tone says how loud a state is. It never stands alone: every state has an
// icon and a word too.
type Tone string

// The tones, from quiet to loud.
const (
	Neutral    Tone = "neutral"    // a fact
	OK         Tone = "ok"         // proved
	Progress   Tone = "progress"   // under way
	Unverified Tone = "unverified" // not proved
	Warn       Tone = "warn"       // needs a decision, nothing is broken
	Danger     Tone = "danger"     // failing or refused
)

// Tones returns every tone, from quiet to loud.
func Tones() []Tone {
	return []Tone{Neutral, OK, Progress, Unverified, Warn, Danger}
}

// Icon is the name of a Tabler icon. No two tones of one object share a shape.
type Icon string

// State is one row of the list.
type State struct {
	Object  Object
	Word    Word
	Tone    Tone
	Icon    Icon
	Meaning string // true only when this holds
	// BySeverity marks a state whose tone follows the severity of its object;
	// Tone then is the tone of the least severity. See [State.At].
	BySeverity bool
}

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	Low    Severity = "low"
	Medium Severity = "medium"
	High   Severity = "high"
)

// At returns the tone of s for an object of that severity. A state that does
// not depend on severity keeps its tone. An unknown severity counts as high,
// so that it is seen.
func (s State) At(severity Severity) Tone {
	if !s.BySeverity {
		return s.Tone
	}
	switch severity {
	case Low:
		return Neutral
	case Medium:
		return Warn
	default:
		return Danger
	}
}

// All returns every state, in the order of the list. The caller owns the slice.
func All() []State { return slices.Clone(table) }

// Objects returns every object that has states, in the order of the list.
func Objects() []Object {
	var out []Object
	for _, s := range table {
		if !slices.Contains(out, s.Object) {
			out = append(out, s.Object)
		}
	}
	return out
}

// Of returns the states of one object, in the order of the list; none for an
// object that is not in it.
func Of(object Object) []State {
	var out []State
	for _, s := range table {
		if s.Object == object {
			out = append(out, s)
		}
	}
	return out
}

// Find returns the state that word is of object, and whether it is in the list.
func Find(object Object, word Word) (State, bool) {
	for _, s := range table {
		if s.Object == object && s.Word == word {
			return s, true
		}
	}
	return State{}, false
}

// Parse returns the state for the form that the API uses, such as
// ("account", "out_of_sync"), and whether it is in the list.
func Parse(object, word string) (State, bool) {
	for _, s := range table {
		if s.Object.API() == object && s.Word.API() == word {
			return s, true
		}
	}
	return State{}, false
}

func underscore(s string) string { return strings.NewReplacer(" ", "_", "-", "_").Replace(s) }
