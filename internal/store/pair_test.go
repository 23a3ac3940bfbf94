package store_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// newPair stores an account that is the pair app and app_b; app is in use.
func newPair(t *testing.T, s *store.Store) inventory.Account {
	t.Helper()
	a := mapped(t, s, 1)
	a.Strategy, a.Pair = "alternating", "app_b"
	must(t, s.UpdateAccount(t.Context(), a, 1, happened("account.update")))
	return a
}

// pairRun is a run of the pair as Resets would plan it.
func pairRun(t *testing.T, s *store.Store, a inventory.Account) rotation.Run {
	t.Helper()
	is, err := s.ResetAccount(t.Context(), a.ID)
	must(t, err)
	r := newRun(a)
	r.Strategy, r.Old, r.Login, r.Beside, r.Spare = rotation.Alternating, is.Current, is.Idle(), is.Beside(), is.Spare
	return r
}

func finish(t *testing.T, s *store.Store, run rotation.Run) {
	t.Helper()
	for _, step := range []rotation.Step{rotation.Published, rotation.RolledOut, rotation.RetiredOld, rotation.Done} {
		if run.Step, run.Begun = step, step; step == rotation.Done {
			run.State = rotation.Finished
		}
		must(t, s.Advance(t.Context(), run, happened("run."+string(step))))
	}
}

func TestALoginBelongsToOneAccount(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := newPair(t, s)
		other := func(name, pair string) error {
			x := inventory.Account{ID: id(), ResourceID: a.ResourceID, Name: name, State: inventory.AccountUnverified, CreatedAt: time.Now(), Pair: pair}
			if pair != "" {
				x.Strategy = "alternating"
			}
			return s.AddAccount(ctx, x, nil, nil, happened("account.create"))
		}
		for _, logins := range [][2]string{{"app_b", ""}, {"app", ""}, {"third", "app"}, {"third", "app_b"}} {
			if err := other(logins[0], logins[1]); fault.KindOf(err) != fault.Conflict || code(err) != store.CodeDuplicate {
				t.Errorf("an account %q beside the pair: %v", logins, err)
			}
		}
		must(t, other("third", "fourth"))
		page, err := s.Accounts(ctx, store.Viewer{All: true}, store.AccountQuery{Name: "third"})
		must(t, err)
		third := page.Items[0].Account
		third.Pair = "app_b"
		if err := s.UpdateAccount(ctx, third, third.Rev, happened("account.update")); code(err) != store.CodeDuplicate {
			t.Errorf("another pair takes the login: %v", err)
		}
		third.Name, third.Pair = "app_b", "fourth"
		if err := s.UpdateAccount(ctx, third, third.Rev, happened("account.update")); code(err) != store.CodeDuplicate {
			t.Errorf("another account takes the login as its name: %v", err)
		}
		// What a pair lets go is free again.
		a.Strategy, a.Pair = "", ""
		must(t, s.UpdateAccount(ctx, a, 2, happened("account.update")), other("app_b", ""))
	})
}

