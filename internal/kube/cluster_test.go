package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

var plane *testbed.ControlPlane

// behind stands for a program in a pod: what connects to echoPort of a pod of namespace insideNamespace arrives here.
var behind net.Listener

const (
	insideNamespace = "inside"
	echoPort        = 7000
	deadPort        = 7001 // leads to where nobody listens
)

func TestMain(m *testing.M) {
	LogTo(slog.New(slog.DiscardHandler)) // the tests break many answers off
	p, err := startPlane()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	plane = p
	code := m.Run()
	if err := p.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startPlane() (_ *testbed.ControlPlane, err error) {
	if behind, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer dead.Close()
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	return testbed.StartControlPlane(context.Background(), testbed.Options{Nodes: 3, Ports: []testbed.PodPort{
		{Namespace: insideNamespace, Port: echoPort, To: port(behind)}, {Namespace: insideNamespace, Port: deadPort, To: port(dead)},
	}})
}

func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := plane.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func connector(t *testing.T, s Scope) Config {
	t.Helper()
	m, err := Manifest(s)
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(m), "apply", "-f", "-")
	kubectl(t, "", "-n", "keyturn", "wait", "secret/keyturn-token", "--for=jsonpath={.data.token}", "--timeout=2m")
	token := kubectl(t, "", "-n", "keyturn", "get", "secrets/keyturn-token", "-o", "jsonpath={.data.token}")
	return Config{Server: plane.URL, CAPEM: plane.CAPEM, Token: vault.NewValue([]byte(token)), AllowLoopback: true}
}

func TestCheckAndPatch(t *testing.T) {
	kubectl(t, "", "create", "namespace", "team-a")
	narrow := Scope{Namespaces: []string{"team-a"}, ReadWrite: true}
	cfg := connector(t, narrow)
	r := Check(t.Context(), cfg, narrow)
	if !r.OK() || r.User != "system:serviceaccount:keyturn:keyturn" || r.ClusterID == "" {
		t.Fatalf("narrow scope: %+v", r)
	}
	if r := Check(t.Context(), cfg, Scope{WholeCluster: true}); r.OK() || len(r.Missing) == 0 {
		t.Errorf("a narrow token passed for the whole cluster: %+v", r)
	}
	raw, err := NormaliseToken(cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token = raw
	conn, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	kubectl(t, "", "-n", "team-a", "create", "secret", "generic", "db", "--from-literal=password=old", "--from-literal=user=app")
	old, err := conn.GetSecret(t.Context(), "team-a", "db")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]vault.Value{"password": vault.NewValue([]byte("n\x00ew"))}
	got, err := conn.PatchSecret(t.Context(), "team-a", "db", old.UID, old.ResourceVersion, want)
	if err != nil || !got.Data["password"].Equal(want["password"]) || !got.Data["user"].Equal(old.Data["user"]) {
		t.Fatalf("patch: %v", err)
	}
	if _, err := conn.PatchSecret(t.Context(), "team-a", "db", old.UID, old.ResourceVersion, want); !errors.Is(err, fault.Stale) {
		t.Errorf("stale patch: %v, want stale", err)
	}
	var metas []Meta
	if err := conn.SecretMeta(t.Context(), "team-a", func(p []Meta) error { metas = append(metas, p...); return nil }); err != nil ||
		len(metas) != 1 || metas[0].Keys != 2 || metas[0].Type != "Opaque" || metas[0].UID != old.UID {
		t.Errorf("metadata %+v, %v", metas, err)
	}
	if tok, life, err := conn.TokenRequest(t.Context(), time.Hour, ConnectorToken); err != nil || tok.Len() == 0 || life != time.Hour {
		t.Errorf("a token of %v, %v", life, err)
	}
	if _, _, err := conn.TokenRequest(t.Context(), time.Hour, "no-such-secret"); !errors.Is(err, fault.NotFound) {
		t.Errorf("a token bound to nothing: %v, want not found", err)
	}
	if _, err := conn.Namespaces(t.Context()); !errors.Is(err, fault.Denied) {
		t.Errorf("namespaces of a narrow connector: %v, want denied", err)
	}
	kubectl(t, "", "-n", "team-a", "patch", "secret", "db", "-p", `{"immutable":true}`)
	now, err := conn.GetSecret(t.Context(), "team-a", "db")
	if err != nil {
		t.Fatal(err)
	}
	want["password"] = vault.NewValue([]byte("again"))
	_, err = conn.PatchSecret(t.Context(), "team-a", "db", now.UID, now.ResourceVersion, want)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "secret-immutable" {
		t.Errorf("immutable: %v", err)
	}
	if _, err := conn.GetSecret(t.Context(), "default", "db"); !errors.Is(err, fault.Denied) {
		t.Errorf("other namespace: %v, want denied", err)
	}
}

func TestListPages(t *testing.T) {
	kubectl(t, "", "create", "namespace", "many")
	var y strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&y, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s%d, namespace: many}\nstringData: {k: v%d}\n", i, i)
	}
	kubectl(t, y.String(), "create", "-f", "-")
	cfg := Config{Server: plane.URL, CAPEM: plane.CAPEM, Token: vault.NewValue([]byte(plane.AdminToken)), AllowLoopback: true}
	conn, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var pages []int
	rv, err := conn.ListSecrets(t.Context(), "many", func(p []Secret) error { pages = append(pages, len(p)); return nil })
	if err != nil || rv == "" || fmt.Sprint(pages) != "[500 500 200]" {
		t.Errorf("pages %v, resourceVersion %q, %v", pages, rv, err)
	}
}
