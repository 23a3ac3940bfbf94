package audit

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/identity"
)

// Outcome is how an operation ended.
type Outcome string

// The outcomes.
const (
	Allowed Outcome = "allowed" // it was permitted, and is being or was done
	Refused Outcome = "refused" // the actor may not, or a rule forbids it
	Failed  Outcome = "failed"  // it was permitted and did not work
)

// Actor is the part of an identity.Actor that the log keeps.
type Actor struct {
	ID   string
	Name string
	Kind identity.ActorKind
}

// Object is what was acted on. Parent is the id of what it belongs to, such as an account's resource.
type Object struct {
	Kind, ID, Name, Parent string
}

// Event is one thing that somebody did, or tried to. No field ever holds a value, a password or a token.
//
// It is a value: the methods that change something return a changed copy.
type Event struct {
	ID        string    // UUIDv7
	At        time.Time // UTC, microseconds
	Actor     Actor
	Via       string // id of the session or token
	Address   string // where the request came from
	RequestID string
	Action    string // object and verb: "account.reveal"
	Object    Object
	Outcome   Outcome
	Reason    string // why it was refused or failed
	Run       string // id of the rotation that it is a step of
	// Details are further facts by name. Keys are chosen by the program, never by a user.
	Details map[string]string
}

// New returns an allowed event that happens now.
func New(actor identity.Actor, action string, obj Object) Event {
	return Event{
		ID:        uuid.Must(uuid.NewV7()).String(),
		At:        time.Now().UTC().Truncate(time.Microsecond),
		Actor:     Actor{ID: actor.ID, Name: actor.Name, Kind: actor.Kind},
		Via:       actor.Via,
		Address:   actor.Address,
		RequestID: actor.Request,
		Action:    action,
		Object:    obj,
		Outcome:   Allowed,
	}
}

// Refused returns e as refused, with why. The reason must not repeat what was submitted.
func (e Event) Refused(reason string) Event {
	e.Outcome, e.Reason = Refused, reason
	return e
}

// Failed returns e as failed, with why. The reason must not repeat what was submitted.
func (e Event) Failed(reason string) Event {
	e.Outcome, e.Reason = Failed, reason
	return e
}

// With returns e with one more detail. val is a fact such as a count or a name, never a value.
func (e Event) With(key, val string) Event {
	e.Details = maps.Clone(e.Details)
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	e.Details[key] = val
	return e
}

// WithRequest returns e with the id of the request that caused it.
func (e Event) WithRequest(id string) Event { e.RequestID = id; return e }

// WithRun returns e as a step of the rotation run with that id.
func (e Event) WithRun(id string) Event { e.Run = id; return e }
