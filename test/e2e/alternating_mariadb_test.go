package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/mysql"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// A pair of MariaDB accounts is turned twice by the resource's reconcile account. A difference of their grants stops it before
// a value is made, and the account that is in use keeps its value. Rehearsed before, the pair is ready.
func TestAPairOnMariaDB(t *testing.T) {
	m := startMariaDB(t)
	w := &pagesWorld{subject: newSubject(t, build(t), nil, "--allow-loopback-clusters"), clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts.Clusters, w.facts.IDs = map[string]pagesCluster{}, map[string]string{}
	w.admin = w.as(client.NewValue(w.setUp(rand.Text())))
	plane, ctx := bed.clusters.Planes[0], t.Context()
	for _, name := range []string{"turn_a", "turn_b", "keyturn", "alone"} {
		w.values[name] = rand.Text()
		must(t, m.run(fmt.Sprintf("CREATE USER %s IDENTIFIED VIA mysql_native_password USING PASSWORD('%s')", name, w.values[name])))
	}
	must(t, m.run("CREATE DATABASE shop"))
	must(t, m.run("GRANT SELECT, INSERT ON shop.* TO turn_a, turn_b"))
	must(t, m.run("GRANT CREATE USER ON *.* TO keyturn"))
	must(t, m.run("GRANT SELECT ON mysql.* TO keyturn"))

	w.namespaces(plane, "maria")
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{"maria"}, Access: "read-write", Restart: true})
	address := (&url.URL{Scheme: "mysql", User: url.UserPassword("turn_a", w.values["turn_a"]), Host: "db:3306", Path: "/shop"}).String()
	w.kubectl(plane, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: maria, name: db}\nstringData: {username: turn_a, password: %q, url: %q}\n", w.values["turn_a"], address), "create", "-f", "-")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"maria"}})

	made, err := w.admin.AddResource(ctx, client.NewResource{Name: "maria", Type: "mysql", Settings: m.settings()})
	must(t, err)
	repairer, err := w.admin.AddAccount(ctx, "maria", client.NewAccount{Name: "keyturn", Value: client.NewValue(w.values["keyturn"])})
	must(t, err)
	// Without the reconcile account an account takes one value at a time, and cannot be given two.
	alone, err := w.admin.AddAccount(ctx, "maria", client.NewAccount{Name: "alone", Value: client.NewValue(w.values["alone"])})
	must(t, err)
	if r := w.rehearsed(alone.ID); r.State != "ready" {
		t.Errorf("the rehearsal of a change by the account itself: %+v", r)
	}
	w.reset("alone", alone.ID, client.Reset{}, "done")
	alone, err = w.admin.Account(ctx, alone.ID)
	must(t, err)
	overlap := "overlap"
	_, err = w.admin.UpdateAccount(ctx, alone.ID, alone.Rev, client.AccountChange{Strategy: &overlap})
	must(t, err)
	if r := w.rehearsed(alone.ID); r.State != "not_ready" || !strings.Contains(r.Reason, "may not change") {
		t.Errorf("the rehearsal of an overlap by the account itself: %+v", r)
	}
	_, err = w.admin.UpdateResource(ctx, made.ID, made.Rev, client.ResourceChange{ReconcileAccountID: &repairer.ID})
	must(t, err)
	pair, err := w.admin.AddAccount(ctx, "maria", client.NewAccount{Name: "turn_a", Pair: "turn_b", Value: client.NewValue(w.values["turn_a"])})
	must(t, err)
	if pair.Login != "turn_a" || pair.Pair != "turn_b" || pair.Strategy != "alternating" {
		t.Fatalf("the pair: %+v", pair)
	}
	secrets, err := w.admin.Secrets(ctx, client.SecretFilter{Cluster: "prod-eu"})
	must(t, err)
	for _, mapping := range []client.NewMapping{{Key: "username", Holds: "username"}, {Key: "password", Holds: "password"}, {Key: "url", Holds: "both", Place: &client.Place{Format: "url"}}} {
		mapping.AccountID, mapping.SecretID = pair.ID, secrets.Items[0].ID
		_, err := w.admin.AddMapping(ctx, mapping)
		must(t, err)
	}

	rehearsed := w.rehearsed(pair.ID)
	if rehearsed.State != "ready" || !strings.Contains(fmt.Sprintf("%+v", rehearsed), "because of its name alone") {
		t.Errorf("the rehearsal: %+v", rehearsed)
	}
	api := trusting(plane)
	for turn, login := range []string{"turn_b", "turn_a"} {
		w.reset(fmt.Sprintf("turn %d", turn), pair.ID, client.Reset{}, "done")
		data, err := secretData(ctx, api, plane, "maria", "db")
		must(t, err)
		u, err := url.Parse(data["url"])
		must(t, err)
		inURL, _ := u.User.Password()
		if data["username"] != login || u.User.Username() != login || inURL != data["password"] {
			t.Errorf("after turn %d the Secret is for %s and %s, should be for %s", turn, data["username"], u.User.Username(), login)
		}
		if err := m.login(ctx, login, data["password"]); err != nil {
			t.Errorf("what the Secret says after turn %d does not log in: %v", turn, err)
		}
		if turn == 0 {
			if err := m.login(ctx, "turn_a", w.values["turn_a"]); err != nil {
				t.Errorf("the login that was in use was touched: %v", err)
			}
		}
	}

	must(t, m.run("GRANT DELETE ON shop.* TO turn_a"))
	stopped, err := w.admin.Reset(ctx, pair.ID, client.Reset{})
	must(t, err)
	w.eventually("the difference stops the run", func() bool {
		stopped, err = w.admin.Run(ctx, stopped.ID)
		must(t, err)
		return stopped.State == "needs_attention"
	})
	if stopped.Step != "planned" || stopped.New != 0 || !strings.Contains(stopped.Reason, "nly turn_a has DELETE on `shop`.*") {
		t.Errorf("the stopped run: %+v", stopped)
	}
}

