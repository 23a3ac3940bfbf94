package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// Mappings knows which account stands in which Secret key.
type Mappings interface {
	Mapping(ctx context.Context, id string) (inventory.Mapping, error)
	Mappings(ctx context.Context, v store.Viewer, q store.MappingQuery) (store.Page[store.MappingRow], error)
	// Compare opens the account's and the key's value and tells of neither more than whether they are the same.
	Compare(ctx context.Context, accountID string, at inventory.Entry) (inventory.Comparison, error)
	// Map fails with fault.Conflict and the code differs when the values are not the same and keep is empty.
	Map(ctx context.Context, actor identity.Actor, accountID string, at inventory.Entry, keep inventory.Keep) (inventory.Mapping, error)
	// EditMapping fails with fault.Stale when rev is not the mapping's revision.
	EditMapping(ctx context.Context, actor identity.Actor, id string, rev int64, onWrite string) error
	Unmap(ctx context.Context, actor identity.Actor, id string, rev int64) error
}

type mappingsIn struct {
	client.MappingFilter
	Query
}

type newMappingIn struct{ Body client.NewMapping }

type mappingChangeIn struct {
	IfMatch
	MappingRef
	Body client.MappingChange
}

type mappingDeleteIn struct {
	IfMatch
	MappingRef
}

func (s *Server) mappingOps() {
	ofAccount := func(ctx context.Context, in *newMappingIn) (policy.Object, string, error) {
		return s.accountObject(ctx, in.Body.AccountID)
	}
	op(s, operation[mappingsIn]{Method: http.MethodGet, Path: "/mappings", Op: policy.MappingList,
		Summary: "Which account stands in which Secret key"}, s.mappings)
	op(s, operation[newMappingIn]{Method: http.MethodPost, Path: "/mappings", Op: policy.MappingCreate, Status: http.StatusCreated,
		Summary: "Map a Secret key to an account", Object: ofAccount}, s.addMapping)
	op(s, operation[newMappingIn]{Method: http.MethodPost, Path: "/mappings/compare", Op: policy.MappingCreate, ID: "mapping.compare",
		Summary: "How a key compares with an account, without showing either", Object: ofAccount}, s.compare)
	op(s, operation[MappingRef]{Method: http.MethodGet, Path: "/mappings/{mapping}", Op: policy.MappingGet, Summary: "One mapping",
		Object: of[MappingRef](s.mappingObject),
	}, func(ctx context.Context, c call, in *MappingRef) (*answer[client.Mapping], error) {
		return s.mapping(ctx, c, in.Mapping)
	})
	op(s, operation[mappingChangeIn]{Method: http.MethodPatch, Path: "/mappings/{mapping}", Op: policy.MappingUpdate,
		Summary: "Say what is done with what reads a mapped key",
		Object:  of[mappingChangeIn](s.mappingObject),
	}, s.updateMapping)
	op(s, operation[mappingDeleteIn]{Method: http.MethodDelete, Path: "/mappings/{mapping}", Op: policy.MappingDelete,
		Summary: "End a mapping; the key keeps its value",
		Object:  of[mappingDeleteIn](s.mappingObject),
	}, s.deleteMapping)
}

// mappingObject finds the account of a mapping, on which what concerns the mapping is decided.
func (s *Server) mappingObject(ctx context.Context, id string) (policy.Object, string, error) {
	m, err := s.Mappings.Mapping(ctx, id)
	if err != nil {
		return about("mapping", id, "", "", err)
	}
	return s.accountObject(ctx, m.AccountID)
}

