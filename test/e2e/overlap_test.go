package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/url"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// A Redis user's password is turned again and again, in a key of its own and inside a URL, while a program logs in every
// few milliseconds with whatever its Secret says. It is never refused.
func TestOverlapNeverRefusesAReader(t *testing.T) {
	w, account, port := newCacheWorld(t, "overlap")
	plane, ctx := bed.clusters.Planes[0], t.Context()
	reader := readSecret(t, plane, "overlap", "cache", "config", cacheLogin)
	const turns = 10
	for i := range turns {
		before := reader.logins.Load()
		w.reset(fmt.Sprintf("turn %d", i), account, client.Reset{}, "done")
		w.eventually("the reader logs in after a turn", func() bool { return reader.logins.Load() > before+2 })
	}
	run, err := w.admin.Run(ctx, w.facts.IDs["turn 9"])
	must(t, err)
	if run.Strategy != "overlap" || run.KeysProved != 2 {
		t.Errorf("the run: %+v", run)
	}
	reader.neverRefused(t, turns)
	for old := range reader.values {
		if old != reader.last && redisLogin(ctx, port, old) == nil {
			t.Error("a value that was turned away still logs in")
		}
	}
	if redisLogin(ctx, port, reader.last) != nil {
		t.Error("the last value does not log in")
	}
}

// newCacheWorld has a Redis user "shop" whose password stands in two keys of the Secret "cache" in a namespace of the first
// cluster, alone and inside a URL.
func newCacheWorld(t *testing.T, namespace string) (w *pagesWorld, account, port string) {
	t.Helper()
	w = &pagesWorld{subject: newSubject(t, build(t), nil, "--allow-loopback-clusters"), clusters: map[string]client.Cluster{}, values: map[string]string{"shop": rand.Text()}}
	w.facts.Clusters, w.facts.IDs = map[string]pagesCluster{}, map[string]string{}
	w.admin = w.as(client.NewValue(w.setUp(rand.Text())))
	plane, ctx := bed.clusters.Planes[0], t.Context()
	reconcile := rand.Text()
	port = redisServer(t, "user shop on #"+sha(w.values["shop"])+" ~* -@all +ping +acl|whoami\n")
	w.namespaces(plane, namespace)
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{namespace}, Access: "read-write", Restart: true})
	w.kubectl(plane, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: cache}\nstringData: {password: %q, config: %q}\n",
		namespace, w.values["shop"], redisURL(w.values["shop"], port)), "create", "-f", "-")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{namespace}})

	_, err := w.admin.AddResource(ctx, client.NewResource{Name: "cache", Type: "redis", Settings: map[string]string{"host": "127.0.0.1", "port": port, "tls": "off"}})
	must(t, err)
	keeper := w.account("cache", "keeper", reconcile)
	redisAdmin(t, port, "ACL", "SETUSER", "keeper", "on", "#"+sha(reconcile), "resetchannels", "-@all", "+acl|setuser", "+acl|getuser", "+acl|save", "+acl|whoami", "+multi", "+exec")
	r, err := w.admin.Resource(ctx, "cache")
	must(t, err)
	_, err = w.admin.UpdateResource(ctx, r.ID, r.Rev, client.ResourceChange{ReconcileAccountID: &keeper})
	must(t, err)
	account = w.account("cache", "shop", w.values["shop"], namespace+"/cache")
	m, err := w.admin.AddMapping(ctx, client.NewMapping{AccountID: account, SecretID: w.facts.IDs[namespace+"/cache"], Key: "config", Place: &client.Place{Format: "url"}})
	must(t, err)
	if m.State != "in_sync" {
		t.Fatalf("the URL is %s: %s", m.State, m.Reason)
	}
	return w, account, port
}

func redisURL(password, port string) string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword("shop", password), Host: "127.0.0.1:" + port, Path: "/0"}).String()
}

func redisLogin(ctx context.Context, port, password string) error {
	return redisAs(ctx, port, "shop", password)
}

// cacheLogin is how a program logs in to the cache that its URL names.
func cacheLogin(ctx context.Context, at *url.URL, user, password string) error {
	return redisAs(ctx, at.Port(), user, password)
}

func redisAs(ctx context.Context, port, user, password string) error {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Username: user, Password: password, DisableIdentity: true, MaxRetries: -1, PoolSize: 1})
	defer c.Close()
	return c.Ping(ctx).Err()
}

func sha(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

// redisServer starts a Redis with an administrator and these users, and returns its port.
func redisServer(t *testing.T, users string) (port string) {
	t.Helper()
	s := targettest.NewServer(t)
	port = targettest.Port(t)
	s.Write(t, "users.acl", "user admin on #"+sha("admin-pw")+" ~* &* +@all\nuser default off\n"+users)
	s.Write(t, "redis.conf", fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\naclfile %s/users.acl\nsave \"\"\ndaemonize no\n", port, s.Dir, s.Dir))
	s.Start(t, s.Command("/usr/bin/redis-server", s.Dir+"/redis.conf"), func() error {
		c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Username: "admin", Password: "admin-pw", DisableIdentity: true})
		defer c.Close()
		return c.Ping(t.Context()).Err()
	})
	return port
}

func redisAdmin(t *testing.T, port string, command ...any) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Username: "admin", Password: "admin-pw", DisableIdentity: true})
	defer c.Close()
	must(t, c.Do(t.Context(), command...).Err())
}
