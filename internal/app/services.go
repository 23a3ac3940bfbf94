package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/api"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/jobs"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/target/generic"
	httptarget "github.com/keyturn/keyturn/internal/target/http"
	"github.com/keyturn/keyturn/internal/target/kubernetes"
	"github.com/keyturn/keyturn/internal/target/ldap"
	"github.com/keyturn/keyturn/internal/target/linux"
	"github.com/keyturn/keyturn/internal/target/mysql"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/target/rabbitmq"
	"github.com/keyturn/keyturn/internal/target/redis"
	"github.com/keyturn/keyturn/internal/vault"
)

// How the loops work.
const (
	lease          = 15 * time.Second // after a crash of one of several servers, another takes over within this time
	runSlots       = 16
	turnSlots      = 4
	checkSlots     = 8
	rehearsalSlots = 4
	healSlots      = 8
	fetchSlots     = 2
	watchSlots     = 10_000 // one for each cluster, so that none waits for another
	watchLease     = 30 * time.Second
	dueEvery       = 2 * time.Second // for rows whose time has come; new ones wake their worker
	maxTries       = 8
	fetchTries     = 5
	checkEvery     = 5 * time.Minute
	sequenceEvery  = 500 * time.Millisecond
	forgetReplies  = 24 * time.Hour
	janitorEvery   = time.Hour
	reportEvery    = time.Minute
	fetchPatience  = 2 * time.Second
)

