package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// TestSecretVersionsSayWhatChanged compares the stored history of Secrets whose keys come, change and go at random with one
// that is made of all the states they went through.
func TestSecretVersionsSayWhatChanged(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, seed := t.Context(), uint64(time.Now().UnixNano())
		rnd := rand.New(rand.NewPCG(seed, 1))
		t.Logf("seed %d", seed)
		c := aCluster(t, s, "c")
		for n := range 5 {
			x := inventory.Secret{ID: id(), Namespace: "ns", Name: fmt.Sprintf("s%d", n), UID: "u", Type: "Opaque", State: inventory.InSync, CreatedAt: time.Now(), SeenAt: time.Now()}
			var want []store.SecretVersion
			was := map[string]byte{}
			for number := int64(1); number <= 12; number++ {
				now := map[string]byte{}
				for _, key := range []string{"a", "b", "c", "d"} {
					switch old, there := was[key]; {
					case rnd.IntN(3) == 0: // it is gone, or not there yet
					case there && rnd.IntN(2) == 0:
						now[key] = old
					default:
						now[key] = byte(rnd.IntN(3))
					}
				}
				var changes []inventory.KeyChange
				x.Keys = nil
				for _, key := range []string{"a", "b", "c", "d"} {
					old, had := was[key]
					value, has := now[key]
					if has {
						x.Keys = append(x.Keys, inventory.Key{Name: key, Size: 1, Fingerprint: vault.Fingerprint{value}})
					}
					switch {
					case has && !had:
						changes = append(changes, inventory.KeyChange{Name: key, Change: inventory.KeyAdded})
					case had && !has:
						changes = append(changes, inventory.KeyChange{Name: key, Change: inventory.KeyRemoved})
					case old != value:
						changes = append(changes, inventory.KeyChange{Name: key, Change: inventory.KeyChanged})
					}
				}
				v := inventory.Version{AccountID: x.ID, Number: number, Stage: inventory.Current, Source: inventory.Fetched, ActorName: "test", CreatedAt: time.Now().Truncate(time.Microsecond).UTC(), Sealed: vault.Sealed("sealed")}
				x.Current, x.ResourceVersion = number, fmt.Sprint(number)
				moved, err := s.SawSecrets(ctx, c.ID, []inventory.Import{{Secret: x, Base: number - 1, Values: &v}}, happened("secret.import"))
				if must(t, err); len(moved) != 0 {
					t.Fatalf("%v were not stored", moved)
				}
				want, was = append(want, store.SecretVersion{Version: v, Keys: changes}), now
			}
			slices.Reverse(want)
			var got []store.SecretVersion
			q := store.SecretVersionQuery{SecretID: x.ID, Limit: 5}
			for {
				p, err := s.SecretVersions(ctx, store.Viewer{All: true}, q)
				must(t, err)
				if p.Total != 12 {
					t.Errorf("there are %d versions", p.Total)
				}
				got = append(got, p.Items...)
				if q.Cursor = p.Next; q.Cursor == "" {
					break
				}
			}
			for i := range got { // where they stand is another test's
				got[i].Stage, got[i].RetiredAt = inventory.Current, time.Time{}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-all states +history):\n%s", d)
			}
		}
	})
}

func TestSecretVersionsAreForWhoMayKnowOfTheSecret(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		w := storetest.Seed(t, s, 2)
		somebody := person(t, s, "somebody", identity.PlainUser).ID
		see := func(of inventory.Secret) int {
			t.Helper()
			p, err := s.SecretVersions(t.Context(), store.Viewer{UserID: somebody}, store.SecretVersionQuery{SecretID: of.ID})
			must(t, err)
			if int64(len(p.Items)) != p.Total {
				t.Errorf("%d of %d", len(p.Items), p.Total)
			}
			return len(p.Items)
		}
		if see(w.Secrets[0]) != 0 {
			t.Error("somebody without a grant sees a history")
		}
		g := access.Grant{ID: id(), SubjectKind: access.User, SubjectID: somebody, ObjectKind: access.Account, ObjectID: w.Secrets[0].ID, Level: policy.View, CreatedAt: time.Now()}
		must(t, s.AddGrant(t.Context(), g, happened("grant.create")))
		if see(w.Secrets[0]) != 1 || see(w.Secrets[1]) != 0 {
			t.Error("a grant on one Secret shows the history of another, or not its own")
		}
	})
}
