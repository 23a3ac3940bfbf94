package rotation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

// PolicyStore keeps policies. Each change commits its event in the same transaction, and has the plans of all accounts
// made anew.
type PolicyStore interface {
	// Policies returns every policy with its assignments, by name; the default is always among them.
	Policies(ctx context.Context) ([]Policy, error)
	// AddPolicy fails with fault.Conflict when the name is taken.
	AddPolicy(ctx context.Context, p Policy, ev audit.Event) error
	// UpdatePolicy stores all but the assignments. It fails with fault.Stale when rev is not the stored one, and with
	// fault.Conflict when the name is taken.
	UpdatePolicy(ctx context.Context, p Policy, rev int64, ev audit.Event) error
	// DeletePolicy deletes a policy with its assignments.
	DeletePolicy(ctx context.Context, id string, rev int64, ev audit.Event) error
	// Assign stores an assignment in the place of the one that names the same, whichever policy that is for. It fails with
	// fault.NotFound when there is no such policy.
	Assign(ctx context.Context, a Assignment, ev audit.Event) error
	// Unassign fails with fault.NotFound when the policy has no such assignment.
	Unassign(ctx context.Context, policyID, id string, ev audit.Event) error
}

// Policies makes, changes and deletes policies. It may be used by several goroutines at once.
type Policies struct {
	Store PolicyStore
	// CheckPassword fails with fault.Invalid when a document is no password policy, or nothing can follow it.
	CheckPassword func(document string) error
	// Wake tells the scheduler that plans have to be made anew. It must not block.
	Wake func()
}

// PolicyChange is what to change of a policy; what is nil stays.
type PolicyChange struct {
	Name, Description, Password *string
	History                     *int
	Rules                       *Rules
}

// All returns every policy with its assignments, by name.
func (s *Policies) All(ctx context.Context) ([]Policy, error) { return s.Store.Policies(ctx) }

// Find returns the policy of an id or a name. It fails with fault.NotFound.
func (s *Policies) Find(ctx context.Context, ref string) (Policy, error) {
	all, err := s.Store.Policies(ctx)
	if err != nil {
		return Policy{}, err
	}
	for _, by := range []func(Policy) string{func(p Policy) string { return p.ID }, func(p Policy) string { return p.Name }} {
		for _, p := range all {
			if by(p) == ref {
				return p, nil
			}
		}
	}
	return Policy{}, fault.New(fault.NotFound, "there is no such policy")
}

// Create makes a policy that is for no account yet.
func (s *Policies) Create(ctx context.Context, actor identity.Actor, change PolicyChange) (Policy, error) {
	p := change.of(Policy{ID: uuid.Must(uuid.NewV7()).String(), CreatedAt: time.Now().UTC()})
	if err := s.check(p); err != nil {
		return p, err
	}
	if err := s.Store.AddPolicy(ctx, p, policyEvent(actor, "policy.create", p)); err != nil {
		return p, err
	}
	return s.Find(ctx, p.ID)
}

// Change changes what is not nil. It fails with fault.Stale when rev is not the stored one. A value that was made under
// the policy as it was, and that no system was told of yet, is made anew.
func (s *Policies) Change(ctx context.Context, actor identity.Actor, id string, rev int64, change PolicyChange) (Policy, error) {
	was, err := s.Find(ctx, id)
	if err != nil {
		return was, err
	}
	p := change.of(was)
	if p.ID == DefaultPolicy && p.Name != was.Name {
		return p, policyFault("name", "the default policy keeps its name", "leave the name out")
	}
	if err := s.check(p); err != nil {
		return p, err
	}
	if err := s.Store.UpdatePolicy(ctx, p, rev, change.event(policyEvent(actor, "policy.update", p))); err != nil {
		return p, err
	}
	s.Wake()
	return s.Find(ctx, p.ID)
}

