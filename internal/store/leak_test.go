package store_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestExposedAreThoseThatHoldTheValueOrAreMappedToAKeyThatDoes(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := equalWorld(t, s, seeded(t))
		resource := w.Database
		repairer := w.Accounts[0].ID
		resource.ReconcileAccountID = repairer
		must(t, s.UpdateResource(ctx, resource, 1, happened("resource.update")))
		who := people(t, s, "anna", "bert")
		give(t, s, grant("user", who["anna"], "resource", w.Database.ID, policy.Use))
		give(t, s, grant("user", who["bert"], "resource", w.Database.ID, policy.Reveal))
		for n := range 40 {
			print := vault.Fingerprint{1, byte(n)}
			want := map[string]rotation.Exposed{}
			for id, p := range w.accounts {
				if p == print {
					want[id] = rotation.Exposed{AccountID: id, Current: true}
				}
			}
			for _, k := range w.keys {
				if k.mapped != "" && k.print == print && !k.gone {
					x := want[k.mapped]
					x.AccountID = k.mapped
					x.InKeys++
					want[k.mapped] = x
				}
			}
			for _, v := range []store.Viewer{all, {UserID: who["bert"]}} {
				got, more, err := s.Exposed(ctx, v, []vault.Fingerprint{print})
				must(t, err)
				have := map[string]rotation.Exposed{}
				for _, x := range got {
					if x.ResourceName != "orders-db" || x.Keys < x.InKeys || x.Clusters > x.Namespaces || len(x.Repairs) > 0 != (x.AccountID == repairer) {
						t.Errorf("value %d: %+v", n, x)
					}
					have[x.AccountID] = rotation.Exposed{AccountID: x.AccountID, Current: x.Current, InKeys: x.InKeys, Pending: x.Pending, Previous: x.Previous}
				}
				if d := cmp.Diff(want, have); d != "" || more {
					t.Errorf("value %d (-want +got):\n%s", n, d)
				}
			}
			if got, _, err := s.Exposed(ctx, store.Viewer{UserID: who["anna"]}, []vault.Fingerprint{print}); err != nil || len(got) != 0 {
				t.Errorf("who may not reveal the accounts is told of %+v, %v", got, err)
			}
		}
	})
}

func TestKnownReadersAreThoseOfTheLastCensus(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 2)
		known := func() (names []string) {
			t.Helper()
			all, err := s.KnownReaders(ctx, []string{a.ID, rand.Text()}, 10)
			must(t, err)
			for _, k := range all {
				names = append(names, k.ClusterName+"/"+k.Namespace+"/"+k.Kind+"/"+k.Name)
				if k.AccountID != a.ID || k.SeenAt.IsZero() {
					t.Errorf("read: %+v", k)
				}
			}
			return names
		}
		if got := known(); len(got) != 0 {
			t.Errorf("before any run: %v", got)
		}
		for _, names := range [][]string{{"old", "both"}, {"both", "new"}} {
			r := newRun(a)
			must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
			run, err := s.Claim(ctx, r.ID, "w1", time.Minute)
			must(t, err)
			writes, err := s.Writes(ctx, run)
			must(t, err)
			var found []rotation.Rollout
			for _, name := range names {
				found = append(found, rotation.Rollout{Workload: rotation.Workload{ClusterID: writes[0].ClusterID, Kind: "Deployment", Namespace: "shop", Name: name, UID: name},
					State: rotation.RolloutToDo, At: time.Now()})
			}
			must(t, s.SaveCensus(ctx, run, writes[0].ClusterID, "", found, happened("run.census")))
			run.State = rotation.Cancelled
			must(t, s.Advance(ctx, run, happened("run.cancelled")))
		}
		r := newRun(a) // one that has not looked yet takes nothing away
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		if d := cmp.Diff([]string{"c/shop/Deployment/both", "c/shop/Deployment/new"}, known()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// Every way in which an account gets a value leaves its mark beside it.
func TestVersionsAreFoundInEveryStage(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		mark := func(n byte) vault.Mark { return vault.Mark{Print: vault.Fingerprint{n}} }
		must(t, s.SetAccountValue(ctx, a.ID, inventory.Version{AccountID: a.ID, Number: 2, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("2"), Mark: mark(2)}, happened("account.update")))
		must(t, s.SetAccountValue(ctx, a.ID, inventory.Version{AccountID: a.ID, Number: 3, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("3"), Mark: mark(3)}, happened("account.update")))
		must(t, s.SetAccountValue(ctx, a.ID, inventory.Version{AccountID: a.ID, Number: 4, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("4"), Mark: mark(4)}, happened("account.update")))
		a.Current = 4
		r := newRun(a)
		r.New, r.Typed, r.Mark = 5, true, mark(5)
		must(t, s.OpenRun(ctx, r, rotation.GivenTyped, vault.Sealed("5"), happened("account.reset")))
		for n, want := range map[byte]string{2: "retired", 3: "previous", 4: "current", 5: "pending", 6: ""} {
			p, err := s.Holders(ctx, all, store.HolderQuery{Prints: []vault.Fingerprint{{n}}})
			must(t, err)
			var got []string
			for _, h := range p.Items {
				got = append(got, h.Stage)
			}
			if want == "" && len(got) > 0 || want != "" && !slices.Equal(got, []string{want}) {
				t.Errorf("version %d: %v, want %s", n, got, want)
			}
		}
	})
}
