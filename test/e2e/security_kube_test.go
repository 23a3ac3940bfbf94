package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

// shopCluster connects the first cluster as "home" and returns it.
func shopCluster(t *testing.T, admin *client.Client) client.Cluster {
	t.Helper()
	plane := bed.clusters.Planes[0]
	made, err := admin.AddCluster(t.Context(), client.NewCluster{Name: "home", Server: plane.URL, CA: string(plane.CAPEM), Token: client.NewValue(bed.tokens[0]),
		Scope: client.Scope{Namespaces: []string{"shop"}, Access: "read-write"}})
	must(t, err)
	return made
}

func awaitFetch(t *testing.T, admin *client.Client, f client.Fetch) client.Fetch {
	t.Helper()
	for end := time.Now().Add(time.Minute); f.State != "done" && f.State != "failed" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		f, err = admin.Fetch(t.Context(), f.ClusterID, f.ID)
		must(t, err)
	}
	if f.State != "done" {
		t.Fatalf("the fetch is %s: %s", f.State, f.Reason)
	}
	return f
}

// SR-65: what `kubectl apply` noted of a Secret repeats its values in the clear. Keyturn hands that note out nowhere.
func TestSecurityLastAppliedConfigurationStaysBehind(t *testing.T) {
	s := newSubject(t, build(t), nil, "--allow-loopback-clusters")
	admin, plane := s.as(client.NewValue(s.setUp("gravel teapot Orion nineteen"))), bed.clusters.Planes[0]
	value, name := rand.Text(), "applied-"+strings.ToLower(rand.Text()[:8])
	_, err := plane.Kubectl(t.Context(), fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"shop","name":%q,
		"annotations":{"example.com/kept":"yes"}},"stringData":{"password":%q}}`, name, value), "apply", "-f", "-")
	must(t, err)
	t.Cleanup(func() {
		_, _ = plane.Kubectl(context.WithoutCancel(t.Context()), "", "-n", "shop", "delete", "secret", name)
	})
	noted, err := plane.Kubectl(t.Context(), "", "-n", "shop", "get", "secret", name, "-o", "jsonpath={.metadata.annotations}")
	must(t, err)
	if !strings.Contains(noted, "last-applied-configuration") || !strings.Contains(noted, value) {
		t.Fatal("kubectl made no such note, so this test would find nothing")
	}
	cluster := shopCluster(t, admin)
	f, err := admin.FetchSecrets(t.Context(), cluster.ID, client.Selection{Secrets: []string{"shop/" + name}})
	must(t, err)
	awaitFetch(t, admin, f)
	path := "shop-home/" + name
	if out, err := s.keyturn("", "account", "get", path, "-o", "name"); err != nil || out != path+"\n" {
		t.Fatalf("%s: %v", out, err)
	}
	for _, args := range [][]string{
		{"cluster", "secrets", "home", "-o", "json"}, {"account", "get", path, "-o", "json"}, {"account", "list", "-o", "json"},
		{"account", "versions", path, "-o", "json"}, {"resource", "get", "shop-home", "-o", "json"}, {"audit", "list", "-o", "json"},
	} {
		out, err := s.keyturn("", args...)
		must(t, err)
		if strings.Contains(out, value) || strings.Contains(out, "last-applied") {
			t.Errorf("keyturn %s hands the note out", strings.Join(args, " "))
		}
	}
	out, err := s.keyturn("", "account", "download", path)
	must(t, err)
	var download struct {
		Metadata struct{ Annotations map[string]string }
		Data     map[string]string
	}
	must(t, json.Unmarshal([]byte(out), &download))
	if got, _ := base64.StdEncoding.DecodeString(download.Data["password"]); string(got) != value {
		t.Error("the download is not the Secret")
	}
	if strings.Contains(out, "last-applied") || strings.Contains(out, value) || len(download.Metadata.Annotations) > 1 {
		t.Errorf("the download carries the note: %v", download.Metadata.Annotations)
	}
	s.stop()
	must(t, filepath.WalkDir(s.dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(file)
		if bytes.Contains(b, []byte(value)) || bytes.Contains(b, []byte("last-applied-configuration")) {
			t.Errorf("%s holds the note", file)
		}
		return err
	}))
}

// SR-67: a range that the operator allows opens that range and nothing else.
func TestSecurityAllowedRangesOfClusters(t *testing.T) {
	s := newSubject(t, build(t), nil, "--allow-cluster-cidr", "127.0.0.0/30", "--allow-cluster-cidr", "::1/128")
	admin, plane := s.as(client.NewValue(s.setUp("gravel teapot Orion nineteen"))), bed.clusters.Planes[0]
	ask := client.NewCluster{Name: "x", CA: string(plane.CAPEM), Token: client.NewValue(bed.tokens[0]), Scope: client.Scope{Namespaces: []string{"shop"}, Access: "read-write"}}
	for server, want := range map[string]string{
		plane.URL: "", strings.Replace(plane.URL, "127.0.0.1", "127.0.0.9", 1): "cluster-address-refused",
		"https://169.254.169.254": "cluster-address-refused", "https://169.254.1.1": "cluster-address-refused", "https://[fe80::1]": "cluster-address-refused",
	} {
		ask.Server = server
		report, err := admin.TestCluster(t.Context(), ask)
		must(t, err)
		if code := firstFailure(report); code != want {
			t.Errorf("%s: %q, want %q: %+v", server, code, want, report)
		}
	}
	ask.Server = strings.Replace(plane.URL, "127.0.0.1", "localhost", 1) // by the machine's resolver
	report, err := admin.TestCluster(t.Context(), ask)
	must(t, err)
	for _, step := range report.Checks[0].Steps {
		if step.Name == "address" && step.State != "done" {
			t.Errorf("localhost: %+v", step)
		}
	}
	if shopCluster(t, admin).State != "connected" {
		t.Error("a cluster in an allowed range is not connected")
	}
}

// SR-62: the server works with short tokens that end with the Secret of the long-lived one.
func TestSecurityShortTokens(t *testing.T) {
	s := newSubject(t, build(t), nil, "--allow-loopback-clusters")
	admin := s.as(client.NewValue(s.setUp("gravel teapot Orion nineteen")))
	cluster := shopCluster(t, admin)
	report, err := admin.RetestCluster(t.Context(), cluster.ID, client.ClusterChange{})
	must(t, err)
	steps := report.Checks[2].Steps
	if last := steps[len(steps)-1]; !report.OK || last.Name != "short-token" || !strings.HasPrefix(last.Detail, "until ") {
		t.Errorf("%+v", report)
	}
	out, err := s.keyturn("", "cluster", "test", "home")
	if must(t, err); !strings.Contains(out, "short-token: until ") {
		t.Errorf("%s", out)
	}
}
