package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// Two accounts have keys in one Secret. The run of the one puts another Secret in its place; the other account's mapping
// moves with it, and its run has to wait.
func TestWhatIsMappedToAReplacedSecretMovesWithTheProof(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now()
		a := mapped(t, s, 1)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w1", time.Minute)
		must(t, err)
		writes, err := s.Writes(ctx, run)
		must(t, err)
		w := writes[0]
		old, err := s.Secret(ctx, w.SecretID)
		must(t, err)

		b := inventory.Account{ID: id(), ResourceID: a.ResourceID, Name: "other", State: inventory.AccountUnverified, Current: 1, CreatedAt: now}
		must(t, s.AddAccount(ctx, b, &inventory.Version{AccountID: b.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now, Sealed: vault.Sealed("x")}, nil, happened("account.create")),
			s.AddMapping(ctx, inventory.Mapping{ID: id(), AccountID: b.ID, SecretID: w.SecretID, Key: "other", State: inventory.InSync, Written: 1}, happened("mapping.create")))
		late := newRun(b)
		must(t, s.OpenRun(ctx, late, "", nil, happened("account.reset")))
		later, err := s.Claim(ctx, late.ID, "w1", time.Minute)
		must(t, err)

		next := rotation.Replacement{RunID: run.ID, ClusterID: w.ClusterID, Namespace: "shop", Old: w.Name, OldUID: "uid", New: w.Name + "-1"}
		must(t, s.SaveReplacement(ctx, run, next, happened("secret.replace")))
		next.New = w.Name + "-2"
		must(t, s.SaveReplacement(ctx, run, next, happened("secret.replace")))
		held := func(when string, of rotation.Run, old string) {
			t.Helper()
			x := rotation.Replacement{RunID: of.ID, ClusterID: w.ClusterID, Namespace: "shop", Old: old, OldUID: "uid", New: old + "-9"}
			if err := s.SaveReplacement(ctx, of, x, happened("secret.replace")); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s: %v", when, err)
			}
		}
		held("the same Secret", later, w.Name)
		lost := run
		lost.Fence--
		if err := s.SaveReplacement(ctx, lost, next, happened("secret.replace")); fault.KindOf(err) != fault.Stale {
			t.Errorf("with a lost lease: %v", err)
		}

		made := old
		made.ID, made.Name, made.UID, made.ResourceVersion = id(), next.New, "uid-2", "7"
		print := vault.Fingerprint{7}
		made.Keys = []inventory.Key{{Name: "password", Size: 8, Fingerprint: print}, {Name: "other", Size: 3}}
		must(t, s.AddSecrets(ctx, []store.Imported{{Secret: made, Version: inventory.Version{AccountID: made.ID, Number: 1, Stage: inventory.Current, Source: inventory.Fetched, CreatedAt: now, Sealed: vault.Sealed("y")}}}, happened("cluster.fetch")))
		w.State, w.At, w.Proof = rotation.WriteDone, now, rotation.Proof{ResourceVersion: "7", Value: print}
		w.Moved = next
		w.Moved.NewUID = "another"
		if err := s.SaveWrites(ctx, run, []rotation.Write{w}, []audit.Event{happened("secret.write")}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a Secret that the repository was not told of: %v", err)
		}
		w.Moved.NewUID = "uid-2"
		run.New = 2
		must(t, s.SaveWrites(ctx, run, []rotation.Write{w}, []audit.Event{happened("secret.write")}))

		for key, of := range map[string]string{"password": a.ID, "other": b.ID} {
			m, err := s.MappingOf(ctx, made.ID, key)
			if err != nil || m.AccountID != of || m.State != inventory.InSync {
				t.Errorf("%s: %+v, %v", key, m, err)
			}
			if _, err := s.MappingOf(ctx, old.ID, key); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s is mapped to the old Secret: %v", key, err)
			}
		}
		if others, err := s.Writes(ctx, later); err != nil || len(others) != 1 || others[0].Name != next.New || others[0].UID != "uid-2" {
			t.Errorf("of the other account: %+v, %v", others, err)
		}
		if again, err := s.Writes(ctx, run); err != nil || len(again) != 1 || again[0].Name != next.New || again[0].UID != "uid-2" || again[0].State != rotation.WriteDone {
			t.Errorf("%+v, %v", again, err)
		}
		all, err := s.Replacements(ctx, run)
		must(t, err)
		if diff := cmp.Diff([]rotation.Replacement{w.Moved}, all); diff != "" {
			t.Errorf("replacements (-want +got):\n%s", diff)
		}
		held("the Secret that was made", later, next.New)
		gone := w.Moved
		gone.Gone = true
		must(t, s.SaveReplacement(ctx, run, gone, happened("secret.delete")))
		run.State = rotation.Finished
		must(t, s.Advance(ctx, run, happened("run.done")))
		held("where nothing of the account is mapped any more", later, w.Name)
		must(t, s.SaveReplacement(ctx, later, rotation.Replacement{RunID: later.ID, ClusterID: w.ClusterID, Namespace: "shop", Old: next.New, OldUID: "uid-2", New: w.Name + "-3"}, happened("secret.replace")))
	})
}
