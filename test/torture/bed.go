package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

const namespace = "torture"

// account is one login, with where its password stands.
type account struct {
	id, name string
	redis    bool
	first    string
	run      string // the one that was asked for last
	// lies are what runs of it said of the system since it was looked at last, and what cannot be.
	lies []string
}

// bed is what is tortured: a server, two systems behind wires that can be cut, and two clusters behind meddlers.
type bed struct {
	folder   string
	clusters *testbed.Clusters
	postgres *testbed.Postgres
	redis    *process
	port     string // of Redis
	server   *server
	wires    map[string]*wire
	meddlers []*meddler
	manifest string // the connector's rights
	accounts []*account
	bites    atomic.Int64
	values   map[string]bool // every password that was ever seen
	exported int
}

// openBed starts everything and has Keyturn know it.
func openBed(ctx context.Context, program string, seed uint64) (b *bed, err error) {
	b = &bed{wires: map[string]*wire{}, values: map[string]bool{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close(true))
		}
	}()
	if b.folder, err = os.MkdirTemp("/tmp", "keyturn-torture-"); err != nil {
		return b, err
	}
	if program == "" {
		program = filepath.Join(b.folder, "keyturn")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/keyturn/keyturn/cmd/keyturn").CombinedOutput(); err != nil {
			return b, fmt.Errorf("build: %w: %s", err, out)
		}
	}
	if b.clusters, err = testbed.StartClustersWithNodes(ctx, 2, 1); err != nil {
		return b, err
	}
	if b.postgres, err = testbed.StartPostgres(ctx, testbed.PostgresOptions{}); err != nil {
		return b, err
	}
	if err = b.startRedis(ctx); err != nil {
		return b, err
	}
	if err = b.wire(seed); err != nil {
		return b, err
	}
	if b.server, err = newServer(program, b.folder); err != nil {
		return b, err
	}
	if err = errors.Join(b.server.start(ctx), b.server.setUp(ctx)); err != nil {
		return b, err
	}
	return b, b.furnish(ctx, seed)
}

// wire puts a wire before each system.
func (b *bed) wire(seed uint64) (err error) {
	if b.wires["postgres"], err = newWire(fmt.Sprintf("127.0.0.1:%d", b.postgres.Port), seed, &b.bites, postgresHolds(b.postgres)); err != nil {
		return err
	}
	b.wires["redis"], err = newWire("127.0.0.1:"+b.port, seed, &b.bites, redisHolds(b.redisClient("admin", redisAdmin)))
	return err
}

func sha(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

const redisAdmin = "the administrator of redis"

func (b *bed) startRedis(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, b.port, _ = net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	acl := filepath.Join(b.folder, "users.acl")
	if err := os.WriteFile(acl, []byte("user admin on #"+sha(redisAdmin)+" ~* &* +@all\nuser default off\n"), 0o600); err != nil {
		return err
	}
	b.redis, err = launch(exec.Command("redis-server", "--bind", "127.0.0.1", "--port", b.port, "--dir", b.folder, "--aclfile", acl, "--save", "", "--daemonize", "no",
		"--logfile", filepath.Join(b.folder, "redis.log")))
	if err != nil {
		return fmt.Errorf("redis-server: %w (run `make setup`)", err)
	}
	return poll(ctx, "Redis answers", func() error { return b.redisDo(ctx, "admin", redisAdmin, "PING") })
}

func (b *bed) redisDo(ctx context.Context, user, password string, command ...any) error {
	c := b.redisClient(user, password)
	defer c.Close()
	return c.Do(ctx, command...).Err()
}

func (b *bed) redisClient(user, password string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + b.port, Username: user, Password: password, DisableIdentity: true, MaxRetries: -1, PoolSize: 1})
}

// furnish makes accounts, Secrets and a workload, and connects, fetches and maps them.
func (b *bed) furnish(ctx context.Context, seed uint64) error {
	c, err := b.server.client()
	if err != nil {
		return err
	}
	for _, name := range []string{"pg-a", "pg-b", "pg-c", "redis-a", "redis-b"} {
		a := &account{name: name, redis: strings.HasPrefix(name, "redis"), first: rand.Text()}
		b.accounts, b.values[a.first] = append(b.accounts, a), true
		if a.redis {
			err = b.redisDo(ctx, "admin", redisAdmin, "ACL", "SETUSER", name, "on", "#"+sha(a.first), "-@all", "+ping", "+acl|whoami")
		} else {
			_, err = b.postgres.Psql(ctx, b.postgres.SuperUser, b.postgres.SuperPassword, fmt.Sprintf("SET log_statement = 'none';\nCREATE ROLE %q LOGIN PASSWORD '%s'", name, a.first))
		}
		if err != nil {
			return err
		}
	}
	scope := client.Scope{Namespaces: []string{namespace}, Access: "read-write", Restart: true}
	text, err := c.Connector(ctx, scope)
	if err != nil {
		return err
	}
	b.manifest = string(text)
	for i, plane := range b.clusters.Planes {
		m, err := newMeddler(plane, seed+uint64(i), &b.bites)
		if err != nil {
			return err
		}
		b.meddlers = append(b.meddlers, m)
		if err := b.cluster(ctx, c, i, scope); err != nil {
			return err
		}
	}
	return b.resources(ctx, c)
}

// cluster fills a cluster, connects it through its meddler and fetches its Secrets.
func (b *bed) cluster(ctx context.Context, c *client.Client, i int, scope client.Scope) error {
	plane := b.clusters.Planes[i]
	objects := "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + namespace + "}\n"
	for _, a := range b.accounts {
		objects += fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: %s}\nstringData: {password: %q, url: %q, other: stays}\n", namespace, a.name, a.first, a.url(a.first))
		objects += fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %[1]s, name: %[2]s}
