package e2e

import (
	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// conflictingSecrets are those of which a person has to say which side is right, with the field manager that made them.
var conflictingSecrets = map[string]string{"ledger/mail": "kubectl-create", "ledger/queue": "kubectl-create", "ledger/turned": "kubectl-create", "ledger/relay": "some-operator"}

// conflicts changes Secrets in their cluster: two in a namespace that asks, one of them with a key added, one whose key is an
// account's, and one that its owner would write again.
func (w *pagesWorld) conflicts(p *testbed.ControlPlane) {
	w.t.Helper()
	ctx := w.t.Context()
	w.role("pages_turned")
	for path, manager := range conflictingSecrets {
		role := "another"
		if path == "ledger/turned" {
			role = "pages_turned"
		}
		w.secret(p, path, manager, role, "")
	}
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"checkout", "ledger"}})
	w.account("orders-db", "pages_turned", w.values["pages_turned"], "ledger/turned")
	namespace, err := w.admin.Resource(ctx, "ledger-prod-eu")
	must(w.t, err)
	_, err = w.admin.SetResourceDrift(ctx, namespace.ID, namespace.Rev, "ask")
	must(w.t, err)
	relay, err := w.admin.Secrets(ctx, client.SecretFilter{Cluster: "prod-eu", Namespace: "ledger", Name: "relay"})
	must(w.t, err)
	_, err = w.admin.SetSecretDrift(ctx, relay.Items[0].ID, relay.Items[0].Rev, "vault_wins")
	must(w.t, err)
	for _, change := range [][3]string{
		{"mail", "kubectl-edit", `{"stringData":{"password":"of-the-cluster","note":"call anna"}}`},
		{"queue", "kubectl-edit", `{"data":{"user":null}}`},
		{"turned", "kubectl-edit", `{"stringData":{"password":"of-the-cluster"}}`},
		{"relay", "some-operator", `{"stringData":{"password":"of-the-operator"}}`},
	} {
		w.kubectl(p, "", "-n", "ledger", "patch", "secret", change[0], "--field-manager", change[1], "-p", change[2])
	}
	w.sync("prod-eu")
	w.eventually("three conflicts are open, and one has stopped", func() bool {
		found, err := w.admin.Conflicts(ctx, client.ConflictFilter{})
		must(w.t, err)
		for _, x := range found.Items {
			w.facts.IDs["conflict "+x.Name] = x.ID
		}
		return found.Counts["open"] == 3 && found.Counts["stopped"] == 1
	})
}
