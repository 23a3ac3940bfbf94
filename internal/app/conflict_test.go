package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/jobs"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

// healWorld follows a real cluster and heals it.
type healWorld struct{ *followWorld }

func newHealWorld(t *testing.T, plane *testbed.ControlPlane, scope inventory.Scope, policy inventory.DriftPolicy) *healWorld {
	t.Helper()
	w := &healWorld{newFollowWorld(t, plane, scope)}
	healer := &inventory.Healer{Store: w.store, Vault: w.ring, Clusters: w.clusters, Saw: w.fetcher.Saw, Owner: "test", Lease: 3 * time.Second}
	worker := &jobs.Worker{Name: "conflict", Due: w.store.DueConflicts, Do: healer.Do, Slots: 4, Every: 20 * time.Millisecond, Log: w.fetcher.Log}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	w.do(t, w.store.SetDriftPolicy(t.Context(), "cluster", w.cluster.ID, w.rev(t), policy, fetchHappened("cluster.update")))
	return w
}

func (w *healWorld) rev(t *testing.T) int64 {
	t.Helper()
	c, err := w.store.Cluster(t.Context(), w.cluster.ID)
	w.do(t, err)
	return c.Rev
}

// begin makes a Secret, fetches everything and follows the cluster.
func (w *healWorld) begin(t *testing.T, name string, data map[string][]byte) inventory.Secret {
	t.Helper()
	w.kubectl(t, "", "-n", "shop", "delete", "secret", name, "--ignore-not-found")
	w.kubectl(t, object{namespace: "shop", name: name, typ: "Opaque", data: data}.manifest(), "create", "-f", "-")
	w.run(t, &inventory.Selection{Namespaces: []string{"shop"}})
	w.start(t, w.follow)
	w.live(t)
	return w.secret(t, "shop", name)
}

// change changes a Secret with a merge patch of its stringData, as a person would.
func (w *healWorld) change(t *testing.T, name, patch string, more ...string) {
	t.Helper()
	w.kubectl(t, "", append([]string{"-n", "shop", "patch", "secret", name, "--type", "merge", "-p", patch}, more...)...)
}

// conflict waits for the divergence of a Secret to be so.
func (w *healWorld) conflict(t *testing.T, id, what string, is func(inventory.Divergence) bool) (d inventory.Divergence) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("it is %s", last)
		}
	}()
	until(t, what, func() bool {
		var err error
		d, err = w.store.Conflict(t.Context(), id)
		last = fmt.Sprintf("%+v, %v", d, err)
		return err == nil && is(d)
	})
	return d
}

// says returns the value of a key as the cluster has it.
func (w *healWorld) says(t *testing.T, name, key string) string {
	t.Helper()
	return w.kubectl(t, "", "-n", "shop", "get", "secret", name, "-o", "go-template={{if index .data \""+key+"\"}}{{index .data \""+key+"\" | base64decode}}{{else}}(none){{end}}")
}

func settled(d inventory.Divergence) bool { return d.State == inventory.ConflictSettled }

func TestConflictsOnARealCluster(t *testing.T) {
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
	t.Run("a person is asked", func(t *testing.T) { asks(t, plane) })
	t.Run("the vault wins", func(t *testing.T) { vaultWins(t, plane) })
	t.Run("a mapped key gets its account's value again", func(t *testing.T) { mappedWins(t, plane) })
	t.Run("a Secret that is deleted and comes back", func(t *testing.T) { comesAgain(t, plane) })
	t.Run("what is not written over", func(t *testing.T) { notWrittenOver(t, plane) })
	t.Run("of two writers Keyturn is the one that stops", func(t *testing.T) { stops(t, plane) })
}

var person = identity.Actor{ID: "u1", Name: "anna", Kind: identity.KindUser}