func (s *Server) mappings(ctx context.Context, c call, in *mappingsIn) (*list[client.Page[client.Mapping]], error) {
	cluster, err := s.clusterID(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	resource, err := s.resourceID(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	p, err := s.Mappings.Mappings(ctx, viewer(c), store.MappingQuery{
		ListQuery: listQuery(in.ListOptions), AccountID: in.Account, SecretID: in.Secret, ResourceID: resource, ClusterID: cluster, State: in.words("state"),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(row store.MappingRow) client.Mapping { return mappingOf(c.Actor, row) }), nil
}

func (s *Server) mapping(ctx context.Context, c call, id string) (*answer[client.Mapping], error) {
	row, err := only(s.Mappings.Mappings(ctx, viewer(c), store.MappingQuery{ID: id}))
	if err != nil {
		return nil, err
	}
	return &answer[client.Mapping]{ETag: etag(row.Rev), Body: mappingOf(c.Actor, row)}, nil
}

// mayMap lets the gate decide on the Secret too: without it, whoever manages an account could learn and overwrite what
// stands in anybody's Secret.
func (s *Server) mayMap(ctx context.Context, c call, secretID string) error {
	obj, name, err := s.secretObject(ctx, secretID)
	_, err = s.check(ctx, c.Actor, policy.MappingCreate, obj, name, err)
	return err
}

func (s *Server) addMapping(ctx context.Context, c call, in *newMappingIn) (*answer[client.Mapping], error) {
	if err := s.mayMap(ctx, c, in.Body.SecretID); err != nil {
		return nil, err
	}
	if in.Body.Keep == "" { // the answer may be the one of a comparison
		if err := s.draw(ctx, s.limits.compare, 0, c.Actor); err != nil {
			return nil, err
		}
	}
	made, err := s.Mappings.Map(ctx, c.Actor, c.Object.ID, entryOf(in.Body), inventory.Keep(in.Body.Keep))
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == "differs" {
		s.limits.compare.take(bucketKey(c.Actor), 1, c.Actor, time.Now())
		err = errors.Join(s.compared(ctx, c, in.Body, inventory.Differs, 0), err)
	}
	if err != nil {
		return nil, err
	}
	return s.mapping(ctx, c, made.ID)
}

func (s *Server) compare(ctx context.Context, c call, in *newMappingIn) (*list[client.Comparison], error) {
	if err := s.limit(ctx, s.limits.compare, c.Actor); err != nil {
		return nil, err
	}
	if err := s.mayMap(ctx, c, in.Body.SecretID); err != nil {
		return nil, err
	}
	found, err := s.Mappings.Compare(ctx, c.Object.ID, entryOf(in.Body))
	if err != nil {
		return nil, err
	}
	equals, err := s.seen(ctx, c, found.Equals)
	if err != nil {
		return nil, err
	}
	if err := s.compared(ctx, c, in.Body, found.Result, len(equals)); err != nil {
		return nil, err
	}
	return &list[client.Comparison]{Body: comparisonOf(found, equals)}, nil
}

// compared records what a comparison will tell, before it does: with enough of them a value can be guessed. A key that the
// Secret does not have is not written down, for it is whatever was sent.
func (s *Server) compared(ctx context.Context, c call, asked client.NewMapping, result inventory.Result, others int) error {
	ev := audit.New(c.Actor, "mapping.compare", audit.Object{Kind: access.Account, ID: c.Object.ID, Name: c.Called}).
		With("secret", asked.SecretID).With("result", string(result)).With("others", strconv.Itoa(others))
	if result != inventory.KeyMissing {
		ev = ev.With("key", asked.Key)
	}
	return s.record(ctx, ev)
}

// seen returns those keys whose Secrets the caller may know of.
func (s *Server) seen(ctx context.Context, c call, keys []inventory.KeyRef) ([]inventory.KeyRef, error) {
	if viewer(c).All {
		return keys, nil
	}
	var out []inventory.KeyRef
	for _, k := range keys {
		level, err := s.Levels(ctx, c.ID, access.Account, k.SecretID, time.Now())
		if err != nil {
			return nil, err
		}
		if policy.Decide(c.Actor, policy.AccountGet, policy.Object{Kind: access.Account, ID: k.SecretID, Level: level}).Allowed {
			out = append(out, k)
		}
	}
	return out, nil
}

func (s *Server) updateMapping(ctx context.Context, c call, in *mappingChangeIn) (*answer[client.Mapping], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	if err := s.Mappings.EditMapping(ctx, c.Actor, in.Mapping, rev, in.Body.OnWrite); err != nil {
		return nil, err
	}
	return s.mapping(ctx, c, in.Mapping)
}

func (s *Server) deleteMapping(ctx context.Context, c call, in *mappingDeleteIn) (*none, error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	return &none{}, s.Mappings.Unmap(ctx, c.Actor, in.Mapping, rev)
}

func entryOf(m client.NewMapping) inventory.Entry {
	e := inventory.Entry{SecretID: m.SecretID, Key: m.Key, OnWrite: m.OnWrite}
	if p := m.Place; p != nil {
		e.Place = composite.Spec{Format: composite.Format(p.Format), At: p.At, User: p.User, Template: p.Template}
	}
	if m.Holds != holdsPassword {
		e.Place.Holds = composite.Holds(m.Holds)
	}
	return e
}

// holdsPassword is the API's word for what the core leaves empty.
const holdsPassword = "password"

// placeOf returns nil for what is the whole value.
func placeOf(s composite.Spec) *client.Place {
	if s.Format == composite.Whole || s.Format == "" {
		return nil
	}
	return &client.Place{Format: string(s.Format), At: s.At, User: s.User, Template: s.Template}
}

func comparisonOf(found inventory.Comparison, equals []inventory.KeyRef) client.Comparison {
	out := client.Comparison{Result: string(found.Result), Reason: sentence(found.Reason), Owner: found.Owner, Advice: sentence(found.Advice)}
	for _, s := range found.Places {
		if p := placeOf(s); p != nil {
			out.Places = append(out.Places, *p)
		}
	}
	for _, k := range equals {
		out.Others = append(out.Others, client.KeyRef{SecretID: k.SecretID, Cluster: k.Cluster, Namespace: k.Namespace, Secret: k.Secret, Key: k.Key})
	}
	return out
}

func mappingOf(actor identity.Actor, row store.MappingRow) client.Mapping {
	account := policy.Object{Kind: access.Account, ID: row.AccountID, Level: row.Level}
	return client.Mapping{
		ID: row.ID, AccountID: row.AccountID, AccountName: row.AccountName, ResourceID: row.ResourceID, ResourceName: row.ResourceName,
		ClusterID: row.ClusterID, ClusterName: row.ClusterName, SecretID: row.SecretID, Namespace: row.Namespace, Secret: row.SecretName, Key: row.Key, Place: placeOf(row.Place), Holds: cmp.Or(string(row.Place.Holds), holdsPassword), OnWrite: row.OnWrite,
		State: string(row.State), Reason: sentence(row.Reason), Written: row.Written, Current: row.Current, CheckedAt: orNil(row.CheckedAt),
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, Rev: row.Rev,
		Can: canOf(actor, account, map[string]policy.Operation{"update": policy.MappingUpdate, "delete": policy.MappingDelete}),
	}
}
