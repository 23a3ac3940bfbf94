package rotation

import (
	"testing"

	"github.com/keyturn/keyturn/internal/vault"
)

func TestDecide(t *testing.T) {
	value := vault.NewValue([]byte("new"))
	seen := func(change func(*Seen)) Seen {
		s := Seen{Name: "s", UID: "u", ResourceVersion: "7", Data: map[string]vault.Value{"password": vault.NewValue([]byte("old"))}, Owners: map[string]Owner{}}
		if change != nil {
			change(&s)
		}
		return s
	}
	for _, tt := range []struct {
		name    string
		seen    Seen
		missing bool
		patch   bool
		state   WriteState
		taken   string
	}{
		{name: "old value", seen: seen(nil), patch: true, state: WriteToDo},
		{name: "already right", seen: seen(func(s *Seen) { s.Data["password"] = value }), state: WriteDone},
		{name: "already right though immutable", seen: seen(func(s *Seen) { s.Data["password"] = value; s.Immutable = true }), state: WriteDone},
		{name: "key is missing", seen: seen(func(s *Seen) { delete(s.Data, "password") }), patch: true, state: WriteToDo},
		{name: "gone", missing: true, state: WriteBlocked},
		{name: "made anew", seen: seen(func(s *Seen) { s.UID = "other" }), state: WriteBlocked},
		{name: "immutable", seen: seen(func(s *Seen) { s.Immutable = true }), state: WriteBlocked},
		{name: "a controller's", seen: seen(func(s *Seen) { s.Owners["password"] = Owner{Kind: OwnerReconciler, Name: "argocd"} }), state: WriteHands},
		{name: "a person's", seen: seen(func(s *Seen) { s.Owners["password"] = Owner{Kind: OwnerOneShot, Name: "kubectl-edit"} }), patch: true, state: WriteToDo, taken: "kubectl-edit"},
		{name: "another key is a controller's", seen: seen(func(s *Seen) { s.Owners["other"] = Owner{Kind: OwnerReconciler} }), patch: true, state: WriteToDo},
	} {
		d := decide([]Write{{UID: "u", Key: "password", State: WriteToDo}}, tt.seen, !tt.missing, value)
		if _, patched := d.patch["password"]; patched != tt.patch || len(d.patch) > 1 {
			t.Errorf("%s: patch %v", tt.name, d.patch)
		}
		if w := d.writes[0]; w.State != tt.state || w.Taken != tt.taken {
			t.Errorf("%s: %+v", tt.name, w)
		} else if (w.State == WriteBlocked || w.State == WriteHands) && w.Reason == "" {
			t.Errorf("%s: no reason", tt.name)
		}
	}
}

func TestProved(t *testing.T) {
	value, other := vault.NewValue([]byte("new")), vault.NewValue([]byte("other"))
	for _, tt := range []struct {
		name    string
		uid     string
		has     vault.Value
		err     error
		state   WriteState
		version string
	}{
		{"read back", "u", value, nil, WriteDone, "7"},
		{"changed right after", "u", other, nil, WriteHeld, ""},
		{"made anew right after, with the value", "v", value, nil, WriteHeld, ""},
		{"not read", "", value, errInjected, WriteHeld, ""},
	} {
		seen := Seen{UID: tt.uid, ResourceVersion: "7", Data: map[string]vault.Value{"password": tt.has}}
		w := proved([]Write{{UID: "u", Key: "password", State: WriteDone}}, seen, tt.err, value)[0]
		if w.State != tt.state || w.Proof.ResourceVersion != tt.version || (w.State == WriteDone) != (w.Reason == "") {
			t.Errorf("%s: %+v", tt.name, w)
		}
	}
}

func TestOneSecretHoldsOnlyItsOwnPart(t *testing.T) {
	for name, spoil := range map[string]func(*secret){
		"immutable":       func(s *secret) { s.immutable = true },
		"made anew":       func(s *secret) { s.uid = "another" },
		"a controller's":  func(s *secret) { s.owners = map[string]Owner{"password": {Kind: OwnerReconciler, Name: "flux"}} },
		"mutating webook": func(s *secret) { s.mutate = true },
	} {
		w := newWorld(t)
		spoil(w.secrets["c1/s1"])
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		if w.run.State != NeedsAttention || w.run.Step != Verified || w.run.Reason == "" {
			t.Fatalf("%s: %s after %s", name, w.run.State, w.run.Step)
		}
		for _, s := range []string{"c1/s0", "c1/s2"} {
			if w.secrets[s].data["password"] != w.accepted {
				t.Errorf("%s: %s was not written", name, s)
			}
		}
		w.secrets["c1/s1"] = &secret{uid: "uid-s1", rv: "9", data: map[string]string{"password": "old", "other": "stays"}}
		w.run.State = Queued // what resuming by hand does
		for i := range w.writes {
			if w.writes[i].State != WriteDone {
				w.writes[i].State = WriteToDo
			}
		}
		if err := w.resume(); err != nil {
			t.Fatal(err)
		}
		w.turned(name)
	}
}

func TestAConflictIsReadAndDecidedAgain(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	stale := w.secrets["c1/s0"].seen("ns", "s0")
	w.secrets["c1/s0"].rv = "2" // changed since it was seen
	w.secrets["c1/s0"].data["other"] = "newer"
	got := e.write(t.Context(), w.run, clusters{w}, place{cluster: "c1", namespace: "ns", name: "s0", writes: w.writes[:1]}, stale, true, vault.NewValue([]byte("new")))
	if got[0].State != WriteDone || w.secrets["c1/s0"].data["password"] != "new" || w.secrets["c1/s0"].data["other"] != "newer" {
		t.Errorf("%+v, %+v", got[0], w.secrets["c1/s0"].data)
	}
}

func TestAFrozenWorkerOverwritesNothingNewer(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	run, err := w.Claim(t.Context(), "run", "test", e.Lease)
	if err != nil {
		t.Fatal(err)
	}
	frozen := w.secrets["c1/s0"].seen("ns", "s0")
	// While it is frozen, another worker ends the run and a later one turns the key again.
	if _, err := w.Claim(t.Context(), "run", "test", e.Lease); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.secrets {
		s.rv, s.data["password"] = s.rv+"+", "newer"
	}
	old := vault.NewValue([]byte("of the run before"))
	_ = e.write(t.Context(), run, clusters{w}, place{cluster: "c1", namespace: "ns", name: "s0", writes: w.writes[:1]}, frozen, true, old)
	if err := e.writeAll(t.Context(), run, Policy{}, w.writes, old); err == nil {
		t.Error("a worker without the lease stored what it wrote")
	}
	for name, s := range w.secrets {
		if s.data["password"] != "newer" {
			t.Errorf("%s holds %q", name, s.data["password"])
		}
	}
}
