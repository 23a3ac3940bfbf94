package target

import (
	"fmt"

	"github.com/keyturn/keyturn/internal/fault"
)

// Registry is the list of types that this program knows. It does not change after [NewRegistry] and may be used by
// several goroutines at once.
type Registry struct {
	order  []Spec
	byType map[string]Target
}

// NewRegistry returns a Registry of targets, in the order given. It fails when two share a type or when one's
// [Capabilities] are not what it implements: both are mistakes of the program, found at its start.
func NewRegistry(targets ...Target) (*Registry, error) {
	r := &Registry{byType: make(map[string]Target, len(targets))}
	for _, t := range targets {
		s := t.Spec()
		if s.Type == "" || r.byType[s.Type] != nil {
			return nil, fmt.Errorf("target type %q is empty or listed twice", s.Type)
		}
		_, verifies := t.(Verifier)
		_, changes := t.(Changer)
		_, overlaps := t.(Overlapper)
		_, compares := t.(Comparer)
		c := s.Capabilities
		if c.Verify && !verifies || c.Change && !changes || c.Reconcile && !changes || c.Overlap && !overlaps || c.OverlapByReconcile && !(c.Overlap && c.Reconcile) || c.Compare && !compares {
			return nil, fmt.Errorf("target type %q promises more than it implements", s.Type)
		}
		r.order = append(r.order, s)
		r.byType[s.Type] = t
	}
	return r, nil
}

// Specs returns the description of each type, in the order of the list. The caller must not change it.
func (r *Registry) Specs() []Spec { return r.order }

// Target returns the type called name, or a fault of kind Invalid that lists the types there are.
func (r *Registry) Target(name string) (Target, error) {
	if t := r.byType[name]; t != nil {
		return t, nil
	}
	names := make([]string, len(r.order))
	for i, s := range r.order {
		names[i] = s.Type
	}
	return nil, fault.New(fault.Invalid, "there is no target type of this name").WithField("type").WithCure("use one of %v", names)
}

// Verifier returns the type called name as a Verifier, or an [*Error] with outcome Unsupported.
func (r *Registry) Verifier(name string) (Verifier, error) {
	return capability[Verifier](r, name, "verify a login")
}

// Changer returns the type called name as a Changer, or an [*Error] with outcome Unsupported.
func (r *Registry) Changer(name string) (Changer, error) {
	return capability[Changer](r, name, "change a value")
}

// Overlapper returns the type called name as an Overlapper, or an [*Error] with outcome Unsupported.
func (r *Registry) Overlapper(name string) (Overlapper, error) {
	return capability[Overlapper](r, name, "hold two values of an account at once")
}

func capability[T Target](r *Registry, name, verb string) (T, error) {
	var none T
	t, err := r.Target(name)
	if err != nil {
		return none, err
	}
	c, ok := t.(T)
	if !ok {
		return none, &Error{Outcome: Unsupported, Msg: fmt.Sprintf("%s cannot %s", t.Spec().Name, verb)}
	}
	return c, nil
}
