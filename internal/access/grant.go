// Package access decides what standing rights give: who was granted how much on what, until when.
//
// Invariants: an expired grant gives nothing from the instant it expires; grants only add up, the strongest one counts.
package access

import (
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/policy"
)

// The kinds of subject and object that a grant may name.
const (
	User     = "user"
	Group    = "group"
	Cluster  = "cluster"
	Resource = "resource"
	Account  = "account"
)

// Grant is a standing right of a user or a group on one object.
type Grant struct {
	ID                     string
	SubjectKind, SubjectID string
	ObjectKind, ObjectID   string
	Level                  policy.Level
	ExpiresAt              time.Time // zero: never
	GrantedBy              string    // id of the user
	CreatedAt              time.Time
	Rev                    int64
}

// Active reports whether g gives anything at now.
func (g Grant) Active(now time.Time) bool { return g.ExpiresAt.IsZero() || now.Before(g.ExpiresAt) }

// Effective returns the strongest level among the grants that are active at now. The caller gathers those that apply to
// one actor and one object.
func Effective(grants []Grant, now time.Time) policy.Level {
	best := policy.None
	for _, g := range grants {
		if g.Active(now) && g.Level <= policy.Manage {
			best = max(best, g.Level)
		}
	}
	return best
}

// Validate fails with fault.Invalid, naming the field, if g cannot be stored at now.
func (g Grant) Validate(now time.Time) error {
	bad := func(field, msg string) error { return fault.New(fault.Invalid, "%s", msg).WithField(field) }
	switch {
	case g.SubjectKind != User && g.SubjectKind != Group:
		return bad("subjectKind", "a grant is for a user or a group")
	case g.SubjectID == "":
		return bad("subjectId", "the grant names nobody")
	case g.ObjectKind != Cluster && g.ObjectKind != Resource && g.ObjectKind != Account:
		return bad("objectKind", "a grant is on a cluster, a resource or an account")
	case g.ObjectID == "":
		return bad("objectId", "the grant names no object")
	case g.Level < policy.View || g.Level > policy.Manage:
		return bad("level", "a grant gives view, use, reveal or manage")
	case !g.Active(now):
		return bad("expiresAt", "the grant would already be expired")
	}
	return nil
}
