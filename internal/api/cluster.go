package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// Clusters knows the connected clusters and connects them.
type Clusters interface {
	// Cluster returns a cluster, removed ones included.
	Cluster(ctx context.Context, id string) (inventory.Cluster, error)
	// ClusterByName returns the cluster of a name that is not removed.
	ClusterByName(ctx context.Context, name string) (inventory.Cluster, error)
	Clusters(ctx context.Context, v store.Viewer, q store.ClusterQuery) (store.Page[store.ClusterRow], error)
	// Watches returns how clusters are followed, by their ids; those that nobody ever followed are left out.
	Watches(ctx context.Context, clusters []string) (map[string]inventory.Watch, error)
	Connections
}

// Connections tests, saves and removes connections to clusters. What fails its checks is inventory.NotPassed.
type Connections interface {
	Test(ctx context.Context, c inventory.Connection) (inventory.Report, *inventory.Known, error)
	Retest(ctx context.Context, actor identity.Actor, id string, e inventory.ClusterEdit) (inventory.Report, error)
	Add(ctx context.Context, actor identity.Actor, name string, c inventory.Connection, reattach bool) (inventory.Cluster, error)
	Change(ctx context.Context, actor identity.Actor, id string, rev int64, e inventory.ClusterEdit) (inventory.Cluster, error)
	Remove(ctx context.Context, actor identity.Actor, id string, rev int64) error
	RenewToken(ctx context.Context, actor identity.Actor, id string, rev int64) (inventory.Cluster, error)
	// Manifest returns the YAML that gives a connector the rights of scope.
	Manifest(scope inventory.Scope) ([]byte, error)
}

type clustersIn struct {
	client.ClusterFilter
	Query
}

type newClusterIn struct{ Body client.NewCluster }

type clusterTestIn struct {
	ClusterRef
	Body client.ClusterChange
}

type clusterChangeIn struct {
	IfMatch
	ClusterRef
	Body client.ClusterChange
}

type clusterDeleteIn struct {
	IfMatch
	ClusterRef
}

type connectorIn struct {
	Namespaces []string `query:"namespaces" maxItems:"1000" doc:"empty: the whole cluster"`
	Access     string   `query:"access" enum:"read-only,read-write" default:"read-only"`
	Restart    bool     `query:"restart" doc:"may restart workloads"`
	Forward    bool     `query:"portForward" doc:"may connect to ports of pods and services"`
	Renew      bool     `query:"renewToken" doc:"may renew its own long-lived token"`
	Replace    bool     `query:"replace" doc:"may make Secrets in place of immutable ones and of tokens, name them where those were named, and delete those"`
}

// file is an answer that is saved as one.
type file struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

