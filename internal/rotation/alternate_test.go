package rotation

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// newPair is a world whose account is a pair: the login "a" is in use, and a run sets a value for "b".
func newPair(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.keep(2, "spare", "previous")
	w.accepted, w.beside = "spare", "old"
	w.run.Strategy, w.run.AccountName, w.run.Login, w.run.Spare = Alternating, "a", "b", 2
	for i := range 3 {
		name := fmt.Sprintf("s%d", i)
		w.secrets["c1/"+name].data["user"] = "a"
		w.writes = append(w.writes, Write{MappingID: "u" + name, ClusterID: "c1", SecretID: name, Namespace: "ns", Name: name, UID: "uid-" + name, Key: "user",
			Place: composite.Spec{Holds: composite.HoldsUser}, OnWrite: OnWriteNothing, State: WriteToDo})
	}
	return w
}

// As implements Target.
func (w *world) As(login string) Target {
	if login == w.run.Login {
		return w
	}
	return besides{w}
}

func (w *world) Compare(context.Context, vault.Value, string) ([]string, error) {
	w.t.Errorf("the rights are compared as the login that is not in use")
	return nil, nil
}

// besides is the other login of a pair, which consumers use.
type besides struct{ *world }

func (b besides) Change(context.Context, vault.Value, vault.Value, vault.Value) (Outcome, error) {
	b.t.Errorf("the login that is in use was changed")
	return Changed, nil
}

func (b besides) Compare(_ context.Context, v vault.Value, other string) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.take("target:compare") != 0 {
		return nil, errInjected
	}
	if text(v) != b.beside || other != "b" {
		b.t.Errorf("compared with %s, logging in with a wrong value: %v", other, text(v) != b.beside)
	}
	return b.differ, nil
}

func (b besides) Prove(_ context.Context, v vault.Value) (Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.take("target:beside") != 0 {
		return NoAnswer, errInjected
	}
	if text(v) == b.beside {
		return Accepted, nil
	}
	return Denied, fault.New(fault.Denied, "wrong password")
}

// pairKept fails the test when a Secret holds what nobody can log in with, or the login that consumers use was touched.
func (w *world) pairKept(when string) {
	w.t.Helper()
	w.kept(when)
	if w.beside != "old" {
		w.t.Errorf("%s: the login in use was changed", when)
	}
	takes := map[string]string{"a": w.beside, "b": w.accepted}
	for name, s := range w.secrets {
		if takes[s.data["user"]] != s.data["password"] {
			w.t.Errorf("%s: %s says %s with a value that it does not take", when, name, s.data["user"])
		}
	}
}

// pairTurned fails the test when the run did not end with everybody on the other login, and both valid.
func (w *world) pairTurned(when string) {
	w.t.Helper()
	w.pairKept(when)
	if w.run.State != Finished || w.run.Step != Done {
		w.t.Fatalf("%s: ended as %s after %s: %s", when, w.run.State, w.run.Step, w.run.Reason)
	}
	if w.plain(w.run.New) != w.accepted || w.versions[w.run.New].stage != "current" || w.versions[1].stage != "previous" || w.versions[2].stage != "retired" {
		w.t.Errorf("%s: %+v", when, w.versions)
	}
	for name, s := range w.secrets {
		if s.data["user"] != "b" || w.saw[name+":user"] != "b" || w.saw[name+":password"] != w.accepted {
			w.t.Errorf("%s: %s is of %s", when, name, s.data["user"])
		}
	}
}

func TestAPairSurvivesEveryFault(t *testing.T) {
	for _, call := range []string{
		"store:minted", "store:begin:applied", "store:applied", "store:begin:verified", "store:verified",
		"store:begin:published", "store:writes", "store:published", "store:rolled_out", "store:begin:retired", "store:retired", "store:done",
		"target:change", "target:login", "target:prove", "target:compare", "target:beside", "cluster:read", "cluster:patch", "saw",
	} {
		for _, m := range []mode{fails, lost} {
			w := newPair(t)
			w.faults[call] = m
			when := fmt.Sprintf("%s, %d", call, m)
			for range 4 {
				_ = w.resume()
				w.pairKept(when)
			}
			if len(w.faults) != 0 {
				t.Fatalf("%s: the fault was not injected", when)
			}
			w.pairTurned(when)
		}
	}
}

