package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden shows every command that prints something, as people and programs see it.
func TestGolden(t *testing.T) {
	w := newWorld(t)
	var all strings.Builder
	for _, line := range []string{
		"version", "whoami", "whoami -o yaml", "cluster config",
		"cluster list", "cluster list -o wide", "cluster list -o name", "cluster list --no-headers", "cluster get prod-eu",
		"cluster test prod-eu", "cluster secrets prod-eu", "cluster fetch prod-eu --all", "cluster sync prod-eu -o json",
		"resource list", "resource list -o wide", "resource get orders-db", "resource types",
		"account list", "account list -o wide", "account list -o name", "account get orders-db/app", "account get shop-prod-eu/web",
		"account versions orders-db/app", "account verify orders-db/app", "account reveal orders-db/app", "account reveal orders-db/app -o json",
		"account reset orders-db/app", "account reset orders-db/app --wait", "account download shop-prod-eu/web",
		"mapping list", "mapping list -o wide", "mapping add orders-db/app prod-eu/shop/web/PASSWORD", "mapping edit prod-eu/shop/web/PASSWORD --on-write ask",
		"mapping delete prod-eu/shop/web/PASSWORD --yes",
		"rotation plan orders-db/app", "rotation plan orders-db/app -o wide", "rotation rehearse orders-db/app", "rotation rehearsal orders-db/app", "account list --ready not-ready",
		"rotation list", "rotation list -o wide", "rotation get " + runID, "rotation watch " + runID, "rotation resume " + runID,
		"rotation rollback " + runID, "rotation cancel " + runID,
		"policy list", "policy list -o wide", "policy list -o name", "policy get prod", "policy get prod -o yaml",
		"policy create prod --every 30d --history 5 --words 4 --blackout 2026-12-20T00:00:00Z/2027-01-03T00:00:00Z/holidays", "policy edit prod --every= --max-age 90d",
		"policy assign prod --account orders-db/app", "policy unassign prod as1", "policy explain orders-db/app", "policy delete prod --yes",
		"schedule list", "schedule list -o wide", "schedule list -o name",
		"audit list", "audit list -o wide", "audit verify",
		"restore status", "restore list", "restore list --all -o wide", "restore check orders-db/admin", "restore accept --yes --unresolved orders-db/admin",
		"key list", "key list -o wide", "key list -o json", "key list -o yaml", "key list -o name", "key rotate", "key rotate -o name", "key remove 1 --yes", "key root --yes", "key root --yes -o yaml",
		"secret list", "secret list -o wide", "secret list -o name", "secret get prod-eu/shop/web", "secret history prod-eu/shop/web", "secret history prod-eu/shop/web -o wide",
		"secret restore prod-eu/shop/web --yes", "secret restore prod-eu/shop/web --version 1 --key PASSWORD --yes -o json",
		"secret duplicates", "secret duplicates --of shop-prod-eu/web -o json", "secret duplicates " + groupID, "secret duplicates " + groupID + " -o name",
		"leak find --sha256 ab", "leak find --sha256 ab -o name", "leak find --sha256 ab -o json", "leak plan " + leakID, "leak plan --sha256 ab --no-forecast -o wide", "leak plan " + leakID + " -o yaml",
		"leak rotate " + leakID + " --yes", "leak rotate " + leakID + " --yes --wait",
		"user list", "user list -o wide", "user edit ann --role auditor", "group list", "group list -o wide", "group edit ops --add bob",
		"grant list", "grant list -o wide", "grant create --group ops --resource orders-db --level use --expires 1d",
		"token list", "token list -o wide", "token create ci --scope account.reveal",
		"cluster delete prod-eu --yes", "resource delete orders-db --yes", "account delete orders-db/app --yes", "user delete ann --yes",
		"group delete ops --yes", "grant delete gr1 --yes", "token delete t1 --yes",
	} {
		r := w.run("", strings.Fields(line)...)
		out := strings.ReplaceAll(r.out, w.server.URL, "https://SERVER")
		fmt.Fprintf(&all, "$ keyturn %s\n%s", line, out)
		if r.err != "" {
			fmt.Fprintf(&all, "--- on standard error\n%s", r.err)
		}
		if r.code != 0 {
			t.Errorf("%s: exit code %d: %s", line, r.code, r.err)
		}
		all.WriteString("\n")
	}
	const path = "testdata/commands.golden"
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("(-want +got; -update accepts it)\n%s", diff)
	}
	if strings.ContainsRune(all.String(), '\x1b') {
		t.Error("a terminal's control character came through")
	}
}

