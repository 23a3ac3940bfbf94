package rotation

import (
	"context"
	"maps"
	"slices"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// issuing makes the model's system one that makes its values itself: "old" is the content of s0.
func (w *world) issuing() *world {
	w.frozen()
	w.policy.Rules.Immutable = ""
	w.secrets["c1/s0"].immutable = false
	w.secrets["c1/s0"].owners = map[string]Owner{"password": {Kind: OwnerCluster, Name: "the cluster"}}
	w.homes = map[string]string{"old": "s0"}
	w.run.Strategy = Overlap
	return w
}

func (w *world) Issues() bool { return w.homes != nil }

func (w *world) Home(v vault.Value) (Home, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, ok := w.homes[text(v)]
	if !ok {
		return Home{}, fault.New(fault.Invalid, "it is none of the system's values")
	}
	return Home{"c1", "ns", name, "password"}, nil
}

// ends is Drop: the value ends with its Secret.
func (w *world) ends(ctx context.Context, old, next vault.Value) (Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.take("target:drop")
	if ctx.Err() != nil || m == fails {
		return NotSent, errInjected
	}
	delete(w.secrets, "c1/"+w.homes[text(old)])
	w.accepted, w.also = text(next), ""
	if m == lost {
		return Unknown, errInjected
	}
	return Changed, nil
}

func (c clusters) Reissue(ctx context.Context, old Seen, made Made) (Seen, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	m := c.w.take("cluster:reissue")
	if m == fails || ctx.Err() != nil {
		return Seen{}, errInjected
	}
	s := c.w.secrets["c1/"+made.Name]
	if s != nil && s.madeBy != made.By {
		return Seen{}, fault.New(fault.Conflict, "taken").WithCode(NameTaken)
	}
	if s == nil {
		c.w.made++
		s = &secret{uid: "uid-of-" + made.Name + "-by-" + made.By, rv: "1", data: map[string]string{}, base: made.Base, madeBy: made.By,
			owners: map[string]Owner{"password": {Kind: OwnerCluster, Name: "the cluster"}}}
		for k, v := range old.Data {
			s.data[k] = text(v)
		}
		s.data["password"] = "issued in " + made.Name
		c.w.homes[s.data["password"]] = made.Name
		c.w.secrets["c1/"+made.Name] = s
	}
	if m == lost {
		return Seen{}, errInjected
	}
	return s.seen(old.Namespace, made.Name), nil
}

// TryReissue answers as Reissue would, but for the value.
func (c clusters) TryReissue(_ context.Context, old Seen, made Made) (Seen, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.secrets["c1/"+made.Name] != nil {
		return Seen{}, fault.New(fault.Conflict, "taken").WithCode(NameTaken)
	}
	would := old
	would.Name, would.Data = made.Name, maps.Clone(old.Data)
	delete(would.Data, "password")
	return would, nil
}

func (w *world) Abandoned(context.Context, string) ([]Replacement, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.replaced), func(r Replacement) bool {
		return r.Key == "" || r.NewUID != "" || r.Gone || r.RunID == w.run.ID
	}), nil
}