func asks(t *testing.T, plane *testbed.ControlPlane) {
	w := newHealWorld(t, plane, inventory.Scope{WholeCluster: true, ReadWrite: true}, inventory.Ask)
	x := w.begin(t, "asks", text("a", "1", "b", "1", "c", "1"))
	w.change(t, "asks", `{"stringData":{"a":"2","new":"9"},"data":{"c":null}}`)
	d := w.conflict(t, x.ID, "a person is asked", func(d inventory.Divergence) bool { return d.State == inventory.ConflictOpen && d.Looked })
	if len(d.Keys) != 3 || d.Keys[0].Name != "a" || d.Keys[1].Name != "c" || d.Keys[2].Name != "new" || !strings.HasPrefix(d.ChangedBy, "kubectl") {
		t.Errorf("the conflict is %+v", d)
	}
	if now := w.secret(t, "shop", "asks"); now.State != inventory.Conflict || now.Current != x.Current+1 {
		t.Errorf("the Secret is %+v", now)
	}
	w.change(t, "asks", `{"stringData":{"a":"3"}}`)
	w.conflict(t, x.ID, "the same conflict goes on", func(now inventory.Divergence) bool {
		return now.Rev > d.Rev && now.Looked && len(now.Keys) == 3 && now.Keys[0].Version == x.Current
	})
	w.change(t, "asks", `{"stringData":{"a":"1","c":"1"},"data":{"new":null}}`)
	w.conflict(t, x.ID, "what is as it was needs nobody", settled)
	if now := w.secret(t, "shop", "asks"); now.State != inventory.InSync {
		t.Errorf("the Secret is %s", now.State)
	}

	w.change(t, "asks", `{"stringData":{"a":"4","new":"9"},"data":{"b":null}}`)
	d = w.conflict(t, x.ID, "a person is asked again", func(d inventory.Divergence) bool { return d.State == inventory.ConflictOpen && d.Looked })
	w.do(t, w.store.KeepVault(t.Context(), d, d.Rev, person, audit.New(person, "conflict.resolve", audit.Object{Kind: "secret", ID: x.ID})))
	w.conflict(t, x.ID, "the vault's values are written", settled)
	if a, b, c := w.says(t, "asks", "a"), w.says(t, "asks", "b"), w.says(t, "asks", "new"); a != "1" || b != "1" || c != "(none)" {
		t.Errorf("the cluster has a=%q b=%q new=%q", a, b, c)
	}

	w.change(t, "asks", `{"stringData":{"a":"5"}}`)
	d = w.conflict(t, x.ID, "a person is asked a third time", func(d inventory.Divergence) bool { return d.State == inventory.ConflictOpen })
	w.do(t, w.store.KeepCluster(t.Context(), d, d.Rev, audit.New(person, "conflict.resolve", audit.Object{Kind: "secret", ID: x.ID})))
	w.conflict(t, x.ID, "it is over", settled)
	if a := w.says(t, "asks", "a"); a != "5" {
		t.Errorf("the cluster has a=%q", a)
	}
	w.change(t, "asks", `{"stringData":{"a":"6"}}`)
	d = w.conflict(t, x.ID, "the next change asks again", func(d inventory.Divergence) bool { return d.State == inventory.ConflictOpen })
	w.do(t, w.store.SetDriftPolicy(t.Context(), "secret", x.ID, w.secret(t, "shop", "asks").Rev, inventory.ClusterWins, fetchHappened("secret.update")))
	w.conflict(t, x.ID, "with another policy nobody is asked", settled)
}

func vaultWins(t *testing.T, plane *testbed.ControlPlane) {
	w := newHealWorld(t, plane, inventory.Scope{WholeCluster: true, ReadWrite: true}, inventory.VaultWins)
	x := w.begin(t, "heals", text("a", "1", "b", "1"))
	w.change(t, "heals", `{"stringData":{"a":"2"}}`)
	w.conflict(t, x.ID, "it is healed", func(d inventory.Divergence) bool { return d.State == inventory.ConflictSettled && d.Heals == 1 })
	if a, b := w.says(t, "heals", "a"), w.says(t, "heals", "b"); a != "1" || b != "1" {
		t.Errorf("the cluster has a=%q b=%q", a, b)
	}
	now := w.secret(t, "shop", "heals")
	if now.State != inventory.InSync || !w.data(t, now)["a"].Equal(vault.NewValue([]byte("1"))) || now.Current != x.Current+2 {
		t.Errorf("the Secret is %+v; the state of the cluster and the healed one are versions", now)
	}
	events, err := w.store.AuditEvents(t.Context(), store.AuditFilter{Action: "secret.heal"})
	w.do(t, err)
	if len(events) != 1 || events[0].Details["changed_by"] != "kubectl-patch" || events[0].Details["keys"] != "a" {
		t.Errorf("the log says %+v", events)
	}
}

func mappedWins(t *testing.T, plane *testbed.ControlPlane) {
	w := newHealWorld(t, plane, inventory.Scope{WholeCluster: true, ReadWrite: true}, inventory.VaultWins)
	x := w.begin(t, "mapped", text("url", "postgres://app:first@db/x", "password", "first", "other", "1"))
	account := w.addAccount(t, "app", "first")
	mapper := &inventory.Mapper{Store: repository{w.store}, Vault: w.ring, Owners: w.clusters}
	for key, format := range map[string]composite.Format{"password": "", "url": composite.URL} {
		at := inventory.Entry{SecretID: x.ID, Key: key, Place: composite.Spec{Format: format}}
		_, err := mapper.Map(t.Context(), person, account, at, inventory.KeepNone)
		w.do(t, err)
	}
	w.change(t, "mapped", `{"stringData":{"password":"wrong","url":"postgres://app:wrong@db2/x","other":"1"}}`)
	w.conflict(t, x.ID, "it is healed", func(d inventory.Divergence) bool { return d.State == inventory.ConflictSettled && d.Heals == 1 })
	if p, u := w.says(t, "mapped", "password"), w.says(t, "mapped", "url"); p != "first" || u != "postgres://app:first@db2/x" {
		t.Errorf("the cluster has %q and %q: the credential is put back, what is around it stays", p, u)
	}
	mapped, err := w.store.Mappings(t.Context(), store.Viewer{All: true}, store.MappingQuery{AccountID: account})
	w.do(t, err)
	for _, m := range mapped.Items {
		if m.State != inventory.InSync {
			t.Errorf("the mapping of %s is %s: %s", m.Key, m.State, m.Reason)
		}
	}
}