func TestAPairOutlivesACrashAtEveryPoint(t *testing.T) {
	for _, p := range []string{
		"minted:before-store", "minted:stored", "applied:before-effect", "applied:after-effect", "applied:before-store", "applied:stored",
		"verified:before-effect", "verified:after-effect", "verified:before-store", "verified:stored",
		"published:before-store", "published:stored", "rolled_out:before-store", "rolled_out:stored", "retired:before-store", "retired:stored", "done:before-store", "done:stored",
	} {
		w := newPair(t)
		w.crash = p
		if err := w.resume(); err == nil {
			t.Fatalf("%s: did not crash", p)
		}
		w.pairKept(p)
		if err := w.resume(); err != nil && !w.run.State.Ended() {
			t.Errorf("%s: %v", p, err)
		}
		w.pairTurned(p)
		if w.changes != 1 {
			t.Errorf("%s: the target was changed %d times", p, w.changes)
		}
	}
}

func TestADifferenceStopsAPairBeforeAnythingIsMade(t *testing.T) {
	w := newPair(t)
	w.differ = []string{"a has SELECT on table shop.orders, b has not"}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention || w.run.Begun != Planned || w.made != 0 || !strings.Contains(w.run.Reason, w.differ[0]) || w.run.Cure == "" {
		t.Fatalf("%+v", w.run)
	}
	w.pairKept("stopped")
	w.differ, w.run.State = nil, Queued
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.pairTurned("mended")
}

func TestAPairStopsWhereTheUserNameWouldStay(t *testing.T) {
	w := newPair(t)
	w.writes = w.writes[:5] // s2 is told the password alone
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention || w.made != 0 || !strings.Contains(w.run.Reason, "ns/s2") {
		t.Fatalf("%+v", w.run)
	}
	w = newPair(t)
	w.secrets["c1/s1"].data["password"] = "postgres://a:old@db/orders" // a user name of its own beside the mapped one
	w.writes[1].Place = composite.Spec{Format: composite.URL}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if s := w.secrets["c1/s1"]; w.run.State != NeedsAttention || s.data["user"] != "a" || s.data["password"] != "postgres://a:old@db/orders" {
		t.Errorf("%s: %v", w.run.State, s.data)
	}
	w = newPair(t)
	w.secrets["c1/s1"].owners = map[string]Owner{"user": {Kind: OwnerReconciler, Name: "argo"}}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.pairKept("a controller owns the user name")
	if w.run.State != NeedsAttention {
		t.Errorf("%s", w.run.State)
	}
}

func TestAPairInOneValue(t *testing.T) {
	w := newPair(t)
	w.secrets["c1/s1"].data["password"] = "postgres://a:old@db/orders"
	w.writes = w.writes[:3]
	for i := range w.writes {
		w.writes[i].Place = composite.Spec{Format: composite.URL, Holds: composite.HoldsBoth}
		w.secrets["c1/"+w.writes[i].Name].data["password"] = "postgres://a:old@db/orders"
	}
	if err := w.engine().Resume(t.Context(), "run"); err != nil && w.run.State != Finished {
		t.Fatal(err)
	}
	if w.run.State != Finished {
		t.Fatalf("%s: %s", w.run.State, w.run.Reason)
	}
	for name, s := range w.secrets {
		if want := "postgres://b:" + w.accepted + "@db/orders"; s.data["password"] != want {
			t.Errorf("%s holds %q", name, s.data["password"])
		}
	}
}

// A run that sets the value again which the login has does not change the system at all.
func TestAPairGoesBackWithoutAChange(t *testing.T) {
	w := newPair(t)
	w.keep(3, "spare", "pending")
	w.run.Typed, w.run.New, w.run.Reverts, w.differ = true, 3, "another", []string{"a difference does not hold it up"}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.pairTurned("back")
	if w.changes != 0 || w.made != 0 {
		t.Errorf("%d changes, %d values made", w.changes, w.made)
	}
}

func TestAPairWithoutAStoredValueNeedsTheReconcileAccount(t *testing.T) {
	w := newPair(t)
	w.run.Spare = 0
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != NeedsAttention || w.made != 0 {
		t.Fatalf("%+v", w.run)
	}
	w.reconciled, w.run.State = true, Queued
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != Finished {
		t.Errorf("%s: %s", w.run.State, w.run.Reason)
	}
}
