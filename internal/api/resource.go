package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// Objects reads resources, accounts and Secrets.
type Objects interface {
	ResourceReader
	CredentialReader
	HistoryReader
}

// ResourceReader reads resources.
type ResourceReader interface {
	Resource(ctx context.Context, id string) (inventory.Resource, error)
	ResourceByName(ctx context.Context, name string) (inventory.Resource, error)
	Resources(ctx context.Context, v store.Viewer, q store.ResourceQuery) (store.Page[store.ResourceRow], error)
}

type resourcesIn struct {
	client.ResourceFilter
	Query
}

type newResourceIn struct{ Body client.NewResource }

type resourceChangeIn struct {
	IfMatch
	ResourceRef
	Body client.ResourceChange
}

type resourceDeleteIn struct {
	IfMatch
	ResourceRef
}

type newAccountIn struct {
	ResourceRef
	Body client.NewAccount
}

func (s *Server) resourceOps() {
	op(s, operation[resourcesIn]{Method: http.MethodGet, Path: "/resources", Op: policy.ResourceList, Summary: "Resources"}, s.resources)
	op(s, operation[newResourceIn]{Method: http.MethodPost, Path: "/resources", Op: policy.ResourceCreate, Status: http.StatusCreated,
		Summary: "Make a resource"}, s.addResource)
	op(s, operation[ResourceRef]{Method: http.MethodGet, Path: "/resources/{resource}", Op: policy.ResourceGet, Summary: "One resource",
		Object: of[ResourceRef](s.resourceObject),
	}, func(ctx context.Context, c call, _ *ResourceRef) (*answer[client.Resource], error) {
		return s.resource(ctx, c, c.Object.ID)
	})
	op(s, operation[resourceChangeIn]{Method: http.MethodPatch, Path: "/resources/{resource}", Op: policy.ResourceUpdate, Summary: "Change a resource",
		Object: of[resourceChangeIn](s.resourceObject),
	}, s.changeResource)
	op(s, operation[resourceDeleteIn]{Method: http.MethodDelete, Path: "/resources/{resource}", Op: policy.ResourceDelete,
		Summary: "Delete a resource with its accounts",
		Object:  of[resourceDeleteIn](s.resourceObject),
	}, remove[resourceDeleteIn](func(ctx context.Context, a identity.Actor, id string, rev int64) error {
		return s.Accounts.DeleteResource(ctx, a, id, rev)
	}))
	op(s, operation[newAccountIn]{Method: http.MethodPost, Path: "/resources/{resource}/accounts", Op: policy.AccountCreate, Status: http.StatusCreated,
		Summary: "Make an account on a resource",
		Object:  of[newAccountIn](s.resourceObject),
	}, s.addAccount)
}

// resourceObject finds the resource that ref names, by id or name.
func (s *Server) resourceObject(ctx context.Context, ref string) (policy.Object, string, error) {
	found, err := s.Objects.Resource(ctx, ref)
	if errors.Is(err, fault.NotFound) {
		found, err = s.Objects.ResourceByName(ctx, ref)
	}
	return about(access.Resource, ref, found.ID, found.Name, err)
}

// resourceID is clusterID for resources.
func (s *Server) resourceID(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	obj, _, err := s.resourceObject(ctx, ref)
	if errors.Is(err, fault.NotFound) {
		return ref, nil
	}
	return obj.ID, err
}

