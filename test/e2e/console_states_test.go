package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/console"
)

// TestConsoleStates looks at what the console's story does not come by: a run that stopped, a session that ended, a CA
// that did not sign, a server without its root key.
func TestConsoleStates(t *testing.T) {
	if !console.Built() {
		t.Fatal("the console is not built into this test: run `make console`")
	}
	program, password := build(t), rand.Text()
	s := newSubject(t, program, nil, "--allow-loopback-clusters")
	run := stoppedRun(t, s.as(client.NewValue(s.setUp(password))))
	file := filepath.Join(s.dir, "anna")
	must(t, os.WriteFile(file, []byte(password), 0o600))

	out, err := inBrowser(t.Context(), "states.mjs", "console-states",
		"STATES_URL="+s.url, "STATES_SEALED_URL="+sealedServer(t, program), "STATES_PASSWORD_FILE="+file, "STATES_RUN="+run.ID,
		"STATES_CLUSTER_URL="+bed.clusters.Planes[1].URL, "STATES_OTHER_CA="+bed.postgres.CAFile)
	t.Log("\n" + out)
	must(t, err)
}

// stoppedRun resets a password that stands in two keys, of which a controller holds one, and returns the run when it
// needs attention.
func stoppedRun(t *testing.T, admin *client.Client) client.Run {
	t.Helper()
	ctx, plane, role, value := t.Context(), bed.clusters.Planes[0], "console_states", rand.Text()
	sql := fmt.Sprintf("SET log_statement = 'none';\nCREATE ROLE %s LOGIN PASSWORD '%s'", role, value)
	_, err := bed.postgres.Psql(ctx, bed.postgres.SuperUser, bed.postgres.SuperPassword, sql)
	must(t, err)
	secret := func(name, manager string) {
		manifest := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: shop, name: %s}\nstringData: {password: %q}\n", name, value)
		_, err := plane.Kubectl(ctx, manifest, "create", "--field-manager", manager, "-f", "-")
		must(t, err)
	}
	secret("orders-api", "kubectl-create")
	secret("orders-worker", "some-operator")

	cluster := shopCluster(t, admin)
	fetch, err := admin.FetchSecrets(ctx, cluster.ID, client.Selection{Secrets: []string{"shop/orders-api", "shop/orders-worker"}})
	must(t, err)
	awaitFetch(t, admin, fetch)
	r, err := admin.AddResource(ctx, client.NewResource{Name: "orders-db", Type: "postgresql", Settings: map[string]string{
		"host": bed.postgres.Host, "port": strconv.Itoa(bed.postgres.Port), "database": "postgres", "tls_ca": string(bed.postgres.CAPEM)}})
	must(t, err)
	account, err := admin.AddAccount(ctx, r.ID, client.NewAccount{Name: role, Value: client.NewValue(value)})
	must(t, err)
	secrets, err := admin.Secrets(ctx, client.SecretFilter{Cluster: cluster.ID})
	must(t, err)
	for _, s := range secrets.Items {
		_, err := admin.AddMapping(ctx, client.NewMapping{AccountID: account.ID, SecretID: s.ID, Key: "password"})
		must(t, err)
	}
	run, err := admin.Reset(ctx, account.ID, client.Reset{})
	must(t, err)
	for end := time.Now().Add(time.Minute); run.State != "needs_attention" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		run, err = admin.Run(ctx, run.ID)
		must(t, err)
	}
	if run.State != "needs_attention" || run.KeysProved != 1 {
		t.Fatalf("the run is %s with %d of %d keys, should need attention with 1 of 2", run.State, run.KeysProved, run.Keys)
	}
	return run
}

// sealedServer starts a server whose repository was made with a root key that is not there any more, and returns its URL.
func sealedServer(t *testing.T, program string) string {
	t.Helper()
	s := newSubject(t, program, nil)
	s.stop()
	must(t, os.Remove(filepath.Join(s.data(), "root.key")))
	must(t, s.start([]string{"server", "--data", s.data(), "--listen", "127.0.0.1:0"}, nil))
	return s.await(regexp.MustCompile(`listens on (https://\S+)\n`))[1]
}