// Delete deletes a policy with its assignments.
func (s *Policies) Delete(ctx context.Context, actor identity.Actor, id string, rev int64) error {
	p, err := s.Find(ctx, id)
	if err != nil {
		return err
	}
	if p.ID == DefaultPolicy {
		return fault.New(fault.Conflict, "the default policy cannot be deleted").WithCure("change it instead").WithUnchanged("nothing was changed")
	}
	if err := s.Store.DeletePolicy(ctx, p.ID, rev, policyEvent(actor, "policy.delete", p)); err != nil {
		return err
	}
	s.Wake()
	return nil
}

// Assign has the policy apply to the accounts that by and pattern name. If another policy was assigned to just the same,
// it is not any more.
func (s *Policies) Assign(ctx context.Context, actor identity.Actor, policyID string, by By, pattern string) (Policy, error) {
	p, err := s.Find(ctx, policyID)
	if err != nil {
		return p, err
	}
	if p.ID == DefaultPolicy {
		return p, fault.New(fault.Conflict, "the default policy is for every account that no other is for").
			WithCure("take away the assignment that is more specific").WithUnchanged("nothing was changed")
	}
	a := Assignment{ID: uuid.Must(uuid.NewV7()).String(), PolicyID: p.ID, By: by, Pattern: pattern, CreatedAt: time.Now().UTC()}
	if err := a.Check(); err != nil {
		return p, err
	}
	if err := s.Store.Assign(ctx, a, policyEvent(actor, "policy.assign", p).With("by", string(by)).With("pattern", pattern)); err != nil {
		return p, err
	}
	s.Wake()
	return s.Find(ctx, p.ID)
}

// Unassign takes an assignment away.
func (s *Policies) Unassign(ctx context.Context, actor identity.Actor, policyID, id string) error {
	p, err := s.Find(ctx, policyID)
	if err != nil {
		return err
	}
	ev := policyEvent(actor, "policy.unassign", p)
	for _, a := range p.Assignments {
		if a.ID == id {
			ev = ev.With("by", string(a.By)).With("pattern", a.Pattern)
		}
	}
	if err := s.Store.Unassign(ctx, p.ID, id, ev); err != nil {
		return err
	}
	s.Wake()
	return nil
}

// previewed is how many times a preview names.
const previewed = 5

// Preview returns when a value that is made at now under a policy of these rules, and each that follows it, would be changed,
// before accounts are spread. It fails as Create does, but for the name.
func (s *Policies) Preview(change PolicyChange, now time.Time) ([]schedule.Due, error) {
	p := change.of(Policy{Name: "preview"})
	if err := s.check(p); err != nil {
		return nil, err
	}
	rules := p.Rules.Rules
	rules.Jitter = ""
	when, err := schedule.Parse(rules)
	if err != nil {
		return nil, err
	}
	var out []schedule.Due
	for made := now; len(out) < previewed; {
		due := when.Next(schedule.Facts{Last: made, Now: made})
		if !due.At.After(made) {
			break
		}
		out, made = append(out, due), due.At
	}
	return out, nil
}

func (s *Policies) check(p Policy) error {
	if err := p.Check(); err != nil {
		return err
	}
	return s.CheckPassword(p.Password)
}

func (c PolicyChange) of(p Policy) Policy {
	for _, x := range []struct{ from, to *string }{{c.Name, &p.Name}, {c.Description, &p.Description}, {c.Password, &p.Password}} {
		if x.from != nil {
			*x.to = *x.from
		}
	}
	if c.History != nil {
		p.History = *c.History
	}
	if c.Rules != nil {
		p.Rules = *c.Rules
	}
	return p
}

// event says which parts were changed.
func (c PolicyChange) event(ev audit.Event) audit.Event {
	for _, x := range []struct {
		part    string
		changed bool
	}{{"name", c.Name != nil}, {"description", c.Description != nil}, {"password", c.Password != nil || c.History != nil}, {"rules", c.Rules != nil}} {
		if x.changed {
			ev = ev.With(x.part, "changed")
		}
	}
	return ev
}

func policyEvent(actor identity.Actor, action string, p Policy) audit.Event {
	return audit.New(actor, action, audit.Object{Kind: "policy", ID: p.ID, Name: p.Name})
}
