package store_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestARehearsalIsAskedForClaimedOnceAndKept(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		a, anna := storetest.Seed(t, s, 1).Accounts[0], identity.Actor{ID: "u1", Name: "anna"}
		count := func(readiness string, want int) {
			t.Helper()
			p, err := s.Accounts(ctx, store.Viewer{All: true}, store.AccountQuery{ID: a.ID, Ready: []string{readiness}})
			if must(t, err); len(p.Items) != want || want == 1 && p.Items[0].Readiness != readiness {
				t.Errorf("%d accounts are %s, want %d", len(p.Items), readiness, want)
			}
		}
		count("unknown", 1)
		if r, asked, err := s.Rehearsal(ctx, a.ID); err != nil || asked || !r.At.IsZero() {
			t.Errorf("before the first: %+v, %v, %v", r, asked, err)
		}
		must(t, s.AskRehearsal(ctx, a.ID, anna, now, happened("account.rehearse")))
		if due, err := s.DueRehearsals(ctx, now, 10); err != nil || len(due) != 1 || due[0] != a.ID {
			t.Fatalf("due: %v, %v", due, err)
		}
		claimed, by, err := s.ClaimRehearsal(ctx, a.ID, now, now.Add(time.Hour))
		if err != nil || !claimed || by.ID != anna.ID {
			t.Fatalf("%v, %+v, %v", claimed, by, err)
		}
		if again, _, err := s.ClaimRehearsal(ctx, a.ID, now, now.Add(time.Hour)); err != nil || again {
			t.Errorf("claimed twice: %v", err)
		}
		found := rotation.Rehearsal{AccountID: a.ID, State: rotation.Ready, At: now, By: anna,
			Steps: []rotation.RehearsalStep{{Name: rotation.RehearseLogin, State: rotation.StepDone, Object: "app", Proved: "it worked"}}}
		must(t, s.SaveRehearsal(ctx, found, now, happened("account.rehearsed")))
		if r, asked, err := s.Rehearsal(ctx, a.ID); err != nil || asked || r.State != rotation.Ready || !r.At.Equal(now) || len(r.Steps) != 1 || r.Steps[0] != found.Steps[0] {
			t.Errorf("kept: %+v, %v, %v", r, asked, err)
		}
		count("ready", 1)
		// One that is asked for while another is under way stays due; one that passed long ago says nothing any more.
		must(t, s.AskRehearsal(ctx, a.ID, anna, now.Add(time.Second), happened("account.rehearse")))
		found.At = now.Add(-rotation.ReadyFor - time.Minute)
		must(t, s.SaveRehearsal(ctx, found, now, happened("account.rehearsed")))
		if _, asked, err := s.Rehearsal(ctx, a.ID); err != nil || !asked {
			t.Errorf("the second is lost: %v", err)
		}
		count("stale", 1)
		count("ready", 0)
		if got, err := s.Account(ctx, a.ID); err != nil || got.Rev != a.Rev {
			t.Errorf("the account's revision is %d, was %d: %v", got.Rev, a.Rev, err)
		}

		run := newRun(a)
		run.Plan = "1.hash"
		must(t, s.OpenRun(ctx, run, "", vault.Sealed(nil), happened("account.reset")))
		if got, err := s.Run(ctx, run.ID); err != nil || got.Plan != run.Plan {
			t.Errorf("plan %q, %v", got.Plan, err)
		}
		if err := s.AskRehearsal(ctx, a.ID, anna, now, happened("account.rehearse")); code(err) != "run-open" {
			t.Errorf("while a run is open: %v", err)
		}
		end(t, s, run.ID)
		if pace, err := s.Pace(ctx, a.ID); err != nil || pace.Runs != 0 {
			t.Errorf("a run that was rolled back was measured: %+v, %v", pace, err)
		}
	})
}
