package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

const (
	fleetPlanes  = 10 // control planes on one etcd
	fanSecrets   = 1_000
	fanPerSpace  = 20
	turnAccounts = 100
	turnKeys     = 3 // of each account, in as many clusters
	turnSpaces   = 5 // in each cluster
	runsAtOnce   = 16
)

// fleetFigures are the names of what is measured with several clusters.
var fleetFigures = []string{"fanout_1000x10", "rotations_100", "resume", "zero_downtime"}

// fleet is a server with many clusters, a database and a cache.
type fleet struct {
	options
	clusters *testbed.Clusters
	bare     []bare
	postgres *testbed.Postgres
	redis    *testbed.Redis

	server *server
	client *client.Client
	ids    map[string]string // of Secrets, by cluster/namespace/name
	fan    string            // the account that is mapped to fanSecrets keys
}

// place is a Secret of a fleet.
type place struct {
	plane           int
	namespace, name string
}

func (f *fleet) id(p place) string {
	return f.ids[f.clusters.Planes[p.plane].Name+"/"+p.namespace+"/"+p.name]
}

// fanPlaces are the Secrets that one account stands in, the same number of them in each cluster, or as many of the bare
// client's in namespaces of their own.
func fanPlaces(kind string) (all []place) {
	each := fanSecrets / fleetPlanes
	for i := range fanSecrets {
		at := i % each
		all = append(all, place{i / each, fmt.Sprintf("fan-%s-%02d", kind, at/fanPerSpace), fmt.Sprintf("%s-%02d", kind, at%fanPerSpace)})
	}
	return all
}

// turnPlaces are the Secrets of one of many accounts. Those of the bare calls lie beside Keyturn's.
func turnPlaces(kind string, account int) (all []place) {
	for key := range turnKeys {
		all = append(all, place{(account*turnKeys + key) % fleetPlanes, fmt.Sprintf("turn-%d", account%turnSpaces), fmt.Sprintf("%s-%03d", kind, account)})
	}
	return all
}

const (
	ours   = "app"
	theirs = "bare"
)

