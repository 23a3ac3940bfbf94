package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// World is what [Seed] has put into a repository.
type World struct {
	Clusters   [2]inventory.Cluster
	Namespaces []inventory.Resource // of the clusters in turn, Kubernetes ones
	Database   inventory.Resource   // a PostgreSQL resource
	Accounts   []inventory.Account  // on Database
	Secrets    []inventory.Secret   // spread over Namespaces in turn
	Mappings   []inventory.Mapping  // of the key "password" of every fifth Secret, to Accounts in turn
}

// The sizes of a seeded world beside its Secrets.
const (
	seedNamespaces = 20
	seedAccounts   = 8
	seedMapEvery   = 5
	seedBatch      = 500
)

// Seed fills an empty repository with n Secrets in two clusters, of the keys "password" and "user", and with accounts that
// some of them are mapped to. Nothing in it can be opened: the sealed values are no ciphertexts.
func Seed(t testing.TB, s *store.Store, n int) World {
	t.Helper()
	var w World
	now := time.Now().UTC().Truncate(time.Microsecond)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range w.Clusters {
		w.Clusters[i] = inventory.Cluster{ID: newID(), Name: fmt.Sprintf("prod-%d", i), Server: "https://127.0.0.1:1", UID: newID(), Token: vault.Sealed("token"),
			State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now, Rev: 1}
		do(s.AddCluster(t.Context(), w.Clusters[i], nil, event("cluster.create", "cluster", w.Clusters[i].ID)))
	}
	for i := range seedNamespaces {
		c := w.Clusters[i%len(w.Clusters)]
		ns := fmt.Sprintf("ns%02d", i/len(w.Clusters))
		w.Namespaces = append(w.Namespaces, inventory.Resource{ID: newID(), Name: inventory.KubernetesResourceName(ns, c.Name), Type: inventory.TypeKubernetes,
			ClusterID: c.ID, Namespace: ns, CreatedAt: now, Rev: 1})
	}
	w.Database = inventory.Resource{ID: newID(), Name: "orders-db", Type: "postgresql", Settings: map[string]string{"host": "127.0.0.1"}, CreatedAt: now, Rev: 1}
	for _, r := range append([]inventory.Resource{w.Database}, w.Namespaces...) {
		do(s.AddResource(t.Context(), r, nil, event("resource.create", "resource", r.ID)))
	}
	for i := range seedAccounts {
		a := inventory.Account{ID: newID(), ResourceID: w.Database.ID, Name: fmt.Sprintf("app_%d", i), State: inventory.AccountUnverified, Current: 1, CreatedAt: now, Rev: 1}
		v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now, Sealed: vault.Sealed("sealed")}
		do(s.AddAccount(t.Context(), a, &v, nil, event("account.create", "account", a.ID)))
		w.Accounts = append(w.Accounts, a)
	}
	do(w.seedSecrets(t.Context(), s, n, now))
	for i := 0; i < n; i += seedMapEvery {
		m := inventory.Mapping{ID: newID(), AccountID: w.Accounts[i/seedMapEvery%seedAccounts].ID, SecretID: w.Secrets[i].ID, Key: "password", OnWrite: "restart", Written: 1,
			State: inventory.InSync, CheckedAt: now, Rev: 1}
		do(s.AddMapping(t.Context(), m, event("mapping.create", "account", m.AccountID)))
		w.Mappings = append(w.Mappings, m)
	}
	return w
}

// seedSecrets gives Secrets equal names across namespaces and only two creation times, so that orders have ties.
func (w *World) seedSecrets(ctx context.Context, s *store.Store, n int, now time.Time) error {
	var batch []store.Imported
	for i := range n {
		ns := w.Namespaces[i%len(w.Namespaces)]
		x := inventory.Secret{ID: newID(), ClusterID: ns.ClusterID, ResourceID: ns.ID, Namespace: ns.Namespace, Name: fmt.Sprintf("secret-%05d", i/len(w.Namespaces)),
			UID: newID(), ResourceVersion: "1", Type: "Opaque", Size: 16, State: inventory.InSync, Current: 1, CreatedAt: now.Add(time.Duration(i%2) * time.Hour), SeenAt: now,
			Keys: []inventory.Key{{Name: "password", Size: 8}, {Name: "user", Size: 8}}, Rev: 1}
		w.Secrets = append(w.Secrets, x)
		batch = append(batch, store.Imported{Secret: x, Version: inventory.Version{AccountID: x.ID, Number: 1, Stage: inventory.Current, Source: inventory.Fetched,
			CreatedAt: now, Sealed: vault.Sealed("sealed")}})
		if len(batch) == seedBatch || i == n-1 {
			if err := s.AddSecrets(ctx, batch, event("cluster.fetch", "cluster", ns.ClusterID)); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func event(action, kind, id string) audit.Event {
	return audit.New(identity.System("test"), action, audit.Object{Kind: kind, ID: id})
}
