package e2e

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// newGuardedWorld is a server that follows a namespace of a cluster and may write there, with one Secret in it.
func newGuardedWorld(t *testing.T, namespace string) (w *pagesWorld, plane *testbed.ControlPlane) {
	t.Helper()
	w = &pagesWorld{subject: newSubject(t, build(t), nil, "--allow-loopback-clusters"), clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts = pagesFacts{IDs: map[string]string{}, Clusters: map[string]pagesCluster{}, Passwords: map[string]string{}}
	w.admin = w.as(client.NewValue(w.setUp(rand.Text())))
	plane = bed.clusters.Planes[0]
	w.namespaces(plane, namespace)
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{namespace}, Access: "read-write"})
	w.kubectl(plane, "", "-n", namespace, "create", "secret", "generic", "db", "--from-literal=password=first", "--from-literal=host=db")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{namespace}})
	w.followed("live")
	return w, plane
}

func TestDriftIsAskedAboutHealedAndNotFoughtOver(t *testing.T) {
	w, plane := newGuardedWorld(t, "guarded")
	path := "prod-eu/guarded/db"
	value := func(key string) string {
		return w.kubectl(plane, "", "-n", "guarded", "get", "secret", "db", "-o", "go-template={{index .data \""+key+"\" | base64decode}}")
	}
	change := func(manager, key, value string) {
		w.kubectl(plane, "", "-n", "guarded", "patch", "secret", "db", "--field-manager", manager, "--type", "merge", "-p", `{"stringData":{"`+key+`":"`+value+`"}}`)
	}
	says := func(what string, args ...string) {
		t.Helper()
		last := ""
		defer func() {
			if t.Failed() {
				t.Logf("keyturn %s says\n%s", strings.Join(args, " "), last)
			}
		}()
		pattern := regexp.MustCompile(what)
		w.eventually("keyturn "+strings.Join(args, " ")+" says "+what, func() bool {
			last = w.say(args...)
			return pattern.MatchString(last)
		})
	}

	w.say("conflict", "policy", "prod-eu", "ask")
	// A person is asked, and says that the vault is right; then that the cluster is.
	says(`policy:\s+ask\nset here:\s+inherited`, "conflict", "policy", path)
	change("kubectl-edit", "password", "second")
	says(`(?m)^prod-eu/guarded/db\s+open\s+password changed\s+kubectl-edit\s`, "conflict", "list")
	if out := w.say("conflict", "resolve", path, "--keep", "vault", "--wait"); !strings.Contains(out, "settled") || value("password") != "first" {
		t.Fatalf("the vault's value is not there again, but %q:\n%s", value("password"), out)
	}
	change("kubectl-edit", "host", "db2")
	says(`host changed`, "conflict", "list", "--cluster", "prod-eu")
	w.say("conflict", "resolve", "--all", "--keep", "cluster", "--yes")
	if value("host") != "db2" || strings.Contains(w.say("conflict", "list"), "guarded/db") {
		t.Fatal("the cluster's value was not kept")
	}

	// The vault wins, and the log says over whom.
	w.say("conflict", "policy", "prod-eu/guarded", "vault-wins")
	change("kubectl-edit", "password", "third")
	w.eventually("the vault's value is written again", func() bool { return value("password") == "first" })
	says(`changed_by.*kubectl-edit`, "audit", "list", "--action", "secret.heal", "-o", "json")

	// A peer that keeps the key itself is not fought: Keyturn says whose it is, and stops.
	change("external-secrets", "password", "the peer's")
	says(`(?s)state:\s+stopped.*external-secrets.*key password:\s+changed in the cluster`, "conflict", "get", path)
	if value("password") != "the peer's" {
		t.Errorf("the peer's value is %q", value("password"))
	}
}
