// Package password makes and checks passwords by policy. It is pure but for the random numbers.
package password

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// Class is a set of characters that a policy can ask for.
type Class string

// The classes. Together they are printable ASCII without the space, the portable alphabet for passwords.
const (
	Lower   Class = "lower"
	Upper   Class = "upper"
	Digits  Class = "digits"
	Symbols Class = "symbols"
)

// Classes returns every class, in the order in which they are shown.
func Classes() []Class { return []Class{Lower, Upper, Digits, Symbols} }

// Characters returns the members of c, "" for an unknown class.
func (c Class) Characters() string {
	switch c {
	case Lower:
		return "abcdefghijklmnopqrstuvwxyz"
	case Upper:
		return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	case Digits:
		return "0123456789"
	case Symbols:
		return "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	}
	return ""
}

// MaxLength is the longest password that a policy can ask for, in characters.
const MaxLength = 256

// Policy says what a password looks like.
type Policy struct {
	// Length is the number of characters of a generated password and the least of a typed one.
	Length int `json:"length"`
	// Alphabets are the classes that characters come from; none means all.
	Alphabets []Class `json:"alphabets,omitempty"`
	// Exclude lists characters that must not occur, such as those that are easily confused.
	Exclude string `json:"exclude,omitempty"`
	// Require says how many characters of a class must occur at least.
	Require map[Class]int `json:"require,omitempty"`
	// First lists the classes that the first character comes from; none means all of Alphabets.
	First []Class `json:"first,omitempty"`
	// Words asks for a passphrase of that many words, more where Length needs them. Words begin with a capital if upper case
	// is required, and the digits that are required come last.
	Words int `json:"words,omitempty"`
	// Separator stands between the words.
	Separator string `json:"separator,omitempty"`
	// Forbid lists texts that must not occur in a value, in whatever case, such as the account's name.
	Forbid []string `json:"forbid,omitempty"`
}

// The limits of Forbid. Shorter texts would take away too much, and say too much of what is left.
const (
	MaxForbidden     = 200
	MinForbiddenText = 3
	MaxForbiddenText = 128 // bytes of one, as is MinForbiddenText
)

// Default is the policy of an account that has no other: 32 characters, one of each class at least, a letter first, and
// none of the characters that shells, URLs and configuration files most often trip over.
func Default() Policy {
	return Policy{
		Length:  32,
		Exclude: "\"'`\\$%&#@:/?<>|;{}[]()*!~^,+= ",
		Require: map[Class]int{Lower: 1, Upper: 1, Digits: 1, Symbols: 1},
		First:   []Class{Lower, Upper},
	}
}

// Check returns a fault of kind Invalid when no password can follow p within l.
func (p Policy) Check(l target.Limits) error {
	_, err := p.source(l)
	return err
}

// checkWords checks what can be said of each field alone.
func (p Policy) checkWords(l target.Limits) error {
	switch {
	case p.Length > MaxLength || p.Length < 1 && p.Words == 0:
		return invalid("length", "the length must be from 1 to %d", MaxLength)
	case p.Length < l.MinLength && p.Words == 0:
		return invalid("length", "this type of system asks for %d characters at least", l.MinLength)
	case l.MaxLength > 0 && p.Length > l.MaxLength:
		return invalid("length", "this type of system takes %d characters at most", l.MaxLength)
	}
	for _, c := range slices.Concat(p.Alphabets, p.First) {
		if c.Characters() == "" {
			return invalid("alphabets", "there are the classes %v and no others", Classes())
		}
	}
	for _, c := range p.First {
		if !slices.Contains(p.alphabets(), c) {
			return invalid("first", "the first character cannot come from %s, which is not among the alphabets", c)
		}
	}
	for c, n := range p.Require {
		if c.Characters() == "" || n < 0 || n > MaxLength {
			return invalid("require", "a requirement is a class out of %v and a number from 0 to %d", Classes(), MaxLength)
		}
		if n > 0 && !slices.Contains(p.alphabets(), c) {
			return invalid("require", "the policy asks for %s, which are not among its alphabets", c)
		}
	}
	return p.checkForbidden()
}

func (p Policy) checkForbidden() error {
	if len(p.Forbid) > MaxForbidden {
		return invalid("forbid", "a policy forbids %d texts at most", MaxForbidden)
	}
	for _, text := range p.Forbid {
		if len(text) < MinForbiddenText || len(text) > MaxForbiddenText || !utf8.ValidString(text) {
			return invalid("forbid", "a forbidden text has %d to %d bytes of UTF-8", MinForbiddenText, MaxForbiddenText)
		}
	}
	return nil
}

// forbids reports whether a forbidden text occurs in b.
func (p Policy) forbids(b []byte) bool {
	lower := bytes.ToLower(b)
	defer clear(lower)
	return slices.ContainsFunc(p.Forbid, func(text string) bool { return bytes.Contains(lower, bytes.ToLower([]byte(text))) })
}

func (p Policy) alphabets() []Class {
	if len(p.Alphabets) == 0 {
		return Classes()
	}
	return p.Alphabets
}

// Violation is one way in which a value does not follow a policy. It never shows the value.
type Violation struct {
	// Rule is the JSON name of the policy's field; Msg says what it asks for.
	Rule, Msg string
}

// Violations returns how value fails to follow p; none means that it does.
func (p Policy) Violations(value vault.Value) (out []Violation) {
	_ = value.Expose(func(b []byte) error { out = p.violations(b); return nil })
	return out
}

func (p Policy) violations(b []byte) []Violation {
	var out []Violation
	add := func(rule, format string, args ...any) {
		out = append(out, Violation{Rule: rule, Msg: fmt.Sprintf(format, args...)})
	}
	if len(b) < p.Length {
		add("length", "it must be %d characters or longer", p.Length)
	}
	var all, first string
	for _, c := range p.alphabets() {
		all += c.Characters()
		if n := count(b, c.Characters()); n < p.Require[c] {
			add("require", "it must contain %d of %s", p.Require[c], c)
		}
		if slices.Contains(p.First, c) {
			first += c.Characters()
		}
	}
	if count(b, all) < len(b) {
		add("alphabets", "it must contain %v only", p.alphabets())
	}
	if bytes.ContainsAny(b, p.Exclude) {
		add("exclude", "it contains a character that the policy excludes")
	}
	if len(p.First) > 0 && len(b) > 0 && strings.IndexByte(first, b[0]) < 0 {
		add("first", "it must start with one of %v", p.First)
	}
	if p.forbids(b) {
		add("forbid", "it contains a text that the policy forbids")
	}
	return out
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...).WithField(field).WithCode("password-policy")
}

func without(s, excluded string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(excluded, r) {
			return -1
		}
		return r
	}, s)
}

func count(b []byte, set string) int {
	n := 0
	for _, c := range b {
		if strings.IndexByte(set, c) >= 0 {
			n++
		}
	}
	return n
}
