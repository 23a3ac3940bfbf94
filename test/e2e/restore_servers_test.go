package e2e

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

// Two servers on one PostgreSQL keep heads in a folder each and in one cluster. Neither takes what the other did, or that
// its own file has fallen behind, for a restore.
func TestTwoServersOnOneRepositoryRaiseNoAlarm(t *testing.T) {
	program, dsn := build(t), newDatabase(t, "two_servers")
	w := &pagesWorld{subject: newSubject(t, program, nil, "--database", dsn, "--allow-loopback-clusters"), clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts = pagesFacts{IDs: map[string]string{}, Clusters: map[string]pagesCluster{}, Passwords: map[string]string{}}
	w.admin = w.as(client.NewValue(w.setUp(rand.Text())))
	plane := w.plane("two-servers")
	w.namespaces(plane, "checkout")
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{"checkout"}, Access: "read-write"})
	w.resource("orders-db", bed.postgres.Port)
	w.role("two_servers")
	w.secret(plane, "checkout/db", "kubectl-create", "two_servers", "")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"checkout"}})
	account := w.account("orders-db", "two_servers", w.values["two_servers"], "checkout/db")

	other := &subject{t: t, program: program, dir: t.TempDir()}
	must(t, os.Mkdir(other.data(), 0o700))
	key, err := os.ReadFile(filepath.Join(w.data(), "root.key"))
	must(t, err, os.WriteFile(filepath.Join(other.data(), "root.key"), key, 0o600))
	args := []string{"server", "--data", other.data(), "--listen", "127.0.0.1:0", "--database", dsn, "--allow-loopback-clusters", "--log-level", "debug"}
	for range 3 {
		must(t, other.start(args, nil))
		other.await(regexp.MustCompile(`listens on https://\S+\n`))
		for range 3 {
			w.reset("turned", account, client.Reset{}, "done")
		}
		other.stop()
		w.reset("alone", account, client.Reset{}, "done") // its file falls behind
		time.Sleep(200 * time.Millisecond)
	}
	now, err := w.admin.Restore(t.Context())
	must(t, err)
	if now.State != "normal" || len(now.Ended) != 0 {
		t.Errorf("%+v", now)
	}
	if h, err := w.admin.Health(t.Context()); err != nil || h.Restored {
		t.Errorf("%+v, %v", h, err)
	}
}