func (s *Server) clusterOps() {
	op(s, operation[connectorIn]{Method: http.MethodGet, Path: "/connector", Op: policy.ClusterConfig, Stream: true,
		Summary: "The manifest that gives Keyturn its rights in a cluster"}, s.connector)
	op(s, operation[clustersIn]{Method: http.MethodGet, Path: "/clusters", Op: policy.ClusterList, Summary: "Clusters"}, s.clusters)
	op(s, operation[newClusterIn]{Method: http.MethodPost, Path: "/clusters", Op: policy.ClusterCreate, Status: http.StatusCreated,
		Summary: "Connect a cluster that passes its checks"}, s.addCluster)
	op(s, operation[newClusterIn]{Method: http.MethodPost, Path: "/clusters/test", Op: policy.ClusterTest,
		Summary: "Check a cluster that is not saved"}, s.testCluster)
	op(s, operation[ClusterRef]{Method: http.MethodGet, Path: "/clusters/{cluster}", Op: policy.ClusterGet, Summary: "One cluster",
		Object: of[ClusterRef](s.clusterObject),
	}, func(ctx context.Context, c call, _ *ClusterRef) (*answer[client.Cluster], error) {
		return s.cluster(ctx, c, c.Object.ID)
	})
	op(s, operation[clusterTestIn]{Method: http.MethodPost, Path: "/clusters/{cluster}/test", Op: policy.ClusterUpdate, ID: "cluster.retest",
		Summary: "Check a saved cluster, with changes that are not saved",
		Object:  of[clusterTestIn](s.clusterObject),
	}, s.retestCluster)
	op(s, operation[clusterChangeIn]{Method: http.MethodPatch, Path: "/clusters/{cluster}", Op: policy.ClusterUpdate,
		Summary: "Change a cluster that passes its checks with the change",
		Object:  of[clusterChangeIn](s.clusterObject),
	}, s.changeCluster)
	op(s, operation[clusterDeleteIn]{Method: http.MethodPost, Path: "/clusters/{cluster}/renew-token", Op: policy.ClusterUpdate, ID: "cluster.renew-token",
		Summary: "Replace the long-lived token by a new one that passes the checks",
		Object:  of[clusterDeleteIn](s.clusterObject),
	}, s.renewToken)
	op(s, operation[clusterDeleteIn]{Method: http.MethodDelete, Path: "/clusters/{cluster}", Op: policy.ClusterDelete,
		Summary: "Remove the association; what came from the cluster stays",
		Object:  of[clusterDeleteIn](s.clusterObject),
	}, remove[clusterDeleteIn](func(ctx context.Context, a identity.Actor, id string, rev int64) error {
		return s.Clusters.Remove(ctx, a, id, rev)
	}))
}

// clusterObject finds the cluster that ref names, by id or, unless it is removed, by name.
func (s *Server) clusterObject(ctx context.Context, ref string) (policy.Object, string, error) {
	found, err := s.Clusters.Cluster(ctx, ref)
	if errors.Is(err, fault.NotFound) {
		found, err = s.Clusters.ClusterByName(ctx, ref)
	}
	return about(access.Cluster, ref, found.ID, found.Name, err)
}

// clusterID returns the id for a list's filter. A name that nobody has stays as it is: nothing is found by it, as nothing
// is found by the name of a cluster that the viewer may not know of.
func (s *Server) clusterID(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	obj, _, err := s.clusterObject(ctx, ref)
	if errors.Is(err, fault.NotFound) {
		return ref, nil
	}
	return obj.ID, err
}

func (s *Server) clusters(ctx context.Context, c call, in *clustersIn) (*list[client.Page[client.Cluster]], error) {
	p, err := s.Clusters.Clusters(ctx, viewer(c), store.ClusterQuery{ListQuery: listQuery(in.ListOptions), State: in.words("state"), Removed: in.Removed})
	if err != nil {
		return nil, err
	}
	last := make(map[string]*client.Fetch, len(p.Items))
	for _, row := range p.Items {
		if last[row.ID], err = s.lastFetch(ctx, row.ID); err != nil {
			return nil, err
		}
	}
	ids := make([]string, len(p.Items))
	for i, row := range p.Items {
		ids[i] = row.ID
	}
	watches, err := s.Clusters.Watches(ctx, ids)
	if err != nil {
		return nil, err
	}
	can := canOf(c.Actor, policy.Object{}, map[string]policy.Operation{"create": policy.ClusterCreate})
	return pageOf(p, can, func(row store.ClusterRow) client.Cluster { return clusterOf(c.Actor, row, last[row.ID], watches) }), nil
}

