package access

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

// GateStore is what a [Gate] needs from storage.
type GateStore interface {
	// Level returns the most that the grants of a user, those of its groups included, give on an object at now. An
	// object that is not there gives policy.None.
	Level(ctx context.Context, userID, kind, id string, now time.Time) (policy.Level, error)
	// Record returns when ev is on the disk.
	Record(ctx context.Context, ev audit.Event) error
}

// Gate is where every request of an actor is allowed or refused. It may be used by several goroutines at once.
type Gate struct {
	Store GateStore
}

// Check returns no error if actor may do op to obj now, and obj with the level that was asked for. Otherwise it records
// the refusal and returns why: fault.NotFound for an object that the actor may not know of, fault.Denied or
// fault.Unauthenticated. It fails with fault.Unavailable if the refusal cannot be recorded. obj.Level is ignored: Check
// asks the store for it, if grants matter to the actor. name is what the log calls the object.
func (g Gate) Check(ctx context.Context, actor identity.Actor, op policy.Operation, obj policy.Object, name string) (policy.Object, error) {
	obj.Level = policy.None
	decision := policy.Decide(actor, op, obj)
	if graded(actor, obj) && !(decision.Allowed && policy.Visible(actor).All) {
		level, err := g.Store.Level(ctx, actor.ID, obj.Kind, obj.ID, time.Now())
		if err != nil {
			return obj, err
		}
		obj.Level = level
		decision = policy.Decide(actor, op, obj)
	}
	if decision.Allowed {
		return obj, nil
	}
	if err := g.refuse(ctx, actor, op, audit.Object{Kind: obj.Kind, ID: obj.ID, Name: name}, decision.Reason); err != nil {
		return obj, err
	}
	return obj, decision.Err(actor)
}

// Unknown is Check for an object that is not there: it takes the same way, so that the time does not tell an object that is
// hidden from one that does not exist, records the refusal, and fails with what Check fails with for a hidden one. ref is
// what was asked for; it is recorded only if it is an id, for anything else may be a value in the wrong place.
func (g Gate) Unknown(ctx context.Context, actor identity.Actor, op policy.Operation, kind, ref string) error {
	if !wellFormed(ref) {
		ref = ""
	}
	if graded(actor, policy.Object{Kind: kind, ID: missing}) && !policy.Visible(actor).All {
		if _, err := g.Store.Level(ctx, actor.ID, kind, missing, time.Now()); err != nil {
			return err
		}
	}
	if err := g.refuse(ctx, actor, op, audit.Object{Kind: kind, ID: ref}, "there is no such object"); err != nil {
		return err
	}
	return policy.Decision{Hidden: true}.Err(actor)
}

// missing is the id of nothing.
const missing = "00000000-0000-0000-0000-000000000000"

// wellFormed reports whether a text is an id as this program makes them.
func wellFormed(id string) bool { return len(id) == len(missing) && uuid.Validate(id) == nil }

// refuse records a refusal. Whoever hangs up after the question is recorded all the same.
func (g Gate) refuse(ctx context.Context, actor identity.Actor, op policy.Operation, obj audit.Object, reason string) error {
	if err := g.Store.Record(context.WithoutCancel(ctx), audit.New(actor, string(op), obj).Refused(reason)); err != nil {
		return fault.New(fault.Unavailable, "the refusal could not be recorded: %w", err).WithCode("audit-unavailable").
			WithCure("try again in a moment").WithUnchanged("nothing was done")
	}
	return nil
}

// Can says whether actor may do op to obj, whose Level the caller has from the store. It is pure and records nothing: it
// is for showing what could be done.
func (g Gate) Can(actor identity.Actor, op policy.Operation, obj policy.Object) policy.Decision {
	return policy.Decide(actor, op, obj)
}

// graded reports whether grants could change what actor may do to obj.
func graded(actor identity.Actor, obj policy.Object) bool {
	person := actor.Kind == identity.KindUser || actor.Kind == identity.KindToken
	return person && obj.ID != "" && Graded(obj.Kind)
}

// Graded reports whether grants are given on objects of a kind.
func Graded(kind string) bool { return kind == Cluster || kind == Resource || kind == Account }
