package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func policiesOf(s *store.Store) *rotation.Policies {
	return &rotation.Policies{Store: s, CheckPassword: func(string) error { return nil }, Wake: func() {}}
}

var anna = identity.Actor{ID: "u1", Name: "anna", Kind: identity.KindUser}

// assigned makes a policy of that name and assigns it.
func assigned(t *testing.T, s *store.Store, name string, rules rotation.Rules, by rotation.By, pattern string) rotation.Policy {
	t.Helper()
	p, err := policiesOf(s).Create(t.Context(), anna, rotation.PolicyChange{Name: &name, Rules: &rules})
	must(t, err)
	p, err = policiesOf(s).Assign(t.Context(), anna, p.ID, by, pattern)
	must(t, err)
	return p
}

// planAll works the plans out of all accounts and returns that of one.
func planAll(t *testing.T, s *store.Store, accountID string) rotation.Plan {
	t.Helper()
	for {
		n, err := s.Replan(t.Context(), 100, func(all []rotation.Policy, x rotation.Standing) rotation.Plan {
			return rotation.PlanOf(all, x, func(string) bool { return true }, time.Now())
		})
		must(t, err)
		if n == 0 {
			break
		}
	}
	x, _, err := s.Standing(t.Context(), accountID)
	must(t, err)
	return x.Plan
}

