package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/kubernetes"
	"github.com/keyturn/keyturn/internal/target/targettest"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

// The type of ServiceAccounts' tokens passes its suite against a real API server and its controllers.
func TestTokensOfServiceAccounts(t *testing.T) {
	const ns = "robots"
	plane, err := testbed.StartControlPlane(context.Background(), testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	kubectl := func(t *testing.T, stdin string, args ...string) string {
		t.Helper()
		out, err := plane.Kubectl(context.Background(), stdin, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	kubectl(t, "", "create", "namespace", ns)
	w := newFetchWorld(t, plane, inventory.Scope{Namespaces: []string{ns}})
	rights := func(t *testing.T, replace bool) {
		manifest, err := kube.Manifest(kube.Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true, Replace: replace})
		w.do(t, err)
		kubectl(t, string(manifest), "apply", "-f", "-")
		for _, verb := range []string{"create", "delete"} { // the API server takes up to a second to know of them
			for want := map[bool]string{true: "yes", false: "no"}[replace]; ; {
				out, _ := plane.Kubectl(context.Background(), "", "auth", "can-i", verb, "secrets", "-n", ns, "--as=system:serviceaccount:keyturn:keyturn")
				if strings.TrimSpace(out) == want {
					break
				}
			}
		}
	}
	rights(t, true)
	cluster, err := w.clusters.Tokens(t.Context(), w.cluster.ID)
	w.do(t, err)
	conn := cluster.(tokens).conn
	nobody, err := kube.Dial(kube.Config{Server: "https://127.0.0.1:1", CAPEM: plane.CAPEM, AllowLoopback: true})
	w.do(t, err)

	issue := func(t *testing.T, account, secret string) vault.Value {
		t.Helper()
		old := kube.Secret{Namespace: ns, Annotations: map[string]string{"kubernetes.io/service-account.name": account}}
		made, err := conn.ReissueToken(t.Context(), old, kube.Replacement{Name: secret, Base: account, By: "test"})
		if err != nil {
			t.Fatal(err)
		}
		_, token, _ := made.AccountToken()
		return token
	}
	targettest.RunIssuer(t, targettest.IssuerHarness{
		Target: kubernetes.New().In(cluster, ns),
		Away:   kubernetes.New().In(tokens{nobody}, ns),
		Create: func(t *testing.T) target.Login {
			name := "kt-" + strings.ToLower(rand.Text()[:10])
			kubectl(t, "", "-n", ns, "create", "serviceaccount", name)
			return target.Login{User: name, Password: issue(t, name, name)}
		},
		Issue: func(t *testing.T, account string) vault.Value {
			return issue(t, account, fmt.Sprintf("%s-%s", account, strings.ToLower(rand.Text()[:6])))
		},
		End: func(t *testing.T, _ string, value vault.Value) {
			_, _, secret, _ := cluster.Claims(value)
			kubectl(t, "", "-n", ns, "delete", "secret", secret)
			for {
				if _, err := cluster.WhoIs(t.Context(), value); target.OutcomeOf(err) == target.Refused {
					return
				}
				if t.Context().Err() != nil {
					return
				}
			}
		},
		Dump: func(t *testing.T) string {
			return kubectl(t, "", "-n", ns, "get", "secrets,serviceaccounts", "-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.data}{"\n"}{end}`)
		},
		Strip: func(t *testing.T) func() {
			rights(t, false)
			return func() { rights(t, true) }
		},
	})
}