// open makes everything that needs the ring, starts the loops, and lets the API answer. loop is the context of the loops.
func (s *server) open(ctx, loop context.Context, sealed *sealing, ring *vault.Ring) error {
	repo, err := s.store.Repository(ctx)
	if err != nil {
		return err
	}
	signer, err := newSigner(repo.ID, ring)
	if err != nil {
		return err
	}
	owner, err := s.owner(ctx, repo.ID)
	if err != nil {
		return err
	}
	resealing, err := s.keep(ctx, sealed, ring, owner)
	if err != nil {
		return err
	}
	registry, err := newRegistry(kube.DialDirect)
	if err != nil {
		return err
	}
	var (
		rows     = repository{s.store}
		applying = policies{s.store}
		clusters = &Clusters{Store: s.store, Ring: ring, AllowLoopback: s.cfg.AllowLoopbackClusters, AllowCIDRs: s.cfg.ClusterRanges}
		targets  = Targets{Store: s.store, Ring: ring, Registry: registry, Policy: applying.password, Inside: clusters}
		look     = Connector{AllowLoopback: s.cfg.AllowLoopbackClusters, AllowCIDRs: s.cfg.ClusterRanges}
		fetcher  = &inventory.Fetcher{Store: s.store, Remotes: clusters, Ring: ring, Log: s.log, Owner: owner, Lease: lease, MaxTries: fetchTries, Backoff: fetchPatience, Expected: &inventory.Expected{}}
		engine   = &rotation.Engine{Store: s.store, Vault: ring, Targets: targets, Clusters: clusters, Log: s.log, Owner: owner, Lease: lease, MaxTries: maxTries, Policy: applying.of,
			Saw: Telling(fetcher), Expect: expecting(fetcher.Expected)}
		runs    = &jobs.Worker{Name: "run", Due: s.store.DueRuns, Do: engine.Resume, Slots: runSlots, Every: dueEvery, Log: s.log}
		resets  = &rotation.Resets{Store: s.store, Vault: ring, Targets: targets, Wake: runs.Wake, Policy: applying.of, CheckValue: applying.checkValue}
		plans   = &rotation.Scheduler{Store: s.store, Resets: resets, CanVerify: types{registry}.CanVerify, Log: s.log}
		plan    = &rotation.Forecaster{Store: s.store, Vault: ring, Resets: resets, Clusters: clusters}
		tries   = &rotation.Rehearsals{Forecaster: plan, Kept: s.store}
		fetches = &jobs.Worker{Name: "fetch", Due: s.store.DueFetches, Do: frugal(fetcher.Run), Slots: fetchSlots, Every: dueEvery, Log: s.log}
		follow  = &inventory.Follow{Fetcher: fetcher, Store: s.store, Remotes: clusters, Compare: frugal(fetcher.Run), Every: s.cfg.CompareEvery, Lease: watchLease}
		watches = &jobs.Worker{Name: "watch", Due: s.store.DueWatches, Do: follow.Run, Slots: watchSlots, Every: dueEvery, Log: s.log}
		healer  = &inventory.Healer{Store: s.store, Vault: ring, Clusters: clusters, Saw: fetcher.Saw, Expected: fetcher.Expected, Owner: owner, Lease: lease}
		heals   = &jobs.Worker{Name: "conflict", Due: s.store.DueConflicts, Do: healer.Do, Slots: healSlots, Every: dueEvery, Log: s.log}
		timed   = s.timed(plans, tries)
		connect = &inventory.Connections{Store: rows, Connector: look, Issuer: look, Vault: ring, Owner: needsGrant}
		kept    = newEpoch(s.store, clusters, repo.ID, signer.Key(), s.cfg.Data, s.log)
		restore = &rotation.Reconciler{Store: s.store, Vault: ring, Targets: targets, Clusters: clusters}
		checks  = &jobs.Worker{Name: "restore", Due: s.store.DueRestored, Do: restore.Check, Slots: checkSlots, Every: dueEvery, Log: s.log}
	)
	engine.Agreed, resets.Agreed, tries.Wake = plan.Agreed, plan.Agreed, timed[2].Wake
	kept.begun, sealed.epoch = checks.Wake, kept
	if err := kept.start(ctx); err != nil {
		return err
	}
	s.people = &identity.Service{Store: s.store, Hasher: identity.NewHasher(), Log: s.log}
	*s.api.Services = api.Services{
		Gate: access.Gate{Store: s.store}, Identity: s.people, Grants: s.store,
		Clusters:  clustersAPI{s.store, connect, look},
		Fetches:   fetchesAPI{s.store, clusters, fetches.Wake},
		Objects:   s.store,
		Accounts:  accountsAPI{&inventory.Accounts{Store: rows, Vault: ring, Types: types{registry}, Owner: needsGrant}, &access.Reveals{Store: s.store, Vault: ring}},
		Conflicts: conflictsAPI{s.store, &inventory.Conflicts{Store: s.store, Wake: heals.Wake}},
		Mappings:  mappingsAPI{s.store, &inventory.Mapper{Store: rows, Vault: ring, Owners: clusters}},
		Runs:      runsAPI{s.store, resets},
		Plans:     plansAPI{s.store, tries},
		Policies:  policiesAPI{&rotation.Policies{Store: s.store, CheckPassword: checkPasswordPolicy, Wake: timed[0].Wake}, s.store, plans},
		Audit:     api.Audit{Events: s.store, Log: s.store, Key: signer.Key(), Anchored: kept.heads},
		Restores:  restoresAPI{s.store, kept, checks.Wake, runs.Wake},
		Keys:      keysAPI{s.keeper, sealed},
		Replies:   s.store,
		Leaks:     s.store,
		Overview:  s.store,
		Types:     wireTypes(registry),
		Hash:      func(path string, body []byte) []byte { return requestHash(ring, path, body) },
		Levels:    s.store.Level,
		Equals:    s.store,
		Prints:    ring,
		Pushes:    &inventory.Pushes{Store: s.store, Vault: ring, Clusters: clusters, Saw: fetcher.Saw, Expected: fetcher.Expected},
		Still:     s.still,
	}
	sequencer := audit.NewSequencer(audit.Config{Store: s.store, Signer: signer, Log: s.log, Anchor: kept.put})
	undoing := &jobs.Worker{Name: "rollback", Due: s.store.GivenUpRuns, Do: resets.GiveUp, Slots: turnSlots, Every: dueEvery, Log: s.log}
	wake := heals.Wake
	s.conflicts.wake.Store(&wake)
	workers := append(timed, runs, fetches, undoing, checks, resealing, heals)
	if !s.cfg.SyncOnDemand {
		workers = append(workers, watches)
	}
	s.start(loop, workers, sequencer, connect, kept)
	sealed.needsSetup, err = s.unpeopled(ctx)
	return err
}

