package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

var all = store.Viewer{All: true}

// total returns the total of a list, and fails the test unless the page agrees with it.
func total[T any](t *testing.T, p store.Page[T], err error) int64 {
	t.Helper()
	must(t, err)
	if int64(len(p.Items)) != min(p.Total, 500) && p.Next == "" {
		t.Errorf("%d items of %d", len(p.Items), p.Total)
	}
	return p.Total
}

func TestPagesHoldEachRowOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		w := storetest.Seed(t, s, 2000)
		who := people(t, s, "anna")
		give(t, s, grant("user", who["anna"], "cluster", w.Clusters[0].ID, policy.View))
		for _, v := range []struct {
			store.Viewer
			want int
		}{{all, 2000}, {store.Viewer{UserID: who["anna"]}, 1000}} {
			// Of created there are two values only, so ties decide at every edge of a page.
			for _, sort := range []string{"", "path", "-path", "state", "-state", "created", "-created"} {
				seen := map[string]bool{}
				q := store.SecretQuery{ListQuery: store.ListQuery{Sort: sort, Limit: 123}}
				for {
					p, err := s.Secrets(t.Context(), v.Viewer, q)
					must(t, err)
					for _, x := range p.Items {
						if seen[x.ID] {
							t.Fatalf("sort %q: %s is there twice", sort, x.Name)
						}
						seen[x.ID] = true
					}
					if p.Total != int64(v.want) || p.Counts["in_sync"] != int64(v.want) {
						t.Fatalf("sort %q: total %d, counts %v", sort, p.Total, p.Counts)
					}
					if q.Cursor = p.Next; p.Next == "" {
						break
					}
				}
				if len(seen) != v.want {
					t.Errorf("sort %q: %d rows, want %d", sort, len(seen), v.want)
				}
			}
		}
	})
}

