package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

func code(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return ""
	}
	return f.Code
}

// end lets a run that was opened end as cancelled.
func end(t *testing.T, s *store.Store, runID string) {
	t.Helper()
	run, err := s.Claim(t.Context(), runID, "w", time.Minute)
	must(t, err)
	run.State = rotation.RolledBack
	must(t, s.Advance(t.Context(), run, happened("run.rolled_back")))
}

func TestAnAccountIsChangedOnItsRevision(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 1)
		a := w.Accounts[0]
		a.Name, a.State, a.Reason = "renamed", inventory.AccountLockedOut, "no login works"
		must(t, s.UpdateAccount(ctx, a, 1, happened("account.update")))
		if err := s.UpdateAccount(ctx, a, 1, happened("account.update")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision: %v", err)
		}
		a.Name = w.Accounts[1].Name
		if err := s.UpdateAccount(ctx, a, 2, happened("account.update")); fault.KindOf(err) != fault.Conflict || !strings.HasPrefix(err.Error(), "there is an account") {
			t.Errorf("another's name: %v", err)
		}
		at := time.Now().UTC().Truncate(time.Microsecond)
		must(t, s.SetAccountState(ctx, a.ID, 1, inventory.AccountVerified, "", at, happened("account.verify")),
			s.SetAccountState(ctx, a.ID, 1, inventory.AccountOutOfSync, "refused", time.Time{}, happened("account.verify")))
		if err := s.SetAccountState(ctx, a.ID, 9, inventory.AccountVerified, "", at, happened("account.verify")); fault.KindOf(err) != fault.Stale {
			t.Errorf("of another version: %v", err)
		}
		got, err := s.Account(ctx, a.ID)
		must(t, err)
		if got.State != inventory.AccountOutOfSync || got.Reason != "refused" || !got.VerifiedAt.Equal(at) || got.Name != "renamed" {
			t.Errorf("%+v", got)
		}
		must(t, s.OpenRun(ctx, newRun(got), "", nil, happened("account.reset")))
		if err := s.UpdateAccount(ctx, got, got.Rev, happened("account.update")); code(err) != "run-open" {
			t.Errorf("while a run is open: %v", err)
		}
	})
}

func TestAValueThatWasChangedElsewhere(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 1)
		a := w.Accounts[0]
		version := func(number int64) inventory.Version {
			return inventory.Version{AccountID: a.ID, Number: number, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("new")}
		}
		must(t, s.SetAccountValue(ctx, a.ID, version(2), happened("account.update")))
		must(t, s.SetAccountValue(ctx, a.ID, version(3), happened("account.update")))
		for _, number := range []int64{1, 3, 5} {
			if err := s.SetAccountValue(ctx, a.ID, version(number), happened("account.update")); fault.KindOf(err) != fault.Stale {
				t.Errorf("version %d: %v", number, err)
			}
		}
		versions, err := s.Versions(ctx, a.ID)
		must(t, err)
		if len(versions) != 3 || versions[0].Stage != inventory.Current || versions[1].Stage != inventory.Previous || versions[2].Stage != inventory.Retired {
			t.Errorf("%+v", versions)
		}
		got, err := s.Account(ctx, a.ID)
		must(t, err)
		m, err := s.Mapping(ctx, w.Mappings[0].ID)
		must(t, err)
		if got.Current != 3 || got.State != inventory.AccountUnverified || m.State != inventory.Behind || m.Written != 1 {
			t.Errorf("%+v %+v", got, m)
		}
		must(t, s.OpenRun(ctx, newRun(got), "", nil, happened("account.reset")))
		if err := s.SetAccountValue(ctx, a.ID, version(4), happened("account.update")); code(err) != "run-open" {
			t.Errorf("while a run is open: %v", err)
		}
		if err := s.SetAccountValue(ctx, "none", inventory.Version{AccountID: "none", Number: 1, Source: inventory.Typed, Sealed: vault.Sealed("new")}, happened("account.update")); fault.KindOf(err) != fault.NotFound {
			t.Errorf("of no account: %v", err)
		}
	})
}

