package audit

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

// MaxText is how many bytes of one text of an event are kept. What is longer is cut and ends in "…": a login name of a
// megabyte must not fill the log.
const MaxText = 1024

const (
	ellipsis   = "…"
	timeLayout = "2006-01-02T15:04:05.000000Z"
	hexDigits  = "0123456789abcdef"
)

// Canonical returns e as one line of JSON without a final newline, the only form that is stored, hashed and exported.
//
// The same event always gives the same bytes: fields in a fixed order, empty optional ones left out, details sorted by
// key. All of it is printable ASCII; everything else is escaped, so that nothing an event carries can start a line, move
// a cursor or reverse a text where the log is shown, and so that no later edition of Unicode changes the form. Invalid
// UTF-8 becomes U+FFFD, and texts are cut at [MaxText].
func (e Event) Canonical() []byte {
	w := writer{buf: make([]byte, 0, 512)}
	w.raw(`{"v":1`)
	w.field("id", e.ID)
	w.field("at", e.At.UTC().Format(timeLayout))
	w.open("actor")
	w.field("id", e.Actor.ID)
	w.field("name", e.Actor.Name)
	w.field("kind", string(e.Actor.Kind))
	w.raw("}")
	w.optional("via", e.Via)
	w.optional("address", e.Address)
	w.optional("request_id", e.RequestID)
	w.field("action", e.Action)
	w.open("object")
	w.field("kind", e.Object.Kind)
	w.field("id", e.Object.ID)
	w.field("name", e.Object.Name)
	w.optional("parent", e.Object.Parent)
	w.raw("}")
	w.field("outcome", string(e.Outcome))
	w.optional("reason", e.Reason)
	w.optional("run", e.Run)
	if details := kept(e.Details); len(details) > 0 {
		w.open("details")
		for _, k := range slices.Sorted(maps.Keys(details)) {
			w.field(k, details[k])
		}
		w.raw("}")
	}
	w.raw("}")
	return w.buf
}

// kept returns the details with their keys as they will be written, so that two keys which become equal by being cut or
// repaired are one, whatever order the map gives.
func kept(details map[string]string) map[string]string {
	out := make(map[string]string, len(details))
	for _, k := range slices.Sorted(maps.Keys(details)) {
		out[clip(k)] = details[k]
	}
	return out
}

// clip returns s as valid UTF-8 of at most MaxText bytes.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxText {
		return s
	}
	end := MaxText - len(ellipsis)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// writer builds JSON objects by hand, because encoding/json does not promise its bytes from one Go release to the next.
type writer struct{ buf []byte }

func (w *writer) raw(s string) { w.buf = append(w.buf, s...) }

func (w *writer) key(name string) {
	if w.buf[len(w.buf)-1] != '{' {
		w.raw(",")
	}
	w.text(name)
	w.raw(":")
}

func (w *writer) open(name string) {
	w.key(name)
	w.raw("{")
}

func (w *writer) field(name, val string) {
	w.key(name)
	w.text(val)
}

func (w *writer) optional(name, val string) {
	if val != "" {
		w.field(name, val)
	}
}

func (w *writer) text(s string) {
	w.raw(`"`)
	for _, r := range clip(s) {
		switch {
		case r == '"' || r == '\\':
			w.buf = append(w.buf, '\\', byte(r))
		case r >= 0x20 && r < 0x7f && r != '<' && r != '>' && r != '&':
			w.buf = append(w.buf, byte(r))
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			w.escape(hi)
			w.escape(lo)
		default:
			w.escape(r)
		}
	}
	w.raw(`"`)
}

func (w *writer) escape(r rune) {
	w.buf = append(w.buf, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// stored is the shape of the canonical form, for reading it.
type stored struct {
	V     int    `json:"v"`
	ID    string `json:"id"`
	At    string `json:"at"`
	Actor struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Kind string `json:"kind"`
	} `json:"actor"`
	Via       string `json:"via"`
	Address   string `json:"address"`
	RequestID string `json:"request_id"`
	Action    string `json:"action"`
	Object    struct {
		Kind   string `json:"kind"`
		ID     string `json:"id"`
		Name   string `json:"name"`
		Parent string `json:"parent"`
	} `json:"object"`
	Outcome Outcome           `json:"outcome"`
	Reason  string            `json:"reason"`
	Run     string            `json:"run"`
	Details map[string]string `json:"details"`
}

// Parse reads what Canonical wrote. It takes nothing else: other spacing, order, escapes, unknown or repeated fields, an
// unknown outcome, and an id that is no UUIDv7 are fault.Invalid.
func Parse(b []byte) (Event, error) {
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return Event{}, fault.New(fault.Invalid, "the audit event is not valid JSON of its format")
	}
	at, err := time.Parse(timeLayout, s.At)
	if err != nil {
		return Event{}, fault.New(fault.Invalid, "the audit event has no valid time")
	}
	if id, err := uuid.Parse(s.ID); err != nil || id.Version() != 7 || id.String() != s.ID {
		return Event{}, fault.New(fault.Invalid, "the audit event has no valid id")
	}
	if s.Outcome != Allowed && s.Outcome != Refused && s.Outcome != Failed {
		return Event{}, fault.New(fault.Invalid, "the audit event has an unknown outcome")
	}
	e := Event{
		ID: s.ID, At: at, Actor: Actor{ID: s.Actor.ID, Name: s.Actor.Name, Kind: identity.ActorKind(s.Actor.Kind)},
		Via: s.Via, Address: s.Address, RequestID: s.RequestID, Action: s.Action,
		Object:  Object{Kind: s.Object.Kind, ID: s.Object.ID, Name: s.Object.Name, Parent: s.Object.Parent},
		Outcome: s.Outcome, Reason: s.Reason, Run: s.Run, Details: s.Details,
	}
	// Writing it again catches everything that a lenient JSON reader lets pass.
	if !bytes.Equal(e.Canonical(), b) {
		return Event{}, fault.New(fault.Invalid, "the audit event is not in canonical form")
	}
	return e, nil
}
