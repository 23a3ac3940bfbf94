package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/keyturn/keyturn/client"
)

// A pair of PostgreSQL roles is turned again and again, in two keys and inside a URL, while a program logs in every few
// milliseconds with whatever its Secret says. It is never refused. A difference of their rights stops the pair, and the
// role that is in use is never touched.
func TestAPairNeverRefusesAReader(t *testing.T) {
	w, account := newPairWorld(t)
	ctx := t.Context()
	reader := readSecret(t, bed.clusters.Planes[0], "pair", "db", "url", pairLogin)
	const turns = 6
	for i := range turns {
		before := reader.logins.Load()
		w.reset(fmt.Sprintf("turn %d", i), account, client.Reset{}, "done")
		a, err := w.admin.Account(ctx, account)
		must(t, err)
		want := "turn_b"
		if i%2 == 1 {
			want = "turn_a"
		}
		if a.Login != want || a.State != "verified" {
			t.Fatalf("after turn %d the login in use is %s (%s), should be %s", i, a.Login, a.State, want)
		}
		w.eventually("the reader logs in after a turn", func() bool { return reader.logins.Load() > before+2 })
	}
	run, err := w.admin.Run(ctx, w.facts.IDs["turn 5"])
	must(t, err)
	if run.Strategy != "alternating" || run.Login != "turn_a" || run.KeysProved != 3 {
		t.Errorf("the last run: %+v", run)
	}

	w.psql("GRANT SELECT ON turned TO turn_a")
	stopped, err := w.admin.Reset(ctx, account, client.Reset{})
	must(t, err)
	w.eventually("the difference stops the run", func() bool {
		stopped, err = w.admin.Run(ctx, stopped.ID)
		must(t, err)
		return stopped.State == "needs_attention"
	})
	if stopped.Step != "planned" || stopped.New != 0 || !strings.Contains(stopped.Reason, "nly turn_a has SELECT on table public.turned") || stopped.Cure == "" {
		t.Errorf("the stopped run: %+v", stopped)
	}
	w.psql("GRANT SELECT ON turned TO turn_b")
	_, err = w.admin.ResumeRun(ctx, stopped.ID)
	must(t, err)
	w.eventually("the mended run is done", func() bool {
		stopped, err = w.admin.Run(ctx, stopped.ID)
		must(t, err)
		return stopped.State == "done"
	})
	reader.neverRefused(t, turns)

	mappings := func(state string) (n int) {
		page, err := w.admin.Mappings(ctx, client.MappingFilter{Account: account})
		must(t, err)
		for _, m := range page.Items {
			if m.State == state && m.Written == stopped.New {
				n++
			}
		}
		return n
	}
	if mappings("in_sync") != 3 {
		t.Errorf("%d of 3 keys are in sync with the last version", mappings("in_sync"))
	}

	versions, err := w.admin.Versions(ctx, account)
	must(t, err)
	valid := map[string]int{}
	for _, v := range versions {
		value, err := w.admin.Reveal(ctx, account, client.Reveal{Version: v.Number})
		must(t, err)
		_, err = bed.postgres.Psql(ctx, v.Login, value.Value.Text(), "SELECT 1")
		if works := v.Stage == "current" || v.Stage == "previous"; (err == nil) != works {
			t.Errorf("version %d of %s is %s; psql: %v", v.Number, v.Login, v.Stage, err)
		}
		if err == nil {
			valid[v.Login]++
		}
	}
	if valid["turn_a"] != 1 || valid["turn_b"] != 1 {
		t.Errorf("valid versions: %v", valid)
	}
	_, err = w.admin.AddAccount(ctx, "turned-db", client.NewAccount{Name: "turn_b"})
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != http.StatusConflict {
		t.Errorf("an account of its own for a login of the pair: %v", err)
	}
}