func (s *Server) resources(ctx context.Context, c call, in *resourcesIn) (*list[client.Page[client.Resource]], error) {
	cluster, err := s.clusterID(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	p, err := s.Objects.Resources(ctx, viewer(c), store.ResourceQuery{ListQuery: listQuery(in.ListOptions), Name: in.Name, Type: in.words("type"), ClusterID: cluster})
	if err != nil {
		return nil, err
	}
	names, err := s.reconcilers(ctx, c, p.Items...)
	if err != nil {
		return nil, err
	}
	ways, err := s.ways(ctx, c, p.Items...)
	if err != nil {
		return nil, err
	}
	can := canOf(c.Actor, policy.Object{}, map[string]policy.Operation{"create": policy.ResourceCreate})
	return pageOf(p, can, func(row store.ResourceRow) client.Resource {
		return resourceOf(c.Actor, row, names[row.ReconcileAccountID], ways[row.ID])
	}), nil
}

// reconcilers returns the names of the reconcile accounts of resources, by id. Whoever sees a resource only for one account
// in it need not know of that one, and gets no name.
func (s *Server) reconcilers(ctx context.Context, c call, rows ...store.ResourceRow) (map[string]string, error) {
	names := map[string]string{}
	for _, row := range rows {
		if row.ReconcileAccountID == "" {
			continue
		}
		p, err := s.Objects.Accounts(ctx, viewer(c), store.AccountQuery{ID: row.ReconcileAccountID})
		if err != nil {
			return nil, err
		}
		if len(p.Items) > 0 {
			names[row.ReconcileAccountID] = p.Items[0].Name
		}
	}
	return names, nil
}

func (s *Server) resource(ctx context.Context, c call, id string) (*answer[client.Resource], error) {
	row, err := only(s.Objects.Resources(ctx, viewer(c), store.ResourceQuery{ID: id}))
	if err != nil {
		return nil, err
	}
	names, err := s.reconcilers(ctx, c, row)
	if err != nil {
		return nil, err
	}
	ways, err := s.ways(ctx, c, row)
	if err != nil {
		return nil, err
	}
	out := resourceOf(c.Actor, row, names[row.ReconcileAccountID], ways[row.ID])
	out.OnDrift, err = s.drift(ctx, "resource", id)
	return &answer[client.Resource]{ETag: etag(row.Rev), Body: out}, err
}

func (s *Server) addResource(ctx context.Context, c call, in *newResourceIn) (*answer[client.Resource], error) {
	through, err := s.mayReach(ctx, c, in.Body.Through)
	if err != nil {
		return nil, err
	}
	made, err := s.Accounts.CreateResource(ctx, c.Actor, in.Body.Name, in.Body.Type, in.Body.Settings, orZero(through))
	if err != nil {
		return nil, err
	}
	return s.resource(ctx, c, made.ID)
}

func (s *Server) changeResource(ctx context.Context, c call, in *resourceChangeIn) (*answer[client.Resource], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	change := inventory.ResourceChange{Name: in.Body.Name, Settings: in.Body.Settings, Reconcile: in.Body.ReconcileAccountID}
	if change.Through, err = s.mayReach(ctx, c, in.Body.Through); err != nil {
		return nil, err
	}
	if change.Settings != nil && change.Through == nil {
		if err := s.mayRedirect(ctx, c); err != nil {
			return nil, err
		}
	}
	if _, err := s.Accounts.ChangeResource(ctx, c.Actor, c.Object.ID, rev, change); err != nil {
		return nil, err
	}
	return s.resource(ctx, c, c.Object.ID)
}

func (s *Server) addAccount(ctx context.Context, c call, in *newAccountIn) (*answer[client.Account], error) {
	made, err := s.Accounts.CreateAccount(ctx, c.Actor, c.Object.ID, in.Body.Name, in.Body.Pair, given(in.Body.Value))
	if err != nil {
		return nil, err
	}
	return s.account(ctx, c, made.ID)
}

// resourceVerbs are what can be done with a resource.
var resourceVerbs = map[string]policy.Operation{
	"update": policy.ResourceUpdate, "delete": policy.ResourceDelete, "createAccount": policy.AccountCreate, "share": policy.GrantCreate,
	"onDrift": policy.ResourceUpdate,
}

// resourceOf takes the name of the reconcile account, empty if the actor may not know of it.
func resourceOf(actor identity.Actor, row store.ResourceRow, reconciler string, through *client.Through) client.Resource {
	if reconciler == "" {
		row.ReconcileAccountID = ""
	}
	can := canOf(actor, policy.Object{Kind: access.Resource, ID: row.ID, Level: row.Level}, resourceVerbs)
	if row.Type == inventory.TypeKubernetes {
		notNow(can, "A fetch made this resource and keeps it", "update", "createAccount")
	} else {
		delete(can, "onDrift") // nothing there drifts
	}
	return client.Resource{
		ID: row.ID, Name: row.Name, Type: row.Type, ClusterID: row.ClusterID, ClusterName: row.ClusterName, Removed: row.ClusterRemoved, Namespace: row.Namespace,
		Settings: row.Settings, Through: through, ReconcileAccountID: row.ReconcileAccountID, ReconcileAccountName: reconciler, Accounts: row.Accounts, States: row.States,
		CreatedAt: row.CreatedAt, Rev: row.Rev, Can: can,
	}
}