func TestPoliciesAreKept(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, all := t.Context(), policiesOf(s)
		name, text, history := "prod", `{"length":40}`, 5
		rules := rotation.Rules{Rules: schedule.Rules{Every: "30d", Windows: []string{"Fri 20:00-Sat 04:00"}}, Reconcile: []rotation.Failure{rotation.LoginRefused}}
		p, err := all.Create(ctx, anna, rotation.PolicyChange{Name: &name, Password: &text, History: &history, Rules: &rules})
		must(t, err)
		if p.Rev != 1 || p.Password != text || p.History != 5 || p.Rules.Every != "30d" || len(p.Rules.Windows) != 1 || p.CreatedAt.IsZero() {
			t.Errorf("%+v", p)
		}
		if _, err := all.Create(ctx, anna, rotation.PolicyChange{Name: &name}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a name twice: %v", err)
		}
		other := "default"
		if _, err := all.Change(ctx, anna, p.ID, 1, rotation.PolicyChange{Name: &other}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a name twice: %v", err)
		}
		description := "of production"
		p, err = all.Change(ctx, anna, p.ID, 1, rotation.PolicyChange{Description: &description})
		must(t, err)
		if p.Rev != 2 || p.Description != description || p.History != 5 {
			t.Errorf("%+v", p)
		}
		if _, err := all.Change(ctx, anna, p.ID, 1, rotation.PolicyChange{Description: &description}); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision: %v", err)
		}
		p, err = all.Assign(ctx, anna, "prod", rotation.ByRule, "postgresql/*/*")
		must(t, err)
		next := "next"
		q, err := all.Create(ctx, anna, rotation.PolicyChange{Name: &next})
		must(t, err)
		q, err = all.Assign(ctx, anna, q.ID, rotation.ByRule, "postgresql/*/*")
		must(t, err)
		if p, err = all.Find(ctx, p.ID); err != nil || len(p.Assignments) != 0 || len(q.Assignments) != 1 {
			t.Errorf("an assignment moves: %+v, %+v, %v", p.Assignments, q.Assignments, err)
		}
		if err := all.Unassign(ctx, anna, p.ID, q.Assignments[0].ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("that of another policy: %v", err)
		}
		must(t, all.Unassign(ctx, anna, q.ID, q.Assignments[0].ID), all.Delete(ctx, anna, q.ID, q.Rev))
		for _, err := range []error{all.Delete(ctx, anna, rotation.DefaultPolicy, 1), second(all.Assign(ctx, anna, rotation.DefaultPolicy, rotation.ByAccount, "a"))} {
			if fault.KindOf(err) != fault.Conflict {
				t.Errorf("of the default: %v", err)
			}
		}
		if _, err := all.Change(ctx, anna, rotation.DefaultPolicy, 1, rotation.PolicyChange{Rules: &rotation.Rules{Heartbeat: "off"}}); err != nil {
			t.Error(err)
		}
		evs, err := s.AuditEvents(ctx, store.AuditFilter{ObjectKind: "policy"})
		must(t, err)
		var actions []string
		for _, e := range evs {
			actions = append(actions, e.Action)
		}
		slices.Reverse(actions)
		want := []string{"policy.create", "policy.update", "policy.assign", "policy.create", "policy.assign", "policy.unassign", "policy.delete", "policy.update"}
		if !slices.Equal(actions, want) {
			t.Errorf("recorded %v", actions)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestAPlanFollowsWhateverItIsMadeOf(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		if p := planAll(t, s, a.ID); p.PolicyID != rotation.DefaultPolicy || !p.NextAt.IsZero() || p.CheckAt.IsZero() {
			t.Errorf("of the default: %+v", p)
		}
		assigned(t, s, "rule", rotation.Rules{Rules: schedule.Rules{Every: "30d"}}, rotation.ByRule, "postgresql/db/app")
		of := func(what, because string, days time.Duration) {
			t.Helper()
			p := planAll(t, s, a.ID)
			x, _, err := s.Standing(ctx, a.ID)
			must(t, err)
			if want := x.MadeAt.Add(days * 24 * time.Hour); p.Because != because || days > 0 && !p.NextAt.Equal(want) || days == 0 && !p.NextAt.IsZero() {
				t.Errorf("%s: due %s (want %s) as %s", what, p.NextAt, want, p.Because)
			}
		}
		of("a rule", "it is assigned by the rule postgresql/db/app", 30)
		assigned(t, s, "label", rotation.Rules{Rules: schedule.Rules{Every: "20d"}}, rotation.ByLabel, "env=prod")
		of("labels that it has not", "it is assigned by the rule postgresql/db/app", 30)
		relabel(t, s, map[string]string{"env": "prod"})
		of("labels", "it is assigned to the labels env=prod, which a Secret of this account has", 20)
		ms, err := s.Mappings(ctx, store.Viewer{All: true}, store.MappingQuery{AccountID: a.ID})
		must(t, err)
		must(t, s.DeleteMapping(ctx, ms.Items[0].ID, ms.Items[0].Rev, happened("mapping.delete")))
		of("no Secret any more", "it is assigned by the rule postgresql/db/app", 30)
		stored, err := s.Account(ctx, a.ID)
		must(t, err)
		stored.Name = "other"
		must(t, s.UpdateAccount(ctx, stored, stored.Rev, happened("account.update")))
		of("another name", "no other policy is for this account", 0)
		assigned(t, s, "resource", rotation.Rules{Rules: schedule.Rules{Every: "10d"}}, rotation.ByResource, a.ResourceID)
		of("its resource", "it is assigned to the resource db", 10)
		r, err := s.Resource(ctx, a.ResourceID)
		must(t, err)
		r.Name = "db2"
		must(t, s.UpdateResource(ctx, r, r.Rev, happened("resource.update")))
		of("another name of that", "it is assigned to the resource db2", 10)
		must(t, s.SetAccountValue(ctx, a.ID, inventory.Version{AccountID: a.ID, Number: 2, Source: inventory.Typed, CreatedAt: time.Now().Add(time.Hour), Sealed: vault.Sealed("x")}, happened("account.update")))
		of("a newer value", "it is assigned to the resource db2", 10)
		assigned(t, s, "account", rotation.Rules{Rules: schedule.Rules{Every: "5d"}}, rotation.ByAccount, a.ID)
		of("the account", "it is assigned to this account", 5)
		stored, err = s.Account(ctx, a.ID)
		must(t, err, s.DeleteAccount(ctx, a.ID, stored.Rev, happened("account.delete")))
		if p, err := policiesOf(s).Find(ctx, "account"); err != nil || len(p.Assignments) != 0 {
			t.Errorf("a deleted account has a policy: %+v, %v", p, err)
		}
	})
}