func (s *Server) cluster(ctx context.Context, c call, id string) (*answer[client.Cluster], error) {
	row, err := only(s.Clusters.Clusters(ctx, viewer(c), store.ClusterQuery{ID: id}))
	if err != nil {
		return nil, err
	}
	last, err := s.lastFetch(ctx, id)
	if err != nil {
		return nil, err
	}
	watches, err := s.Clusters.Watches(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	out := clusterOf(c.Actor, row, last, watches)
	out.OnDrift, err = s.drift(ctx, "cluster", id)
	return &answer[client.Cluster]{ETag: etag(row.Rev), Body: out}, err
}

func (s *Server) addCluster(ctx context.Context, c call, in *newClusterIn) (*answer[client.Cluster], error) {
	added, err := s.Clusters.Add(ctx, c.Actor, in.Body.Name, connectionOf(in.Body), in.Body.Reattach)
	if err != nil {
		return nil, withReport(err)
	}
	return s.cluster(ctx, c, added.ID)
}

func (s *Server) testCluster(ctx context.Context, _ call, in *newClusterIn) (*list[client.Report], error) {
	r, known, err := s.Clusters.Test(ctx, connectionOf(in.Body))
	if err != nil {
		return nil, err
	}
	report := reportOf(r)
	if known != nil {
		report.Known, report.Removed = known.Name, known.Removed
	}
	return &list[client.Report]{Body: report}, nil
}

func (s *Server) retestCluster(ctx context.Context, c call, in *clusterTestIn) (*list[client.Report], error) {
	r, err := s.Clusters.Retest(ctx, c.Actor, c.Object.ID, editOf(in.Body))
	if err != nil {
		return nil, err
	}
	return &list[client.Report]{Body: reportOf(r)}, nil
}

func (s *Server) changeCluster(ctx context.Context, c call, in *clusterChangeIn) (*answer[client.Cluster], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	if _, err := s.Clusters.Change(ctx, c.Actor, c.Object.ID, rev, editOf(in.Body)); err != nil {
		return nil, withReport(err)
	}
	return s.cluster(ctx, c, c.Object.ID)
}

func (s *Server) renewToken(ctx context.Context, c call, in *clusterDeleteIn) (*answer[client.Cluster], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	if s.Seal.Health().Restored { // the token that is stored may be older than the one in use, which renewing would end
		return nil, rotation.ErrRestored()
	}
	if _, err := s.Clusters.RenewToken(ctx, c.Actor, c.Object.ID, rev); err != nil {
		return nil, withReport(err)
	}
	return s.cluster(ctx, c, c.Object.ID)
}

func (s *Server) connector(_ context.Context, _ call, in *connectorIn) (*file, error) {
	text, err := s.Clusters.Manifest(scopeIn(client.Scope{Namespaces: in.Namespaces, Access: in.Access, Restart: in.Restart, PortForward: in.Forward, RenewToken: in.Renew, Replace: in.Replace}))
	if err != nil {
		return nil, err
	}
	return &file{ContentType: "application/yaml", ContentDisposition: attachment("keyturn-config.yaml"), Body: text}, nil
}

// attachment is a Content-Disposition. What could end the name early or hide the file does not come through.
func attachment(name string) string {
	const longest = 200
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		}
		return '_'
	}, name)
	name = strings.TrimLeft(name, ".-")
	if len(name) > longest {
		name = name[len(name)-longest:] // the end has the kind of file
	}
	return `attachment; filename="` + name + `"`
}

// withReport lets the report of failed checks travel with their fault.
func withReport(err error) error {
	failed, ok := errors.AsType[inventory.NotPassed](err)
	if !ok {
		return err
	}
	cause, ok := errors.AsType[*fault.Error](failed.Unwrap())
	if !ok {
		return err
	}
	return failedChecks{cause, failed.Report}
}

func connectionOf(n client.NewCluster) inventory.Connection {
	return inventory.Connection{Server: n.Server, CAPEM: n.CA, Token: vault.NewValue([]byte(n.Token.Text())), Scope: scopeIn(n.Scope)}
}

func editOf(change client.ClusterChange) inventory.ClusterEdit {
	e := inventory.ClusterEdit{Name: change.Name, Server: change.Server, CAPEM: change.CA, Token: given(change.Token)}
	if change.Scope != nil {
		scope := scopeIn(*change.Scope)
		e.Scope = &scope
	}
	return e
}

