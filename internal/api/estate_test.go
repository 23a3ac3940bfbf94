package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// The plaintexts of an estate. None of them may be in an answer but that of a reveal, nor in a log.
const (
	accountValue = "canary-account-9c1f"
	keyValue     = "canary-key-77ab"
	tokenValue   = "canary-token-51de"
)

// estate is a world with the real services over the repository, one cluster with one Secret, and one account.
type estate struct {
	*world
	ring       *vault.Ring
	keys       keys
	cluster    inventory.Cluster
	space      inventory.Resource // the cluster's namespace
	secret     inventory.Secret   // of the keys password, same and binary
	db         inventory.Resource
	account    inventory.Account // app_rw, whose value the key same holds
	empty      inventory.Account // app_ro, without a value
	checks     *checks
	rehearsals *rotation.Rehearsals
	runs       rotation.Engine
}

func newEstate(t testing.TB) *estate {
	t.Helper()
	e := &estate{checks: &checks{}}
	e.world = newWorld(t, func(w *world, s *Services) { e.serve(t, w, s) })
	e.fill(t)
	return e
}

// asHard are policies whose passwords are all as hard to guess.
type asHard struct {
	*rotation.Policies
	store *store.Store
	plans *rotation.Scheduler
}

func (k asHard) EntropyBits(string) (float64, error) { return 128, nil }

func (k asHard) AssignmentNames(ctx context.Context, v store.Viewer) (map[string]string, error) {
	return k.store.AssignmentNames(ctx, v)
}

func (k asHard) Followers(ctx context.Context, v store.Viewer) (map[string]store.Followers, error) {
	return k.store.Followers(ctx, v)
}

func (k asHard) Explain(ctx context.Context, accountID string) ([]rotation.Applies, rotation.Plan, error) {
	return k.plans.Explain(ctx, accountID)
}

// keys are those of the ring, with a next root key that is not on a disk.
type keys struct{ *keyring.Keeper }

func (k keys) ChangeRoot(ctx context.Context, actor identity.Actor, _ client.Value) (client.RootChange, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	root, err := vault.NewRootKey(key[:])
	if err != nil {
		return client.RootChange{}, err
	}
	changed, err := k.Keeper.ChangeRoot(ctx, actor, root)
	return client.RootChange{Changed: changed, File: "root.key"}, err
}

// serve gives the API real services. What is not on this machine (a cluster) is the test's.
func (e *estate) serve(t testing.TB, w *world, s *Services) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	root, err := vault.NewRootKey(key[:])
	ok(t, err)
	ring, stored, err := vault.NewRing(root)
	ok(t, err)
	_, rev, err := w.store.RingKeys(t.Context())
	ok(t, err, w.store.SaveRing(t.Context(), rev, stored, audit.New(identity.System("test"), "ring.create", audit.Object{Kind: "repository"})))
	e.ring = ring
	e.keys = keys{&keyring.Keeper{Store: w.store, Ring: ring, Log: w.server.Log}}
	ok(t, e.keys.Start(t.Context()))
	s.Keys, s.Prints = e.keys, e.ring
	rows := rows{w.store}
	needsGrant := func(a identity.Actor) bool { return a.Role != identity.Administrator }
	s.Clusters = struct {
		*store.Store
		*inventory.Connections
		*checks
	}{w.store, &inventory.Connections{Store: rows, Connector: e.checks, Issuer: e.checks, Vault: e.ring, Owner: needsGrant}, e.checks}
	s.Fetches = fetches{w.store}
	s.Objects = w.store
	s.Accounts = struct {
		*inventory.Accounts
		*access.Reveals
	}{&inventory.Accounts{Store: rows, Vault: e.ring, Types: anyType{}, Owner: needsGrant}, &access.Reveals{Store: w.store, Vault: e.ring}}
	s.Mappings = struct {
		*store.Store
		*inventory.Mapper
	}{w.store, &inventory.Mapper{Store: rows, Vault: e.ring, Owners: nobody{}}}
	resets := &rotation.Resets{Store: w.store, Vault: e.ring, Targets: nowhere{}, Wake: func() {}}
	s.Runs = struct {
		*store.Store
		*rotation.Resets
	}{w.store, resets}
	e.rehearsals = &rotation.Rehearsals{Forecaster: &rotation.Forecaster{Store: w.store, Vault: e.ring, Resets: resets, Clusters: away{}}, Kept: w.store, Wake: func() {}}
	resets.Agreed = e.rehearsals.Agreed
	s.Plans = struct {
		*store.Store
		*rotation.Rehearsals
	}{w.store, e.rehearsals}
	s.Pushes = &inventory.Pushes{Store: w.store, Vault: e.ring, Clusters: away{}, Expected: &inventory.Expected{}}
	s.Policies = asHard{&rotation.Policies{Store: w.store, CheckPassword: func(string) error { return nil }, Wake: func() {}}, w.store,
		&rotation.Scheduler{Store: w.store, CanVerify: func(string) bool { return true }}}
	e.runs = rotation.Engine{Store: w.store, Vault: e.ring, Targets: nowhere{}, Log: w.server.Log, Owner: "test", Lease: time.Minute, MaxTries: 3}
}

