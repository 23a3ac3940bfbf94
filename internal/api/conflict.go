package api

import (
	"context"
	"net/http"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// Conflicts knows which Secrets were changed in their cluster against the drift policy, and what people decide of them.
type Conflicts interface {
	Conflicts(ctx context.Context, v store.Viewer, q store.ConflictQuery) (store.Page[store.ConflictRow], error)
	// DriftPolicies returns those of clusters, resources or secrets, by their ids; a resource that is no namespace has none.
	DriftPolicies(ctx context.Context, kind string, ids []string) (map[string]inventory.DriftPolicies, error)
	// Resolve fails with fault.Stale when rev is not the conflict's revision.
	Resolve(ctx context.Context, actor identity.Actor, secretID string, rev int64, keep inventory.Keep) error
	// SetPolicy fails with fault.Stale when rev is not the object's revision.
	SetPolicy(ctx context.Context, actor identity.Actor, obj audit.Object, rev int64, p inventory.DriftPolicy) error
}

type conflictsIn struct {
	client.ConflictFilter
	Query
}

type conflictResolutionIn struct {
	IfMatch
	SecretRef
	Body client.ConflictResolution
}

type (
	clusterDriftIn struct {
		IfMatch
		ClusterRef
		Body client.DriftChange
	}
	resourceDriftIn struct {
		IfMatch
		ResourceRef
		Body client.DriftChange
	}
	secretDriftIn struct {
		IfMatch
		SecretRef
		Body client.DriftChange
	}
)

func (s *Server) conflictOps() {
	op(s, operation[conflictsIn]{Method: http.MethodGet, Path: "/conflicts", Op: policy.ConflictList, Summary: "Secrets that were changed in their cluster, where that does not simply count"}, s.conflicts)
	op(s, operation[SecretRef]{Method: http.MethodGet, Path: "/conflicts/{secret}", Op: policy.ConflictGet, Summary: "What differs in one Secret, and who changed it",
		Object: of[SecretRef](s.secretObject)},
		func(ctx context.Context, c call, _ *SecretRef) (*answer[client.Conflict], error) {
			return s.conflict(ctx, c)
		})
	op(s, operation[conflictResolutionIn]{Method: http.MethodPost, Path: "/conflicts/{secret}/resolve", Op: policy.ConflictResolve,
		Summary: "Say which side is right: the cluster's values, or the vault's, which are written then", Object: of[conflictResolutionIn](s.secretObject)},
		func(ctx context.Context, c call, in *conflictResolutionIn) (*answer[client.Conflict], error) {
			rev, err := in.rev()
			if err != nil {
				return nil, err
			}
			if err := s.Conflicts.Resolve(ctx, c.Actor, c.Object.ID, rev, inventory.Keep(in.Body.Keep)); err != nil {
				return nil, err
			}
			return s.conflict(ctx, c)
		})
	op(s, operation[clusterDriftIn]{Method: http.MethodPut, Path: "/clusters/{cluster}/on-drift", Op: policy.ClusterUpdate, ID: "cluster.on-drift",
		Summary: "Say which side is right when a key changes in the cluster", Object: of[clusterDriftIn](s.clusterObject)},
		func(ctx context.Context, c call, in *clusterDriftIn) (*answer[client.Drift], error) {
			return s.setDrift(ctx, c, in.IfMatch, "cluster", in.Body.Policy)
		})
	op(s, operation[resourceDriftIn]{Method: http.MethodPut, Path: "/resources/{resource}/on-drift", Op: policy.ResourceUpdate, ID: "resource.on-drift",
		Summary: "The same for a namespace, by its resource", Object: of[resourceDriftIn](s.resourceObject)},
		func(ctx context.Context, c call, in *resourceDriftIn) (*answer[client.Drift], error) {
			return s.setDrift(ctx, c, in.IfMatch, "resource", in.Body.Policy)
		})
	op(s, operation[secretDriftIn]{Method: http.MethodPut, Path: "/secrets/{secret}/on-drift", Op: policy.AccountUpdate, ID: "secret.on-drift",
		Summary: "The same for one Secret", Object: of[secretDriftIn](s.secretObject)},
		func(ctx context.Context, c call, in *secretDriftIn) (*answer[client.Drift], error) {
			return s.setDrift(ctx, c, in.IfMatch, "secret", in.Body.Policy)
		})
}

func (s *Server) conflicts(ctx context.Context, c call, in *conflictsIn) (*list[client.Page[client.Conflict]], error) {
	cluster, err := s.clusterID(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	resource, err := s.resourceID(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	p, err := s.Conflicts.Conflicts(ctx, viewer(c), store.ConflictQuery{ListQuery: listQuery(in.ListOptions), ClusterID: cluster, ResourceID: resource, State: in.words("state")})
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(row store.ConflictRow) client.Conflict { return conflictOf(c.Actor, row) }), nil
}

func (s *Server) conflict(ctx context.Context, c call) (*answer[client.Conflict], error) {
	row, err := only(s.Conflicts.Conflicts(ctx, viewer(c), store.ConflictQuery{ID: c.Object.ID}))
	if err != nil {
		return nil, err
	}
	return &answer[client.Conflict]{ETag: etag(row.Rev), Body: conflictOf(c.Actor, row)}, nil
}

func (s *Server) setDrift(ctx context.Context, c call, m IfMatch, kind, word string) (*answer[client.Drift], error) {
	rev, err := m.rev()
	if err != nil {
		return nil, err
	}
	p, err := inventory.ParseDriftPolicy(word, kind != "cluster")
	if err != nil {
		return nil, err
	}
	if was, err := s.drift(ctx, kind, c.Object.ID); err != nil {
		return nil, err
	} else if was == nil {
		return nil, fault.New(fault.Invalid, "the resource is no namespace of a cluster, and nothing there drifts").WithCure("take a resource of the type kubernetes").WithUnchanged("nothing was changed")
	}
	if err := s.Conflicts.SetPolicy(ctx, c.Actor, audit.Object{Kind: kind, ID: c.Object.ID, Name: c.Called}, rev, p); err != nil {
		return nil, err
	}
	d, err := s.drift(ctx, kind, c.Object.ID)
	if err != nil {
		return nil, err
	}
	return &answer[client.Drift]{ETag: etag(rev + 1), Body: *d}, nil
}

// drift returns the drift policy of a cluster, a resource or a Secret, nil if it has none.
func (s *Server) drift(ctx context.Context, kind, id string) (*client.Drift, error) {
	all, err := s.Conflicts.DriftPolicies(ctx, kind, []string{id})
	p, has := all[id]
	if err != nil || !has {
		return nil, err
	}
	return &client.Drift{Own: string(p.Own), InForce: string(p.InForce)}, nil
}

func conflictOf(actor identity.Actor, row store.ConflictRow) client.Conflict {
	can := canOf(actor, policy.Object{Kind: access.Account, ID: row.Secret.ID, Level: row.Level}, map[string]policy.Operation{"resolve": policy.ConflictResolve})
	if row.State == inventory.ConflictSettled {
		notNow(can, "Nothing differs any more", "resolve")
	}
	out := client.Conflict{ID: row.Secret.ID, ClusterID: row.Secret.ClusterID, ClusterName: row.ClusterName, ResourceID: row.Secret.ResourceID, ResourceName: row.ResourceName,
		Namespace: row.Secret.Namespace, Name: row.Secret.Name, State: string(row.State), Policy: string(row.Policy), Reason: sentence(row.Reason), Cure: sentence(row.Cure),
		Since: row.Since, ChangedAt: row.ChangedAt, ChangedBy: row.ChangedBy, WantedBy: row.WantedBy.Name, Heals: int64(row.Heals), Keys: make([]client.ConflictKey, len(row.Keys)),
		Rev: row.Rev, Can: can}
	for i, k := range row.Keys {
		out.Keys[i] = client.ConflictKey{Name: k.Name, Change: changeOf(k), Version: k.Version, AccountID: k.AccountID, AccountName: k.AccountName}
	}
	return out
}

func changeOf(k inventory.DivergentKey) string {
	switch {
	case !k.There:
		return "removed"
	case k.AccountID == "" && k.Fingerprint == nil:
		return "added"
	default:
		return "changed"
	}
}
