package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// verified opens a run of the account and brings it to the step verified.
func verified(t *testing.T, s *store.Store, r rotation.Run, given rotation.Given) rotation.Run {
	t.Helper()
	ctx := t.Context()
	must(t, s.OpenRun(ctx, r, given, vault.Sealed("sealed"), happened("account.reset")))
	run, err := s.Claim(ctx, r.ID, "w", time.Minute)
	must(t, err)
	if run.New == 0 {
		run.New = r.Old + 1
	}
	run.Step, run.Begun = rotation.Minted, rotation.Minted
	must(t, s.Mint(ctx, run, vault.Sealed("sealed"), happened("run.minted")))
	run.Step, run.Begun, run.Proved = rotation.Verified, rotation.Verified, true
	must(t, s.Advance(ctx, run, happened("run.verified")))
	return run
}

func TestARunIsRolledBackByAnother(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		first := verified(t, s, newRun(a), "")
		back := rotation.Run{ID: id(), AccountID: a.ID, Strategy: rotation.Single, Old: 2, New: 3, Typed: true, Reverts: first.ID, StartedBy: first.StartedBy, CreatedAt: time.Now()}
		if err := s.OpenRun(ctx, back, rotation.GivenRestored, vault.Sealed("again"), happened("account.reset")); code(err) != "run-went-on" {
			t.Fatalf("while the first is under way: %v", err)
		}
		first.State, first.Reason = rotation.NeedsAttention, "stuck"
		must(t, s.Advance(ctx, first, happened("run.needs_attention")))

		second := verified(t, s, back, rotation.GivenRestored)
		if got, err := s.Run(ctx, first.ID); err != nil || got.State != rotation.Cancelled {
			t.Errorf("the first is %s: %v", got.State, err)
		}
		first.State = rotation.Running
		if err := s.Advance(ctx, first, happened("run.published")); fault.KindOf(err) != fault.Stale {
			t.Errorf("its worker goes on: %v", err)
		}
		if got, err := s.Run(ctx, second.ID); err != nil || got.Reverts != first.ID {
			t.Errorf("the second reverts %q: %v", got.Reverts, err)
		}
		second.Step, second.Begun, second.State = rotation.Done, rotation.Done, rotation.Finished
		must(t, s.Advance(ctx, second, happened("run.done")))
		if got, err := s.Run(ctx, first.ID); err != nil || got.State != rotation.RolledBack || got.Reason == "" {
			t.Errorf("in the end the first is %s (%s): %v", got.State, got.Reason, err)
		}
		if got, err := s.Account(ctx, a.ID); err != nil || got.Current != 3 {
			t.Errorf("version %d is current: %v", got.Current, err)
		}
	})
}

func TestARunThatHasSentNothingIsCancelled(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w", time.Minute)
		must(t, err)
		run.New, run.Step, run.Begun = 2, rotation.Minted, rotation.Minted
		must(t, s.Mint(ctx, run, vault.Sealed("sealed"), happened("run.minted")))
		if err := s.CancelRun(ctx, run, "why", happened("run.cancel")); code(err) != "run-went-on" {
			t.Fatalf("while it is under way: %v", err)
		}
		run.State = rotation.Waiting
		must(t, s.Advance(ctx, run, happened("run.waiting")), s.CancelRun(ctx, run, "why", happened("run.cancel")))
		got, err := s.Run(ctx, run.ID)
		if err != nil || got.State != rotation.Cancelled || got.Reason != "why" || got.EndedAt.IsZero() {
			t.Errorf("it is %s (%s): %v", got.State, got.Reason, err)
		}
		if err := s.Begin(ctx, run, rotation.Applied); fault.KindOf(err) != fault.Stale {
			t.Errorf("its worker goes on: %v", err)
		}
		versions, err := s.Versions(ctx, a.ID)
		must(t, err)
		for _, v := range versions {
			if want := map[int64]inventory.Stage{1: inventory.Current, 2: inventory.Retired}[v.Number]; v.Stage != want {
				t.Errorf("version %d is %s, should be %s", v.Number, v.Stage, want)
			}
		}
	})
}

func TestARunThatIsGivenUp(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		run := verified(t, s, newRun(mapped(t, s, 1)), "")
		given := func() []string {
			ids, err := s.GivenUpRuns(ctx, time.Now(), 5)
			must(t, err)
			return ids
		}
		stuck := func() {
			run.State, run.GivesUp = rotation.NeedsAttention, true
			must(t, s.Advance(ctx, run, happened("run.needs_attention")))
		}
		stuck()
		if got, err := s.Run(ctx, run.ID); err != nil || !got.GivesUp || !slices.Equal(given(), []string{run.ID}) {
			t.Fatalf("stored: %+v, given up: %v, %v", got, given(), err)
		}
		must(t, s.KeepStuck(ctx, run, "mend that", happened("run.kept")))
		if got, err := s.Run(ctx, run.ID); err != nil || got.GivesUp || got.Cure != "mend that" || len(given()) != 0 {
			t.Errorf("kept: %+v, given up: %v, %v", got, given(), err)
		}
		stuck()
		must(t, s.Requeue(ctx, run.ID, happened("run.resume")))
		if got, err := s.Run(ctx, run.ID); err != nil || got.GivesUp || len(given()) != 0 {
			t.Errorf("resumed by a person: %+v, given up: %v, %v", got, given(), err)
		}
		must(t, s.KeepStuck(ctx, run, "too late", happened("run.kept")))
		if got, err := s.Run(ctx, run.ID); err != nil || got.Cure != "" {
			t.Errorf("the run that went on says %q: %v", got.Cure, err)
		}
	})
}

func TestARunThatUndoesAnotherIsNotCancelled(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		first := verified(t, s, newRun(a), "")
		first.State, first.Reason = rotation.NeedsAttention, "stuck"
		must(t, s.Advance(ctx, first, happened("run.needs_attention")))
		back := rotation.Run{ID: id(), AccountID: a.ID, Strategy: rotation.Single, Old: 2, New: 3, Typed: true, Reverts: first.ID, StartedBy: first.StartedBy, CreatedAt: time.Now()}
		must(t, s.OpenRun(ctx, back, rotation.GivenRestored, vault.Sealed("again"), happened("account.reset")))
		if err := s.CancelRun(ctx, back, "why", happened("run.cancel")); code(err) != "run-went-on" {
			t.Errorf("it was cancelled: %v", err)
		}
	})
}