spec:
  replicas: 2
  revisionHistoryLimit: 1000
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec: {containers: [{name: app, image: none, env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: %[2]s, key: password}}}]}]}
`, namespace, a.name)
	}
	for _, text := range []string{objects, b.manifest} {
		if _, err := plane.Kubectl(ctx, text, "apply", "-f", "-"); err != nil {
			return err
		}
	}
	var token string
	err := poll(ctx, "the connector has a token and its rights", func() (err error) {
		if token, err = plane.Kubectl(ctx, "", "-n", "keyturn", "get", "secrets/keyturn-token", "-o", "jsonpath={.data.token}"); err == nil && token == "" {
			err = errors.New("there is no token")
		}
		if err == nil {
			_, err = plane.Kubectl(ctx, "", "-n", namespace, "auth", "can-i", "patch", "deployments", "--as=system:serviceaccount:keyturn:keyturn")
		}
		return err
	})
	if err != nil {
		return err
	}
	made, err := c.AddCluster(ctx, client.NewCluster{Name: plane.Name, Server: b.meddlers[i].web.URL, CA: b.meddlers[i].ca(), Token: client.NewValue(token), Scope: scope})
	if err != nil {
		return err
	}
	fetch, err := c.FetchSecrets(ctx, made.ID, client.Selection{Namespaces: []string{namespace}})
	if err != nil {
		return err
	}
	return poll(ctx, "the fetch is done", func() error {
		if fetch, err = c.Fetch(ctx, made.ID, fetch.ID); err == nil && fetch.State != "done" {
			err = fmt.Errorf("it is %s", fetch.State)
		}
		return err
	})
}

// url is what the key "url" of an account's Secret holds around the password.
func (a *account) url(password string) string {
	return "scheme://" + a.name + ":" + password + "@host:1/db?x=y"
}

// resources has Keyturn know the systems, the accounts and the mappings.
func (b *bed) resources(ctx context.Context, c *client.Client) error {
	pg := map[string]string{"host": "127.0.0.1", "port": strconv.Itoa(b.wires["postgres"].port()), "database": "postgres", "tls_ca": string(b.postgres.CAPEM)}
	cache := map[string]string{"host": "127.0.0.1", "port": strconv.Itoa(b.wires["redis"].port()), "tls": "off"}
	_, err := c.AddResource(ctx, client.NewResource{Name: "database", Type: "postgresql", Settings: pg})
	if err != nil {
		return err
	}
	if _, err = c.AddResource(ctx, client.NewResource{Name: "cache", Type: "redis", Settings: cache}); err != nil {
		return err
	}
	secrets, err := c.Secrets(ctx, client.SecretFilter{})
	if err != nil {
		return err
	}
	for _, a := range b.accounts {
		made, err := c.AddAccount(ctx, map[bool]string{false: "database", true: "cache"}[a.redis], client.NewAccount{Name: a.name, Value: client.NewValue(a.first)})
		if err != nil {
			return err
		}
		a.id = made.ID
		mapped := 0
		for _, s := range secrets.Items {
			if s.Name != a.name {
				continue
			}
			for key, place := range map[string]*client.Place{"password": nil, "url": {Format: "url"}} {
				m, err := c.AddMapping(ctx, client.NewMapping{AccountID: a.id, SecretID: s.ID, Key: key, Place: place})
				if err != nil {
					return err
				}
				if m.State != "in_sync" {
					return fmt.Errorf("%s key %s is %s: %s", s.Name, key, m.State, m.Reason)
				}
				mapped++
			}
		}
		if mapped != 4 {
			return fmt.Errorf("%s is mapped to %d keys", a.name, mapped)
		}
	}
	return b.keeper(ctx, c)
}

// keeper gives Redis the account that changes the others.
func (b *bed) keeper(ctx context.Context, c *client.Client) error {
	value := rand.Text()
	b.values[value] = true
	if err := b.redisDo(ctx, "admin", redisAdmin, "ACL", "SETUSER", "keeper", "on", "#"+sha(value), "resetchannels", "-@all", "+acl|setuser", "+acl|getuser", "+acl|save", "+acl|whoami", "+multi", "+exec"); err != nil {
		return err
	}
	keeper, err := c.AddAccount(ctx, "cache", client.NewAccount{Name: "keeper", Value: client.NewValue(value)})
	if err != nil {
		return err
	}
	r, err := c.Resource(ctx, "cache")
	if err != nil {
		return err
	}
	_, err = c.UpdateResource(ctx, r.ID, r.Rev, client.ResourceChange{ReconcileAccountID: &keeper.ID})
	return err
}

// close ends everything. What was written stays when something was lost.
func (b *bed) close(forget bool) error {
	if b.server != nil {
		if b.server.process != nil {
			b.server.signal(syscall.SIGCONT)
		}
		b.server.end(syscall.SIGTERM)
	}
	for _, m := range b.meddlers {
		m.close()
	}
	for _, w := range b.wires {
		w.close()
	}
	b.redis.end(syscall.SIGTERM)
	var errs []error
	if b.postgres != nil {
		errs = append(errs, b.postgres.Stop())
	}
	if b.clusters != nil {
		errs = append(errs, b.clusters.Stop())
	}
	if forget && b.folder != "" {
		errs = append(errs, os.RemoveAll(b.folder))
	}
	return errors.Join(errs...)
}
