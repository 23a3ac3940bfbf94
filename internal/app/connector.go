package app

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/vault"
)

// Connector looks at clusters through kube.
type Connector struct {
	// AllowLoopback permits clusters on this machine.
	AllowLoopback bool
	// AllowCIDRs are ranges that the operator permits though they are refused otherwise.
	AllowCIDRs []netip.Prefix
}

var _ inventory.Connector = Connector{}

// Check implements inventory.Connector.
func (c Connector) Check(ctx context.Context, x inventory.Connection) inventory.Report {
	scope := kubeScope(x.Scope)
	r := kube.Check(ctx, kube.Config{Server: x.Server, CAPEM: []byte(x.CAPEM), SystemRoots: x.CAPEM == "", Token: x.Token, ShortTokens: true,
		AllowLoopback: c.AllowLoopback, AllowCIDRs: c.AllowCIDRs}, scope)
	out := inventory.Report{
		Checks:  []inventory.Check{check(inventory.CheckHost, r.Host), check(inventory.CheckAPI, r.API), check(inventory.CheckToken, r.Token)},
		Version: r.Version, User: r.User, UID: r.ClusterID,
	}
	for _, c := range r.Chain {
		out.Chain = append(out.Chain, inventory.Certificate{Subject: c.Subject, Issuer: c.Issuer, SHA256: c.SHA256, PEM: c.PEM, NotAfter: c.NotAfter})
	}
	for _, m := range r.Missing {
		out.Missing = append(out.Missing, m.String())
	}
	if len(r.Missing) > 0 {
		if yaml, err := kube.MissingManifest(scope, r.Missing); err == nil {
			out.MissingManifest = string(yaml)
		}
	}
	return out
}

func check(name string, steps []kube.Step) inventory.Check {
	c := inventory.Check{Name: name, State: inventory.CheckDone}
	states := map[kube.State]inventory.CheckState{kube.Done: inventory.CheckDone, kube.Failed: inventory.CheckFailed, kube.ToDo: inventory.CheckToDo}
	for _, s := range steps {
		state := states[s.State]
		code := s.Code
		if code == kube.CodeLongLived {
			code = inventory.LongLived
		}
		c.Steps = append(c.Steps, inventory.CheckStep{Name: s.Name, Detail: s.Detail, State: state, Code: code, Cause: s.Cause, Cure: s.Cure})
		if state == inventory.CheckFailed || state == inventory.CheckToDo && c.State == inventory.CheckDone {
			c.State = state
		}
	}
	return c
}

// Normalise implements inventory.Connector.
func (Connector) Normalise(token vault.Value) (vault.Value, error) { return kube.NormaliseToken(token) }

// Manifest returns keyturn-config.yaml for a scope.
func (Connector) Manifest(s inventory.Scope) ([]byte, error) { return kube.Manifest(kubeScope(s)) }

// Issue implements inventory.Issuer.
func (c Connector) Issue(ctx context.Context, x inventory.Connection) (token vault.Value, err error) {
	err = c.with(x, func(conn *kube.Conn) error { token, err = conn.NextToken(ctx, x.Token); return err })
	return token, err
}

// Discard implements inventory.Issuer.
func (c Connector) Discard(ctx context.Context, x inventory.Connection, token vault.Value) error {
	return c.with(x, func(conn *kube.Conn) error { return conn.RemoveToken(ctx, token) })
}

// with lends f a connection.
func (c Connector) with(x inventory.Connection, f func(*kube.Conn) error) error {
	conn, err := kube.Dial(kube.Config{Server: x.Server, CAPEM: []byte(x.CAPEM), SystemRoots: x.CAPEM == "", Token: x.Token, ShortTokens: true,
		AllowLoopback: c.AllowLoopback, AllowCIDRs: c.AllowCIDRs})
	if err != nil {
		return err
	}
	defer conn.Close()
	return f(conn)
}

func kubeScope(s inventory.Scope) kube.Scope {
	return kube.Scope{WholeCluster: s.WholeCluster, Namespaces: s.Namespaces, ReadWrite: s.ReadWrite, Restart: s.Restart, PortForward: s.PortForward, Renew: s.Renew, Replace: s.Replace}
}

// ownerPatience is how long a dialog waits for a cluster to say who owns a key.
const ownerPatience = 5 * time.Second

// KeyOwner implements inventory.Owners: the name of the reconciler that owns the key, empty if none does.
func (c *Clusters) KeyOwner(ctx context.Context, clusterID, namespace, name, key string) (owner, advice string, err error) {
	ctx, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	conn, err := c.conn(ctx, clusterID)
	if err != nil {
		return "", "", err
	}
	s, err := conn.GetSecret(ctx, namespace, name)
	if err != nil {
		return "", "", err
	}
	if o := kube.ClassifyOwner(s, key); o.Kind == kube.OwnedByReconciler {
		return o.Name, o.Advice, nil
	}
	return "", "", nil
}

// mostAvailable bounds what one answer lists of a cluster.
const mostAvailable = 20_000

// Available lists what could be fetched: metadata of the namespace's Secrets, or of all that the scope covers when
// namespace is empty. A namespace that may not be listed is one with a problem. fetched says which of namespace/name are
// in the repository.
func (c *Clusters) Available(ctx context.Context, cluster inventory.Cluster, namespace string, fetched func(namespace, name string) bool) (inventory.Available, error) {
	var out inventory.Available
	conn, err := c.conn(ctx, cluster.ID)
	if err != nil {
		return out, err
	}
	names := cluster.Scope.Namespaces
	if cluster.Scope.WholeCluster {
		if names, err = conn.Namespaces(ctx); err != nil {
			return out, err
		}
	}
	if namespace != "" && !cluster.Scope.Covers(namespace) {
		return out, fault.New(fault.Invalid, "the connector has no rights in that namespace").WithField("namespace").
			WithCure("widen the cluster's scope, and apply the manifest for it")
	}
	for _, ns := range names {
		out.Namespaces = append(out.Namespaces, inventory.AvailableNamespace{Name: ns})
	}
	lists := []string{namespace}
	if namespace == "" && !cluster.Scope.WholeCluster {
		lists = names
	}
	for _, ns := range lists {
		err := conn.SecretMeta(ctx, ns, func(page []kube.Meta) error { return out.Add(available(page, fetched), mostAvailable) })
		if err == nil {
			continue
		}
		if fault.KindOf(err) == fault.Unavailable || ns == "" || ns == namespace {
			return out, err
		}
		for i := range out.Namespaces {
			if out.Namespaces[i].Name == ns {
				out.Namespaces[i].Problem = "its Secrets cannot be listed: " + reasonOf(err)
			}
		}
	}
	return out, nil
}

func available(page []kube.Meta, fetched func(namespace, name string) bool) []inventory.AvailableSecret {
	out := make([]inventory.AvailableSecret, len(page))
	everything := inventory.Selection{All: true}
	for i, m := range page {
		meta := inventory.Meta{Namespace: m.Namespace, Name: m.Name, Type: m.Type, Labels: m.Labels}
		_, why := everything.Matches(meta)
		out[i] = inventory.AvailableSecret{Meta: meta, Keys: m.Keys, CreatedAt: m.CreatedAt, Fetched: fetched(m.Namespace, m.Name), LeftOut: why}
	}
	return out
}

// reasonOf is the message of a fault; of any other error only that there was one.
func reasonOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Msg
	}
	return "an internal error"
}