func TestAnAccountThatIsUsedIsNotDeleted(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 1) // one Secret, mapped to the first account
		who := people(t, s, "anna")
		a, m := w.Accounts[0], w.Mappings[0]
		give(t, s, grant("user", who["anna"], "account", a.ID, policy.Use))
		db := w.Database
		db.ReconcileAccountID = a.ID
		must(t, s.UpdateResource(ctx, db, 1, happened("resource.update")))
		if err := s.DeleteAccount(ctx, a.ID, 1, happened("account.delete")); code(err) != "mapped" {
			t.Errorf("mapped: %v", err)
		}
		if err := s.DeleteResource(ctx, w.Database.ID, 2, happened("resource.delete")); code(err) != "mapped" {
			t.Errorf("the resource of a mapped account: %v", err)
		}
		if err := s.DeleteMapping(ctx, m.ID, 7, happened("mapping.delete")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision: %v", err)
		}
		must(t, s.DeleteMapping(ctx, m.ID, 1, happened("mapping.delete")))
		run := newRun(a)
		must(t, s.OpenRun(ctx, run, "", nil, happened("account.reset")))
		for _, err := range []error{s.DeleteAccount(ctx, a.ID, 1, happened("account.delete")), s.DeleteResource(ctx, w.Database.ID, 2, happened("resource.delete"))} {
			if code(err) != "run-open" {
				t.Errorf("a run is open: %v", err)
			}
		}
		end(t, s, run.ID)
		if err := s.DeleteAccount(ctx, a.ID, 9, happened("account.delete")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision: %v", err)
		}
		must(t, s.DeleteAccount(ctx, a.ID, 1, happened("account.delete")))
		left, err := s.Versions(ctx, a.ID)
		must(t, err)
		grants, err := s.Grants(ctx, store.GrantQuery{ObjectID: a.ID})
		must(t, err)
		r, err := s.Resource(ctx, w.Database.ID)
		must(t, err)
		if len(left) != 0 || grants.Total != 0 || r.ReconcileAccountID != "" || r.Rev != 3 {
			t.Errorf("left: %v %v %+v", left, grants, r)
		}
		must(t, s.DeleteResource(ctx, r.ID, 3, happened("resource.delete")))
		p, err := s.Accounts(ctx, all, store.AccountQuery{})
		if n := total(t, p, err); n != 0 {
			t.Errorf("%d accounts are left", n)
		}
	})
}

func TestAResourceIsChangedOnItsRevision(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 1)
		r := w.Database
		r.Name, r.Settings, r.ReconcileAccountID = "renamed", map[string]string{"host": "db"}, w.Accounts[2].ID
		must(t, s.UpdateResource(ctx, r, 1, happened("resource.update")))
		if err := s.UpdateResource(ctx, r, 1, happened("resource.update")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision: %v", err)
		}
		got, err := s.Resource(ctx, r.ID)
		must(t, err)
		if got.Name != "renamed" || got.Settings["host"] != "db" || got.ReconcileAccountID != w.Accounts[2].ID || got.Rev != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestSecretsGoOnlyAfterTheirCluster(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 41)
		ns := w.Namespaces[2] // of the first cluster; none of its Secrets is mapped
		if err := s.DeleteResource(ctx, ns.ID, 1, happened("resource.delete")); code(err) != "secrets-present" {
			t.Errorf("in a connected cluster: %v", err)
		}
		must(t, s.RemoveCluster(ctx, w.Clusters[0].ID, 1, happened("cluster.delete")))
		if err := s.DeleteResource(ctx, w.Namespaces[0].ID, 1, happened("resource.delete")); code(err) != "mapped" {
			t.Errorf("a Secret of it is mapped: %v", err)
		}
		must(t, s.DeleteResource(ctx, ns.ID, 1, happened("resource.delete")))
		p, err := s.Secrets(ctx, all, store.SecretQuery{ResourceID: ns.ID})
		if n := total(t, p, err); n != 0 {
			t.Errorf("%d Secrets are left", n)
		}
		if left, err := s.Versions(ctx, w.Secrets[2].ID); err != nil || len(left) != 0 {
			t.Errorf("%v, %v", left, err)
		}
	})
}

func TestOnlyAFreeKeyOfALivingSecretIsMapped(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 2)
		try := func(secret, key string) error {
			return s.AddMapping(ctx, inventory.Mapping{ID: id(), AccountID: w.Accounts[1].ID, SecretID: secret, Key: key, State: inventory.InSync}, happened("mapping.create"))
		}
		if err := try(w.Secrets[0].ID, "password"); code(err) != "key-mapped" {
			t.Errorf("mapped: %v", err)
		}
		must(t, try(w.Secrets[0].ID, "user"))
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE secrets SET state = 'tombstone', deleted_at = 1 WHERE id = $1`, w.Secrets[1].ID)
			return err
		}))
		if err := try(w.Secrets[1].ID, "user"); code(err) != "secret-gone" {
			t.Errorf("deleted: %v", err)
		}
		if err := try("none", "user"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("no Secret: %v", err)
		}
		p, err := s.Secrets(ctx, all, store.SecretQuery{})
		if n := total(t, p, err); n != 1 || p.Counts["tombstone"] != 1 {
			t.Errorf("%+v", p)
		}
		for _, q := range []store.SecretQuery{{State: []string{"tombstone"}}, {ID: w.Secrets[1].ID}} {
			if p, err = s.Secrets(ctx, all, q); err != nil || p.Total != 1 || p.Items[0].ID != w.Secrets[1].ID {
				t.Errorf("%+v: %+v, %v", q, p, err)
			}
		}
	})
}
