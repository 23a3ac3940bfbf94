package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// heldKey is a key of the model that the grouping is compared with.
type heldKey struct {
	secret  inventory.Secret
	name    string
	print   vault.Fingerprint
	common  bool
	mapped  string // to which account
	cluster string
	gone    bool
}

// seeded draws a world, and says how to draw it again.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

type heldWorld struct {
	storetest.World
	keys     []heldKey
	accounts map[string]vault.Fingerprint // the current value of each
}

// equalWorld stores random keys and accounts of few values, some of them mapped and some of deleted Secrets.
func equalWorld(t *testing.T, s *store.Store, rnd *rand.Rand) heldWorld {
	t.Helper()
	w := heldWorld{World: storetest.Seed(t, s, 0), accounts: map[string]vault.Fingerprint{}}
	print := func() vault.Fingerprint { return vault.Fingerprint{1, byte(rnd.IntN(40))} }
	for i := range 12 {
		a := inventory.Account{ID: id(), ResourceID: w.Database.ID, Name: fmt.Sprintf("own_%d", i), State: inventory.AccountUnverified, Current: 1, CreatedAt: time.Now(), Rev: 1}
		w.accounts[a.ID] = print()
		v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("sealed"),
			Mark: vault.Mark{Print: w.accounts[a.ID]}}
		must(t, s.AddAccount(t.Context(), a, &v, nil, happened("account.create")))
		w.Accounts = append(w.Accounts, a)
	}
	own := w.Accounts[len(w.Accounts)-12:]
	fetches := map[string]inventory.Fetch{}
	for _, c := range w.Clusters {
		fetches[c.ID] = claimed(t, s, c)
	}
	for i := range 60 {
		ns := w.Namespaces[i%4]
		x := inventory.Secret{ID: id(), ClusterID: ns.ClusterID, ResourceID: ns.ID, Namespace: ns.Namespace, Name: fmt.Sprintf("s%02d", i), UID: id(), ResourceVersion: "1",
			Type: "Opaque", State: inventory.InSync, Current: 1, CreatedAt: time.Now(), SeenAt: time.Now(), Rev: 1}
		for _, name := range []string{"a", "b"} {
			k := inventory.Key{Name: name, Size: 8, Fingerprint: print(), Common: rnd.IntN(8) == 0}
			if k.Common {
				k.Fingerprint = vault.Fingerprint{2, byte(rnd.IntN(2))}
			}
			x.Keys = append(x.Keys, k)
			w.keys = append(w.keys, heldKey{secret: x, name: name, print: k.Fingerprint, common: k.Common, cluster: ns.ClusterID})
		}
		must(t, s.AddSecrets(t.Context(), []store.Imported{{Secret: x, Version: inventory.Version{AccountID: x.ID, Number: 1, Stage: inventory.Current,
			Source: inventory.Fetched, CreatedAt: time.Now(), Sealed: vault.Sealed("sealed")}}}, happened("cluster.fetch")))
		if rnd.IntN(3) == 0 {
			a := own[rnd.IntN(len(own))]
			m := inventory.Mapping{ID: id(), AccountID: a.ID, SecretID: x.ID, Key: "a", OnWrite: "restart", State: inventory.InSync, CheckedAt: time.Now(), Rev: 1}
			must(t, s.AddMapping(t.Context(), m, happened("mapping.create")))
			w.keys[len(w.keys)-2].mapped = a.ID
		}
		if rnd.IntN(6) == 0 {
			_, err := s.MarkGone(t.Context(), fetches[ns.ClusterID], []string{x.ID}, time.Now().Add(time.Hour), happened("cluster.fetch"))
			must(t, err)
			w.keys[len(w.keys)-1].gone, w.keys[len(w.keys)-2].gone = true, true
		}
	}
	return w
}

