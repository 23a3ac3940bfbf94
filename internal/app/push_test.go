package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/test/testbed"
)

// pushWorld follows a real cluster and writes to it what people ask for.
type pushWorld struct {
	*healWorld
	pushes *inventory.Pushes
}

func newPushWorld(t *testing.T, plane *testbed.ControlPlane, scope inventory.Scope, policy inventory.DriftPolicy) *pushWorld {
	t.Helper()
	w := &pushWorld{healWorld: newHealWorld(t, plane, scope, policy)}
	w.fetcher.Expected = &inventory.Expected{}
	w.pushes = &inventory.Pushes{Store: w.store, Vault: w.ring, Clusters: w.clusters, Saw: w.fetcher.Saw, Expected: w.fetcher.Expected}
	return w
}

func (w *pushWorld) restore(t *testing.T, name string, version int64, only ...string) (inventory.Restoration, error) {
	t.Helper()
	x := w.secret(t, "shop", name)
	return w.pushes.Restore(t.Context(), person, x.ID, x.Rev, version, only)
}

// version waits for a Secret to be live at a version.
func (w *pushWorld) version(t *testing.T, name string, number int64) {
	t.Helper()
	until(t, "the change is in the repository", func() bool { x := w.secret(t, "shop", name); return x.Current == number })
}

func (w *pushWorld) denied(t *testing.T, err error, code, cure string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != code || !strings.Contains(f.Cure, cure) || f.Unchanged == "" {
		t.Errorf("it ended with %+v, want %s and what to do: %s", err, code, cure)
	}
}

func (w *pushWorld) outcomes(t *testing.T) (all []string) {
	t.Helper()
	events, err := w.store.AuditEvents(t.Context(), store.AuditFilter{Action: "secret.restore"})
	w.do(t, err)
	for _, e := range events {
		if e.Actor.Name != person.Name {
			t.Errorf("recorded as %+v", e)
		}
		all = append(all, string(e.Outcome)+" "+e.Details["keys"])
	}
	slices.Reverse(all)
	return all
}

func TestSecretsAreRestoredOnARealCluster(t *testing.T) {
	plane, err := testbed.StartControlPlane(context.Background(), testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := plane.Kubectl(t.Context(), "", "create", "namespace", "shop"); err != nil {
		t.Fatal(err)
	}
	t.Run("an older version of a Secret that is there", func(t *testing.T) { restoresKeys(t, plane) })
	t.Run("a Secret that was deleted", func(t *testing.T) { restoresTombstone(t, plane) })
	t.Run("what is refused", func(t *testing.T) { restoresNot(t, plane) })
}

var writesAndMakes = inventory.Scope{WholeCluster: true, ReadWrite: true, Restart: true, Replace: true}

func restoresKeys(t *testing.T, plane *testbed.ControlPlane) {
	w := newPushWorld(t, plane, writesAndMakes, inventory.Ask)
	x := w.begin(t, "keys", text("a", "1", "b", "1", "c", "1"))
	w.change(t, "keys", `{"stringData":{"a":"2","new":"9"},"data":{"c":null}}`)
	w.conflict(t, x.ID, "a person is asked", func(d inventory.Divergence) bool { return d.State == inventory.ConflictOpen && len(d.Keys) == 3 })

	done, err := w.restore(t, "keys", 0, "a", "c")
	w.do(t, err)
	if want := []inventory.KeyChange{{Name: "a", Change: inventory.KeyChanged}, {Name: "c", Change: inventory.KeyAdded}}; !slices.Equal(done.Keys, want) || done.Made || done.Version != 1 {
		t.Errorf("done: %+v", done)
	}
	if a, c, added := w.says(t, "keys", "a"), w.says(t, "keys", "c"), w.says(t, "keys", "new"); a != "1" || c != "1" || added != "9" {
		t.Errorf("the cluster has a=%q c=%q new=%q", a, c, added)
	}
	now := w.secret(t, "shop", "keys") // at once, without waiting for the watch
	p, err := w.store.SecretVersions(t.Context(), store.Viewer{All: true}, store.SecretVersionQuery{SecretID: x.ID})
	w.do(t, err)
	if top := p.Items[0]; now.Current != 3 || top.Number != 3 || top.Source != inventory.Restored || top.ActorName != person.Name || !slices.Equal(top.Keys, done.Keys) {
		t.Errorf("the Secret is %+v, its history %+v", now, p.Items)
	}
	w.conflict(t, x.ID, "only what was not restored still differs", func(d inventory.Divergence) bool {
		return d.State == inventory.ConflictOpen && len(d.Keys) == 1 && d.Keys[0].Name == "new"
	})
	_, err = w.restore(t, "keys", 1)
	w.do(t, err)
	w.conflict(t, x.ID, "nothing differs", settled)
	if done, err = w.restore(t, "keys", 1); err != nil || len(done.Keys) != 0 {
		t.Errorf("once more: %+v, %v", done, err)
	}
	// Under this policy a change by a person in Keyturn is no drift, also where it is to another value than before.
	if _, err = w.restore(t, "keys", 2, "a"); err != nil || w.says(t, "keys", "a") != "2" {
		t.Errorf("forward again: %v", err)
	}
	w.conflict(t, x.ID, "that asks nobody", settled)
	if got := w.outcomes(t); !slices.Equal(got, []string{"allowed a c", "allowed new", "allowed a"}) {
		t.Errorf("recorded: %q", got)
	}
	if _, err := w.pushes.Restore(t.Context(), person, x.ID, x.Rev, 1, nil); !errors.Is(err, fault.Stale) {
		t.Errorf("on an old revision: %v", err)
	}
	if _, err := w.restore(t, "keys", 99); !errors.Is(err, fault.Invalid) {
		t.Errorf("a version that is not there: %v", err)
	}
	if _, err := w.restore(t, "keys", 1, "nokey"); !errors.Is(err, fault.Invalid) {
		t.Errorf("a key that is not there: %v", err)
	}
}

func restoresTombstone(t *testing.T, plane *testbed.ControlPlane) {
	w := newPushWorld(t, plane, writesAndMakes, inventory.Ask)
	x := w.begin(t, "gone", text("a", "1", "b", "1"))
	w.kubectl(t, "", "-n", "shop", "label", "secret", "gone", "team=blue")
	until(t, "the label is in the repository", func() bool { return w.secret(t, "shop", "gone").Labels["team"] == "blue" })
	w.kubectl(t, "", "-n", "shop", "delete", "secret", "gone")
	until(t, "it is a tombstone", func() bool { return w.secret(t, "shop", "gone").State == inventory.Tombstone })
	done, err := w.restore(t, "gone", 0)
	w.do(t, err)
	if !done.Made || len(done.Keys) != 2 || w.says(t, "gone", "a") != "1" {
		t.Errorf("done: %+v", done)
	}
	now := w.secret(t, "shop", "gone")
	if now.State != inventory.InSync || now.ID != x.ID || now.UID == x.UID || !now.DeletedAt.IsZero() || now.Labels["team"] != "blue" {
		t.Errorf("the Secret is %+v", now)
	}
	if got := w.kubectl(t, "", "-n", "shop", "get", "secret", "gone", "-o", "jsonpath={.type} {.metadata.labels.team}"); got != "Opaque blue" {
		t.Errorf("the cluster has %q", got)
	}

	w.kubectl(t, "", "-n", "shop", "delete", "secret", "gone")
	until(t, "it is a tombstone again", func() bool { return w.secret(t, "shop", "gone").State == inventory.Tombstone })
	tomb := w.secret(t, "shop", "gone")
	w.kubectl(t, object{namespace: "shop", name: "gone", typ: "Opaque", data: text("a", "theirs")}.manifest(), "create", "-f", "-")
	_, err = w.pushes.Restore(t.Context(), person, tomb.ID, tomb.Rev, 0, nil) // the watch may or may not have told
	if !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Stale) {
		t.Errorf("over one that is there: %v", err)
	}
	if got := w.says(t, "gone", "a"); got != "theirs" {
		t.Errorf("it was written over: %q", got)
	}
}

