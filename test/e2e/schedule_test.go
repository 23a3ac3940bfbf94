package e2e

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

// A policy turns a real account by itself, a blackout holds it, a heartbeat finds a password that was changed behind
// Keyturn's back, and where the policy allows it the account is repaired. Nobody asks for any of it.
func TestPoliciesAreFollowed(t *testing.T) {
	w := &pagesWorld{subject: newSubject(t, build(t), nil), values: map[string]string{}}
	w.facts.IDs = map[string]string{}
	w.admin = w.as(client.NewValue(w.setUp(rand.Text())))
	ctx, p, role, keeper := t.Context(), bed.postgres, "app_schedule", "keeper_schedule"
	passwords := map[string]string{role: rand.Text(), keeper: rand.Text()}
	w.resource("scheduled-db", p.Port)
	for name, password := range passwords {
		w.psqlAs(p.SuperUser, p.SuperPassword, fmt.Sprintf(`CREATE ROLE %q LOGIN CREATEROLE PASSWORD '%s'`, name, password))
	}
	w.psqlAs(p.SuperUser, p.SuperPassword, fmt.Sprintf(`GRANT %q TO %q WITH ADMIN OPTION`, role, keeper))
	account, reconcile := w.account("scheduled-db", role, passwords[role]), w.account("scheduled-db", keeper, passwords[keeper])
	r, err := w.admin.Resource(ctx, "scheduled-db")
	must(t, err)
	_, err = w.admin.UpdateResource(ctx, r.ID, r.Rev, client.ResourceChange{ReconcileAccountID: &reconcile})
	must(t, err)

	w.say("policy", "create", "often", "--every", "2s", "--words", "5", "--history", "3", "--heartbeat", "off")
	w.say("policy", "assign", "often", "--account", "scheduled-db/"+role)
	w.eventually("the account turns twice by itself", func() bool { return w.found(account).Current >= 3 })
	w.say("policy", "edit", "often", "--blackout", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)+"/2099-01-01T00:00:00Z/freeze")
	w.eventually("the blackout holds it", func() bool {
		a := w.found(account)
		return a.Run == "" && a.NextAt != nil && a.NextAt.Year() == 2099 && a.NextWhy == "every 2s; a blackout holds it (freeze)"
	})
	held := w.found(account)
	if out := w.say("policy", "explain", "scheduled-db/"+role); !strings.Contains(out, "a blackout holds it (freeze)") || !strings.Contains(out, "It is assigned to this account") {
		t.Errorf("explained as\n%s", out)
	}
	if out := w.say("schedule", "list"); !strings.Contains(out, role) || !strings.Contains(out, "2099-01-01") {
		t.Errorf("the schedule is\n%s", out)
	}
	value, err := w.admin.Reveal(ctx, account, client.Reveal{})
	must(t, err)
	if words := strings.Split(value.Value.Text(), "-"); len(words) != 6 { // the default asks for a digit, which comes last
		t.Errorf("the passphrase has %d parts", len(words))
	}
	w.psqlAs(role, value.Value.Text(), "SELECT 1")
	for _, run := range w.runs(account) {
		if run.Actor != "rotation-scheduler" || run.State != "done" || !run.Proved {
			t.Errorf("%+v", run)
		}
	}

	w.psqlAs(p.SuperUser, p.SuperPassword, fmt.Sprintf(`ALTER ROLE %q PASSWORD '%s'`, role, rand.Text()))
	w.say("policy", "edit", "often", "--heartbeat", "10s")
	w.eventually("the heartbeat finds the change", func() bool { return w.found(account).State == "out_of_sync" })
	if a := w.found(account); a.Current != held.Current || a.Run != "" {
		t.Errorf("%+v", a)
	}
	w.say("policy", "edit", "often", "--every=", "--blackout=", "--reconcile", "refused")
	w.eventually("the account is repaired", func() bool {
		a := w.found(account)
		return a.State == "verified" && a.Current > held.Current && a.Run == ""
	})
	value, err = w.admin.Reveal(ctx, account, client.Reveal{})
	must(t, err)
	w.psqlAs(role, value.Value.Text(), "SELECT 1")
}

// say runs the command line, which must not fail.
func (w *pagesWorld) say(args ...string) string {
	w.t.Helper()
	out, err := w.keyturn("", args...)
	if err != nil {
		w.t.Fatalf("keyturn %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (w *pagesWorld) found(account string) client.Account {
	w.t.Helper()
	a, err := w.admin.Account(w.t.Context(), account)
	must(w.t, err)
	return a
}

func (w *pagesWorld) runs(account string) []client.Run {
	w.t.Helper()
	page, err := w.admin.Runs(w.t.Context(), client.RunFilter{Account: account})
	must(w.t, err)
	if len(page.Items) < 2 {
		w.t.Errorf("there are %d runs", len(page.Items))
	}
	return page.Items
}

func (w *pagesWorld) psqlAs(user, password, sql string) {
	w.t.Helper()
	_, err := bed.postgres.Psql(w.t.Context(), user, password, sql)
	must(w.t, err)
}
