package rotation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
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
func (c clusters) TryRestart(_ context.Context, at Workload, _ map[string]string) error {
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

// shelf is a RehearsalStore and a ForecastStore of one account, over the model.
type shelf struct {
	*world
	ask   identity.Actor
	due   bool
	saved []Rehearsal
}

func (k *shelf) AskRehearsal(_ context.Context, _ string, by identity.Actor, _ time.Time, _ audit.Event) error {
	k.ask, k.due = by, true
	return nil
}
func (k *shelf) DueRehearsals(context.Context, time.Time, int) ([]string, error) { return nil, nil }
func (k *shelf) ClaimRehearsal(context.Context, string, time.Time, time.Time) (bool, identity.Actor, error) {
	was := k.due
	k.due = false
	return was, k.ask, nil
}
func (k *shelf) SaveRehearsal(_ context.Context, r Rehearsal, _ time.Time, _ audit.Event) error {
	k.saved = append(k.saved, r)
	return nil
}
func (k *shelf) ResetAccount(context.Context, string) (Account, error) {
	return Account{ID: "acc", Name: "app", Current: 1}, nil
}
func (k *shelf) Standing(context.Context, string) (Standing, []Policy, error) {
	return Standing{}, []Policy{{ID: DefaultPolicy, Rules: k.policy.Rules}}, nil
}
func (k *shelf) Pace(context.Context, string) (Pace, error) { return Pace{}, nil }
func (k *shelf) OpenRun(context.Context, Run, Given, vault.Sealed, audit.Event) error {
	return nil
}
func (k *shelf) Requeue(context.Context, string, audit.Event) error { return nil }
func (k *shelf) Run(context.Context, string) (Run, error)           { return k.run, nil }
func (k *shelf) CancelRun(context.Context, Run, string, audit.Event) error {
	return nil
}
func (k *shelf) KeepStuck(context.Context, Run, string, audit.Event) error { return nil }
func (k *shelf) Record(context.Context, audit.Event) error                 { return nil }
func (k *shelf) SetVerified(context.Context, string, int64, AccountState, string, time.Time, audit.Event) error {
	return nil
}

func TestARehearsalProvesEachPartAndChangesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world)
		want   Readiness
		says   string
	}{
		"as it should be":     {func(*world) {}, Ready, ""},
		"another password":    {func(w *world) { w.accepted = "other" }, NotReady, "refuses the stored value"},
		"no right on it":      {func(w *world) { w.faults["target:rehearse"] = fails }, NotReady, "may not change it"},
		"cannot be told":      {func(w *world) { w.faults["target:rehearse"] = lost }, ReadinessUnknown, "not proved: the system cannot tell"},
		"an immutable Secret": {func(w *world) { w.secrets["c1/s1"].immutable = true }, NotReady, "ns/s1: key password: the Secret is immutable"},
		"a controller's Secret": {func(w *world) {
			w.secrets["c1/s1"].owners = map[string]Owner{"password": {Kind: OwnerReconciler, Name: "ExternalSecret x"}}
		}, NotReady, "ExternalSecret x"},
		"a Secret is gone":     {func(w *world) { delete(w.secrets, "c1/s1") }, NotReady, "not in the cluster any more"},
		"a webhook changes it": {func(w *world) { w.secrets["c1/s1"].mutate = true }, NotReady, "another value than it was sent"},
		"no right to patch":    {func(w *world) { w.faults["cluster:try-patch"] = fails }, NotReady, "no right to patch secrets"},
		"no dry runs":          {func(w *world) { w.faults["cluster:try-patch"] = lost }, ReadinessUnknown, "a webhook refuses dry runs"},
		"no right to restart":  {func(w *world) { w.faults["cluster:try-restart"] = fails }, NotReady, "no right to patch deployments"},
		"a paused workload":    {func(w *world) { w.workloads["api"].Refused = "it is paused" }, NotReady, "it is paused"},
		"no answer":            {func(w *world) { w.faults["cluster:read"] = fails }, NotReady, "injected fault"},
		"no system":            {func(w *world) { w.noRemote = true }, ReadinessUnknown, "no remote side"},
		"no restarts wanted":   {func(w *world) { w.workloads = nil }, Ready, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withWorkloads()
			tt.change(w)
			k := &shelf{world: w}
			accepted := w.accepted
			resets := &Resets{Store: k, Vault: w.ring, Targets: w, Wake: func() {}}
			s := &Rehearsals{Forecaster: &Forecaster{Store: k, Vault: w.ring, Resets: resets, Clusters: clusters{w}}, Kept: k, Wake: func() {}}
			if err := errors.Join(s.Ask(t.Context(), identity.Actor{ID: "u1"}, "acc"), s.Carry(t.Context(), "acc"), s.Carry(t.Context(), "acc")); err != nil {
				t.Fatal(err)
			}
			if len(k.saved) != 1 || k.saved[0].State != tt.want || !strings.Contains(k.saved[0].Reason, tt.says) || k.saved[0].By.ID != "u1" {
				t.Fatalf("%+v", k.saved)
			}
			if w.accepted != accepted || w.changes != 0 {
				t.Error("the system was changed")
			}
			for at, secret := range w.secrets {
				if secret.rv != "1" || secret.data["password"] != "old" {
					t.Errorf("%s was changed: %+v", at, secret)
				}
			}
			for at, x := range w.workloads {
				if x.marks != 0 {
					t.Errorf("%s was restarted", at)
				}
			}
		})
	}
}
