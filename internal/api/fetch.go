package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
)

// Fetches starts fetches and syncs of clusters and knows how far they are.
type Fetches interface {
	// Start stores a fetch and returns at once; it goes on by itself. The selection of a sync is empty. It fails with
	// fault.Conflict and the code fetch-running while another one of the cluster is under way.
	Start(ctx context.Context, actor identity.Actor, clusterID string, kind inventory.FetchKind, chosen inventory.Selection) (inventory.Fetch, error)
	Fetch(ctx context.Context, id string) (inventory.Fetch, error)
	// Fetches returns those of a cluster, newest first.
	Fetches(ctx context.Context, clusterID string, limit int) ([]inventory.Fetch, error)
	// Available returns what the cluster has now in one namespace or, for "", in all, without values.
	Available(ctx context.Context, clusterID, namespace string) (inventory.Available, error)
}

// maxFetches is how many fetches of a cluster are shown.
const maxFetches = 100

type availableIn struct {
	ClusterRef
	Namespace string `query:"namespace" maxLength:"63" doc:"empty: all"`
}

type newFetchIn struct {
	ClusterRef
	Body client.Selection
}

type fetchIn struct {
	ClusterRef
	Fetch string `path:"fetch" maxLength:"64" doc:"id"`
}

func (s *Server) fetchOps() {
	ofCluster := of[ClusterRef](s.clusterObject)
	op(s, operation[availableIn]{Method: http.MethodGet, Path: "/clusters/{cluster}/available", Op: policy.ClusterSecrets,
		Summary: "What could be fetched from a cluster now, without values",
		Object:  of[availableIn](s.clusterObject),
	}, s.available)
	op(s, operation[newFetchIn]{Method: http.MethodPost, Path: "/clusters/{cluster}/fetches", Op: policy.ClusterFetch, Status: http.StatusAccepted,
		Summary: "Fetch chosen Secrets; they are kept in sync from then on",
		Object:  of[newFetchIn](s.clusterObject),
	}, func(ctx context.Context, c call, in *newFetchIn) (*list[client.Fetch], error) {
		return s.startFetch(ctx, c, inventory.FetchChosen, selectionIn(in.Body))
	})
	op(s, operation[ClusterRef]{Method: http.MethodPost, Path: "/clusters/{cluster}/sync", Op: policy.ClusterSync, Status: http.StatusAccepted,
		Summary: "Bring what was fetched up to date", Object: ofCluster,
	}, func(ctx context.Context, c call, _ *ClusterRef) (*list[client.Fetch], error) {
		return s.startFetch(ctx, c, inventory.FetchSync, inventory.Selection{})
	})
	op(s, operation[ClusterRef]{Method: http.MethodGet, Path: "/clusters/{cluster}/fetches", Op: policy.ClusterGet, ID: "fetch.list",
		Summary: "Fetches and syncs of a cluster, newest first", Object: ofCluster}, s.fetches)
	op(s, operation[fetchIn]{Method: http.MethodGet, Path: "/clusters/{cluster}/fetches/{fetch}", Op: policy.ClusterGet, ID: "fetch.get",
		Summary: "How far a fetch or sync is",
		Object:  of[fetchIn](s.clusterObject),
	}, s.fetch)
}

func (s *Server) available(ctx context.Context, c call, in *availableIn) (*list[client.RemoteSecrets], error) {
	a, err := s.Fetches.Available(ctx, c.Object.ID, in.Namespace)
	if err != nil {
		return nil, err
	}
	return &list[client.RemoteSecrets]{Body: availableOf(a)}, nil
}

func (s *Server) startFetch(ctx context.Context, c call, kind inventory.FetchKind, chosen inventory.Selection) (*list[client.Fetch], error) {
	f, err := s.Fetches.Start(ctx, c.Actor, c.Object.ID, kind, chosen)
	if err != nil {
		return nil, err
	}
	return &list[client.Fetch]{Body: fetchOf(f)}, nil
}

func (s *Server) fetches(ctx context.Context, c call, _ *ClusterRef) (*list[items[client.Fetch]], error) {
	all, err := s.Fetches.Fetches(ctx, c.Object.ID, maxFetches)
	if err != nil {
		return nil, err
	}
	return itemsOf(all, fetchOf), nil
}

func (s *Server) fetch(ctx context.Context, c call, in *fetchIn) (*list[client.Fetch], error) {
	f, err := s.Fetches.Fetch(ctx, in.Fetch)
	if err != nil {
		return nil, err
	}
	if f.ClusterID != c.Object.ID {
		return nil, unknown()
	}
	return &list[client.Fetch]{Body: fetchOf(f)}, nil
}

// lastFetch returns the fetch or sync of a cluster that is under way, or else the last one, or nil.
func (s *Server) lastFetch(ctx context.Context, clusterID string) (*client.Fetch, error) {
	all, err := s.Fetches.Fetches(ctx, clusterID, 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	last := fetchOf(all[0])
	return &last, nil
}

func selectionIn(sel client.Selection) inventory.Selection {
	out := inventory.Selection{All: sel.All, Namespaces: sel.Namespaces, Secrets: sel.Secrets}
	if r := sel.Rule; r != nil {
		out.Rule = &inventory.Rule{Namespaces: r.Namespaces, Names: r.Names, Labels: r.Labels, Types: r.Types}
	}
	return out
}

func fetchOf(f inventory.Fetch) client.Fetch {
	out := client.Fetch{
		ID: f.ID, ClusterID: f.ClusterID, Kind: string(f.Kind), State: string(f.State),
		Total: f.Counts.Total, Added: f.Counts.Added, Changed: f.Counts.Changed, Unchanged: f.Counts.Unchanged, Gone: f.Counts.Gone, Skipped: f.Counts.Skipped,
		Reason: sentence(f.Reason), Cure: sentence(f.Cure), Actor: f.StartedBy.Name, CreatedAt: f.CreatedAt, EndedAt: orNil(f.EndedAt),
	}
	for _, p := range f.Problems.First {
		out.Problems = append(out.Problems, client.FetchProblem{Namespace: p.Namespace, Name: p.Name, Reason: sentence(p.Reason)})
	}
	if f.Problems.More > 0 {
		out.Problems = append(out.Problems, client.FetchProblem{Reason: fmt.Sprintf("There are %d more.", f.Problems.More)})
	}
	return out
}

func availableOf(a inventory.Available) client.RemoteSecrets {
	out := client.RemoteSecrets{Namespaces: make([]client.RemoteNamespace, len(a.Namespaces)), Items: make([]client.RemoteSecret, len(a.Secrets)), Truncated: a.Truncated}
	for i, ns := range a.Namespaces {
		out.Namespaces[i] = client.RemoteNamespace{Name: ns.Name, Problem: sentence(ns.Problem)}
	}
	for i, x := range a.Secrets {
		out.Items[i] = client.RemoteSecret{Namespace: x.Namespace, Name: x.Name, Type: x.Type, Keys: x.Keys, Labels: x.Labels, CreatedAt: x.CreatedAt,
			Fetched: x.Fetched, LeftOut: sentence(x.LeftOut)}
	}
	return out
}