func TestTheScheduleIsSummedUpForItsViewer(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, everybody := t.Context(), store.Viewer{All: true}
		a := mapped(t, s, 1)
		p := assigned(t, s, "prod", rotation.Rules{Rules: schedule.Rules{Every: "1h"}}, rotation.ByRule, "postgresql/db/app")
		plan := planAll(t, s, a.ID)
		o, err := s.Overview(ctx, everybody)
		must(t, err)
		if d := o.Due; d.Overdue != 0 || d.Day != 1 || d.Next.ID != a.ID || d.Next.Name != "app" || d.Next.ResourceName != "db" || !d.Next.At.Equal(plan.NextAt) {
			t.Errorf("due: %+v, planned at %s", d, plan.NextAt)
		}
		total := func(q store.AccountQuery) int64 {
			t.Helper()
			page, err := s.Accounts(ctx, everybody, q)
			must(t, err)
			return page.Total
		}
		soon, later := time.Now().Add(time.Minute), plan.NextAt.Add(time.Second)
		for i, c := range []struct {
			q    store.AccountQuery
			want int64
		}{
			{store.AccountQuery{Policy: "prod"}, 1}, {store.AccountQuery{Policy: p.ID}, 1}, {store.AccountQuery{Policy: "default"}, 0},
			{store.AccountQuery{Scheduled: true, Before: soon}, 0}, {store.AccountQuery{Scheduled: true, Before: later}, 1}, {store.AccountQuery{Scheduled: true, Overdue: true}, 0},
		} {
			if got := total(c.q); got != c.want {
				t.Errorf("query %d: %d, want %d", i, got, c.want)
			}
		}
		_, err = policiesOf(s).Change(ctx, anna, p.ID, p.Rev, rotation.PolicyChange{Rules: &rotation.Rules{Rules: schedule.Rules{MaxAge: "1s"}}})
		must(t, err)
		time.Sleep(1100 * time.Millisecond)
		planAll(t, s, a.ID)
		if total(store.AccountQuery{Scheduled: true, Overdue: true}) != 1 || total(store.AccountQuery{Scheduled: true, Before: time.Now().Add(-time.Hour)}) != 1 {
			t.Error("what is overdue is missing")
		}
		if o, err = s.Overview(ctx, everybody); err != nil || o.Due.Overdue != 1 || o.Due.Day != 0 || o.Due.Next.ID != "" {
			t.Errorf("overdue: %+v, %v", o.Due, err)
		}
		by, err := s.Followers(ctx, everybody)
		must(t, err)
		if f := by[p.ID]; f.Accounts != 1 || f.Overdue != 1 || f.NextAt.IsZero() {
			t.Errorf("followers: %+v", f)
		}
		nobody := store.Viewer{UserID: id()}
		if by, err = s.Followers(ctx, nobody); err != nil || len(by) != 0 {
			t.Errorf("somebody without a grant: %+v, %v", by, err)
		}
		if o, err = s.Overview(ctx, nobody); err != nil || o.Due != (store.Due{}) {
			t.Errorf("somebody without a grant: %+v, %v", o.Due, err)
		}
	})
}

// relabel stores every Secret again with those labels.
func relabel(t *testing.T, s *store.Store, labels map[string]string) {
	t.Helper()
	page, err := s.Secrets(t.Context(), store.Viewer{All: true}, store.SecretQuery{})
	must(t, err)
	for _, row := range page.Items {
		x, err := s.Secret(t.Context(), row.ID)
		must(t, err)
		base := x.Rev
		x.Labels = labels
		_, err = s.SawSecrets(t.Context(), x.ClusterID, []inventory.Import{{Secret: x, Base: base}}, happened("cluster.sync"))
		must(t, err)
	}
}

func TestSchedulersBeginEachRunOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 0)
		assigned(t, s, "often", rotation.Rules{Rules: schedule.Rules{Every: "1s"}}, rotation.ByAccount, a.ID)
		plan := planAll(t, s, a.ID)
		later := plan.NextAt.Add(time.Minute)
		if due, err := s.DueAccounts(ctx, plan.NextAt.Add(-time.Microsecond), 10, 10); err != nil || len(due) != 0 {
			t.Errorf("due before its time: %v, %v", due, err)
		}
		if due, err := s.DueAccounts(ctx, later, 10, 10); err != nil || len(due) != 1 {
			t.Errorf("due: %v, %v", due, err)
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		begun := 0
		for range 4 { // replicas that found it due at once
			wait.Go(func() {
				run := newRun(a)
				run.StartedBy, run.Due = identity.System("rotation-scheduler"), plan.NextAt
				err := s.OpenRun(ctx, run, "", nil, happened("account.reset"))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					begun++
				} else if k := fault.KindOf(err); k != fault.Conflict && k != fault.Stale {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if p := planAll(t, s, a.ID); begun != 1 || !p.NextAt.IsZero() || p.NextWhy != "a reset is under way" {
			t.Errorf("%d runs, then %+v", begun, p)
		}
		due, err := s.DueRuns(ctx, time.Now(), 1)
		must(t, err)
		run, err := s.Claim(ctx, due[0], "w", time.Minute)
		must(t, err)
		run.State = rotation.RolledBack
		must(t, s.Advance(ctx, run, happened("run.rolled_back")))
		if p := planAll(t, s, a.ID); p.NextAt.Before(time.Now().Add(14*time.Minute)) || p.NextWhy != "every 1s; tried again after a failure" {
			t.Errorf("after a failure: %+v", p)
		}
		run = newRun(a) // one that was begun before the other ended, and wakes only now
		run.Due = plan.NextAt
		if err := s.OpenRun(ctx, run, "", nil, happened("account.reset")); fault.KindOf(err) != fault.Stale {
			t.Errorf("a replica that comes late: %v", err)
		}
	})
}

func TestAThousandDueAtOnceQueue(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now()
		db := inventory.Resource{ID: id(), Name: "db", Type: "generic", CreatedAt: now}
		must(t, s.AddResource(ctx, db, nil, happened("resource.create")))
		assigned(t, s, "often", rotation.Rules{Rules: schedule.Rules{Every: "1s"}}, rotation.ByResource, db.ID)
		const n = 1000
		all := make([]inventory.Account, n)
		var wait sync.WaitGroup
		for part := range 20 { // writers at once share commits
			wait.Go(func() {
				for i := part; i < n; i += 20 {
					a := inventory.Account{ID: id(), ResourceID: db.ID, Name: fmt.Sprintf("app%04d", i), State: inventory.AccountUnverified, Current: 1, CreatedAt: now}
					v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now, Sealed: vault.Sealed("x")}
					if err := s.AddAccount(ctx, a, &v, nil, happened("account.create")); err != nil {
						t.Error(err)
					}
					all[i] = a
				}
			})
		}
		wait.Wait()
		planAll(t, s, all[0].ID)
		minute := now.Add(time.Minute)
		turned := map[string]bool{}
		for len(turned) < n {
			due, err := s.DueAccounts(ctx, minute, 100, 64)
			must(t, err)
			if len(due) == 0 || len(due) > 64 {
				t.Fatalf("%d begin at once, after %d", len(due), len(turned))
			}
			for _, account := range due {
				x, _, err := s.Standing(ctx, account)
				must(t, err)
				run := newRun(inventory.Account{ID: account, Current: 1})
				run.StartedBy, run.Due = identity.System("rotation-scheduler"), x.Plan.NextAt
				must(t, s.OpenRun(ctx, run, "", nil, happened("account.reset")))
				if turned[account] {
					t.Fatal("an account comes twice")
				}
				turned[account] = true
			}
			if more, err := s.DueAccounts(ctx, minute, 100, 64); err != nil || len(due) == 64 && len(more) != 0 {
				t.Fatalf("%d more than there are places for, %v", len(more), err)
			}
			runs, err := s.DueRuns(ctx, time.Now().Add(time.Minute), 64)
			must(t, err)
			for _, r := range runs { // they end one by one
				run, err := s.Claim(ctx, r, "w", time.Minute)
				must(t, err)
				run.State = rotation.RolledBack
				must(t, s.Advance(ctx, run, happened("run.rolled_back")))
			}
		}
	})
}

func TestARevealMakesAValueDue(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		of := func(id string) access.Credential {
			c, err := s.Credential(ctx, id, 0)
			must(t, err)
			return c
		}
		page, err := s.Secrets(ctx, store.Viewer{All: true}, store.SecretQuery{})
		must(t, err)
		secret := page.Items[0].ID
		if of(a.ID).Turns || of(secret).Turns {
			t.Error("a reveal means nothing to the default")
		}
		assigned(t, s, "revealed", rotation.Rules{OnReveal: "1h"}, rotation.ByAccount, a.ID)
		planAll(t, s, a.ID)
		if !of(a.ID).Turns || !of(secret).Turns {
			t.Error("a reveal is to be noticed")
		}
		must(t, s.RecordReveal(ctx, of(secret), "other", happened("account.reveal")))
		if p := planAll(t, s, a.ID); !p.NextAt.IsZero() {
			t.Errorf("another key of the Secret: %+v", p)
		}
		before := time.Now()
		must(t, s.RecordReveal(ctx, of(secret), "password", happened("account.reveal")))
		first := planAll(t, s, a.ID)
		if first.NextWhy != "the value was revealed" || first.NextAt.Before(before.Add(time.Hour).Truncate(time.Microsecond)) || first.NextAt.After(time.Now().Add(time.Hour)) {
			t.Errorf("%+v", first)
		}
		must(t, s.RecordReveal(ctx, of(a.ID), "", happened("account.reveal")))
		if again := planAll(t, s, a.ID); !again.NextAt.Equal(first.NextAt) {
			t.Errorf("a second reveal puts it off: %s, then %s", first.NextAt, again.NextAt)
		}
		if evs, err := s.AuditEvents(ctx, store.AuditFilter{Action: "account.reveal"}); err != nil || len(evs) != 3 {
			t.Errorf("%d events, %v", len(evs), err)
		}
		must(t, s.SetAccountValue(ctx, a.ID, inventory.Version{AccountID: a.ID, Number: 2, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: vault.Sealed("x")}, happened("account.update")))
		if p := planAll(t, s, a.ID); !p.NextAt.IsZero() {
			t.Errorf("the revealed value is gone: %+v", p)
		}
	})
}

