package app

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

// ClusterStore is what Clusters reads of the repository.
type ClusterStore interface {
	Cluster(ctx context.Context, id string) (inventory.Cluster, error)
}

// Clusters keeps one connection to each connected cluster. It may be used by several goroutines at once.
type Clusters struct {
	Store ClusterStore
	Ring  *vault.Ring
	// AllowLoopback permits clusters on this machine.
	AllowLoopback bool
	// AllowCIDRs are ranges that the operator permits though they are refused otherwise.
	AllowCIDRs []netip.Prefix
	// Now is the clock by which short tokens are renewed; nil is the machine's.
	Now func() time.Time

	mu    sync.Mutex
	conns map[string]dialled
}

// dialled is a connection and the revision of the cluster that it was made for: an edit makes a new one.
type dialled struct {
	conn *kube.Conn
	rev  int64
}

var _ rotation.Clusters = (*Clusters)(nil)

// Open implements rotation.Clusters.
func (c *Clusters) Open(ctx context.Context, id string) (rotation.Cluster, error) {
	cluster, err := c.Store.Cluster(ctx, id)
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(cluster)
	if err != nil {
		return nil, err
	}
	return clusterWriter{conn, cluster.Scope}, nil
}

func (c *Clusters) conn(ctx context.Context, id string) (*kube.Conn, error) {
	cluster, err := c.Store.Cluster(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.dial(cluster)
}

// dial returns the connection to a cluster as it is stored.
func (c *Clusters) dial(cluster inventory.Cluster) (*kube.Conn, error) {
	id := cluster.ID
	if cluster.State == inventory.ClusterRemoved {
		return nil, removed(cluster.Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.conns[id]; ok && have.rev == cluster.Rev {
		return have.conn, nil
	} else if ok {
		have.conn.Close()
	}
	token, err := c.Ring.Open(inventory.TokenRecord(id), cluster.Token)
	if err != nil {
		return nil, err
	}
	conn, err := kube.Dial(kube.Config{Server: cluster.Server, CAPEM: []byte(cluster.CAPEM), SystemRoots: cluster.CAPEM == "", Token: token, ShortTokens: true, Now: c.Now,
		AllowLoopback: c.AllowLoopback, AllowCIDRs: c.AllowCIDRs})
	if err != nil {
		return nil, err
	}
	if c.conns == nil {
		c.conns = map[string]dialled{}
	}
	c.conns[id] = dialled{conn, cluster.Rev}
	return conn, nil
}

func removed(name string) error {
	return fault.New(fault.Conflict, "the cluster %s was removed", name).WithCode("cluster-removed").WithCure("connect it again, or take away what leads to it: the mapping, or the resource's way through it")
}

// clusterWriter reads and writes the Secrets of one cluster for a run.
type clusterWriter struct {
	conn  *kube.Conn
	scope inventory.Scope
}

const (
	// listFrom is from how many Secrets of a namespace on one list is cheaper than reading each, as long as the list need not
	// hold more than perWanted times as many.
	listFrom, perWanted, mostListed = 4, 4, 500
	// readAtOnce bounds the single reads that are under way at a time, and is from how many Secrets on the whole namespace
	// is listed, whatever its size.
	readAtOnce = 32
)

// reading is how Secrets are read for a run.
type reading struct {
	first func(ctx context.Context, namespace string, limit int) ([]kube.Secret, bool, error)
	each  func(ctx context.Context, namespace, name string) (kube.Secret, error)
	all   func(ctx context.Context, namespace string, page func([]kube.Secret) error) (string, error)
	seen  func(kube.Secret) rotation.Seen
}

// Read implements rotation.Cluster.
func (w clusterWriter) Read(ctx context.Context, namespace string, names []string) (map[string]rotation.Seen, error) {
	return reading{w.conn.FirstSecrets, w.conn.GetSecret, w.conn.ListSecrets, seen}.read(ctx, namespace, names)
}

// ReadBack implements rotation.Cluster.
func (w clusterWriter) ReadBack(ctx context.Context, namespace string, names []string) (map[string]rotation.Seen, error) {
	return reading{w.conn.FirstValues, w.conn.GetValues, w.conn.ListValues, unowned}.read(ctx, namespace, names)
}

func (r reading) read(ctx context.Context, namespace string, names []string) (map[string]rotation.Seen, error) {
	out, want := make(map[string]rotation.Seen, len(names)), wanted(names)
	if len(names) >= listFrom {
		first, more, err := r.first(ctx, namespace, min(perWanted*len(names), mostListed))
		if err != nil {
			return nil, err
		}
		for _, s := range first {
			if want[s.Name] {
				out[s.Name] = r.seen(s)
			}
		}
		if !more {
			return out, nil
		}
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, found := out[name]; return found })
	}
	read := r.readEach
	if len(names) > readAtOnce {
		read = r.readNamespace
	}
	rest, err := read(ctx, namespace, names)
	if err != nil {
		return nil, err
	}
	maps.Copy(out, rest)
	return out, nil
}

// readEach reads Secrets of a namespace, all at a time.
func (r reading) readEach(ctx context.Context, namespace string, names []string) (map[string]rotation.Seen, error) {
	all := make([]*kube.Secret, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() error {
			s, err := r.each(ctx, namespace, name)
			if errors.Is(err, fault.NotFound) {
				return nil
			}
			all[i] = &s
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make(map[string]rotation.Seen, len(names))
	for _, s := range all {
		if s != nil {
			out[s.Name] = r.seen(*s)
		}
	}
	return out, nil
}

func wanted(names []string) map[string]bool {
	want := make(map[string]bool, len(names))
	for _, n := range names {
		want[n] = true
	}
	return want
}

func (r reading) readNamespace(ctx context.Context, namespace string, names []string) (map[string]rotation.Seen, error) {
	want := wanted(names)
	out := make(map[string]rotation.Seen, len(names))
	_, err := r.all(ctx, namespace, func(page []kube.Secret) error {
		for _, s := range page {
			if want[s.Name] {
				out[s.Name] = r.seen(s)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Patch implements rotation.Cluster.
func (w clusterWriter) Patch(ctx context.Context, s rotation.Seen, data map[string]vault.Value) (rotation.Seen, error) {
	stored, err := w.conn.PatchSecret(ctx, s.Namespace, s.Name, s.UID, s.ResourceVersion, data)
	if err != nil {
		return rotation.Seen{}, err
	}
	return seen(stored), nil
}

// TryPatch implements rotation.Cluster.
func (w clusterWriter) TryPatch(ctx context.Context, s rotation.Seen, data map[string]vault.Value) (rotation.Seen, error) {
	stored, err := w.conn.TryPatchSecret(ctx, s.Namespace, s.Name, s.UID, s.ResourceVersion, data)
	if err != nil {
		return rotation.Seen{}, tried(err)
	}
	return seen(stored), nil
}

// MayReplace implements rotation.Cluster.
func (w clusterWriter) MayReplace() bool {
	return w.scope.Replace && w.scope.ReadWrite && w.scope.Restart
}

// Replace implements rotation.Cluster.
func (w clusterWriter) Replace(ctx context.Context, old rotation.Seen, made rotation.Made, data map[string]vault.Value) (rotation.Seen, error) {
	stored, err := w.conn.ReplaceSecret(ctx, asRead(old), kube.Replacement(made), data)
	if err != nil {
		return rotation.Seen{}, taken(err)
	}
	return seen(stored), nil
}

// TryReplace implements rotation.Cluster.
func (w clusterWriter) TryReplace(ctx context.Context, old rotation.Seen, made rotation.Made, data map[string]vault.Value) (rotation.Seen, error) {
	stored, err := w.conn.TryReplaceSecret(ctx, asRead(old), kube.Replacement(made), data)
	if err != nil {
		return rotation.Seen{}, tried(taken(err))
	}
	return seen(stored), nil
}

// Reissue implements rotation.Cluster.
func (w clusterWriter) Reissue(ctx context.Context, old rotation.Seen, made rotation.Made) (rotation.Seen, error) {
	stored, err := w.conn.ReissueToken(ctx, asRead(old), kube.Replacement(made))
	if err != nil {
		return rotation.Seen{}, taken(err)
	}
	return seen(stored), nil
}

// TryReissue implements rotation.Cluster.
func (w clusterWriter) TryReissue(ctx context.Context, old rotation.Seen, made rotation.Made) (rotation.Seen, error) {
	stored, err := w.conn.TryReissueToken(ctx, asRead(old), kube.Replacement(made))
	if err != nil {
		return rotation.Seen{}, tried(taken(err))
	}
	return seen(stored), nil
}

// taken gives a name that another Secret has the code by which a run takes the next.
func taken(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == kube.CodeNameTaken {
		return f.WithCode(rotation.NameTaken)
	}
	return err
}

// Delete implements rotation.Cluster.
func (w clusterWriter) Delete(ctx context.Context, s rotation.Seen) error {
	return w.conn.DeleteSecret(ctx, s.Namespace, s.Name, s.UID, s.ResourceVersion)
}

// asRead is the Secret as kube needs it to make another like it.
func asRead(s rotation.Seen) kube.Secret {
	return kube.Secret{Namespace: s.Namespace, Name: s.Name, Type: s.Type, Labels: s.Labels, Annotations: s.Annotations, Data: s.Data}
}

func seen(s kube.Secret) rotation.Seen {
	out := unowned(s)
	out.Owners = make(map[string]rotation.Owner, len(s.Data))
	for key := range s.Data {
		out.Owners[key] = owner(kube.ClassifyOwner(s, key))
	}
	return out
}

// unowned leaves out who owns the keys.
func unowned(s kube.Secret) rotation.Seen {
	return rotation.Seen{Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion,
		Type: s.Type, Labels: s.Labels, Annotations: s.Annotations, CreatedAt: s.CreatedAt, Immutable: s.Immutable, Data: s.Data,
		Base: s.Base, MadeBy: s.MadeBy}
}

func owner(o kube.Ownership) rotation.Owner {
	kinds := map[kube.OwnerKind]rotation.OwnerKind{
		kube.OwnedByKeyturn: rotation.OwnerKeyturn, kube.OwnedByOneShot: rotation.OwnerOneShot, kube.OwnedByReconciler: rotation.OwnerReconciler,
		kube.OwnedByCluster: rotation.OwnerCluster,
	}
	return rotation.Owner{Kind: kinds[o.Kind], Name: o.Name, Advice: o.Advice}
}
