package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

// TestFiltersOfEverySize asks for few rows and for many, which are found in different ways, and compares every page with
// what was put in.
func TestFiltersOfEverySize(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		w := storetest.Seed(t, s, 3000)
		who := people(t, s, "anna")
		give(t, s, grant("user", who["anna"], "cluster", w.Clusters[0].ID, policy.View))
		state := func(words ...string) store.SecretQuery { return store.SecretQuery{State: words} }
		search := func(text string, q store.SecretQuery) store.SecretQuery {
			q.Search = text
			return q
		}
		for name, q := range map[string]store.SecretQuery{
			"a namespace": {Namespace: "ns03"}, "none": {Namespace: "ns"}, "a state": state("in_sync"), "another state": state("drift"),
			"few found": search("NS03/", store.SecretQuery{}), "many found": search("ns0", store.SecretQuery{}), "nothing found": search("elsewhere", store.SecretQuery{}),
			"many found in a state": search("ns0", state("in_sync", "drift")), "found in a namespace": search("s0", store.SecretQuery{Namespace: "ns03"}),
		} {
			for _, v := range []store.Viewer{all, {UserID: who["anna"]}} {
				var want []string
				for _, x := range w.Secrets {
					path := x.Namespace + "/" + x.Name
					if (v.All || x.ClusterID == w.Clusters[0].ID) && (q.Namespace == "" || q.Namespace == x.Namespace) &&
						strings.Contains(path, strings.ToLower(q.Search)) && (len(q.State) == 0 || slices.Contains(q.State, string(x.State))) {
						want = append(want, path+" "+x.ID)
					}
				}
				slices.Sort(want)
				for _, offset := range []int{0, 100, len(want) - 1, len(want), len(want) + 1} {
					samePage(t, s, v, name, q, max(offset, 0), want)
				}
			}
		}
	})
}

// samePage reads a page from offset on, and the one behind it by its cursor.
func samePage(t *testing.T, s *store.Store, v store.Viewer, name string, q store.SecretQuery, offset int, want []string) {
	t.Helper()
	const limit = 130
	q.Limit, q.Offset = limit, offset
	for range 2 {
		p, err := s.Secrets(t.Context(), v, q)
		must(t, err)
		var got []string
		for _, x := range p.Items {
			got = append(got, x.Namespace+"/"+x.Name+" "+x.ID)
		}
		from := min(offset, len(want))
		to := min(from+limit, len(want))
		if diff := cmp.Diff(want[from:to], got); diff != "" && to > from || len(got) != to-from {
			t.Fatalf("%s from %d on (-want +got):\n%s", name, offset, diff)
		}
		if p.Total != int64(len(want)) || (p.Next == "") != (to == len(want)) {
			t.Fatalf("%s from %d on: total %d of %d, next %q", name, offset, p.Total, len(want), p.Next)
		}
		if p.Next == "" {
			return
		}
		q.Cursor, q.Offset, offset = p.Next, 0, offset+limit
	}
}
