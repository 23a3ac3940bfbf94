// Package e2e turns keys for real: a Kubernetes API server, a PostgreSQL server, the repository, and a worker process
// that is killed at every named point. What happened is read with kubectl and psql, not from Keyturn.
package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/app"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/seal"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/generic"
	"github.com/keyturn/keyturn/internal/target/kubernetes"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

const firstPassword = "first-password-of-the-role"

// bed is what all tests of this package share.
var bed struct {
	clusters *testbed.Clusters
	postgres *testbed.Postgres
	tokens   []string // of the connector, by cluster
}

func TestMain(m *testing.M) {
	if os.Getenv("E2E_WORKER_RUN") != "" {
		os.Exit(worker())
	}
	runtime.LockOSThread() // the servers die with the thread that started them
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx := context.Background()
	var err error
	if bed.clusters, err = testbed.StartClustersWithNodes(ctx, 2, 1); err == nil {
		defer func() { err = errors.Join(err, bed.clusters.Stop()) }()
		bed.postgres, err = testbed.StartPostgres(ctx, testbed.PostgresOptions{})
	}
	if err == nil {
		defer func() { err = errors.Join(err, bed.postgres.Stop()) }()
		err = connect(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

// connect gives each cluster the connector's rights, as an administrator would, and reads its token.
func connect(ctx context.Context) error {
	manifest, err := kube.Manifest(kube.Scope{Namespaces: []string{"shop"}, ReadWrite: true, Restart: true})
	if err != nil {
		return err
	}
	for _, c := range bed.clusters.Planes {
		if _, err := c.Kubectl(ctx, "", "create", "namespace", "shop"); err != nil {
			return err
		}
		if _, err := c.Kubectl(ctx, string(manifest), "apply", "-f", "-"); err != nil {
			return err
		}
		token := ""
		for end := time.Now().Add(20 * time.Second); token == "" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if token, err = c.Kubectl(ctx, "", "-n", "keyturn", "get", "secrets/keyturn-token", "-o", "jsonpath={.data.token}"); err != nil {
				return err
			}
		}
		bed.tokens = append(bed.tokens, token)
	}
	return nil
}

// world is one repository with one account whose password stands in three Secrets of two clusters.
type world struct {
	dir, account, role string
	dsn                string      // of the repository on PostgreSQL; empty on SQLite
	secrets            [][2]string // cluster index and name
	immutable          string      // what the account's policy says of immutable Secrets
	clusters           []connected
	turns              int64 // how often the key was turned; 0 means once
}

// connected is a cluster as the repository knows it, with the resource of its namespace shop.
type connected struct {
	inventory.Cluster
	shop inventory.Resource
}

// rootFile holds the root key, as the file that an administrator keeps.
const rootFile = "root.key"

// openRing opens the repository's ring as a server does at its start.
func openRing(ctx context.Context, s *store.Store, dir string) (*vault.Ring, error) {
	root, err := seal.NewFile(filepath.Join(dir, rootFile)).Root(ctx)
	if err != nil {
		return nil, err
	}
	keys, _, err := s.RingKeys(ctx)
	if err != nil {
		return nil, err
	}
	return vault.OpenRing(root, keys)
}

// newRing makes a root key and a ring for a new repository.
func newRing(t *testing.T, s *store.Store, dir string) *vault.Ring {
	t.Helper()
	root, err := seal.NewFile(filepath.Join(dir, rootFile)).Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ring, keys, err := vault.NewRing(root)
	if err != nil {
		t.Fatal(err)
	}
	_, rev, err := s.RingKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SaveRing(t.Context(), rev, keys, happened("ring.create")); err != nil {
		t.Fatal(err)
	}
	return ring
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func happened(action string) audit.Event {
	return audit.New(identity.Actor{ID: "u1", Name: "anna", Kind: identity.KindUser}, action, audit.Object{Kind: "test"})
}

// repositories are where a world can be kept.
var repositories = []string{"sqlite", "postgres"}

func newWorld(t *testing.T, repository, name string) world {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	name += "-" + repository
	w := world{dir: filepath.Join(t.TempDir(), "data"), role: "app_" + name, secrets: [][2]string{{"0", "db-" + name}, {"0", "copy-" + name}, {"1", "db-" + name}}}
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if repository == "postgres" {
		w.dsn = newDatabase(t, name)
	}
	s := w.open(t)
	defer s.Close()
	ring := newRing(t, s, w.dir)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := bed.postgres.Psql(ctx, bed.postgres.SuperUser, bed.postgres.SuperPassword, fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD '%s'`, w.role, firstPassword))
	do(err)
	db := inventory.Resource{ID: newID(), Name: "orders-db", Type: "postgresql", CreatedAt: now, Settings: map[string]string{
		"host": bed.postgres.Host, "port": strconv.Itoa(bed.postgres.Port), "tls_ca": string(bed.postgres.CAPEM), "database": "postgres"}}
	do(s.AddResource(ctx, db, nil, happened("resource.create")))
	a := inventory.Account{ID: newID(), ResourceID: db.ID, Name: w.role, State: inventory.AccountUnverified, Current: 1, CreatedAt: now}
	w.account = a.ID
	do(s.AddAccount(ctx, a, first(t, ring, a.ID, inventory.Typed, firstPassword), nil, happened("account.create")))
	for i, plane := range bed.clusters.Planes {
		token, err := kube.NormaliseToken(vault.NewValue([]byte(bed.tokens[i])))
		do(err)
		c := inventory.Cluster{ID: newID(), Name: plane.Name, Server: plane.URL, CAPEM: string(plane.CAPEM), UID: newID(),
			Scope: inventory.Scope{Namespaces: []string{"shop"}, ReadWrite: true, Restart: true}, State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now}
		c.Token, err = ring.Seal(inventory.TokenRecord(c.ID), token)
		do(err)
		do(s.AddCluster(ctx, c, nil, happened("cluster.create")))
		ns := inventory.Resource{ID: newID(), Name: inventory.KubernetesResourceName("shop", c.Name), Type: inventory.TypeKubernetes, ClusterID: c.ID, Namespace: "shop", CreatedAt: now}
		do(s.AddResource(ctx, ns, nil, happened("resource.create")))
		w.clusters = append(w.clusters, connected{c, ns})
		for _, at := range w.secrets {
			if at[0] == strconv.Itoa(i) {
				w.mapSecret(t, s, ring, i, at[1])
			}
		}
	}
	return w
}

func first(t *testing.T, ring *vault.Ring, id string, source inventory.Source, value string) *inventory.Version {
	t.Helper()
	sealed, err := ring.Seal(inventory.VersionRecord(id, 1), vault.NewValue([]byte(value)))
	if err != nil {
		t.Fatal(err)
	}
	return &inventory.Version{AccountID: id, Number: 1, Stage: inventory.Current, Source: source, CreatedAt: time.Now(), Sealed: sealed}
}

func (w world) mapSecret(t *testing.T, s *store.Store, ring *vault.Ring, cluster int, name string) {
	t.Helper()
	_, err := bed.clusters.Planes[cluster].Kubectl(t.Context(), "", "-n", "shop", "create", "secret", "generic", name, "--from-literal=password="+firstPassword, "--from-literal=user="+w.role)
	if err != nil {
		t.Fatal(err)
	}
	w.mapKey(t, s, ring, cluster, name, "password", firstPassword)
}

// mapKey maps a key of a Secret that is there, and holds value, to the account.
func (w world) mapKey(t *testing.T, s *store.Store, ring *vault.Ring, cluster int, name, key, value string) {
	t.Helper()
	ctx, now, at := t.Context(), time.Now(), w.clusters[cluster]
	uid, err := bed.clusters.Planes[cluster].Kubectl(ctx, "", "-n", "shop", "get", "secret", name, "-o", "jsonpath={.metadata.uid}")
	if err != nil {
		t.Fatal(err)
	}
	sec := inventory.Secret{ID: newID(), ClusterID: at.ID, ResourceID: at.shop.ID, Namespace: "shop", Name: name, UID: uid, State: inventory.InSync, Current: 1, CreatedAt: now, SeenAt: now,
		Keys: []inventory.Key{{Name: key, Size: int64(len(value)), Fingerprint: ring.Fingerprint(vault.NewValue([]byte(value)))}}}
	err = s.AddSecrets(ctx, []store.Imported{{Secret: sec, Version: *first(t, ring, sec.ID, inventory.Fetched, "{}")}}, happened("cluster.fetch"))
	if err != nil {
		t.Fatal(err)
	}
	err = s.AddMapping(ctx, inventory.Mapping{ID: newID(), AccountID: w.account, SecretID: sec.ID, Key: key, Written: 1, State: inventory.InSync}, happened("mapping.create"))
	if err != nil {
		t.Fatal(err)
	}
}

// newDatabase makes an empty database with an owner of its own and returns how to reach it.
func newDatabase(t *testing.T, name string) string {
	t.Helper()
	p := bed.postgres
	for _, sql := range []string{
		fmt.Sprintf(`CREATE ROLE "repo_%s" LOGIN PASSWORD 'the-repository-s-own'`, name), fmt.Sprintf(`CREATE DATABASE "repo_%s" OWNER "repo_%s"`, name, name),
	} {
		if _, err := p.Psql(t.Context(), p.SuperUser, p.SuperPassword, sql); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("postgres://repo_%s:the-repository-s-own@%s:%d/repo_%s?sslmode=verify-full&sslrootcert=%s", name, p.Host, p.Port, name, p.CAFile)
}

func (w world) open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: w.dir, DSN: w.dsn})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// order stores a run and returns its id.
func (w world) order(t *testing.T) string {
	t.Helper()
	s := w.open(t)
	defer s.Close()
	r := rotation.Run{ID: newID(), AccountID: w.account, Strategy: rotation.Single, Old: 1, StartedBy: identity.Actor{ID: "u1", Name: "anna"}, CreatedAt: time.Now()}
	if err := s.OpenRun(t.Context(), r, "", nil, happened("account.reset")); err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// work carries a run on in a process of its own, which dies by SIGKILL at the point kill, if that is not empty.
func (w world) work(t *testing.T, run, kill string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "E2E_WORKER_RUN="+run, "E2E_WORKER_DIR="+w.dir, "E2E_WORKER_DSN="+w.dsn, "E2E_WORKER_KILL="+kill, "E2E_WORKER_IMMUTABLE="+w.immutable)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// worker is the process that work starts.
func worker() int {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if err := seal.Harden(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir := os.Getenv("E2E_WORKER_DIR")
	s, err := store.Open(ctx, store.Config{Dir: dir, DSN: os.Getenv("E2E_WORKER_DSN")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ring, err := openRing(ctx, s, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	registry, err := target.NewRegistry(postgresql.New(postgresql.Config{}), kubernetes.New(), generic.New())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	clusters := &app.Clusters{Store: s, Ring: ring, AllowLoopback: true}
	e := rotation.Engine{Store: s, Vault: ring, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Owner: "worker", Lease: 5 * time.Second, MaxTries: 3,
		Targets:  app.Targets{Store: s, Ring: ring, Registry: registry, Inside: clusters},
		Clusters: clusters,
		Saw:      app.Telling(&inventory.Fetcher{Store: s, Ring: ring}),
		Policy: func(context.Context, string) (rotation.Policy, error) {
			return rotation.Policy{ID: rotation.DefaultPolicy, Rules: rotation.Rules{Immutable: rotation.Immutable(os.Getenv("E2E_WORKER_IMMUTABLE"))}}, nil
		},
		At: func(point string) {
			if point == os.Getenv("E2E_WORKER_KILL") {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}}
	if err := e.Resume(ctx, os.Getenv("E2E_WORKER_RUN")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := s.Close(); err != nil {
		return 1
	}
	return 0
}

// turned proves from outside that the key was turned: what the vault holds as current is what PostgreSQL accepts and what
// stands in every Secret, and nothing else of those Secrets was touched.
func (w world) turned(t *testing.T, run string) {
	t.Helper()
	ctx := t.Context()
	s := w.open(t)
	defer s.Close()
	r, err := s.Run(ctx, run)
	if err != nil || r.State != rotation.Finished {
		t.Fatalf("the run is %s after %s: %s %s (%v)", r.State, r.Step, r.Reason, r.Cure, err)
	}
	a, err := s.Account(ctx, w.account)
	if err != nil || a.State != inventory.AccountVerified || a.Current != r.New {
		t.Errorf("account %+v, %v", a, err)
	}
	ring, err := openRing(ctx, s, w.dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Sealed(ctx, w.account, a.Current)
	if err != nil {
		t.Fatal(err)
	}
	value, err := ring.Open(inventory.VersionRecord(w.account, a.Current), sealed)
	if err != nil {
		t.Fatal(err)
	}
	var now string
	_ = value.Expose(func(b []byte) error { now = string(b); return nil })
	if now == firstPassword || len(now) < 16 {
		t.Error("the password was not changed")
	}
	if out, err := bed.postgres.Psql(ctx, w.role, now, "SELECT session_user"); err != nil || strings.TrimSpace(out) != w.role {
		t.Errorf("psql with the new password: %q, %v", out, err)
	}
	if _, err := bed.postgres.Psql(ctx, w.role, firstPassword, "SELECT 1"); err == nil {
		t.Error("psql: the old password is still accepted")
	}
	for _, at := range w.secrets {
		i, _ := strconv.Atoi(at[0])
		out, err := bed.clusters.Planes[i].Kubectl(ctx, "", "-n", "shop", "get", "secret", at[1], "-o", "jsonpath={.data.password} {.data.user}")
		f := strings.Fields(out)
		if err != nil || len(f) != 2 || f[0] != base64.StdEncoding.EncodeToString([]byte(now)) || f[1] != base64.StdEncoding.EncodeToString([]byte(w.role)) {
			t.Errorf("kubectl: %s in cluster %s does not hold the new password and the old rest (%v)", at[1], at[0], err)
		}
	}
	w.audited(t, s, ring)
	w.clean(t, now)
	log, err := os.ReadFile(bed.postgres.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), now) {
		t.Error("the password is in PostgreSQL's log")
	}
	if !strings.Contains(string(log), "SCRAM-SHA-256$4096:") {
		t.Error("PostgreSQL's log does not show statements, so it proves nothing")
	}
}

// audited puts the events into the log and verifies it.
func (w world) audited(t *testing.T, s *store.Store, ring *vault.Ring) {
	t.Helper()
	ctx := t.Context()
	repo, err := s.Repository(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := ring.Secret(vault.PurposeAuditSeed)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(repo.ID, seed)
	if err != nil {
		t.Fatal(err)
	}
	q := audit.NewSequencer(audit.Config{Store: s, Signer: signer, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if n, err := q.Sequence(ctx); err != nil || n < 10 {
		t.Fatalf("%d events were sequenced: %v", n, err)
	}
	result, err := audit.Verify(ctx, s, audit.Trust{Key: signer.Key()})
	if err != nil || !result.OK() || result.Entries < 10 {
		t.Errorf("the audit log does not verify: %+v, %v", result, err)
	}
	for _, step := range []string{"minted", "applied", "verified", "published", "rolled_out", "retired", "done"} {
		if n, err := s.CountAuditEvents(ctx, store.AuditFilter{Action: "run." + step}); err != nil || n != max(1, w.turns) {
			t.Errorf("%d events say that the run is %s: %v", n, step, err)
		}
	}
}

// clean fails the test when a password stands in any file of a repository on SQLite.
func (w world) clean(t *testing.T, now string) {
	t.Helper()
	if w.dsn != "" {
		return // PostgreSQL's log shows the statements that the repository was sent, and is searched
	}
	files, err := os.ReadDir(w.dir)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(w.dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), now) || strings.Contains(string(b), firstPassword) {
			t.Errorf("a password is in %s", f.Name())
		}
	}
}

func TestAKeyIsTurnedInADatabaseAndTwoClusters(t *testing.T) {
	for _, repository := range repositories {
		t.Run(repository, func(t *testing.T) {
			w := newWorld(t, repository, "plain")
			run := w.order(t)
			if out, err := w.work(t, run, ""); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w.turned(t, run)
		})
	}
}

func TestAWorkerKilledAtAnyPointLosesNothing(t *testing.T) {
	points := []string{
		"minted:before-store", "minted:stored", "applied:before-effect", "applied:after-effect", "applied:before-store", "applied:stored",
		"verified:before-effect", "verified:after-effect", "verified:before-store", "verified:stored",
		"published:before-effect", "published:after-effect", "published:before-proof", "published:before-store", "published:stored",
		"rolled_out:before-store", "rolled_out:stored", "retired:before-store", "retired:stored", "done:before-store",
	}
	for _, repository := range repositories {
		for i, point := range points {
			t.Run(repository+"/"+point, func(t *testing.T) { killed(t, newWorld(t, repository, fmt.Sprintf("k%d", i)), point) })
		}
	}
}

// killed kills a worker at point, starts another, and looks at what came of it.
func killed(t *testing.T, w world, point string) {
	run := w.order(t)
	out, err := w.work(t, run, point)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the worker was not killed: %v\n%s", err, out)
	}
	if out, err = w.work(t, run, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.turned(t, run)
}