// fleet takes the figures that need several clusters, and stops what it started.
func (o options) fleet(ctx context.Context, dir string) (figures []figure, err error) {
	f := &fleet{options: o, ids: map[string]string{}}
	defer func() { err = errors.Join(err, f.close()) }()
	say("starting %d control planes, PostgreSQL and Redis, and filling them (about two minutes)", fleetPlanes)
	if err := f.open(ctx, dir); err != nil {
		return nil, err
	}
	for _, one := range []struct {
		name string
		take func(context.Context) (figure, error)
	}{{"fanout_1000x10", f.fanout}, {"resume", f.resume}, {"rotations_100", f.rotations}, {"zero_downtime", f.downtime}} {
		if !o.wants(one.name) {
			continue
		}
		got, err := one.take(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		figures = append(figures, got)
	}
	return figures, nil
}

func (f *fleet) open(ctx context.Context, dir string) (err error) {
	if f.clusters, err = testbed.StartClusters(ctx, fleetPlanes); err != nil {
		return err
	}
	if f.postgres, err = testbed.StartPostgres(ctx, testbed.PostgresOptions{}); err != nil {
		return err
	}
	if f.redis, err = testbed.StartRedis(ctx); err != nil {
		return err
	}
	for _, plane := range f.clusters.Planes {
		b, err := newBare(plane)
		if err != nil {
			return err
		}
		f.bare = append(f.bare, b)
	}
	if err := f.fill(ctx); err != nil {
		return fmt.Errorf("fill the clusters: %w", err)
	}
	if f.server, err = newServer(f.keyturn, filepath.Join(dir, "fleet")); err != nil {
		return err
	}
	if _, err = f.server.start(ctx); err != nil {
		return err
	}
	if err := f.server.setup(ctx); err != nil {
		return err
	}
	if f.client, err = f.server.client(inFlight); err != nil {
		return err
	}
	work, connecting := errgroup.WithContext(ctx)
	work.SetLimit(2)
	for _, plane := range f.clusters.Planes {
		work.Go(func() error { return f.connect(connecting, plane) })
	}
	if err := work.Wait(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return f.lookUp(ctx)
}

// fill makes every Secret of the fleet.
func (f *fleet) fill(ctx context.Context) error {
	all := append(fanPlaces(ours), fanPlaces(theirs)...)
	for i := range turnAccounts {
		all = append(append(all, turnPlaces(ours, i)...), turnPlaces(theirs, i)...)
	}
	spaces := map[place]bool{}
	for _, p := range all {
		spaces[place{plane: p.plane, namespace: p.namespace}] = true
	}
	work, making := errgroup.WithContext(ctx)
	work.SetLimit(inFlight)
	for p := range spaces {
		work.Go(func() error {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}
			_, err := f.bare[p.plane].kube.CoreV1().Namespaces().Create(making, ns, metav1.CreateOptions{})
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return each(ctx, inFlight, all, func(ctx context.Context, p place) error {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: p.name}, Data: map[string][]byte{valueKey: []byte(rand.Text()), "config": []byte(strings.Repeat("x", 200))}}
		_, err := f.bare[p.plane].kube.CoreV1().Secrets(p.namespace).Create(ctx, s, metav1.CreateOptions{FieldManager: "kubectl-create"})
		return err
	})
}

// each calls do for all, at most limit at a time, until one fails.
func each[T any](ctx context.Context, limit int, all []T, do func(context.Context, T) error) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(limit)
	for _, x := range all {
		work.Go(func() error { return do(ctx, x) })
	}
	return work.Wait()
}

// connect connects one cluster and fetches its Secrets.
func (f *fleet) connect(ctx context.Context, plane *testbed.ControlPlane) error {
	scope := client.Scope{Access: "read-write"}
	manifest, err := f.client.Connector(ctx, scope)
	if err != nil {
		return err
	}
	token, err := connector(ctx, plane, manifest)
	if err != nil {
		return err
	}
	c, err := f.client.AddCluster(ctx, client.NewCluster{Name: plane.Name, Server: plane.URL, CA: string(plane.CAPEM), Token: client.NewValue(token), Scope: scope})
	if err != nil {
		return err
	}
	fetch, err := f.client.FetchSecrets(ctx, c.ID, client.Selection{All: true})
	for err == nil && fetch.State != "done" {
		if fetch.State == "failed" {
			return fmt.Errorf("the fetch failed: %s", fetch.Reason)
		}
		if err = sleep(ctx, lookEvery); err == nil {
			fetch, err = f.client.Fetch(ctx, c.ID, fetch.ID)
		}
	}
	return err
}

// lookUp finds the ids of all Secrets.
func (f *fleet) lookUp(ctx context.Context) error {
	for s, err := range client.All(func(cursor string) (client.Page[client.Secret], error) {
		return f.client.Secrets(ctx, client.SecretFilter{ListOptions: client.ListOptions{Cursor: cursor, Limit: pageSize}})
	}) {
		if err != nil {
			return err
		}
		f.ids[s.ClusterName+"/"+s.Namespace+"/"+s.Name] = s.ID
	}
	return nil
}

// mapAll maps an account to the same key of many Secrets.
func (f *fleet) mapAll(ctx context.Context, account string, places []place) error {
	return each(ctx, inFlight, places, func(ctx context.Context, p place) error {
		_, err := f.client.AddMapping(ctx, client.NewMapping{AccountID: account, SecretID: f.id(p), Key: valueKey, Keep: "vault"})
		return err
	})
}

// patch gives a new value to a key of a Secret, as a program that does nothing else would.
func (f *fleet) patch(ctx context.Context, p place, value string) error {
	body := fmt.Appendf(nil, `{"data":{%q:%q}}`, valueKey, base64.StdEncoding.EncodeToString([]byte(value)))
	_, err := f.bare[p.plane].kube.CoreV1().Secrets(p.namespace).Patch(ctx, p.name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "kubectl-patch"})
	return err
}

func (f *fleet) close() error {
	err := f.server.stop()
	if f.redis != nil {
		err = errors.Join(err, f.redis.Stop())
	}
	if f.postgres != nil {
		err = errors.Join(err, f.postgres.Stop())
	}
	if f.clusters != nil {
		err = errors.Join(err, f.clusters.Stop())
	}
	return err
}

// eventually looks until ok says so, every so often, a few minutes at most.
func eventually(ctx context.Context, every time.Duration, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		if err := sleep(ctx, every); err != nil {
			return err
		}
	}
}
