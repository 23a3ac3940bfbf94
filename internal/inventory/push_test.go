package inventory

import (
	"maps"
	"slices"
	"testing"

	"github.com/keyturn/keyturn/internal/vault"
)

func valuesOf(pairs ...string) map[string]vault.Value {
	out := map[string]vault.Value{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = vault.NewValue([]byte(pairs[i+1]))
	}
	return out
}

func TestDifferingIsNoMoreThanWhatDiffers(t *testing.T) {
	have, want := valuesOf("a", "1", "b", "1", "d", "1"), valuesOf("a", "1", "b", "2", "c", "1")
	for _, tt := range []struct {
		name    string
		only    []string
		set     []string
		gone    []string
		changes []KeyChange
	}{
		{"all", nil, []string{"b", "c"}, []string{"d"}, []KeyChange{{"b", KeyChanged}, {"c", KeyAdded}, {"d", KeyRemoved}}},
		{"one that is the same", []string{"a"}, nil, nil, nil},
		{"one that goes", []string{"d"}, nil, []string{"d"}, []KeyChange{{"d", KeyRemoved}}},
		{"one that comes", []string{"c", "a"}, []string{"c"}, nil, []KeyChange{{"c", KeyAdded}}},
	} {
		set, gone, changes := differing(have, want, push{only: tt.only}.wants)
		if !slices.Equal(slices.Sorted(maps.Keys(set)), tt.set) || !slices.Equal(gone, tt.gone) || !slices.Equal(changes, tt.changes) {
			t.Errorf("%s: sets %v, takes away %v: %v", tt.name, slices.Sorted(maps.Keys(set)), gone, changes)
		}
	}
}

func TestWhichVersionIsRestored(t *testing.T) {
	for _, tt := range []struct {
		name        string
		secret      Secret
		asked, want int64 // want 0: refused
	}{
		{"the one before", Secret{Current: 3, State: InSync}, 0, 2},
		{"there is none before", Secret{Current: 1, State: InSync}, 0, 0},
		{"a tombstone's last", Secret{Current: 1, State: Tombstone}, 0, 1},
		{"an older one of a tombstone", Secret{Current: 4, State: Tombstone}, 2, 2},
		{"one that is not there", Secret{Current: 3, State: InSync}, 4, 0},
		{"a token that the cluster made", Secret{Current: 3, State: Tombstone, Type: "kubernetes.io/service-account-token"}, 2, 0},
	} {
		got, err := tt.secret.restorable(tt.asked)
		if got != tt.want || (err != nil) != (tt.want == 0) {
			t.Errorf("%s: %d, %v", tt.name, got, err)
		}
	}
}
