package testbed

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestClustersOnOneEtcd(t *testing.T) {
	began := time.Now()
	cs, err := StartClusters(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cs.Stop() })
	t.Logf("two clusters are ready after %v", time.Since(began).Round(time.Millisecond))
	one, two := cs.Planes[0], cs.Planes[1]

	t.Run("namespaces and Secrets of one are not in the other", func(t *testing.T) { secretsAreApart(t, one, two) })
	t.Run("a token Secret is filled and its token has only its rights", func(t *testing.T) { tokenWorks(t, one) })
	t.Run("the API server is killed and comes back with its data", func(t *testing.T) { killedAndBack(t, one) })
	t.Run("a paused API server answers nobody until it goes on", func(t *testing.T) { pausedAndBack(t, two) })

	procs := []*process{cs.Etcd.proc, one.apiProc, one.kcm.proc, two.apiProc, two.kcm.proc}
	began = time.Now()
	if err := cs.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	t.Logf("stopped after %v", time.Since(began).Round(time.Millisecond))
	for _, p := range procs {
		mustBeGone(t, p)
	}
	for _, folder := range []string{one.Dir, two.Dir, cs.Etcd.dir.path} {
		if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("folder %s is still there: %v", folder, err)
		}
	}
	if err := cs.Stop(); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func secretsAreApart(t *testing.T, one, two *ControlPlane) {
	kubectl(t, one, "", "create", "namespace", "shop")
	kubectl(t, one, manifest("shop", "db", "first"), "apply", "-f", "-")
	kubectl(t, two, "", "create", "namespace", "shop")
	if _, err := two.Kubectl(t.Context(), "", "-n", "shop", "get", "secret", "db"); err == nil || !strings.Contains(err.Error(), "NotFound") {
		t.Errorf("the second cluster should not have the Secret: %v", err)
	}
	kubectl(t, two, manifest("shop", "db", "second"), "apply", "-f", "-")
	for c, want := range map[*ControlPlane]string{one: "first", two: "second"} {
		if got := secretKey(t, c, "shop", "db", "password"); got != want {
			t.Errorf("cluster %s holds %q, want %q", c.Name, got, want)
		}
	}
	if uid := "jsonpath={.metadata.uid}"; kubectl(t, one, "", "get", "namespace", "kube-system", "-o", uid) == kubectl(t, two, "", "get", "namespace", "kube-system", "-o", uid) {
		t.Error("both clusters have the same kube-system UID")
	}
}

func tokenWorks(t *testing.T, c *ControlPlane) {
	kubectl(t, c, "", "create", "namespace", "keyturn")
	kubectl(t, c, "", "-n", "keyturn", "create", "serviceaccount", "keyturn")
	kubectl(t, c, "", "-n", "shop", "create", "role", "reader", "--verb=get,list", "--resource=secrets")
	kubectl(t, c, "", "-n", "shop", "create", "rolebinding", "reader", "--role=reader", "--serviceaccount=keyturn:keyturn")
	kubectl(t, c, `{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
		"metadata": {"name": "keyturn-token", "namespace": "keyturn", "annotations": {"kubernetes.io/service-account.name": "keyturn"}}}`,
		"apply", "-f", "-")
	var token string
	eventually(t, "the controller manager fills the token Secret", func() bool {
		token = secretKey(t, c, "keyturn", "keyturn-token", "token")
		return token != ""
	})
	if got := secretKey(t, c, "keyturn", "keyturn-token", `ca\.crt`); got != string(c.CAPEM) {
		t.Error("the token Secret does not carry the cluster's CA")
	}
	for _, tc := range []struct{ verb, namespace, want string }{
		{"get", "shop", "yes"}, {"delete", "shop", "no"}, {"get", "keyturn", "no"},
	} {
		// kubectl exits 1 when the answer is no, so the answer is what counts.
		got, err := c.KubectlAs(t.Context(), token, "", "-n", tc.namespace, "auth", "can-i", tc.verb, "secrets")
		if strings.TrimSpace(got) != tc.want {
			t.Errorf("can the token %s Secrets in %s: %q, want %q (%v)", tc.verb, tc.namespace, got, tc.want, err)
		}
	}
	if _, err := c.KubectlAs(t.Context(), "wrong", "", "get", "namespaces"); err == nil {
		t.Error("a wrong token was accepted")
	}
}

func killedAndBack(t *testing.T, c *ControlPlane) {
	before := c.apiProc
	c.KillAPIServer()
	mustBeGone(t, before)
	if _, err := c.Kubectl(t.Context(), "", "get", "namespaces"); err == nil {
		t.Error("the API server was killed and answers")
	}
	for range 2 { // after the kill, then while it runs
		began := time.Now()
		if err := c.RestartAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("restarted after %v", time.Since(began).Round(time.Millisecond))
		if got := secretKey(t, c, "shop", "db", "password"); got != "first" {
			t.Errorf("after the restart the Secret holds %q", got)
		}
	}
	kubectl(t, c, "", "delete", "namespace", "shop", "--timeout=2m") // the controller manager found it again
}

func pausedAndBack(t *testing.T, c *ControlPlane) {
	resume, err := c.PauseAPIServer()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = c.Kubectl(ctx, "", "get", "namespaces")
	if resumeErr := resume(); resumeErr != nil {
		t.Fatal(resumeErr)
	}
	if err == nil {
		t.Error("a paused API server answered")
	}
	kubectl(t, c, "", "get", "namespaces")
}

func TestMissingBinariesSayWhatToDo(t *testing.T) {
	t.Setenv("KEYTURN_KUBE_BIN", t.TempDir())
	_, err := StartControlPlane(t.Context(), Options{})
	if !errors.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "make kube") {
		t.Errorf("got %v", err)
	}
}

func TestAFailedStartShowsWhyAndLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	_, err := StartControlPlane(t.Context(), Options{Dir: folder, APIServerArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("the error should carry the server's own words: %v", err)
	}
	if _, err := StartControlPlane(t.Context(), Options{Dir: folder}); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a used folder should be refused: %v", err)
	}
}

func kubectl(t *testing.T, c *ControlPlane, stdin string, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func secretKey(t *testing.T, c *ControlPlane, namespace, name, key string) string {
	t.Helper()
	out := kubectl(t, c, "", "-n", namespace, "get", "secret", name, "-o", "jsonpath={.data."+key+"}")
	value, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func manifest(namespace, name, password string) string {
	return `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "` + name + `", "namespace": "` + namespace + `"},
		"stringData": {"password": "` + password + `"}}`
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// mustBeGone fails the test if the process, which was reaped, or anything in its group still exists.
func mustBeGone(t *testing.T, p *process) {
	t.Helper()
	for _, target := range []int{p.pid, -p.pid} {
		if err := syscall.Kill(target, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s (%d) is still there: %v", p.name, target, err)
		}
	}
}
