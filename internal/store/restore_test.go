package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func restored(inside, outside int64) rotation.Restore {
	return rotation.Restore{ID: id(), SeenIn: "the data folder", Inside: inside, Outside: outside, OutsideAt: time.Now().Truncate(time.Microsecond), Head: "head", FoundAt: time.Now()}
}

func begin(t *testing.T, s *store.Store, r rotation.Restore) bool {
	t.Helper()
	changed, err := s.BeginRestore(t.Context(), r, happened("restore.noticed"))
	must(t, err)
	return changed
}

func TestNothingIsChangedWhileARestoreIsOpen(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 2)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w", time.Minute)
		must(t, err)
		run.New, run.Step, run.Begun = 2, rotation.Minted, rotation.Minted
		must(t, s.Mint(ctx, run, vault.Sealed("sealed 2"), happened("run.minted")))

		first := restored(10, 20)
		if !begin(t, s, first) || begin(t, s, first) || begin(t, s, restored(10, 15)) {
			t.Error("a restore is begun once, and an older head tells nothing new")
		}
		if err := s.Advance(ctx, run, happened("run.applied")); fault.KindOf(err) != fault.Stale {
			t.Errorf("the worker that had the run goes on: %v", err)
		}
		if due, err := s.DueRuns(ctx, time.Now(), 10); err != nil || len(due) != 0 {
			t.Errorf("due: %v, %v", due, err)
		}
		_, err = s.Claim(ctx, r.ID, "w", time.Minute)
		other := newRun(a)
		for what, err := range map[string]error{"claim": err, "resume": s.Requeue(ctx, r.ID, happened("run.resume")),
			"reset": s.OpenRun(ctx, other, "", nil, happened("account.reset"))} {
			if code(err) != "repository-restored" {
				t.Errorf("%s: %v", what, err)
			}
		}
		if due, err := s.DueRestored(ctx, time.Now(), 10); err != nil || len(due) != 1 || due[0] != a.ID {
			t.Fatalf("to be checked: %v, %v", due, err)
		}
		row, err := s.ClaimRestored(ctx, a.ID, time.Now().Add(time.Minute))
		must(t, err)
		if _, err := s.ClaimRestored(ctx, a.ID, time.Now().Add(time.Minute)); fault.KindOf(err) != fault.Conflict {
			t.Errorf("two check one account: %v", err)
		}
		if row.Name != "db/app" || row.State != rotation.RestoredToCheck {
			t.Errorf("%+v", row)
		}
		if _, err := s.EndRestore(ctx, []string{a.ID}, "anna", happened("restore.accept")); code(err) != "restore-checking" {
			t.Errorf("ended before the account was checked: %v", err)
		}

		// A system that is silent says nothing of the open run; one that refuses everything ends it.
		row.State, row.Reason, row.Tried = rotation.RestoredUnresolved, "silent", []rotation.Tried{{What: "version 1", Print: vault.Fingerprint{1}}}
		must(t, s.SettleRestored(ctx, row, false, happened("restore.check")))
		if got, err := s.Run(ctx, r.ID); err != nil || got.State.Ended() {
			t.Errorf("the run is %s: %v", got.State, err)
		}
		if _, err := s.EndRestore(ctx, nil, "anna", happened("restore.accept")); code(err) != "restore-unresolved" || !strings.Contains(err.Error(), "db/app") {
			t.Errorf("ended with an account that nobody named: %v", err)
		}
		if n, err := s.RecheckRestored(ctx, nil, happened("restore.recheck")); err != nil || n != 1 {
			t.Errorf("%d are checked again: %v", n, err)
		}
		row, err = s.ClaimRestored(ctx, a.ID, time.Now().Add(time.Minute))
		must(t, err)
		if len(row.Tried) != 1 || row.Tried[0].Print != (vault.Fingerprint{1}) {
			t.Errorf("tried: %+v", row.Tried)
		}
		row.State = rotation.RestoredUnresolved
		must(t, s.SettleRestored(ctx, row, true, happened("restore.check")))
		if got, err := s.Run(ctx, r.ID); err != nil || got.State != rotation.Cancelled || !strings.Contains(got.Reason, "restored") {
			t.Errorf("the run is %s (%s): %v", got.State, got.Reason, err)
		}
		if got, err := s.Account(ctx, a.ID); err != nil || got.State != inventory.AccountOutOfSync || got.Current != 1 {
			t.Errorf("%+v, %v", got, err)
		}

		ended, err := s.EndRestore(ctx, []string{a.ID}, "anna", happened("restore.accept"))
		must(t, err)
		if ended.ID != first.ID || ended.EndedBy != "anna" {
			t.Errorf("%+v", ended)
		}
		must(t, s.OpenRun(ctx, other, "", nil, happened("account.reset")))
		if all, err := s.Restores(ctx); err != nil || len(all) != 1 || all[0].EndedAt.IsZero() || all[0].Outside != 20 {
			t.Errorf("%+v, %v", all, err)
		}
		for action, want := range map[string]int64{"restore.noticed": 1, "restore.check": 2, "run.cancelled": 1, "restore.unresolved": 1, "restore.accept": 1} {
			if n, err := s.CountAuditEvents(ctx, store.AuditFilter{Action: action}); err != nil || n != want {
				t.Errorf("%d events say %s: %v", n, action, err)
			}
		}
		if !begin(t, s, restored(30, 40)) {
			t.Error("a second restore was not begun")
		}
	})
}

func TestAValueThatLogsInIsAdopted(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 2)
		begin(t, s, restored(10, 20))
		row, err := s.ClaimRestored(ctx, a.ID, time.Now().Add(time.Minute))
		must(t, err)
		writes, err := s.Writes(ctx, rotation.Run{AccountID: a.ID})
		must(t, err)
		row.State = rotation.RestoredAdopted
		adopted := rotation.Adopted{Version: 2, Sealed: vault.Sealed("sealed 2"), Print: vault.Fingerprint{2}, Holds: []string{writes[1].MappingID}}
		must(t, s.AdoptRestored(ctx, row, adopted, happened("restore.adopt")))
		if got, err := s.Account(ctx, a.ID); err != nil || got.State != inventory.AccountVerified || got.Current != 2 || got.VerifiedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		versions, err := s.Versions(ctx, a.ID)
		if err != nil || len(versions) != 2 || versions[0].Source != inventory.Adopted || versions[0].Stage != inventory.Current || versions[1].Stage != inventory.Previous {
			t.Errorf("%+v, %v", versions, err)
		}
		page, err := s.Mappings(ctx, store.Viewer{All: true}, store.MappingQuery{ListQuery: store.ListQuery{Limit: 10}})
		must(t, err)
		states := map[string]inventory.KeyState{}
		for _, m := range page.Items {
			states[m.ID] = m.State
		}
		if states[writes[1].MappingID] != inventory.InSync || states[writes[0].MappingID] != inventory.Behind {
			t.Errorf("%v", states)
		}
		if err := s.SettleRestored(ctx, rotation.RestoredAccount{RestoreID: id(), AccountID: a.ID, State: rotation.RestoredVerified}, false, happened("restore.check")); fault.KindOf(err) != fault.Stale {
			t.Errorf("stored for another restore: %v", err)
		}
		_, err = s.EndRestore(ctx, nil, "anna", happened("restore.accept"))
		must(t, err)
	})
}
