package rotation

import (
	"context"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Rehearse says what the model's target would do with a change.
func (w *world) Rehearse(context.Context, vault.Value) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.take("target:rehearse") {
	case fails:
		return "", fault.New(fault.Conflict, "the login may not change it").WithCure("give it the right")
	case lost:
		return "", fault.New(fault.Conflict, "the system cannot tell").WithCode(NotProvable)
	}
	return "it was rolled back", nil
}

// TryPatch answers as Patch would, and keeps nothing.
func (c clusters) TryPatch(_ context.Context, seen Seen, data map[string]vault.Value) (Seen, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	switch c.w.take("cluster:try-patch") {
	case fails:
		return Seen{}, fault.New(fault.Denied, "the connector has no right to patch secrets")
	case lost:
		return Seen{}, fault.New(fault.Conflict, "a webhook refuses dry runs").WithCode(NotProvable)
	}
	s, ok := c.w.secrets["c1/"+seen.Name]
	if !ok || s.rv != seen.ResourceVersion {
		return Seen{}, fault.New(fault.Stale, "changed")
	}
	would := s.seen(seen.Namespace, seen.Name)
	for k, v := range data {
		if would.Data[k] = v; s.mutate {
			would.Data[k] = vault.NewValue([]byte("mutated"))
		}
	}
	return would, nil
}

// TryRestart answers as Restart would.
func (c clusters) TryRestart(_ context.Context, at Workload) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.take("cluster:try-restart") != 0 {
		return fault.New(fault.Denied, "the connector has no right to patch deployments")
	}
	if c.w.workloads[at.Name] == nil {
		return fault.New(fault.NotFound, "gone")
	}
	return nil
}
