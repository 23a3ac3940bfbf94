package e2e

import (
	"fmt"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// asked makes a run that waits for a person: of what reads its key one workload is asked about, and one is paused.
func (w *pagesWorld) asked(p *testbed.ControlPlane) {
	w.t.Helper()
	ctx := w.t.Context()
	w.role("pages_asked")
	for _, name := range []string{"asked", "restarted"} {
		w.secret(p, "checkout/"+name, "kubectl-create", "pages_asked", "")
	}
	for _, x := range [][3]string{{"mailer", "asked", "false"}, {"exporter", "restarted", "true"}} {
		w.kubectl(p, fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {namespace: checkout, name: %[1]s}
spec:
  replicas: 2
  paused: %[3]s
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: app, image: none, env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: %[2]s, key: password}}}]}]}
`, x[0], x[1], x[2]), "create", "-f", "-")
	}
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"checkout", "ledger"}})
	account := w.account("orders-db", "pages_asked", w.values["pages_asked"], "checkout/asked", "checkout/restarted")
	mapped, err := w.admin.Mappings(ctx, client.MappingFilter{Secret: w.facts.IDs["checkout/asked"]})
	must(w.t, err)
	if len(mapped.Items) != 1 {
		w.t.Fatalf("checkout/asked has %d mappings", len(mapped.Items))
	}
	m := mapped.Items[0]
	w.facts.IDs["asked mapping"] = m.ID
	_, err = w.admin.UpdateMapping(ctx, m.ID, m.Rev, client.MappingChange{OnWrite: "ask"})
	must(w.t, err)
	w.reset("asks", account, client.Reset{}, "needs_attention")
}
