package target

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Spec is what console, CLI and API render of a type. It is data only.
type Spec struct {
	// Type is the type's stable name, such as "postgresql"; it is stored with each resource.
	Type string `json:"type"`
	// Name is what people call the system; Description is one sentence on what Keyturn does with it.
	Name        string `json:"name"`
	Description string `json:"description"`
	// Fields are the settings of a resource of this type, in the order in which a form shows them.
	Fields []Field `json:"fields"`
	// Limits are the values that accounts of this type take.
	Limits       Limits       `json:"limits"`
	Capabilities Capabilities `json:"capabilities"`
}

// Capabilities says which verbs a type has. [NewRegistry] checks it against what the type implements.
type Capabilities struct {
	// Verify: a login can be proved. Change: an account can change its own value, or a reconcile login does it.
	// Reconcile: a stronger login can set an account's value without knowing the present one. Overlap: an account can take
	// two values at once.
	Verify    bool `json:"verify"`
	Change    bool `json:"change"`
	Reconcile bool `json:"reconcile"`
	Overlap   bool `json:"overlap"`
	// OverlapByReconcile: an account has no right to that itself, as a rule, so that a reconcile login does it.
	OverlapByReconcile bool `json:"overlapByReconcile"`
	// Compare: the rights of two accounts can be compared, so that they can be a pair.
	Compare bool `json:"compare"`
}

// FieldKind is how a setting is entered and checked.
type FieldKind string

// The kinds of setting.
const (
	KindText   FieldKind = "text"   // one line
	KindHost   FieldKind = "host"   // a DNS name or an IP address, without a port
	KindPort   FieldKind = "port"   // 1 to 65535
	KindPEM    FieldKind = "pem"    // certificates, several lines
	KindChoice FieldKind = "choice" // one of Options
)

// Field is one setting of a resource.
type Field struct {
	// Name is the key in [Connection]; Label and Help are for people.
	Name  string `json:"name"`
	Label string `json:"label"`
	Help  string `json:"help,omitempty"`
	// Required settings must not be empty; Default stands in for an empty one.
	Required bool      `json:"required,omitempty"`
	Default  string    `json:"default,omitempty"`
	Kind     FieldKind `json:"kind"`
	Options  []string  `json:"options,omitempty"`
}

// Check returns a fault of kind Invalid that names the first setting of c that is missing, malformed or unknown to s.
// It looks at each setting alone; what depends on several is checked by the type itself when it connects.
func (s Spec) Check(c Connection) error {
	known := make(map[string]bool, len(s.Fields))
	for _, f := range s.Fields {
		known[f.Name] = true
		if err := f.check(c.Get(s.Fields, f.Name)); err != nil {
			return err
		}
	}
	for name := range c {
		if !known[name] {
			return fault.New(fault.Invalid, "a setting is none of a %s resource", s.Name).WithField("settings").
				WithCure("look at the settings of its type")
		}
	}
	return nil
}

func (f Field) check(v string) error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, f.Label+" "+format, args...).WithField(f.Name)
	}
	if v == "" {
		if f.Required {
			return invalid("is missing")
		}
		return nil
	}
	if strings.ContainsRune(v, 0) || f.Kind != KindPEM && strings.ContainsAny(v, "\r\n") {
		return invalid("must be one line of text")
	}
	switch f.Kind {
	case KindHost:
		if strings.ContainsAny(v, " \t/,@?#%[]") {
			return invalid("must be a DNS name or an IP address, without scheme, port or path")
		}
	case KindPort:
		if n, err := strconv.Atoi(v); err != nil || n < 1 || n > 65535 {
			return invalid("must be a number from 1 to 65535")
		}
	case KindChoice:
		if !slices.Contains(f.Options, v) {
			return invalid("must be one of %s", strings.Join(f.Options, ", "))
		}
	case KindText, KindPEM:
	}
	return nil
}

// Limits are the values that a type takes. The zero value takes anything.
type Limits struct {
	// MinLength and MaxLength count bytes. A MaxLength of zero means no limit.
	MinLength int `json:"minLength"`
	MaxLength int `json:"maxLength,omitempty"`
	// Alphabet says in words which characters are taken, and which are taken but better left alone.
	Alphabet string `json:"alphabet,omitempty"`
	// Forbidden are bytes that must not occur; ForbiddenFirst must not come first. Both are ASCII.
	Forbidden      string `json:"forbidden,omitempty"`
	ForbiddenFirst string `json:"forbiddenFirst,omitempty"`
	// UTF8 asks for valid UTF-8.
	UTF8 bool `json:"utf8,omitempty"`
}

// Check returns what is wrong with value, as an [*Error] with outcome Rejected that does not show it, or nil.
func (l Limits) Check(value vault.Value) error {
	return value.Expose(func(b []byte) error {
		rule := ""
		switch {
		case len(b) < l.MinLength:
			rule = fmt.Sprintf("it must be %d bytes or longer", l.MinLength)
		case l.MaxLength > 0 && len(b) > l.MaxLength:
			rule = fmt.Sprintf("it must be %d bytes or shorter", l.MaxLength)
		case bytes.ContainsAny(b, l.Forbidden):
			rule = "it contains a character that this type of system cannot take"
		case len(b) > 0 && strings.IndexByte(l.ForbiddenFirst, b[0]) >= 0:
			rule = "it starts with a character that this type of system cannot take there"
		case l.UTF8 && !utf8.Valid(b):
			rule = "it must be valid UTF-8"
		default:
			return nil
		}
		return &Error{Outcome: Rejected, Msg: "the value is outside of the limits: " + rule, Cure: "choose another value"}
	})
}
