package store_test

import (
	"testing"

	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

func TestSecretsWithUnmappedKeys(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.Seed(t, s, 30)
		all := store.Viewer{All: true}
		page, err := s.Secrets(ctx, all, store.SecretQuery{ListQuery: store.ListQuery{Limit: 500}})
		must(t, err)
		want, mapped := map[string]int{}, 0
		for _, row := range page.Items {
			if n := int(row.KeyCount - mappedKeys(row)); n > 0 {
				want[row.ID] = n
			}
			mapped += int(mappedKeys(row))
		}
		open, err := s.Secrets(ctx, all, store.SecretQuery{ListQuery: store.ListQuery{Limit: 500}, Unmapped: true})
		must(t, err)
		if len(open.Items) != len(want) || int(open.Total) != len(want) || mapped == 0 {
			t.Fatalf("%d Secrets, %d in all, want %d; %d keys are mapped", len(open.Items), open.Total, len(want), mapped)
		}
		var ids []string
		for _, row := range page.Items {
			ids = append(ids, row.ID)
		}
		keys, err := s.UnmappedKeys(ctx, ids...)
		must(t, err)
		for id, n := range want {
			if len(keys[id]) != n {
				t.Errorf("%d keys of %s, want %d", len(keys[id]), id, n)
			}
		}
		if len(keys) != len(want) {
			t.Errorf("keys of %d Secrets, want %d", len(keys), len(want))
		}
	})
}

func mappedKeys(row store.SecretRow) (sum int64) {
	for _, n := range row.Mappings {
		sum += n
	}
	return sum
}