// rehearsed rehearses an account and returns what came of it.
func (w *pagesWorld) rehearsed(account string) (r client.Rehearsal) {
	w.t.Helper()
	_, err := w.admin.Rehearse(w.t.Context(), account)
	must(w.t, err)
	w.eventually("the account is rehearsed", func() bool {
		r, err = w.admin.Rehearsal(w.t.Context(), account)
		must(w.t, err)
		return r.State != "running"
	})
	return r
}

// mariaDB is a real server of one test.
type mariaDB struct {
	*targettest.Server
	port string
}

func startMariaDB(t *testing.T) *mariaDB {
	t.Helper()
	m := &mariaDB{Server: targettest.NewServer(t), port: targettest.Port(t)}
	install := m.Command("/usr/bin/mariadb-install-db", "--no-defaults", "--datadir="+m.Dir+"/data", "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=4M")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.Start(t, m.Command("/usr/sbin/mariadbd", "--no-defaults", "--datadir="+m.Dir+"/data", "--port="+m.port, "--bind-address=127.0.0.1", "--skip-name-resolve",
		"--socket="+m.Dir+"/s", "--pid-file="+m.Dir+"/pid", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", "--performance-schema=OFF",
		"--ssl-ca="+m.Dir+"/ca.crt", "--ssl-cert="+m.Dir+"/srv.crt", "--ssl-key="+m.Dir+"/srv.key",
	), func() error { return m.run("SELECT 1") })
	return m
}

// run has the server carry a statement out, as root and over its socket.
func (m *mariaDB) run(statement string) error {
	cmd := m.Command("/usr/bin/mariadb", "--no-defaults", "--user=root", "--socket="+m.Dir+"/s")
	cmd.Stdin = strings.NewReader(statement)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (m *mariaDB) settings() map[string]string {
	return map[string]string{"host": "127.0.0.1", "port": m.port, "tls_ca": m.CA}
}

func (m *mariaDB) login(ctx context.Context, user, password string) error {
	return mysql.New(mysql.Config{}).Verify(ctx, m.settings(), target.Login{User: user, Password: targettest.Value(password)})
}