func (e *estate) fill(t testing.TB) {
	now, ctx := time.Now().UTC().Truncate(time.Microsecond), t.Context()
	ev := func(kind, id string) audit.Event {
		return audit.New(identity.System("test"), kind+".create", audit.Object{Kind: kind, ID: id})
	}
	e.cluster = inventory.Cluster{ID: newID(), Name: "prod", Server: "https://10.0.0.1:6443", UID: newID(), State: inventory.ClusterConnected,
		Scope: inventory.Scope{WholeCluster: true, Renew: true}, Since: now, CheckedAt: now, CreatedAt: now}
	token, err := e.ring.Seal(inventory.TokenRecord(e.cluster.ID), vault.NewValue([]byte(tokenValue)))
	ok(t, err)
	e.cluster.Token = token
	ok(t, e.store.AddCluster(ctx, e.cluster, nil, ev("cluster", e.cluster.ID)))
	e.space = inventory.Resource{ID: newID(), Name: "shop-prod", Type: inventory.TypeKubernetes, ClusterID: e.cluster.ID, Namespace: "shop", CreatedAt: now}
	e.db = inventory.Resource{ID: newID(), Name: "orders-db", Type: "postgresql", Settings: map[string]string{"host": "127.0.0.1"}, CreatedAt: now}
	ok(t, e.store.AddResource(ctx, e.space, nil, ev("resource", e.space.ID)), e.store.AddResource(ctx, e.db, nil, ev("resource", e.db.ID)))
	e.account = inventory.Account{ID: newID(), ResourceID: e.db.ID, Name: "app_rw", State: inventory.AccountUnverified, Current: 1, CreatedAt: now}
	e.empty = inventory.Account{ID: newID(), ResourceID: e.db.ID, Name: "app_ro", State: inventory.AccountUnverified, CreatedAt: now}
	sealed, err := e.ring.Seal(inventory.VersionRecord(e.account.ID, 1), vault.NewValue([]byte(accountValue)))
	ok(t, err)
	first := inventory.Version{AccountID: e.account.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, ActorName: "test", CreatedAt: now,
		Sealed: sealed, Mark: vault.MarkOf(e.ring, vault.NewValue([]byte(accountValue)))}
	ok(t, e.store.AddAccount(ctx, e.account, &first, nil, ev("account", e.account.ID)), e.store.AddAccount(ctx, e.empty, nil, nil, ev("account", e.empty.ID)))
	e.secret = inventory.Secret{ID: newID(), ClusterID: e.cluster.ID, ResourceID: e.space.ID, Namespace: "shop", Name: "db", UID: newID(), ResourceVersion: "7",
		Type: "Opaque", Labels: map[string]string{"app": "shop"}, Current: 1, State: inventory.InSync, CreatedAt: now, SeenAt: now}
	for key, value := range secretData() {
		e.secret.Keys = append(e.secret.Keys, inventory.Key{Name: key, Size: int64(value.Len()), Fingerprint: e.ring.Fingerprint(value)})
		e.secret.Size += int64(value.Len())
	}
	e.addSecret(e.secret)
}

// secretData is what every Secret of an estate holds.
func secretData() map[string]vault.Value {
	return map[string]vault.Value{"password": vault.NewValue([]byte(keyValue)), "same": vault.NewValue([]byte(accountValue)), "binary": vault.NewValue([]byte{0xff, 0})}
}

func (e *estate) addSecret(x inventory.Secret) { e.addSecretOf(x, secretData()) }

func (e *estate) addSecretOf(x inventory.Secret, data map[string]vault.Value) {
	e.t.Helper()
	sealed, err := e.ring.Seal(inventory.VersionRecord(x.ID, 1), vault.Bundle(data))
	ok(e.t, err)
	first := inventory.Version{AccountID: x.ID, Number: 1, Stage: inventory.Current, Source: inventory.Fetched, CreatedAt: x.SeenAt, Sealed: sealed}
	ev := audit.New(identity.System("test"), "cluster.fetch", audit.Object{Kind: "cluster", ID: x.ClusterID})
	ok(e.t, e.store.AddSecrets(e.t.Context(), []store.Imported{{Secret: x, Version: first}}, ev))
}