// TestTablesFitATerminal gives every column that may be long something long.
func TestTablesFitATerminal(t *testing.T) {
	k := &command{now: func() time.Time { return noon }}
	long := strings.Repeat("long-name-", 12)
	check := func(name, table string) {
		t.Helper()
		for line := range strings.Lines(table) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s: a line has %d characters: %s", name, n, line)
			}
		}
	}
	key := client.Mapping{ResourceName: long, AccountName: long, ClusterName: long, Namespace: long, Secret: long, Key: long, State: "hands_off", Written: 1234}
	check("cluster", table(k.clusterView(), []client.Cluster{{Name: long, State: "unauthorised", Version: long, Secrets: 10000, Mapped: 10000, Drifted: 10000, CreatedAt: noon, SyncedAt: &noon}}, false, true, 80))
	check("remote", table(k.remoteView(), []client.RemoteSecret{{Namespace: long, Name: long, Type: long, Keys: 1000, CreatedAt: noon}}, false, true, 80))
	check("resource", table(k.resourceView(), []client.Resource{{Name: long, Type: "kubernetes", Accounts: 10000, States: map[string]int64{long: 1}, CreatedAt: noon}}, false, true, 80))
	check("account", table(k.accountView(), []accountRow{{client.Found{Secret: &client.Secret{ResourceName: long, Name: long, Type: long, State: "hands_off", CreatedAt: noon}}}}, false, true, 80))
	check("mapping", table(k.mappingView(), []client.Mapping{key}, false, true, 80))
	check("key", table(keyView(), []client.Mapping{key}, false, true, 80))
	check("run", table(k.runView(), []client.Run{{ID: runID, ResourceName: long, AccountName: long, State: "needs_attention", Keys: 1000, KeysProved: 1000, CreatedAt: noon}}, false, true, 80))
	check("policy", table(policyView(), []client.Policy{{Name: long, Rotation: client.PolicyRotation{Cron: long, Heartbeat: "12h30m"}, Assignments: []client.PolicyAssignment{{By: "resource", Name: long}}}}, false, true, 80))
	check("schedule", table(k.scheduleView(), []client.Account{{ResourceName: long, Name: long, Policy: long, NextAt: &noon, NextWhy: long, Overdue: true}}, false, true, 80))
	check("step", table(stepView(), []client.RunStep{{Name: "rolled_out", State: "unverified", At: &noon, Note: long}}, false, true, 80))
	check("write", table(writeView(), []client.RunWrite{{Cluster: long, Namespace: long, Secret: long, Key: long, State: "hands_off", Reason: long}}, false, true, 80))
	check("audit", table(k.eventView(), []client.AuditEvent{{Seq: 1e9, At: noon, Actor: long, Action: "account.versions", Object: long, Outcome: "refused"}}, false, true, 80))
	check("user", table(k.userView(), []client.User{{Name: long, DisplayName: long, Role: "administrator", CreatedAt: noon}}, false, true, 80))
	check("group", table(k.groupView(), []client.Group{{Name: long, Members: []client.Member{{Name: long}}, CreatedAt: noon}}, false, true, 80))
	check("grant", table(k.grantView(), []client.Grant{{ID: runID, SubjectKind: "group", SubjectName: long, Level: "manage", ObjectKind: "resource", ObjectName: long}}, false, true, 80))
	check("token", table(k.tokenView(), []client.Token{{ID: runID, Name: long, ExpiresAt: noon}}, false, true, 80))
	check("type", table(typeView(), []client.Type{{Type: "postgresql", Name: long, Fields: []client.Field{{Name: long}}}}, false, true, 80))
	check("version", table(k.versionView(true), []client.Version{{Number: 1234, Stage: "previous", Source: "generated", Login: long, Actor: long, CreatedAt: noon}}, false, true, 80))
}