func restoresNot(t *testing.T, plane *testbed.ControlPlane) {
	w := newPushWorld(t, plane, writesAndMakes, inventory.ClusterWins)
	w.begin(t, "owned", text("a", "1"))
	w.change(t, "owned", `{"metadata":{"labels":{"kustomize.toolkit.fluxcd.io/name":"apps"}},"stringData":{"a":"2"}}`)
	w.version(t, "owned", 2)
	_, err := w.restore(t, "owned", 1)
	w.denied(t, err, "secret-owned", "ssa: IfNotPresent")
	w.kubectl(t, "", "-n", "shop", "delete", "secret", "owned")
	until(t, "it is a tombstone", func() bool { return w.secret(t, "shop", "owned").State == inventory.Tombstone })
	_, err = w.restore(t, "owned", 0)
	w.denied(t, err, "secret-owned", "ssa: IfNotPresent")

	m := newPushWorld(t, plane, writesAndMakes, inventory.ClusterWins)
	x := m.begin(t, "mapped", text("password", "first", "other", "1"))
	account := m.addAccount(t, "app", "first")
	mapper := &inventory.Mapper{Store: repository{m.store}, Vault: m.ring, Owners: m.clusters}
	_, err = mapper.Map(t.Context(), person, account, inventory.Entry{SecretID: x.ID, Key: "password"}, inventory.KeepNone)
	m.do(t, err)
	m.change(t, "mapped", `{"stringData":{"password":"second","other":"2"}}`)
	m.version(t, "mapped", 2)
	_, err = m.restore(t, "mapped", 1)
	m.denied(t, err, "mapped-keys", "reset the account")
	if _, err = m.restore(t, "mapped", 1, "other"); err != nil || m.says(t, "mapped", "other") != "1" || m.says(t, "mapped", "password") != "second" {
		t.Errorf("the other key alone: %v", err)
	}
	if got := m.outcomes(t); !slices.Equal(got, []string{"refused ", "allowed other"}) {
		t.Errorf("recorded: %q", got)
	}
	_, err = m.store.BeginRestore(t.Context(), rotation.Restore{ID: fetchID(), SeenIn: "the data folder", Inside: 1, Outside: 2, OutsideAt: time.Now(), FoundAt: time.Now()}, audit.New(person, "restore.noticed", audit.Object{Kind: "repository"}))
	m.do(t, err)
	_, err = m.restore(t, "mapped", 2, "other")
	m.denied(t, err, "repository-restored", "restore status")

	reader := newPushWorld(t, plane, inventory.Scope{WholeCluster: true}, inventory.ClusterWins)
	reader.begin(t, "readonly", text("a", "1"))
	reader.change(t, "readonly", `{"stringData":{"a":"2"}}`)
	reader.version(t, "readonly", 2)
	_, err = reader.restore(t, "readonly", 1)
	reader.denied(t, err, "connector-read-only", "read-write")
}