// unpeopled reports whether there is no user yet.
func (s *server) unpeopled(ctx context.Context) (bool, error) {
	users, err := s.people.Users(ctx)
	return len(users) == 0, err
}

// timed are the workers that policies keep busy: the first begins what is due, the second tries logins, the third rehearses
// runs.
func (s *server) timed(plans *rotation.Scheduler, tries *rotation.Rehearsals) []*jobs.Worker {
	return []*jobs.Worker{
		{Name: "schedule", Due: plans.Due, Do: plans.Turn, Slots: turnSlots, Every: dueEvery, Log: s.log},
		{Name: "heartbeat", Due: plans.DueChecks, Do: plans.Check, Slots: checkSlots, Every: dueEvery, Log: s.log},
		{Name: "rehearsal", Due: tries.Due, Do: tries.Carry, Slots: rehearsalSlots, Every: dueEvery, Log: s.log},
	}
}

func newSigner(repositoryID string, ring *vault.Ring) (*audit.Signer, error) {
	seed, err := ring.Secret(vault.PurposeAuditSeed)
	if err != nil {
		return nil, err
	}
	return audit.NewSigner(repositoryID, seed)
}

// owner names this process in leases. An embedded repository belongs to one process at a time, so the one that starts has
// what the one before was working on; of several servers each has a name of its own.
func (s *server) owner(ctx context.Context, repositoryID string) (string, error) {
	if s.cfg.Database == "" {
		owner := "server-" + repositoryID
		return owner, s.store.ReleaseLeases(ctx, owner)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "server"
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(b[:])), nil
}

// start runs every loop until ctx ends.
func (s *server) start(ctx context.Context, workers []*jobs.Worker, sequencer *audit.Sequencer, connect *inventory.Connections, kept *epoch) {
	s.loops.Go(func() error { return kept.run(ctx) })
	s.loops.Go(func() error { return s.keeper.Run(ctx) })
	for _, w := range workers {
		s.loops.Go(func() error {
			select {
			case <-kept.looked: // a cluster may know that the repository is an older one, and then nothing must go on
				return w.Run(ctx)
			case <-ctx.Done():
				return nil
			}
		})
	}
	s.loops.Go(func() error { return sequencer.Run(ctx) })
	s.loops.Go(func() error { return every(ctx, sequenceEvery, func(context.Context) { sequencer.Wake() }) })
	s.loops.Go(func() error {
		return every(ctx, checkEvery, func(ctx context.Context) { s.checkClusters(ctx, connect) })
	})
	s.loops.Go(func() error {
		err := every(ctx, reportEvery, s.api.ReportDropped)
		s.api.ReportDropped(context.WithoutCancel(ctx)) // what was refused since
		return err
	})
	s.loops.Go(func() error {
		return every(ctx, janitorEvery, func(ctx context.Context) {
			if err := s.people.Tidy(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("sessions that have ended were not deleted", "err", err)
			}
			if _, err := s.store.DropOldKeys(ctx, time.Now().Add(-forgetReplies), time.Now().Add(-writeTimeout)); err != nil && ctx.Err() == nil {
				s.log.Warn("old answers were not dropped", "err", err)
			}
		})
	})
}

// frugal is do, which reads much and keeps nothing of it, giving the memory back at its end.
func frugal(do func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		defer debug.FreeOSMemory()
		return do(ctx, id)
	}
}

// every calls do at once and then in intervals until ctx ends.
func every(ctx context.Context, d time.Duration, do func(context.Context)) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// checkClusters looks at each connected cluster, one after the other.
func (s *server) checkClusters(ctx context.Context, connect *inventory.Connections) {
	clusters, err := s.store.ConnectedClusters(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("clusters could not be read", "err", err)
		}
		return
	}
	for _, c := range clusters {
		if _, err := connect.Retest(ctx, identity.System("cluster-sync"), c.ID, inventory.ClusterEdit{}); err != nil && ctx.Err() == nil {
			s.log.Warn("a cluster could not be checked", "cluster", c.Name, "err", err)
		}
	}
}

