package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/seal"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	moreClusters = 9  // beside the real one
	moreSecrets  = 60 // in each of their namespaces
	allSecrets   = 100_000
	allSpaces    = 2_000
	seededConfig = 200 // bytes
)

// seededWords are what the Secrets of a namespace are called, with numbers.
var seededWords = []string{"billing", "cache", "ingress", "ledger", "mail", "queue"}

// paper is a cluster that exists in the repository only: a fetch finds in it what is made up here. Its address refuses
// every connection, as a cluster that is switched off does.
type paper struct {
	first, spaces int
	copies        int // how many Secrets share each password; 0: none do
}

func (p paper) namespace(i int) string { return fmt.Sprintf("unit-%04d", p.first+i) }

// Namespaces implements inventory.Remote.
func (p paper) Namespaces(context.Context) (all []string, err error) {
	for i := range p.spaces {
		all = append(all, p.namespace(i))
	}
	return all, nil
}

// List implements inventory.Remote.
func (p paper) List(_ context.Context, namespace string, page func([]inventory.Seen) error) error {
	var some []inventory.Seen
	for i := range p.spaces {
		if namespace != "" && namespace != p.namespace(i) {
			continue
		}
		for n := range moreSecrets {
			some = append(some, p.secret(i, n))
		}
		if len(some)+moreSecrets > inventory.MaxBatch || i == p.spaces-1 || namespace != "" {
			if err := page(some); err != nil {
				return err
			}
			some = nil
		}
	}
	return nil
}

func (p paper) secret(space, n int) inventory.Seen {
	value := func(size int) vault.Value {
		text := rand.Text()
		return vault.NewValue([]byte(strings.Repeat(text, size/len(text)+1)[:size]))
	}
	password := value(24)
	if p.copies > 0 {
		password = vault.NewValue(fmt.Appendf(nil, "password %d", ((p.first+space)*moreSecrets+n)/p.copies))
	}
	return inventory.Seen{
		Namespace: p.namespace(space), Name: fmt.Sprintf("%s-%02d", seededWords[n%len(seededWords)], n/len(seededWords)), UID: uuid.NewString(),
		ResourceVersion: fmt.Sprint(1_000 + n), Type: "Opaque", CreatedAt: time.Now().Add(-time.Hour),
		Data: map[string]vault.Value{valueKey: password, "config": value(seededConfig)},
	}
}

// Position implements inventory.Remote.
func (p paper) Position(context.Context, string) (string, error) { return "1", nil }

// Get implements inventory.Remote.
func (p paper) Get(context.Context, string, string) (inventory.Seen, error) {
	return inventory.Seen{}, fault.New(fault.NotFound, "there is no such Secret")
}

// papers implements inventory.Remotes by the clusters' ids.
type papers map[string]paper

// Remote implements inventory.Remotes.
func (p papers) Remote(_ context.Context, clusterID string) (inventory.Remote, error) {
	return p[clusterID], nil
}

// StateAfter implements inventory.Remotes.
func (papers) StateAfter(error) inventory.ClusterState { return "" }

// seed fills the repository of a server that is stopped, from the fetched 10,000 up to allSecrets in allSpaces namespaces of
// ten clusters. What it adds is sealed, fingerprinted and stored by the same code as a fetch.
func seed(ctx context.Context, o options, data string) (err error) {
	st, err := store.Open(ctx, store.Config{Dir: data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	ring, err := openRing(ctx, st, filepath.Join(data, "root.key"))
	if err != nil {
		return err
	}
	spaces, each := allSpaces-o.spaces, (allSpaces-o.spaces+moreClusters-1)/moreClusters
	remotes := papers{}
	fetcher := &inventory.Fetcher{Store: st, Remotes: remotes, Ring: ring, Log: slog.New(slog.DiscardHandler), Owner: "bench", Lease: time.Hour, MaxTries: 1}
	for i := range moreClusters {
		c, err := paperCluster(i, ring)
		if err != nil {
			return err
		}
		remotes[c.ID] = paper{first: i * each, spaces: min(each, spaces-i*each)}
		if err := st.AddCluster(ctx, c, nil, audit.New(identity.System("bench"), "cluster.create", audit.Object{Kind: "cluster", ID: c.ID})); err != nil {
			return err
		}
		if err := seedCluster(ctx, st, fetcher, c.ID); err != nil {
			return err
		}
	}
	return nil
}

func openRing(ctx context.Context, st *store.Store, file string) (*vault.Ring, error) {
	keys, _, err := st.RingKeys(ctx)
	if err != nil {
		return nil, err
	}
	root, err := seal.NewFile(file).Root(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return vault.OpenRing(root, keys)
}

func paperCluster(i int, ring *vault.Ring) (inventory.Cluster, error) {
	now, id := time.Now(), uuid.Must(uuid.NewV7()).String()
	token, err := ring.Seal(inventory.TokenRecord(id), vault.NewValue([]byte(rand.Text())))
	return inventory.Cluster{ID: id, Name: fmt.Sprintf("site-%d", i+1), Server: "https://127.0.0.1:1", Token: token, Scope: inventory.Scope{WholeCluster: true},
		UID: uuid.NewString(), Version: "v1.36.3", State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now}, err
}

func seedCluster(ctx context.Context, st *store.Store, fetcher *inventory.Fetcher, clusterID string) error {
	f := inventory.Fetch{ID: uuid.Must(uuid.NewV7()).String(), ClusterID: clusterID, Kind: inventory.FetchChosen, Selection: inventory.Selection{All: true},
		StartedBy: identity.System("bench"), CreatedAt: time.Now()}
	if err := st.OpenFetch(ctx, f, audit.New(f.StartedBy, "cluster.fetch", audit.Object{Kind: "cluster", ID: clusterID})); err != nil {
		return err
	}
	if err := fetcher.Run(ctx, f.ID); err != nil {
		return err
	}
	f, err := st.Fetch(ctx, f.ID)
	if err == nil && f.State != inventory.FetchDone {
		err = fmt.Errorf("a cluster could not be seeded: %s", f.Reason)
	}
	return err
}
