package kube

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/keyturn/keyturn/internal/fault"
)

// insidePods is a pod that listens on echoPort by name, a service that leads to it, and one that leads nowhere.
const insidePods = `
{apiVersion: v1, kind: Pod, metadata: {name: one, labels: {app: echo}}, spec: {containers: [{name: app, image: none, ports: [{name: echo, containerPort: 7000}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: echo}, spec: {selector: {app: echo}, ports: [
  {name: other, port: 80, targetPort: 7001}, {name: main, port: 5432, targetPort: echo}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: empty}, spec: {selector: {app: nobody}, ports: [{port: 5432}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: waiting, annotations: {testbed.keyturn.dev/waits: ImagePullBackOff}}, spec: {containers: [{name: app, image: none}]}}
`

func TestAPortInsideACluster(t *testing.T) {
	kubectl(t, "", "create", "namespace", insideNamespace)
	kubectl(t, "", "create", "namespace", "inside-other")
	kubectl(t, insidePods, "-n", insideNamespace, "apply", "-f", "-")
	kubectl(t, "", "-n", insideNamespace, "wait", "pod/one", "--for=condition=Ready", "--timeout=2m")
	kubectl(t, "", "-n", insideNamespace, "wait", "endpointslice", "-l", "kubernetes.io/service-name=echo", "--for=jsonpath={.endpoints[0].conditions.ready}=true", "--timeout=2m")
	scope := Scope{Namespaces: []string{insideNamespace}, PortForward: true}
	cfg := connector(t, scope)
	cfg.ShortTokens = true
	if r := Check(t.Context(), cfg, scope); !r.OK() {
		t.Fatalf("the manifest does not give what the scope needs: %+v", r)
	}
	conn := dialled(t, cfg)
	t.Run("by pod and by service", func(t *testing.T) {
		for _, to := range []Inside{{Pod: "one", Port: echoPort}, {Service: "echo", Port: 5432}} {
			to.Namespace = insideNamespace
			c := connect(t, conn, to)
			echoes(t, c)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if _, err := c.Write([]byte("x")); err == nil {
				t.Errorf("%s: a closed connection was written to", to.what())
			}
		}
	})
	t.Run("deadlines", func(t *testing.T) {
		keepsDeadlines(t, connect(t, conn, Inside{Namespace: insideNamespace, Pod: "one", Port: echoPort}))
	})
	for name, c := range map[string]struct {
		to   Inside
		kind fault.Kind
		code string
	}{
		"no such pod":     {Inside{Pod: "none", Port: echoPort}, fault.NotFound, codeNoPod},
		"no such service": {Inside{Service: "none", Port: 80}, fault.NotFound, codeNoService},
		"no such port":    {Inside{Service: "echo", Port: 81}, fault.Invalid, codeNoService},
		"no ready pod":    {Inside{Service: "empty", Port: 5432}, fault.Unavailable, codePodNotReady},
		"a waiting pod":   {Inside{Pod: "waiting", Port: echoPort}, fault.Unavailable, codePodNotReady},
		"another place":   {Inside{Namespace: "inside-other", Pod: "one", Port: echoPort}, fault.Denied, codeRight},
	} {
		t.Run(name, func(t *testing.T) {
			if c.to.Namespace == "" {
				c.to.Namespace = insideNamespace
			}
			_, err := conn.DialInside(t.Context(), c.to)
			isFault(t, err, c.kind, c.code)
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		for _, port := range []int{deadPort, 7002} {
			c := connect(t, conn, Inside{Namespace: insideNamespace, Pod: "one", Port: port})
			_, err := c.Read(make([]byte, 1))
			isFault(t, err, fault.Unavailable, codePortRefused)
			if strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("it repeats what the node says: %v", err)
			}
		}
	})
	t.Run("without the right", func(t *testing.T) {
		dropRights(t, insideNamespace)
		cfg := connector(t, Scope{Namespaces: []string{insideNamespace}})
		if r := Check(t.Context(), cfg, scope); len(r.Missing) != 3 || r.Missing[0].String() != "create pods/portforward in namespace inside" {
			t.Errorf("missing: %v", r.Missing)
		}
		_, err := dialled(t, cfg).DialInside(t.Context(), Inside{Namespace: insideNamespace, Pod: "one", Port: echoPort})
		isFault(t, err, fault.Denied, codeRight)
		if err != nil && !strings.Contains(err.Error(), "create pods/portforward in namespace inside") {
			t.Errorf("it does not say which right: %v", err)
		}
	})
}

func dialled(t *testing.T, cfg Config) *Conn {
	t.Helper()
	raw, err := NormaliseToken(cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token = raw
	conn, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func connect(t *testing.T, conn *Conn, to Inside) net.Conn {
	t.Helper()
	c, err := conn.DialInside(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// The node that kwok plays does not pass on that one direction has ended, so this is tried on the protocol alone.
func TestAForwardedPortHalfCloses(t *testing.T) {
	here, there := net.Pipe()
	streams := make(chan httpstream.Stream, 2)
	server, err := spdy.NewServerConnection(there, func(s httpstream.Stream, _ <-chan struct{}) error { streams <- s; return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() { // a node whose pod says what it heard, once it has heard all
		failures, data := <-streams, <-streams
		heard, _ := io.ReadAll(data)
		_, _ = data.Write(heard)
		_ = data.Close()
		_ = failures.Close()
	}()
	c, err := openPort(t.Context(), here, 1, Inside{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "the end" {
		t.Errorf("after the last word: %q, %v", got, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// echoes sends more than any buffer holds, through a listener that sends all of it back.
func echoes(t *testing.T, c net.Conn) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	go func() {
		if there, err := behind.Accept(); err == nil {
			accepted <- there
			_, _ = io.Copy(there, there)
		}
	}()
	there := <-accepted
	t.Cleanup(func() { _ = there.Close() })
	sent := make([]byte, 1<<20)
	_, _ = rand.Read(sent)
	go func() { _, _ = c.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("what came back is something else, %v", err)
	}
}

// keepsDeadlines reads from what does not answer.
func keepsDeadlines(t *testing.T, c net.Conn) {
	there, err := behind.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read past its deadline: %v", err)
	}
	_ = c.SetDeadline(time.Time{})
	if _, err := there.Write([]byte("!")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := c.Read(b); err != nil || b[0] != '!' {
		t.Errorf("a read without a deadline, after one: %q, %v", b, err)
	}
}

func isFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Code != code || f.Cure == "" {
		t.Errorf("got %#v, want %s %s with a cure", err, kind, code)
	}
}