// still reports whether the session or token that an actor came with still holds.
func (s *server) still(ctx context.Context, actor identity.Actor) bool {
	return s.people.Holds(ctx, actor)
}

// requestHash is keyed, so that a stored hash says nothing of a password in the request.
func requestHash(ring *vault.Ring, path string, body []byte) []byte {
	fp := ring.Fingerprint(vault.NewValue(append([]byte(path+"\x00"), body...)))
	return fp[:]
}

// Telling is how an engine tells the repository of what it read back.
func Telling(f *inventory.Fetcher) func(ctx context.Context, clusterID string, seen []rotation.Seen) error {
	return func(ctx context.Context, clusterID string, seen []rotation.Seen) error {
		return f.Saw(ctx, clusterID, readBack(seen))
	}
}

// expecting is how an engine says what it is about to write.
func expecting(x *inventory.Expected) func(clusterID, namespace string, names []string) (done func()) {
	return func(clusterID, namespace string, names []string) func() {
		places := make([]inventory.Place, len(names))
		for i, name := range names {
			places[i] = inventory.Place{Namespace: namespace, Name: name}
		}
		return x.Expect(clusterID, places)
	}
}

// readBack turns what a run read back into what inventory stores.
func readBack(seen []rotation.Seen) []inventory.Seen {
	out := make([]inventory.Seen, len(seen))
	for i, s := range seen {
		out[i] = inventory.Seen{Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion, Type: s.Type, Immutable: s.Immutable,
			Labels: s.Labels, CreatedAt: s.CreatedAt, Data: s.Data, Written: s.Written, Ours: s.Ours, Made: s.Made}
	}
	return out
}

// clustersAPI is what the API needs for clusters.
type clustersAPI struct {
	*store.Store
	*inventory.Connections
	Connector
}

// fetchesAPI is what the API needs for fetches.
type fetchesAPI struct {
	*store.Store
	clusters *Clusters
	wake     func()
}

// Start implements api.Fetches.
func (f fetchesAPI) Start(ctx context.Context, actor identity.Actor, clusterID string, kind inventory.FetchKind, chosen inventory.Selection) (inventory.Fetch, error) {
	cluster, err := f.connected(ctx, clusterID)
	if err != nil {
		return inventory.Fetch{}, err
	}
	if kind == inventory.FetchChosen {
		if err := chosen.Validate(); err != nil {
			return inventory.Fetch{}, err
		}
	}
	now := time.Now().UTC()
	job := inventory.Fetch{ID: uuid.Must(uuid.NewV7()).String(), ClusterID: clusterID, Kind: kind, State: inventory.FetchQueued, Selection: chosen,
		StartedBy: actor, CreatedAt: now, UpdatedAt: now}
	ev := audit.New(actor, "cluster."+string(kind), audit.Object{Kind: "cluster", ID: clusterID, Name: cluster.Name}).With("fetch", job.ID)
	if err := f.OpenFetch(ctx, job, ev); err != nil {
		return inventory.Fetch{}, err
	}
	f.wake()
	return f.Fetch(ctx, job.ID)
}

// Available implements api.Fetches.
func (f fetchesAPI) Available(ctx context.Context, clusterID, namespace string) (inventory.Available, error) {
	cluster, err := f.connected(ctx, clusterID)
	if err != nil {
		return inventory.Available{}, err
	}
	have, err := f.FetchedNames(ctx, clusterID, namespace)
	if err != nil {
		return inventory.Available{}, err
	}
	return f.clusters.Available(ctx, cluster, namespace, func(ns, name string) bool { return have[ns+"/"+name] })
}

func (f fetchesAPI) connected(ctx context.Context, id string) (inventory.Cluster, error) {
	c, err := f.Cluster(ctx, id)
	if err == nil && c.State == inventory.ClusterRemoved {
		err = removed(c.Name)
	}
	return c, err
}