func TestThePairTakesTurns(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := newPair(t, s)
		must(t, s.SetSpareValue(ctx, inventory.Version{AccountID: a.ID, Number: 2, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("b")}, happened("account.update")))
		stages := func(when string, want map[int64]inventory.Stage, logins map[int64]string) {
			t.Helper()
			versions, err := s.Versions(ctx, a.ID)
			must(t, err)
			for _, v := range versions {
				if v.Stage != want[v.Number] || v.Login != logins[v.Number] {
					t.Errorf("%s: version %d of %q is %s, should be %s of %q", when, v.Number, v.Login, v.Stage, want[v.Number], logins[v.Number])
				}
			}
		}
		logins := map[int64]string{2: "app_b", 3: "app_b"}
		r := pairRun(t, s, a)
		if r.Login != "app_b" || r.Beside != "" || r.Old != 1 || r.Spare != 2 {
			t.Fatalf("the first run: %+v", r)
		}
		r.New = 3
		first := verified(t, s, r, "")
		stages("verified", map[int64]inventory.Stage{1: inventory.Previous, 2: inventory.Previous, 3: inventory.Current}, logins)
		if err := s.OpenRun(ctx, pairRun(t, s, a), "", nil, happened("account.reset")); code(err) != "run-open" {
			t.Errorf("a second run: %v", err)
		}
		finish(t, s, first)
		stages("done", map[int64]inventory.Stage{1: inventory.Previous, 2: inventory.Retired, 3: inventory.Current}, logins)
		if name, err := s.Login(ctx, a.ID, 3); err != nil || name != "app_b" {
			t.Errorf("version 3 is of %q: %v", name, err)
		}

		wrong := pairRun(t, s, a)
		wrong.Login, wrong.Beside = wrong.Beside, wrong.Login
		if err := s.OpenRun(ctx, wrong, "", nil, happened("account.reset")); fault.KindOf(err) != fault.Stale {
			t.Errorf("a run of the login in use: %v", err)
		}
		of := pairRun(t, s, a)
		of.Typed, of.New, of.Restores = true, 4, 2
		if err := s.OpenRun(ctx, of, rotation.GivenRestored, vault.Sealed("x"), happened("account.reset")); code(err) != "pair-in-use" {
			t.Errorf("a version of the login in use for the other one: %v", err)
		}
		page, err := s.Accounts(ctx, store.Viewer{All: true}, store.AccountQuery{ID: a.ID})
		must(t, err)
		now := page.Items[0]
		if now.Login != "app_b" {
			t.Errorf("the list says that %q is in use", now.Login)
		}
		single := now.Account
		single.Strategy, single.Pair = "", ""
		if err := s.UpdateAccount(ctx, single, single.Rev, happened("account.update")); code(err) != "pair-in-use" {
			t.Errorf("the login in use is let go: %v", err)
		}

		// A value that is stored belongs to the login in use, and what the other takes stays known.
		must(t, s.SetAccountValue(ctx, a.ID, inventory.Version{AccountID: a.ID, Number: 4, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("b2")}, happened("account.update")))
		logins[4] = "app_b"
		stages("a value was stored", map[int64]inventory.Stage{1: inventory.Previous, 2: inventory.Retired, 3: inventory.Previous, 4: inventory.Current}, logins)
		if r = pairRun(t, s, a); r.Login != "" || r.Beside != "app_b" || r.Old != 4 || r.Spare != 1 {
			t.Fatalf("the second run: %+v", r)
		}
	})
}

// A run that ended before everybody had the login leaves consumers of both: nothing but going back is open.
func TestAPairThatIsNotSettled(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := newPair(t, s)
		r := pairRun(t, s, a)
		r.New = 2
		first := verified(t, s, r, "")
		first.State, first.Reason = rotation.NeedsAttention, "stuck"
		must(t, s.Advance(ctx, first, happened("run.needs_attention")))
		back := pairRun(t, s, a)
		if back.Login != "" || back.Spare != 1 {
			t.Fatalf("the way back: %+v", back)
		}
		back.New, back.Typed, back.Reverts, back.Restores = 3, true, first.ID, 1
		must(t, s.OpenRun(ctx, back, rotation.GivenRestored, vault.Sealed("a"), happened("account.reset")))
		if got, err := s.Run(ctx, first.ID); err != nil || got.State != rotation.Cancelled {
			t.Fatalf("the first is %s: %v", got.State, err)
		}
		refused, err := s.Claim(ctx, back.ID, "w", time.Minute)
		must(t, err)
		refused.State, refused.Reason = rotation.RolledBack, "the system refused the value"
		must(t, s.Advance(ctx, refused, happened("run.rolled_back")))
		if got, err := s.ResetAccount(ctx, a.ID); err != nil || got.Unsettled != first.ID || got.Spare != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		back.ID, back.Reverts, back.New = id(), "", 4
		finish(t, s, verified(t, s, back, rotation.GivenRestored))
		if got, err := s.ResetAccount(ctx, a.ID); err != nil || got.Unsettled != "" || got.Login != "" || got.Spare != 2 {
			t.Errorf("after the way back: %+v, %v", got, err)
		}
	})
}