// addAccount stores an account of a system that Keyturn does not reach.
func (w *healWorld) addAccount(t *testing.T, name, value string) (id string) {
	t.Helper()
	now := time.Now()
	r := inventory.Resource{ID: fetchID(), Name: "db", Type: "generic", CreatedAt: now}
	w.do(t, w.store.AddResource(t.Context(), r, nil, fetchHappened("resource.create")))
	a := inventory.Account{ID: fetchID(), ResourceID: r.ID, Name: name, State: inventory.AccountUnverified, Current: 1, CreatedAt: now}
	sealed, err := w.ring.Seal(inventory.VersionRecord(a.ID, 1), vault.NewValue([]byte(value)))
	w.do(t, err)
	v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now, Sealed: sealed}
	w.do(t, w.store.AddAccount(t.Context(), a, &v, nil, fetchHappened("account.create")))
	return a.ID
}

func comesAgain(t *testing.T, plane *testbed.ControlPlane) {
	w := newHealWorld(t, plane, inventory.Scope{WholeCluster: true, ReadWrite: true}, inventory.Ask)
	x := w.begin(t, "again", text("a", "1"))
	w.change(t, "again", `{"stringData":{"a":"2"}}`)
	w.conflict(t, x.ID, "a person is asked", func(d inventory.Divergence) bool { return d.State == inventory.ConflictOpen })
	w.kubectl(t, "", "-n", "shop", "delete", "secret", "again")
	w.conflict(t, x.ID, "what is gone needs nobody", settled)
	if now := w.secret(t, "shop", "again"); now.State != inventory.Tombstone {
		t.Errorf("the Secret is %s", now.State)
	}
	w.kubectl(t, object{namespace: "shop", name: "again", typ: "Opaque", data: text("a", "3")}.manifest(), "create", "-f", "-")
	w.conflict(t, x.ID, "with other values it asks", func(d inventory.Divergence) bool { return d.State == inventory.ConflictOpen && len(d.Keys) == 1 })
}

func notWrittenOver(t *testing.T, plane *testbed.ControlPlane) {
	w := newHealWorld(t, plane, inventory.Scope{WholeCluster: true, ReadWrite: true}, inventory.VaultWins)
	x := w.begin(t, "owned", text("a", "1"))
	w.change(t, "owned", `{"metadata":{"labels":{"kustomize.toolkit.fluxcd.io/name":"apps"}},"stringData":{"a":"2"}}`)
	d := w.conflict(t, x.ID, "a controller's key is left alone", func(d inventory.Divergence) bool { return d.State == inventory.ConflictStopped })
	if !strings.Contains(d.Reason, "Flux Kustomization apps") || !strings.Contains(d.Cure, "ssa: IfNotPresent") || w.says(t, "owned", "a") != "2" {
		t.Errorf("it stopped with %q, %q", d.Reason, d.Cure)
	}
	if now := w.secret(t, "shop", "owned"); now.State != inventory.Conflict {
		t.Errorf("the Secret is %s", now.State)
	}

	reader := newHealWorld(t, plane, inventory.Scope{WholeCluster: true}, inventory.VaultWins)
	x = reader.begin(t, "readonly", text("a", "1"))
	reader.change(t, "readonly", `{"stringData":{"a":"2"}}`)
	d = reader.conflict(t, x.ID, "a connector that may only read says so", func(d inventory.Divergence) bool { return d.State == inventory.ConflictStopped })
	if d.Reason != "the connector may only read" {
		t.Errorf("it stopped with %q", d.Reason)
	}
}

func stops(t *testing.T, plane *testbed.ControlPlane) {
	w := newHealWorld(t, plane, inventory.Scope{WholeCluster: true, ReadWrite: true}, inventory.VaultWins)
	x := w.begin(t, "fought", text("a", "1"))
	writes := 0
	until(t, "Keyturn stops", func() bool {
		d, err := w.store.Conflict(t.Context(), x.ID)
		if err == nil && d.State == inventory.ConflictStopped {
			return true
		}
		if w.says(t, "fought", "a") == "1" {
			writes++
			w.change(t, "fought", `{"stringData":{"a":"mine"}}`, "--field-manager", "kubectl-peer")
		}
		return false
	})
	d, err := w.store.Conflict(t.Context(), x.ID)
	w.do(t, err)
	if writes != 4 || d.Heals != 3 || !strings.Contains(d.Reason, "kubectl-peer wrote it again each time") || w.says(t, "fought", "a") != "mine" {
		t.Errorf("after %d writes: %+v", writes, d)
	}
	// A person who has ended the fight says so by keeping the vault's.
	w.do(t, w.store.KeepVault(t.Context(), d, d.Rev, person, audit.New(person, "conflict.resolve", audit.Object{Kind: "secret", ID: x.ID})))
	w.conflict(t, x.ID, "the vault's value is written", settled)
	if a := w.says(t, "fought", "a"); a != "1" {
		t.Errorf("the cluster has a=%q", a)
	}
}
