package rotation

import (
	"context"
	"maps"
	"slices"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func (c clusters) MayReplace() bool { return c.w.mayReplace }

func (c clusters) Replace(ctx context.Context, old Seen, made Made, data map[string]vault.Value) (Seen, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	m := c.w.take("cluster:replace")
	if m == fails || ctx.Err() != nil {
		return Seen{}, errInjected
	}
	if c.w.secrets["c1/"+made.Name] != nil {
		return Seen{}, fault.New(fault.Conflict, "taken").WithCode(NameTaken)
	}
	s := &secret{uid: "uid-of-" + made.Name + "-by-" + made.By, rv: "1", immutable: true, data: map[string]string{}, owners: map[string]Owner{}, base: made.Base, madeBy: made.By, copied: text(old.Data["other"])}
	all := maps.Clone(old.Data)
	maps.Copy(all, data)
	for k, v := range all {
		s.data[k], s.owners[k] = text(v), Owner{Kind: OwnerKeyturn}
	}
	c.w.secrets["c1/"+made.Name] = s
	if m == lost {
		return Seen{}, errInjected
	}
	return s.seen(old.Namespace, made.Name), nil
}

// TryReplace answers as Replace would.
func (c clusters) TryReplace(_ context.Context, old Seen, made Made, data map[string]vault.Value) (Seen, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.take("cluster:try-replace") != 0 {
		return Seen{}, fault.New(fault.Denied, "the connector has no right to create secrets")
	}
	if c.w.secrets["c1/"+made.Name] != nil {
		return Seen{}, fault.New(fault.Conflict, "taken").WithCode(NameTaken)
	}
	would := old
	would.Name, would.Data = made.Name, maps.Clone(old.Data)
	maps.Copy(would.Data, data)
	return would, nil
}

func (c clusters) Delete(ctx context.Context, seen Seen) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	m := c.w.take("cluster:delete")
	if m == fails || ctx.Err() != nil {
		return errInjected
	}
	s := c.w.secrets["c1/"+seen.Name]
	switch {
	case s == nil:
		return fault.New(fault.NotFound, "no such Secret")
	case s.uid != seen.UID || s.rv != seen.ResourceVersion:
		return fault.New(fault.Stale, "changed").WithCode(codeChanged)
	}
	for name, x := range c.w.workloads {
		if x.names(seen.Name) {
			c.w.t.Errorf("%s is deleted while %s names it", seen.Name, name)
		}
	}
	delete(c.w.secrets, "c1/"+seen.Name)
	if m == lost {
		return errInjected
	}
	return nil
}

func (w *world) Replacements(_ context.Context, run Run) ([]Replacement, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.replaced), func(r Replacement) bool { return r.RunID != run.ID }), nil
}

func (w *world) SaveReplacement(_ context.Context, run Run, r Replacement, ev audit.Event) error {
	return w.with("replacement", run, func() {
		w.putReplacement(r)
		w.events = append(w.events, ev)
	})
}

func (w *world) putReplacement(r Replacement) {
	i := slices.IndexFunc(w.replaced, func(x Replacement) bool { return x.RunID == r.RunID && x.Old == r.Old })
	if i < 0 {
		w.replaced = append(w.replaced, r)
		return
	}
	w.replaced[i] = r
}

// moved is the write as it is stored: its mapping is of the new Secret from then on, and where that was not proved nothing of
// it is kept.
func (w *world) moved(n Write) Write {
	if n.Moved.New == "" || n.State != WriteDone {
		n.Moved = Replacement{}
		return n
	}
	w.putReplacement(n.Moved)
	n.Name, n.UID, n.SecretID, n.Moved = n.Moved.New, n.Moved.NewUID, n.Moved.New, Replacement{}
	return n
}

// renamed gives the workload's references their new names, as one write with its mark does.
func (x *workload) renamed(names map[string]string) {
	name, ok := names[x.reads]
	if !ok {
		return
	}
	for i, u := range x.Uses {
		if u.Secret == x.reads {
			x.Uses[i].Secret = name
		}
	}
	for i, h := range x.Holds {
		if h.Secret == x.reads {
			x.Holds[i].Secret = name
		}
	}
	x.reads = name
}