// groups is what [store.Store.Equals] should find of what the viewer may read, without fingerprints in an order.
func (w heldWorld) groups(secret func(heldKey) bool, account func(string) bool) []store.Equal {
	by := map[vault.Fingerprint]*store.Equal{}
	namespaces, clusters, own := map[vault.Fingerprint]map[string]bool{}, map[vault.Fingerprint]map[string]bool{}, map[vault.Fingerprint]bool{}
	of := func(p vault.Fingerprint) *store.Equal {
		if by[p] == nil {
			by[p], namespaces[p], clusters[p] = &store.Equal{Print: p}, map[string]bool{}, map[string]bool{}
		}
		return by[p]
	}
	for id, p := range w.accounts {
		if account(id) {
			of(p).Accounts++
		}
	}
	for _, k := range w.keys {
		if k.common || k.gone || !secret(k) {
			continue
		}
		e := of(k.print)
		e.Keys++
		namespaces[k.print][k.secret.ResourceID], clusters[k.print][k.cluster] = true, true
		if k.mapped != "" {
			e.Mapped++
			own[k.print] = own[k.print] || w.accounts[k.mapped] == k.print && account(k.mapped)
		}
	}
	var out []store.Equal
	for p, e := range by {
		e.Namespaces, e.Clusters = int64(len(namespaces[p])), int64(len(clusters[p]))
		if e.Places() > 1 && !(e.Keys == 1 && e.Accounts == 1 && own[p]) {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(a, b store.Equal) int {
		return cmp.Or(cmp.Compare(b.Places(), a.Places()), slices.Compare(b.Print[:], a.Print[:]))
	})
	return out
}

func TestEqualValuesAreThoseThatTheViewerMayRead(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := equalWorld(t, s, seeded(t))
		who := people(t, s, "anna", "bert", "cleo", "dora")
		for _, g := range []access.Grant{grant("user", who["anna"], "cluster", w.Clusters[0].ID, policy.Reveal),
			grant("user", who["bert"], "resource", w.Namespaces[1].ID, policy.Manage), grant("user", who["bert"], "resource", w.Database.ID, policy.Reveal),
			grant("user", who["cleo"], "cluster", w.Clusters[0].ID, policy.Use), grant("user", who["cleo"], "cluster", w.Clusters[1].ID, policy.View)} {
			give(t, s, g)
		}
		everyKey, noAccount := func(heldKey) bool { return true }, func(string) bool { return false }
		for name, x := range map[string]struct {
			store.Viewer
			want []store.Equal
		}{
			"everybody's": {all, w.groups(everyKey, func(string) bool { return true })},
			"a cluster":   {store.Viewer{UserID: who["anna"]}, w.groups(func(k heldKey) bool { return k.cluster == w.Clusters[0].ID }, noAccount)},
			"a namespace and a database": {store.Viewer{UserID: who["bert"]},
				w.groups(func(k heldKey) bool { return k.secret.ResourceID == w.Namespaces[1].ID }, func(string) bool { return true })},
			"seen, not read": {store.Viewer{UserID: who["cleo"]}, nil},
			"no grant":       {store.Viewer{UserID: who["dora"]}, nil},
		} {
			var got []store.Equal
			q := store.EqualQuery{Limit: 3}
			for more := true; more; {
				p, err := s.Equals(ctx, x.Viewer, q)
				must(t, err)
				if int(p.Total) != len(x.want) && len(p.Items) > 0 {
					t.Errorf("%s: the total is %d, want %d", name, p.Total, len(x.want))
				}
				for i := range p.Items {
					if e := &p.Items[i]; (e.Example == "") != (e.Keys == 0) {
						t.Errorf("%s: the example %q of %d keys", name, e.Example, e.Keys)
					}
					p.Items[i].Example = ""
				}
				got = append(got, p.Items...)
				if more = p.More; more {
					q.After = &got[len(got)-1]
				}
			}
			if d := gocmp.Diff(x.want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
			w.compareHolders(t, s, name, x.Viewer, got)
		}
	})
}

// compareHolders compares the places of each value with its counts, and looks for values that are in no group.
func (w heldWorld) compareHolders(t *testing.T, s *store.Store, name string, v store.Viewer, all []store.Equal) {
	t.Helper()
	for _, e := range all {
		seen := map[string]bool{}
		q := store.HolderQuery{Prints: []vault.Fingerprint{e.Print}, Now: true, Limit: 2}
		for {
			p, err := s.Holders(t.Context(), v, q)
			must(t, err)
			if p.Counts["keys"] != e.Keys || p.Counts["versions"] != e.Accounts || p.Total != e.Places() {
				t.Errorf("%s: the places of %v count %v", name, e, p.Counts)
			}
			for _, h := range p.Items {
				seen[h.AccountID+h.SecretID+h.Key+fmt.Sprint(h.IsKey())] = true
			}
			if q.Cursor = p.Next; q.Cursor == "" {
				break
			}
		}
		if int64(len(seen)) != e.Places() {
			t.Errorf("%s: %d places of %v", name, len(seen), e)
		}
		one, err := s.Equals(t.Context(), v, store.EqualQuery{Print: &e.Print})
		must(t, err)
		if len(one.Items) != 1 || one.Total != 1 || one.Items[0].Places() != e.Places() {
			t.Errorf("%s: asked for alone: %+v", name, one)
		}
	}
	none := vault.Fingerprint{9}
	p, err := s.Equals(t.Context(), v, store.EqualQuery{Print: &none})
	if err != nil || len(p.Items) > 0 {
		t.Errorf("%s: a value that nobody holds: %+v, %v", name, p, err)
	}
}

func TestWhatAKeyOnceHeldIsFound(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, c, secret := t.Context(), aCluster(t, s, "c"), id()
		f := claimed(t, s, c)
		for version, value := range []byte{0, 7, 8, 8, 7, 9} {
			if version == 0 {
				continue
			}
			_, err := s.ImportSecrets(ctx, f, []inventory.Import{imported(secret, "ns", "db", "u", int64(version-1), int64(version), value)}, happened("secret.import"))
			must(t, err)
		}
		holders := func(value byte, now bool) []store.Holder {
			p, err := s.Holders(ctx, all, store.HolderQuery{Prints: []vault.Fingerprint{{value}}, Now: now})
			must(t, err)
			if int(p.Total) != len(p.Items) {
				t.Errorf("value %d: %d in all, %d here", value, p.Total, len(p.Items))
			}
			return p.Items
		}
		for value, want := range map[byte]struct {
			version int64
			stage   string
		}{7: {4, "previous"}, 8: {3, "retired"}, 9: {5, "current"}} {
			got := holders(value, false)
			if len(got) != 1 || got[0].Version != want.version || got[0].Stage != want.stage || got[0].SecretID != secret || got[0].Key != "password" || got[0].At.IsZero() {
				t.Errorf("value %d: %+v, want version %d", value, got, want.version)
			}
			if now := holders(value, true); len(now) > 0 != (want.stage == "current") {
				t.Errorf("value %d now: %+v", value, now)
			}
		}
		// A value that comes back is held now, and nowhere else.
		_, err := s.ImportSecrets(ctx, f, []inventory.Import{imported(secret, "ns", "db", "u", 5, 6, 7)}, happened("secret.import"))
		must(t, err)
		if got := holders(7, false); len(got) != 1 || got[0].Stage != "current" || got[0].Version != 6 {
			t.Errorf("the value that came back: %+v", got)
		}
	})
}
