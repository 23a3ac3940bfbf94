package kube

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/rights.golden")

// The rights of a connector as the API server itself lists them, for each scope: what the manifest gives, and nothing that
// it gives by mistake. A rule that everybody has is left out.
func TestTheManifestGivesWhatItSaysAndNoMore(t *testing.T) {
	const inside, outside = "rights-in", "rights-out"
	for _, ns := range []string{inside, outside} {
		kubectl(t, "", "create", "namespace", ns)
	}
	path := filepath.Join("testdata", "rights.golden")
	golden, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, s := range []struct {
		name  string
		scope Scope
	}{
		{"a namespace, read-only", Scope{Namespaces: []string{inside}}},
		{"a namespace, read-write", Scope{Namespaces: []string{inside}, ReadWrite: true}},
		{"a namespace, read-write with restarts", Scope{Namespaces: []string{inside}, ReadWrite: true, Restart: true}},
		{"a namespace, read-write with restarts and replacing", Scope{Namespaces: []string{inside}, ReadWrite: true, Restart: true, Replace: true}},
		{"a namespace, read-only with port forwards", Scope{Namespaces: []string{inside}, PortForward: true}},
		{"a namespace, read-only with a token to renew", Scope{Namespaces: []string{inside}, Renew: true}},
		{"the whole cluster, read-only", Scope{WholeCluster: true}},
		{"the whole cluster, read-write with restarts", Scope{WholeCluster: true, ReadWrite: true, Restart: true}},
	} {
		dropRights(t, inside)
		cfg := connector(t, s.scope)
		var token string
		_ = cfg.Token.Expose(func(b []byte) error {
			raw, err := base64.StdEncoding.DecodeString(string(b))
			token = string(raw)
			return err
		})
		text := func() string {
			var b strings.Builder
			for _, ns := range []string{inside, outside, ConnectorNamespace, "kube-system"} {
				fmt.Fprintf(&b, "## %s, asked in %s\n", s.name, ns)
				for _, line := range rights(t, token, ns) {
					fmt.Fprintln(&b, line)
				}
			}
			return b.String()
		}
		// The API server learns of roles a moment after they are stored.
		got := text()
		for end := time.Now().Add(10 * time.Second); !*update && !strings.Contains(string(golden), got) && time.Now().Before(end); got = text() {
			time.Sleep(100 * time.Millisecond)
		}
		if *update {
			time.Sleep(2 * time.Second)
			got = text()
		}
		all.WriteString(got)
	}
	dropRights(t, inside)
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(golden), all.String()); d != "" {
		t.Errorf("the connector's rights changed; run with -update if that is meant (-want +got):\n%s", d)
	}
	replacing := false
	own := strings.NewReplacer("secrets [] [keyturn-token] [get delete]", "", "secrets [] [keyturn-token-2] [get delete]", "")
	given := own.Replace(all.String())
	for line := range strings.Lines(given) { // who replaces Secrets makes and deletes those of its namespaces, and nothing else
		if strings.HasPrefix(line, "## ") {
			replacing = strings.Contains(line, "replacing, asked in "+inside)
		} else if replacing && line == "secrets [] [] [get list watch patch create delete]\n" {
			given = strings.ReplaceAll(given, line, "")
		}
	}
	for _, never := range []string{"*", "delete", "escalate", "bind", "impersonate", "pods/exec", "clusterroles", "rolebindings"} {
		if strings.Contains(given, never) {
			t.Errorf("a connector has %q", never)
		}
	}
}

// dropRights takes back what an earlier manifest gave.
func dropRights(t *testing.T, namespace string) {
	t.Helper()
	kubectl(t, "", "delete", "clusterrole,clusterrolebinding", "keyturn", "keyturn-cluster-id", "--ignore-not-found")
	for _, ns := range []string{namespace, ConnectorNamespace} {
		kubectl(t, "", "-n", ns, "delete", "role,rolebinding", "keyturn", "keyturn-token", ConnectorEpoch, "--ignore-not-found")
	}
}

// rights returns what the token may do in a namespace, one line for each rule, sorted, without what everybody may.
func rights(t *testing.T, token, namespace string) []string {
	t.Helper()
	out, err := plane.KubectlAs(t.Context(), token, "", "-n", namespace, "auth", "can-i", "--list", "--no-headers")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.Join(strings.Fields(line), " ")
		if !strings.HasPrefix(line, "selfsubject") && !strings.HasPrefix(line, "[/") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}