// given returns the value, nil if none was sent.
func given(v client.Value) *vault.Value {
	if v.IsZero() {
		return nil
	}
	value := vault.NewValue([]byte(v.Text()))
	return &value
}

const readWrite = "read-write"

func scopeIn(s client.Scope) inventory.Scope {
	return inventory.Scope{Namespaces: s.Namespaces, WholeCluster: len(s.Namespaces) == 0, ReadWrite: s.Access == readWrite,
		Restart: s.Restart, PortForward: s.PortForward, Renew: s.RenewToken, Replace: s.Replace}
}

func scopeOf(s inventory.Scope) client.Scope {
	out := client.Scope{Namespaces: s.Namespaces, Access: "read-only", Restart: s.Restart, PortForward: s.PortForward, RenewToken: s.Renew, Replace: s.Replace}
	if s.WholeCluster {
		out.Namespaces = nil
	}
	if s.ReadWrite {
		out.Access = readWrite
	}
	return out
}

// clusterVerbs are what can be done with a cluster.
var clusterVerbs = map[string]policy.Operation{
	"update": policy.ClusterUpdate, "delete": policy.ClusterDelete, "secrets": policy.ClusterSecrets, "fetch": policy.ClusterFetch,
	"sync": policy.ClusterSync, "share": policy.GrantCreate,
}

func clusterOf(actor identity.Actor, row store.ClusterRow, last *client.Fetch, watches map[string]inventory.Watch) client.Cluster {
	can := canOf(actor, policy.Object{Kind: access.Cluster, ID: row.ID, Level: row.Level}, clusterVerbs)
	if row.State == inventory.ClusterRemoved {
		notNow(can, "The cluster was removed", "update", "delete", "secrets", "fetch", "sync")
	}
	return client.Cluster{
		ID: row.ID, Name: row.Name, Server: row.Server, CA: row.CAPEM, Scope: scopeOf(row.Scope), UID: row.UID, Version: row.Version,
		State: string(row.State), Reason: row.Reason, Since: orNil(row.Since), CheckedAt: orNil(row.CheckedAt), SyncedAt: orNil(row.SyncedAt),
		CreatedAt: row.CreatedAt, Rev: row.Rev, Resources: row.Resources, Secrets: row.Secrets, Mapped: row.Mapped, Drifted: row.Drifting,
		Watch: watchOf(row.Cluster, watches), Fetch: last, Can: can,
	}
}

// watchOf tells how a cluster is followed; one that was removed is not, whatever its row says.
func watchOf(c inventory.Cluster, watches map[string]inventory.Watch) *client.Watch {
	w, followed := watches[c.ID]
	if !followed || c.State == inventory.ClusterRemoved {
		return nil
	}
	w = w.Now(time.Now())
	return &client.Watch{State: string(w.State), Since: w.Since, Reason: sentence(w.Reason), Cure: sentence(w.Cure), NextAt: orNil(w.NotBefore),
		ChangedAt: orNil(w.ChangedAt), ComparedAt: orNil(c.ComparedAt)}
}

func reportOf(r inventory.Report) client.Report {
	out := client.Report{
		OK: r.OK(), Checks: make([]client.Check, len(r.Checks)), Version: r.Version, User: r.User, UID: r.UID,
		Missing: r.Missing, MissingManifest: r.MissingManifest,
	}
	for i, check := range r.Checks {
		steps := make([]client.CheckStep, len(check.Steps))
		for j, x := range check.Steps {
			steps[j] = client.CheckStep{Name: x.Name, State: string(x.State), Detail: x.Detail, Code: x.Code, Cause: sentence(x.Cause), Cure: sentence(x.Cure)}
		}
		out.Checks[i] = client.Check{Name: check.Name, State: string(check.State), Steps: steps}
	}
	for _, x := range r.Chain {
		out.Chain = append(out.Chain, client.Certificate{Subject: x.Subject, Issuer: x.Issuer, SHA256: x.SHA256, NotAfter: x.NotAfter, PEM: x.PEM})
	}
	return out
}