func TestAHeartbeatIsClaimedOnceAndSaysNothingDuringAReset(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 0)
		due := planAll(t, s, a.ID).CheckAt
		if ids, err := s.DueChecks(ctx, due, 10); err != nil || len(ids) != 1 {
			t.Errorf("%v, %v", ids, err)
		}
		for i, want := range []bool{true, false} {
			if got, err := s.ClaimCheck(ctx, a.ID, due, due.Add(time.Minute)); err != nil || got != want {
				t.Errorf("claim %d: %v, %v", i, got, err)
			}
		}
		must(t, s.Checked(ctx, a.ID, due))
		if next := planAll(t, s, a.ID).CheckAt; next.Before(due.Add(24 * time.Hour)) {
			t.Errorf("checked at %s, then again at %s", due, next)
		}
		run := newRun(a)
		must(t, s.OpenRun(ctx, run, "", nil, happened("account.reset")))
		err := s.SetVerified(ctx, a.ID, 1, rotation.AccountOutOfSync, "refused", time.Now(), happened("account.verify"))
		if acc, _ := s.Account(ctx, a.ID); fault.KindOf(err) != fault.Conflict || acc.State != inventory.AccountUnverified {
			t.Errorf("%v, %s", err, acc.State)
		}
		if p := planAll(t, s, a.ID); !p.CheckAt.IsZero() {
			t.Errorf("a heartbeat during a reset: %+v", p)
		}
	})
}

func TestTheScheduleBeginsWithWhatIsOverdue(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now()
		db := inventory.Resource{ID: id(), Name: "db", Type: "generic", CreatedAt: now}
		must(t, s.AddResource(ctx, db, nil, happened("resource.create")))
		made := map[string]time.Duration{"soon": 29, "later": 1, "overdue": 35, "long overdue": 90, "unknown": 0}
		first := ""
		for name, days := range made {
			a := inventory.Account{ID: id(), ResourceID: db.ID, Name: name, State: inventory.AccountUnverified, CreatedAt: now}
			v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: now.Add(-days * 24 * time.Hour), Sealed: vault.Sealed("x")}
			if days == 0 {
				must(t, s.AddAccount(ctx, a, nil, nil, happened("account.create")))
				continue
			}
			a.Current, first = 1, a.ID
			must(t, s.AddAccount(ctx, a, &v, nil, happened("account.create")))
		}
		// The blackout moves what is overdue behind the rest.
		freeze := []schedule.Blackout{{From: now.Add(-48 * time.Hour), To: now.Add(300 * 24 * time.Hour)}}
		p := assigned(t, s, "aged", rotation.Rules{Rules: schedule.Rules{MaxAge: "30d", Blackouts: freeze}}, rotation.ByResource, db.ID)
		planAll(t, s, first)
		for _, limit := range []int{10, 1} {
			var got []string
			q := store.AccountQuery{ListQuery: store.ListQuery{Limit: limit}, Scheduled: true}
			for {
				page, err := s.Accounts(ctx, store.Viewer{All: true}, q)
				must(t, err)
				for _, row := range page.Items {
					got = append(got, row.Name)
					if row.Policy != "aged" || row.Plan.Because != "it is assigned to the resource db" || page.Total != 4 {
						t.Errorf("%+v of %d", row, page.Total)
					}
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if len(got) != 4 || got[0] != "long overdue" || got[1] != "overdue" {
				t.Errorf("pages of %d: %v", limit, got)
			}
		}
		for _, v := range []store.Viewer{{All: true}, {UserID: "nobody"}} {
			names, err := s.AssignmentNames(ctx, v)
			must(t, err)
			if want := map[bool]string{true: "db"}[v.All]; names[p.Assignments[0].ID] != want {
				t.Errorf("%+v learns of %v", v, names)
			}
		}
	})
}