// addData stores a further Secret of the estate's namespace, with what a fetch would make of its keys.
func (e *estate) addData(name string, data map[string]vault.Value) inventory.Secret {
	e.t.Helper()
	x := e.secret
	x.ID, x.Name, x.UID, x.Keys = newID(), name, newID(), nil
	for key, v := range data {
		mark := vault.MarkOf(e.ring, v)
		x.Keys = append(x.Keys, inventory.Key{Name: key, Size: int64(v.Len()), Fingerprint: mark.Print, Common: mark.Common})
	}
	e.addSecretOf(x, data)
	return x
}

// alias is how the API names a value.
func (e *estate) alias(value string) string {
	return e.ring.Alias(e.ring.Fingerprint(vault.NewValue([]byte(value)))).String()
}

// grant gives a user a level on an object.
func (e *estate) grant(u identity.User, kind, id string, level policy.Level) {
	e.t.Helper()
	g := access.Grant{ID: newID(), SubjectKind: access.User, SubjectID: u.ID, ObjectKind: kind, ObjectID: id, Level: level, CreatedAt: time.Now()}
	ok(e.t, e.store.AddGrant(e.t.Context(), g, audit.New(identity.System("test"), "grant.create", audit.Object{Kind: kind, ID: id})))
}

// turn carries a run out.
func (e *estate) turn(id string) {
	e.t.Helper()
	ok(e.t, e.runs.Resume(e.t.Context(), id))
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// rows is the store as inventory asks for it.
type rows struct{ *store.Store }

func owners(ownerID, kind, id string) *access.Grant {
	if ownerID == "" {
		return nil
	}
	return &access.Grant{ID: newID(), SubjectKind: access.User, SubjectID: ownerID, ObjectKind: kind, ObjectID: id, Level: policy.Manage, CreatedAt: time.Now()}
}

func (r rows) AddCluster(ctx context.Context, c inventory.Cluster, ownerID string, ev audit.Event) error {
	return r.Store.AddCluster(ctx, c, owners(ownerID, access.Cluster, c.ID), ev)
}

func (r rows) AddResource(ctx context.Context, x inventory.Resource, ownerID string, ev audit.Event) error {
	return r.Store.AddResource(ctx, x, owners(ownerID, access.Resource, x.ID), ev)
}

func (r rows) AddAccount(ctx context.Context, a inventory.Account, first *inventory.Version, ev audit.Event) error {
	return r.Store.AddAccount(ctx, a, first, nil, ev)
}

func (r rows) ClusterByUID(ctx context.Context, uid string) (inventory.Cluster, error) {
	c, err := r.ConnectedClusterByUID(ctx, uid)
	if errors.Is(err, fault.NotFound) {
		return r.RemovedClusterByUID(ctx, uid)
	}
	return c, err
}

// checks answers for clusters: report is what looking at one shows.
type checks struct {
	report inventory.Report
	looked []inventory.Connection
	ended  [][2]string // with which token, and which
}

func (c *checks) Check(_ context.Context, conn inventory.Connection) inventory.Report {
	c.looked = append(c.looked, conn)
	return c.report
}

func (c *checks) Issue(context.Context, inventory.Connection) (vault.Value, error) {
	return vault.NewValue([]byte("canary-next-token")), nil
}

func (c *checks) Discard(_ context.Context, with inventory.Connection, token vault.Value) error {
	var end [2]string
	_ = with.Token.Expose(func(b []byte) error { end[0] = string(b); return nil })
	_ = token.Expose(func(b []byte) error { end[1] = string(b); return nil })
	c.ended = append(c.ended, end)
	return nil
}

func (c *checks) Normalise(token vault.Value) (vault.Value, error) { return token, nil }

func (c *checks) Manifest(s inventory.Scope) ([]byte, error) {
	if s.WholeCluster {
		return []byte("kind: ClusterRole\n"), nil
	}
	return []byte("kind: Role\nnamespaces: " + s.Namespaces[0] + "\n"), s.Validate()
}

// passed is a report of which every check passed.
func passedReport(uid string) inventory.Report {
	return inventory.Report{UID: uid, Version: "v1.36.3", Checks: []inventory.Check{{Name: inventory.CheckHost, State: inventory.CheckDone}}}
}

func failedReport() inventory.Report {
	return inventory.Report{Checks: []inventory.Check{{Name: inventory.CheckToken, State: inventory.CheckFailed, Steps: []inventory.CheckStep{
		{Name: "authenticate", State: inventory.CheckFailed, Code: "cluster-token-refused", Cause: "the token is refused", Cure: "paste another token"}}}},
		Missing: []string{"patch secrets"}, MissingManifest: "kind: Role\n"}
}

// fetches stores fetches that nobody carries out.
type fetches struct{ *store.Store }

func (f fetches) Start(ctx context.Context, actor identity.Actor, clusterID string, kind inventory.FetchKind, chosen inventory.Selection) (inventory.Fetch, error) {
	if kind == inventory.FetchChosen {
		if err := chosen.Validate(); err != nil {
			return inventory.Fetch{}, err
		}
	}
	job := inventory.Fetch{ID: newID(), ClusterID: clusterID, Kind: kind, State: inventory.FetchQueued, Selection: chosen, StartedBy: actor, CreatedAt: time.Now().UTC()}
	if err := f.OpenFetch(ctx, job, audit.New(actor, "cluster."+string(kind), audit.Object{Kind: "cluster", ID: clusterID})); err != nil {
		return inventory.Fetch{}, err
	}
	return f.Fetch(ctx, job.ID)
}

func (f fetches) Available(_ context.Context, _, namespace string) (inventory.Available, error) {
	return inventory.Available{Namespaces: []inventory.AvailableNamespace{{Name: namespace, Problem: "the connector has no right there"}},
		Secrets: []inventory.AvailableSecret{{Meta: inventory.Meta{Namespace: namespace, Name: "db", Type: "Opaque"}, Keys: 2, Fetched: true}}}, nil
}

type anyType struct{}

func (anyType) CheckSettings(string, map[string]string) error { return nil }
func (anyType) CanOverlap(typ string) bool                    { return typ == "redis" }
func (anyType) CanReconcile(string) bool                      { return true }
func (anyType) CanAlternate(typ string) bool                  { return typ == "postgresql" }
func (anyType) IsOfCluster(typ string) bool                   { return typ == "kubernetes-token" }
func (anyType) CanBeInside(typ string) bool                   { return typ == "postgresql" }

// nobody owns keys.
type nobody struct{}

func (nobody) KeyOwner(context.Context, string, string, string, string) (string, string, error) {
	return "", "", nil
}

// away are clusters that do not answer.
type away struct{}

var errAway = fault.New(fault.Unavailable, "the API server could not be reached").WithCure("check the network, then try again")

func (away) Open(context.Context, string) (rotation.Cluster, error)       { return nil, errAway }
func (away) Writable(context.Context, string) (inventory.Writable, error) { return nil, errAway }
func (away) Workloads(context.Context, string) (rotation.Workloads, bool, error) {
	return nil, false, errAway
}

// nowhere has accounts without a remote side, like the type generic.
type nowhere struct{}

func (nowhere) Open(context.Context, string) (rotation.Target, error) { return nowhere{}, nil }
func (nowhere) Remote() bool                                          { return false }
func (nowhere) Reconciled() bool                                      { return false }
func (nowhere) Generate(context.Context, string) (vault.Value, error) {
	return vault.NewValue([]byte("canary-generated")), nil
}
func (nowhere) Issues() bool                               { return false }
func (nowhere) Home(vault.Value) (rotation.Home, error)    { return rotation.Home{}, nil }
func (nowhere) Prepare(v vault.Value) (vault.Value, error) { return v, nil }
func (nowhere) Change(context.Context, vault.Value, vault.Value, vault.Value) (rotation.Outcome, error) {
	return rotation.NotSent, nil
}
func (nowhere) Rehearse(context.Context, vault.Value) (string, error) {
	return "", fault.New(fault.Conflict, "there is no system").WithCode(rotation.NotProvable)
}
func (nowhere) As(string) rotation.Target                                      { return nowhere{} }
func (nowhere) Compare(context.Context, vault.Value, string) ([]string, error) { return nil, nil }
func (nowhere) Overlaps() bool                                                 { return false }
func (nowhere) Add(context.Context, vault.Value, vault.Value, vault.Value) (rotation.Outcome, error) {
	return rotation.NotSent, nil
}
func (nowhere) Drop(context.Context, vault.Value, vault.Value, vault.Value) (rotation.Outcome, error) {
	return rotation.NotSent, nil
}
func (nowhere) Login(context.Context, vault.Value) (rotation.Answer, error) {
	return rotation.NoAnswer, nil
}
func (nowhere) Prove(context.Context, vault.Value) (rotation.Answer, error) {
	return rotation.NoAnswer, nil
}
func (nowhere) ProveChange(context.Context, vault.Value, vault.Value) (rotation.Answer, bool, error) {
	return rotation.NoAnswer, false, nil
}

// quiet fails the test if a plaintext is in what was logged or recorded.
func (e *estate) quiet() {
	e.t.Helper()
	all, err := e.store.AuditEvents(e.t.Context(), store.AuditFilter{Limit: 1000})
	ok(e.t, err)
	text := []byte(e.logs.String())
	for _, ev := range all {
		text = append(text, ev.Canonical()...)
	}
	if bytes.Contains(text, []byte("canary-")) {
		e.t.Error("a value is in the log")
	}
}
