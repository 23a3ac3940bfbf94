// Package policy decides who may do what: one pure function over one table.
//
//	actor (role, scopes) ─┐
//	operation ────────────┼─▶ Decide ─▶ allowed, or why not and what to do
//	object (grant level) ─┘
//
// Invariants: what the table does not allow is denied; a role's "never" wins over any grant; a token may do no more than
// its owner; a decision looks at ids, never at names.
package policy

import (
	"maps"
	"slices"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

// Object is what an operation is about. The zero Object stands for operations on none, such as a list.
type Object struct {
	Kind string // "account", "cluster", … as the user reads it
	ID   string
	// Level is the most that the actor's live grants give on the object. The store gathers it, groups and the objects
	// above it included.
	Level Level
	// Owner is the id of the user whose own thing it is: a token's, a session's, or the user itself.
	Owner string
}

// Decision is the answer to one question. Its texts may be shown to the actor and kept in the audit log.
type Decision struct {
	Allowed bool
	// Reason is why not, one sentence without a final full stop; Cure what would change it. Empty when allowed.
	Reason, Cure string
	// Hidden is true when the actor may not even know of the object: the answer is then the one for an unknown id.
	Hidden bool
}

// Err returns nil if the decision allows, else fault.Unauthenticated for somebody who is not signed in, fault.NotFound
// for an object that is hidden from the actor, and fault.Denied otherwise.
func (d Decision) Err(actor identity.Actor) error {
	switch {
	case d.Allowed:
		return nil
	case actor.Kind == identity.KindAnonymous:
		return fault.New(fault.Unauthenticated, "%s", d.Reason).WithCure("%s", d.Cure)
	case d.Hidden:
		return fault.New(fault.NotFound, "there is no such object, or you may not know of it").
			WithCure("look at the list: it has what you may know of, as it is called now")
	}
	return fault.New(fault.Denied, "%s", d.Reason).WithCure("%s", d.Cure)
}

// Operations lists every operation that people can ask for, sorted.
func Operations() []Operation { return slices.Sorted(maps.Keys(table)) }

// Known reports whether op is an operation.
func Known(op Operation) bool { _, ok := table[op]; return ok }

// Systems lists the names of the system actors, sorted.
func Systems() []string { return slices.Sorted(maps.Keys(systems)) }

// Visibility says which rows a list, a count or a search may look at.
type Visibility struct {
	// All is true if the actor sees every object. Otherwise the query must be limited to the actor's own things and to
	// objects on which it has a grant.
	All bool
}

// Visible returns which rows actor may see in lists. Whether it may list at all is [Decide]'s answer.
func Visible(actor identity.Actor) Visibility {
	switch actor.Kind {
	case identity.KindSystem:
		_, ok := systems[actor.Name]
		return Visibility{All: ok}
	case identity.KindUser, identity.KindToken:
		return Visibility{All: actor.Role == identity.Administrator || actor.Role == identity.Auditor}
	}
	return Visibility{}
}

// Decide says whether actor may do op to obj. It is pure: the same arguments give the same answer.
func Decide(actor identity.Actor, op Operation, obj Object) Decision {
	r, ok := table[op]
	if !ok {
		return Decision{Reason: "there is no such operation", Cure: "look at the list of operations"}
	}
	switch actor.Kind {
	case identity.KindSystem:
		if slices.Contains(systems[actor.Name], op) {
			return Decision{Allowed: true}
		}
		return Decision{Reason: "this part of Keyturn has no such task", Cure: "report it: this is a fault in Keyturn"}
	case identity.KindAnonymous:
		if r.anonymous {
			return Decision{Allowed: true}
		}
		return Decision{Reason: "nobody is signed in", Cure: "sign in, or send an API token"}
	case identity.KindToken:
		// Who am I is free, so that the owner of a token can always find out what it is.
		if op != SessionGet && !identity.Covers(actor.Scopes, string(op), r.explicit) {
			cure := "create a token with that scope"
			if r.explicit {
				cure += `; "*" does not stand for it`
			}
			return Decision{
				Reason: "the token's scopes do not include " + string(op),
				Cure:   cure,
				Hidden: hidden(r.of(actor.Role), actor, obj),
			}
		}
	case identity.KindUser:
	default:
		return Decision{Reason: "nobody is signed in", Cure: "sign in, or send an API token"}
	}
	if r.anonymous && op == SetupRun {
		return Decision{Reason: "setup is over", Cure: "ask an administrator to create users"}
	}
	return person(actor, op, obj, r.of(actor.Role))
}

// person decides for a user, or for a token whose scopes allow the operation.
func person(actor identity.Actor, op Operation, obj Object, n need) Decision {
	switch {
	case n == always:
		return Decision{Allowed: true}
	case n == own && actor.ID != "" && obj.Owner == actor.ID:
		return Decision{Allowed: true}
	case n == own:
		return Decision{Reason: "that belongs to somebody else", Cure: "ask its owner", Hidden: obj.ID != ""}
	}
	if lvl, ok := n.level(); ok {
		if obj.Level >= lvl && obj.Level <= Manage {
			return Decision{Allowed: true}
		}
		return Decision{
			Reason: string(op) + " needs the level " + lvl.String() + ", and yours is " + obj.Level.String(),
			Cure:   "ask an administrator, or whoever manages it, for a grant of " + lvl.String(),
			Hidden: hidden(n, actor, obj),
		}
	}
	return Decision{
		Reason: "the role " + string(actor.Role) + " does not include " + string(op),
		Cure:   "ask an administrator to do it, or for another role",
		Hidden: hidden(n, actor, obj),
	}
}

// hidden reports whether the actor may not know that obj exists.
func hidden(n need, actor identity.Actor, obj Object) bool {
	return obj.ID != "" && n != always && obj.Level <= None && obj.Owner != actor.ID && !Visible(actor).All
}
