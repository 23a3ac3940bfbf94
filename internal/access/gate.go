package access

import (
	"context"
	"time"

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
	ev := audit.New(actor, string(op), audit.Object{Kind: obj.Kind, ID: obj.ID, Name: name}).Refused(decision.Reason)
	// Whoever hangs up after the question is recorded all the same.
	if err := g.Store.Record(context.WithoutCancel(ctx), ev); err != nil {
		return obj, fault.New(fault.Unavailable, "the refusal could not be recorded: %w", err).WithCode("audit-unavailable").
			WithCure("try again in a moment").WithUnchanged("nothing was done")
	}
	return obj, decision.Err(actor)
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