func TestPagesAreInOrder(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		storetest.Seed(t, s, 100)
		whole, err := s.Secrets(t.Context(), all, store.SecretQuery{ListQuery: store.ListQuery{Sort: "-path"}})
		must(t, err)
		for i := 1; i < len(whole.Items); i++ {
			if a, b := whole.Items[i-1], whole.Items[i]; a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name {
				t.Errorf("%s/%s is before %s/%s", a.Namespace, a.Name, b.Namespace, b.Name)
			}
		}
		jump, err := s.Secrets(t.Context(), all, store.SecretQuery{ListQuery: store.ListQuery{Sort: "-path", Offset: 40, Limit: 10}})
		must(t, err)
		if diff := cmp.Diff(whole.Items[40:50], jump.Items); diff != "" {
			t.Error(diff)
		}
		next, err := s.Secrets(t.Context(), all, store.SecretQuery{ListQuery: store.ListQuery{Sort: "-path", Cursor: jump.Next, Limit: 10}})
		must(t, err)
		if diff := cmp.Diff(whole.Items[50:60], next.Items); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSearchTakesNoWildcards(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now()
		for _, name := range []string{"a_b", "aXb", "100%", "100x", `back\slash`, "Mixed-Case"} {
			must(t, s.AddResource(ctx, inventory.Resource{ID: id(), Name: name, Type: "generic", CreatedAt: now}, nil, happened("resource.create")))
		}
		for search, want := range map[string]string{
			"a_b": "a_b", "A_B": "a_b", "0%": "100%", `k\s`: `back\slash`, "mixed": "Mixed-Case", "%": "100%", "_": "a_b", `\`: `back\slash`, "'": "", "\x00": "", "\xff": "",
		} {
			p, err := s.Resources(ctx, all, store.ResourceQuery{ListQuery: store.ListQuery{Search: search}})
			must(t, err)
			var got []string
			for _, r := range p.Items {
				got = append(got, r.Name)
			}
			if strings.Join(got, " ") != want || p.Total != int64(len(got)) {
				t.Errorf("search %q: %q, total %d", search, got, p.Total)
			}
		}
	})
}

func TestListsRefuseWhatTheyCannotAnswer(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		storetest.Seed(t, s, 3)
		page, err := s.Secrets(t.Context(), all, store.SecretQuery{ListQuery: store.ListQuery{Limit: 1}})
		must(t, err)
		created, err := s.Secrets(t.Context(), all, store.SecretQuery{ListQuery: store.ListQuery{Limit: 1, Sort: "created"}})
		must(t, err)
		for name, q := range map[string]store.ListQuery{
			"too many":          {Limit: 501},
			"negative limit":    {Limit: -1},
			"negative offset":   {Offset: -1},
			"two ways":          {Offset: 1, Cursor: page.Next},
			"unknown order":     {Sort: "password"},
			"SQL as the order":  {Sort: "path; DROP TABLE secrets"},
			"other order":       {Sort: "-path", Cursor: page.Next},
			"number for a path": {Sort: "path", Cursor: created.Next},
			"no cursor":         {Cursor: "%%%"},
			"null key":          {Cursor: "eyJzIjoicGF0aCIsImsiOm51bGwsImkiOiIifQ"}, // {"s":"path","k":null,"i":""}
			"number as key":     {Cursor: "eyJzIjoicGF0aCIsImsiOjEsImkiOiIifQ"},     // {"s":"path","k":1,"i":""}
			"text as number":    {Sort: "created", Cursor: "eyJzIjoiY3JlYXRlZCIsImsiOiJhIiwiaSI6IiJ9"},
		} {
			if _, err := s.Secrets(t.Context(), all, store.SecretQuery{ListQuery: q}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v, want a fault.Invalid", name, err)
			}
		}
	})
}

func TestAViewerSeesWhatWasGranted(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 200)
		who := people(t, s, "secret", "account", "cluster", "none")
		sec, acc := w.Secrets[0], w.Accounts[0] // the first Secret is mapped to the first account
		give(t, s, grant("user", who["secret"], "account", sec.ID, policy.Use))
		give(t, s, grant("user", who["account"], "account", acc.ID, policy.Reveal))
		give(t, s, grant("user", who["cluster"], "cluster", w.Clusters[0].ID, policy.Manage))
		must(t, s.OpenRun(ctx, newRun(acc), "", nil, happened("account.reset")), s.OpenRun(ctx, newRun(w.Accounts[1]), "", nil, happened("account.reset")))
		lists := func(v store.Viewer) (n [6]int64) {
			clusters, err := s.Clusters(ctx, v, store.ClusterQuery{})
			n[0] = total(t, clusters, err)
			resources, err := s.Resources(ctx, v, store.ResourceQuery{})
			n[1] = total(t, resources, err)
			accounts, err := s.Accounts(ctx, v, store.AccountQuery{})
			n[2] = total(t, accounts, err)
			secrets, err := s.Secrets(ctx, v, store.SecretQuery{})
			n[3] = total(t, secrets, err)
			mappings, err := s.Mappings(ctx, v, store.MappingQuery{})
			n[4] = total(t, mappings, err)
			runs, err := s.Runs(ctx, v, store.RunQuery{})
			n[5] = total(t, runs, err)
			return n
		}
		for user, want := range map[string][6]int64{
			"secret":  {0, 1, 0, 1, 0, 0},
			"account": {0, 1, 1, 0, 5, 1},
			"cluster": {1, 10, 0, 100, 0, 0},
			"none":    {},
			"gina":    {},
		} {
			if got := lists(store.Viewer{UserID: who[user]}); got != want {
				t.Errorf("%s sees %v, want %v", user, got, want)
			}
		}
		if got := lists(all); got != [6]int64{2, 21, 8, 200, 40, 2} {
			t.Errorf("all: %v", got)
		}
		if got := lists(store.Viewer{}); got != [6]int64{} {
			t.Errorf("nobody: %v", got)
		}
		p, err := s.Resources(ctx, store.Viewer{UserID: who["secret"]}, store.ResourceQuery{})
		must(t, err)
		if r := p.Items[0]; r.ID != sec.ResourceID || r.Accounts != 1 || r.States["in_sync"] != 1 || r.Level != policy.View || r.ClusterName != "prod-0" {
			t.Errorf("the resource of the granted Secret: %+v", r)
		}
		x, err := s.Secrets(ctx, store.Viewer{UserID: who["secret"]}, store.SecretQuery{})
		must(t, err)
		if x.Items[0].ID != sec.ID || x.Items[0].Level != policy.Use || x.Items[0].KeyCount != 2 || mappedKeys(x.Items[0]) != 1 {
			t.Errorf("the granted Secret: %+v", x.Items[0])
		}
	})
}

func TestRowsCarryTheirNamesAndCounts(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 200)
		run := newRun(w.Accounts[0])
		must(t, s.OpenRun(ctx, run, "", nil, happened("account.reset")))
		c, err := s.Clusters(ctx, all, store.ClusterQuery{ListQuery: store.ListQuery{Search: "PROD-0"}})
		must(t, err)
		if r := c.Items[0]; c.Total != 1 || r.Resources != 10 || r.Secrets != 100 || r.Mapped != 20 || r.Drifting != 0 || r.Token != nil {
			t.Errorf("%+v", c.Items)
		}
		a, err := s.Accounts(ctx, all, store.AccountQuery{Type: []string{"postgresql", "mysql"}, Name: "app_0"})
		must(t, err)
		if r := a.Items[0]; a.Total != 1 || r.ResourceName != "orders-db" || r.ResourceType != "postgresql" || r.Mappings["in_sync"] != 5 || r.OpenRun != run.ID || r.ChangedAt.IsZero() {
			t.Errorf("%+v", a.Items)
		}
		for sort := range map[string]bool{"created": true, "-secret": true, "account": true, "key": true, "state": true, "checked": true} {
			m, err := s.Mappings(ctx, all, store.MappingQuery{SecretID: w.Secrets[0].ID, ClusterID: w.Clusters[0].ID, ResourceID: w.Database.ID,
				ListQuery: store.ListQuery{Search: "PASS", Sort: sort}})
			must(t, err)
			want := store.MappingRow{Mapping: w.Mappings[0], AccountName: "app_0", ResourceID: w.Database.ID, ResourceName: "orders-db", ClusterID: w.Clusters[0].ID,
				ClusterName: "prod-0", Namespace: "ns00", SecretName: "secret-00000", Current: 1, Level: policy.View}
			if len(m.Items) != 1 {
				t.Fatalf("sort %s: %+v", sort, m)
			}
			want.CreatedAt = m.Items[0].CreatedAt
			if diff := cmp.Diff(want, m.Items[0]); diff != "" {
				t.Errorf("sort %s: %s", sort, diff)
			}
		}
		r, err := s.Runs(ctx, all, store.RunQuery{AccountID: w.Accounts[0].ID, State: []string{"queued"}})
		must(t, err)
		if len(r.Items) != 1 || r.Items[0].AccountName != "app_0" || r.Items[0].Writes != 5 || r.Items[0].Proved != 0 {
			t.Errorf("%+v", r)
		}
		leased, err := s.Claim(ctx, run.ID, "w", time.Minute)
		must(t, err)
		writes, err := s.Writes(ctx, leased)
		must(t, err)
		writes[0].State, writes[1].State = rotation.WriteDone, rotation.WriteHeld
		must(t, s.SaveWrites(ctx, leased, writes[:2], nil))
		if r, err = s.Runs(ctx, all, store.RunQuery{ID: run.ID}); err != nil || r.Items[0].Writes != 5 || r.Items[0].Proved != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err = s.Runs(ctx, all, store.RunQuery{State: []string{"done"}}); err != nil || r.Total != 0 || r.Counts["running"] != 1 {
			t.Errorf("counts are by every filter but the state's: %+v, %v", r, err)
		}
	})
}

func TestSecretsAreFoundByName(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 30)
		want := w.Secrets[7]
		byID, err := s.Secret(ctx, want.ID)
		must(t, err)
		if diff := cmp.Diff(want, byID, cmp.Transformer("labels", func(m map[string]string) int { return len(m) })); diff != "" {
			t.Error(diff)
		}
		at, err := s.Stored(ctx, want.ClusterID, []inventory.Place{{Namespace: want.Namespace, Name: want.Name}})
		must(t, err)
		if len(at) != 1 || at[0].ID != want.ID {
			t.Errorf("%+v", at)
		}
		keys, err := s.SecretKeys(ctx, w.Secrets[0].ID, w.Secrets[1].ID, w.Secrets[2].ID, "none")
		must(t, err)
		if len(keys) != 3 || len(keys[w.Secrets[2].ID]) != 2 {
			t.Errorf("%v", keys)
		}
		c, err := s.ClusterByName(ctx, "prod-1")
		must(t, err)
		r, err := s.ResourceByName(ctx, "ns00-prod-1")
		must(t, err)
		if c.ID != w.Clusters[1].ID || r.ID != w.Namespaces[1].ID {
			t.Errorf("%+v %+v", c, r)
		}
		if _, err := s.Secret(ctx, "\x00"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("got %v", err)
		}
	})
}

func BenchmarkSecretsPage(b *testing.B) {
	both(b, func(b *testing.B, s *store.Store) {
		w := storetest.Seed(b, s, 10000)
		ctx := context.Background()
		user := id()
		check(b, s.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO users (id, name, display_name, role, disabled, password_hash, password_set_at, last_login_at, created_at, rev)
				VALUES ($1, 'u', '', 'user', 0, '', 0, 0, 0, 1)`, user)
			return err
		}))
		check(b, s.AddGrant(ctx, grant("user", user, "cluster", w.Clusters[0].ID, policy.Manage), happened("grant.create")))
		for name, q := range map[string]store.SecretQuery{
			"first":    {},
			"cluster":  {ClusterID: w.Clusters[0].ID},
			"resource": {ResourceID: w.Namespaces[0].ID},
			"search":   {ListQuery: store.ListQuery{Search: "secret-001"}},
			"offset":   {ListQuery: store.ListQuery{Offset: 5000}},
			"created":  {ListQuery: store.ListQuery{Sort: "-created"}},
		} {
			for viewer, v := range map[string]store.Viewer{"all": all, "user": {UserID: user}} {
				b.Run(fmt.Sprintf("%s/%s", name, viewer), func(b *testing.B) {
					for b.Loop() {
						_, err := s.Secrets(ctx, v, q)
						check(b, err)
					}
				})
			}
		}
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
