package e2e

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// newFollowedWorld is a server that follows one namespace of a cluster.
func newFollowedWorld(t *testing.T, program, namespace string, flags ...string) (w *pagesWorld, plane *testbed.ControlPlane, admin client.Value) {
	t.Helper()
	w = &pagesWorld{subject: newSubject(t, program, nil, append([]string{"--allow-loopback-clusters"}, flags...)...), clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts = pagesFacts{IDs: map[string]string{}, Clusters: map[string]pagesCluster{}, Passwords: map[string]string{}}
	admin = client.NewValue(w.setUp(rand.Text()))
	w.admin = w.as(admin)
	plane = bed.clusters.Planes[0]
	w.namespaces(plane, namespace)
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{namespace}, Access: "read-only"})
	w.kubectl(plane, "", "-n", namespace, "create", "secret", "generic", "first", "--from-literal=k=v")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{namespace}})
	w.followed("live")
	return w, plane, admin
}

// followed waits until the cluster is followed so.
func (w *pagesWorld) followed(state string) {
	w.t.Helper()
	w.eventually("the cluster's watch is "+state, func() bool {
		c, err := w.admin.Cluster(w.t.Context(), "prod-eu")
		return err == nil && c.Watch != nil && c.Watch.State == state
	})
}

// has waits until a Secret is in the repository, in a state.
func (w *pagesWorld) has(namespace, name, state string) (found client.Secret) {
	w.t.Helper()
	w.eventually(namespace+"/"+name+" is "+state, func() bool {
		p, err := w.admin.Secrets(w.t.Context(), client.SecretFilter{Namespace: namespace, State: []string{state}})
		for _, s := range p.Items {
			if s.Name == name && s.State == state {
				found = s
				return err == nil
			}
		}
		return false
	})
	return found
}

func TestWhatChangesWhileTheServerIsDeadIsThereAfterwards(t *testing.T) {
	program := build(t)
	w, plane, _ := newFollowedWorld(t, program, "followed")
	ctx := t.Context()
	w.kubectl(plane, "", "-n", "followed", "create", "secret", "generic", "second", "--from-literal=k=v")
	was := w.has("followed", "second", "in_sync")
	w.kubectl(plane, "", "-n", "followed", "patch", "secret", "second", "-p", `{"stringData":{"k":"w"}}`)
	w.eventually("the change is a version", func() bool {
		s, err := w.admin.Secret(ctx, was.ID)
		return err == nil && s.Current == was.Current+1
	})

	must(t, syscall.Kill(w.pid, syscall.SIGKILL))
	<-w.done
	w.kubectl(plane, "", "-n", "followed", "create", "secret", "generic", "third", "--from-literal=k=v")
	w.kubectl(plane, "", "-n", "followed", "delete", "secret", "first")
	must(t, w.start([]string{"server", "--data", w.data(), "--listen", strings.TrimPrefix(w.url, "https://"), "--allow-loopback-clusters", "--log-level", "debug"}, nil))
	w.await(regexp.MustCompile(`listens on https://\S+\n`))
	w.has("followed", "third", "in_sync")
	w.has("followed", "first", "tombstone")
	fetches, err := w.admin.Fetches(ctx, "prod-eu")
	must(t, err)
	if len(fetches) != 1 {
		t.Errorf("after a restart everything was listed again: %+v", fetches)
	}
	if said := w.say("cluster", "get", "prod-eu"); !regexp.MustCompile(`(?m)^watch:\s+live since `).MatchString(said) {
		t.Errorf("the command line says:\n%s", said)
	}
}

func TestAnotherServerTakesAClusterOver(t *testing.T) {
	program, dsn := build(t), newDatabase(t, "taken_over")
	w, plane, secret := newFollowedWorld(t, program, "taken-over", "--database", dsn)
	other := &subject{t: t, program: program, dir: t.TempDir()}
	must(t, os.Mkdir(other.data(), 0o700))
	key, err := os.ReadFile(filepath.Join(w.data(), "root.key"))
	must(t, err, os.WriteFile(filepath.Join(other.data(), "root.key"), key, 0o600))
	must(t, other.start([]string{"server", "--data", other.data(), "--listen", "127.0.0.1:0", "--database", dsn, "--allow-loopback-clusters", "--log-level", "debug"}, nil))
	t.Cleanup(other.stop)
	other.url = other.await(regexp.MustCompile(`listens on (https://\S+)\n`))[1]
	other.trust()

	must(t, syscall.Kill(w.pid, syscall.SIGKILL))
	<-w.done
	w.kubectl(plane, "", "-n", "taken-over", "create", "secret", "generic", "late", "--from-literal=k=v")
	w.subject, w.admin = other, other.as(secret)
	w.has("taken-over", "late", "in_sync")
}