// newPairWorld has the pair turn_a and turn_b, whose user name, password and URL stand in three keys of one Secret.
func newPairWorld(t *testing.T) (w *pagesWorld, account string) {
	t.Helper()
	w, account = newPair(t, "pair", "postgres", client.NewResource{Name: "turned-db", Type: "postgresql", Settings: databaseSettings(bed.postgres.Port)}, func(w *pagesWorld) {
		w.role("turn_a")
		w.role("turn_b")
		w.psql("CREATE TABLE IF NOT EXISTS turned (); GRANT UPDATE ON turned TO turn_a, turn_b")
	})
	must(t, w.mapPair(account, client.NewMapping{Key: "password", Holds: "password"}))

	// The password alone would be written beside a user name that stays.
	run, err := w.admin.Reset(t.Context(), account, client.Reset{})
	must(t, err)
	w.eventually("a pair without its user name stops", func() bool {
		run, err = w.admin.Run(t.Context(), run.ID)
		must(t, err)
		return run.State == "needs_attention" && strings.Contains(run.Reason, "user name")
	})
	_, err = w.admin.CancelRun(t.Context(), run.ID)
	must(t, err)
	must(t, w.mapPair(account, client.NewMapping{Key: "username", Holds: "username"}))
	if err := w.mapPair(account, client.NewMapping{Key: "url", Holds: "password", Place: &client.Place{Format: "url"}}); err == nil {
		t.Error("the password of a pair was mapped without the user name beside it")
	}
	must(t, w.mapPair(account, client.NewMapping{Key: "url", Holds: "both", Place: &client.Place{Format: "url"}}))
	return w, account
}

// newPair has a pair on a system on which logins makes turn_a and turn_b, with the values that it gives them. The Secret
// "db" of the namespace has user name, password and URL of turn_a.
func newPair(t *testing.T, namespace, scheme string, system client.NewResource, logins func(*pagesWorld)) (w *pagesWorld, account string) {
	t.Helper()
	w = &pagesWorld{subject: newSubject(t, build(t), nil, "--allow-loopback-clusters"), clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts.Clusters, w.facts.IDs = map[string]pagesCluster{}, map[string]string{}
	w.admin = w.as(client.NewValue(w.setUp(rand.Text())))
	plane, ctx := bed.clusters.Planes[0], t.Context()
	logins(w)
	w.namespaces(plane, namespace)
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{namespace}, Access: "read-write", Restart: true})
	address := url.URL{Scheme: scheme, User: url.UserPassword("turn_a", w.values["turn_a"]), Host: "db:5432", Path: "/shop"}
	w.kubectl(plane, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: db}\nstringData: {username: turn_a, password: %q, url: %q}\n",
		namespace, w.values["turn_a"], address.String()), "create", "-f", "-")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{namespace}})
	_, err := w.admin.AddResource(ctx, system)
	must(t, err)
	a, err := w.admin.AddAccount(ctx, system.Name, client.NewAccount{Name: "turn_a", Pair: "turn_b", Value: client.NewValue(w.values["turn_a"])})
	must(t, err)
	if a.Login != "turn_a" || a.Pair != "turn_b" || a.Strategy != "alternating" {
		t.Fatalf("the pair: %+v", a)
	}
	_, err = w.admin.UpdateAccount(ctx, a.ID, a.Rev, client.AccountChange{PairValue: client.NewValue(w.values["turn_b"])})
	must(t, err)
	return w, a.ID
}

// mapPair maps a key of the only Secret to the pair, which has to be in sync then.
func (w *pagesWorld) mapPair(account string, m client.NewMapping) error {
	w.t.Helper()
	secrets, err := w.admin.Secrets(w.t.Context(), client.SecretFilter{Cluster: "prod-eu"})
	must(w.t, err)
	m.AccountID, m.SecretID = account, secrets.Items[0].ID
	made, err := w.admin.AddMapping(w.t.Context(), m)
	if err == nil && (made.State != "in_sync" || made.Holds != m.Holds) {
		w.t.Errorf("the key %s is %s and holds %s: %s", made.Key, made.State, made.Holds, made.Reason)
	}
	return err
}

func pairLogin(ctx context.Context, _ *url.URL, user, password string) error {
	c, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%s dbname=postgres sslmode=verify-full sslrootcert=%s user=%s password=%s",
		bed.postgres.Host, strconv.Itoa(bed.postgres.Port), bed.postgres.CAFile, user, password))
	if err != nil {
		return err
	}
	return c.Close(ctx)
}
