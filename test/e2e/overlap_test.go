package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/target/targettest"
	"github.com/keyturn/keyturn/test/testbed"
)

// A Redis user's password is turned again and again, in a key of its own and inside a URL, while a program logs in every
// few milliseconds with whatever its Secret says. It is never refused.
func TestOverlapNeverRefusesAReader(t *testing.T) {
	w, account, port := newCacheWorld(t, "overlap")
	plane, ctx := bed.clusters.Planes[0], t.Context()
	reader := readSecret(t, plane, "overlap", "cache")
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
	reader.stop()
	t.Logf("%d logins with %d values, %d refused", reader.logins.Load(), len(reader.values), reader.refused.Load())
	if reader.refused.Load() != 0 || len(reader.values) < turns {
		t.Errorf("%d of %d logins were refused; %d values were seen, should be %d", reader.refused.Load(), reader.logins.Load(), len(reader.values), turns+1)
	}
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

// reader is a program that logs in with what its Secret says, over and over.
type reader struct {
	logins, refused atomic.Int64
	values          map[string]bool
	last            string
	stop            func()
}

func readSecret(t *testing.T, p *testbed.ControlPlane, namespace, name string) *reader {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.CAPEM)
	api := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	ctx, cancel := context.WithCancel(t.Context())
	r, done := &reader{values: map[string]bool{}}, make(chan struct{})
	r.stop = func() { cancel(); <-done }
	t.Cleanup(r.stop)
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			config, err := secretKey(ctx, api, p, namespace, name, "config")
			if err != nil {
				continue // the API server is not what is looked at here
			}
			u, err := url.Parse(config)
			if err != nil {
				t.Errorf("the URL became none")
				return
			}
			value, _ := u.User.Password()
			err = redisLogin(ctx, u.Port(), value)
			if ctx.Err() != nil {
				return
			}
			r.logins.Add(1)
			if r.values[value], r.last = true, value; err != nil {
				r.refused.Add(1)
			}
		}
	}()
	return r
}

func secretKey(ctx context.Context, api *http.Client, p *testbed.ControlPlane, namespace, name, key string) (string, error) {
	data, err := secretData(ctx, api, p, namespace, name)
	return data[key], err
}

// secretData reads all keys of a Secret at once.
func secretData(ctx context.Context, api *http.Client, p *testbed.ControlPlane, namespace, name string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/api/v1/namespaces/"+namespace+"/secrets/"+name, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.AdminToken)
	res, err := api.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body) // to its end, so that the connection is used again
	if err != nil {
		return nil, err
	}
	var secret struct{ Data map[string][]byte }
	if err := json.Unmarshal(body, &secret); err != nil {
		return nil, err
	}
	data := map[string]string{}
	for k, v := range secret.Data {
		data[k] = string(v)
	}
	return data, nil
}

func redisURL(password, port string) string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword("shop", password), Host: "127.0.0.1:" + port, Path: "/0"}).String()
}

func redisLogin(ctx context.Context, port, password string) error {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Username: "shop", Password: password, DisableIdentity: true, MaxRetries: -1, PoolSize: 1})
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