type accountsAPI struct {
	*inventory.Accounts
	*access.Reveals
}

type conflictsAPI struct {
	*store.Store
	decide *inventory.Conflicts
}

func (a conflictsAPI) Resolve(ctx context.Context, actor identity.Actor, secretID string, rev int64, keep inventory.Keep) error {
	return a.decide.Resolve(ctx, actor, secretID, rev, keep)
}

func (a conflictsAPI) SetPolicy(ctx context.Context, actor identity.Actor, obj audit.Object, rev int64, p inventory.DriftPolicy) error {
	return a.decide.SetPolicy(ctx, actor, obj, rev, p)
}

type mappingsAPI struct {
	*store.Store
	*inventory.Mapper
}

type runsAPI struct {
	*store.Store
	*rotation.Resets
}

// plansAPI is what the API needs for plans and rehearsals.
type plansAPI struct {
	*store.Store
	*rotation.Rehearsals
}

// newRegistry returns every type of target, which open their connections with direct unless another way is asked for.
func newRegistry(direct target.DialFunc) (*target.Registry, error) {
	c := dial.Config{Dial: direct}
	return target.NewRegistry(postgresql.New(c), mysql.New(c), ldap.New(c), redis.New(c), rabbitmq.New(c),
		linux.New(linux.Config(c)), linux.NewKey(linux.Config(c)), httptarget.New(c), kubernetes.New(), generic.Target{})
}

// types is the registry as inventory asks for it.
type types struct{ *target.Registry }

// CheckSettings implements inventory.Types.
func (t types) CheckSettings(typ string, settings map[string]string) error {
	kind, err := t.Target(typ)
	if err != nil {
		return err
	}
	return kind.Spec().Check(settings)
}

// CanOverlap implements inventory.Types.
func (t types) CanOverlap(typ string) bool {
	kind, err := t.Target(typ)
	return err == nil && kind.Spec().Capabilities.Overlap
}

// CanAlternate implements inventory.Types.
func (t types) CanAlternate(typ string) bool {
	kind, err := t.Target(typ)
	return err == nil && kind.Spec().Capabilities.Compare
}

// CanVerify reports whether a login to a type of system can be tried.
func (t types) CanVerify(typ string) bool {
	kind, err := t.Target(typ)
	return err == nil && kind.Spec().Capabilities.Verify
}

// CanReconcile implements inventory.Types.
func (t types) CanReconcile(typ string) bool {
	kind, err := t.Target(typ)
	return err == nil && kind.Spec().Capabilities.Reconcile
}

// IsOfCluster implements inventory.Types.
func (t types) IsOfCluster(typ string) bool {
	kind, err := t.Target(typ)
	_, ok := kind.(target.Issuer)
	return err == nil && ok
}

// CanBeInside implements inventory.Types.
func (t types) CanBeInside(typ string) bool {
	kind, err := t.Target(typ)
	_, ok := kind.(target.Dialer)
	return err == nil && ok
}

func wireTypes(registry *target.Registry) []client.Type {
	specs := registry.Specs()
	out := make([]client.Type, len(specs))
	for i, s := range specs {
		out[i] = client.Type{Type: s.Type, Name: s.Name, Description: s.Description, Verify: s.Capabilities.Verify, Change: s.Capabilities.Change,
			Reconcile: s.Capabilities.Reconcile, Overlap: s.Capabilities.Overlap, OverlapByReconcile: s.Capabilities.OverlapByReconcile, Alternating: s.Capabilities.Compare, Inside: types{registry}.CanBeInside(s.Type), OfCluster: types{registry}.IsOfCluster(s.Type), Fields: []client.Field{},
			MinLength: s.Limits.MinLength, MaxLength: s.Limits.MaxLength, Alphabet: s.Limits.Alphabet}
		for _, f := range s.Fields {
			out[i].Fields = append(out[i].Fields, client.Field{Name: f.Name, Label: f.Label, Help: f.Help, Required: f.Required, Default: f.Default,
				Kind: string(f.Kind), Options: f.Options})
		}
	}
	return out
}
