package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// Equals finds equal values, and who holds them.
type Equals interface {
	Equals(ctx context.Context, v store.Viewer, q store.EqualQuery) (store.EqualPage, error)
	Holders(ctx context.Context, v store.Viewer, q store.HolderQuery) (store.Page[store.Holder], error)
}

// Prints are the keys by which equal values are found.
type Prints interface {
	Fingerprint(v vault.Value) vault.Fingerprint
	FingerprintOfHash(hash [32]byte) vault.Fingerprint
	// Alias stands for a fingerprint outside of the server.
	Alias(f vault.Fingerprint) vault.Alias
	Unalias(a vault.Alias) vault.Fingerprint
}

type (
	duplicatesIn struct{ client.DuplicateFilter }
	// DuplicateRef names a group of equal values.
	DuplicateRef struct {
		Duplicate string `path:"duplicate" maxLength:"64" doc:"id"`
	}
	duplicatePlacesIn struct {
		DuplicateRef
		client.HolderFilter
	}
)

// duplicateOps registers what is said of equal values. Nothing here opens one, or shows a fingerprint. Who may only see a
// key is not told what it is equal to: he could write a guess into a key of his own, and look.
func (s *Server) duplicateOps() {
	object := func(_ context.Context, ref string) (policy.Object, string, error) {
		_, err := vault.ParseAlias(ref)
		return unnamed("duplicate", ref, err)
	}
	op(s, operation[duplicatesIn]{Method: http.MethodGet, Path: "/duplicates", Op: policy.DuplicateList,
		Summary: "Values that several places hold, those in the most places first; only what the caller may reveal"}, s.duplicates)
	op(s, operation[DuplicateRef]{Method: http.MethodGet, Path: "/duplicates/{duplicate}", Op: policy.DuplicateList, ID: "duplicate.get",
		Summary: "One of them", Object: of[DuplicateRef](object)}, s.duplicate)
	op(s, operation[duplicatePlacesIn]{Method: http.MethodGet, Path: "/duplicates/{duplicate}/places", Op: policy.DuplicateList, ID: "duplicate.places",
		Summary: "The keys and accounts that hold it now", Object: of[duplicatePlacesIn](object)}, s.duplicatePlaces)
}

// unnamed is about for an object that has no name. An id that is none is that of nothing.
func unnamed(kind, ref string, err error) (policy.Object, string, error) {
	if err != nil {
		err = unknown()
	}
	return about(kind, ref, ref, "", err)
}

func (r DuplicateRef) ref() string { return r.Duplicate }

func (s *Server) duplicates(ctx context.Context, c call, in *duplicatesIn) (*list[client.Page[client.Duplicate]], error) {
	q := store.EqualQuery{Limit: in.Limit, Of: in.Of}
	if in.Cursor != "" {
		after, err := s.equalAt(in.Cursor)
		if err != nil {
			return nil, err
		}
		q.After = &after
	}
	p, err := s.Equals.Equals(ctx, viewer(c), q)
	if err != nil {
		return nil, err
	}
	out := client.Page[client.Duplicate]{Items: make([]client.Duplicate, len(p.Items)), Total: p.Total, AsOf: time.Now().UTC(),
		Counts: map[string]int64{"with_account": p.WithAccount, "keys_only": p.Total - p.WithAccount}}
	for i, e := range p.Items {
		out.Items[i] = s.duplicateOf(e)
	}
	if p.More {
		last := p.Items[len(p.Items)-1]
		out.Next = strconv.FormatInt(last.Places(), 10) + "." + s.Prints.Alias(last.Print).String()
	}
	return &list[client.Page[client.Duplicate]]{Body: out}, nil
}

// equalAt reads a cursor. It is made of what was shown, so that it holds no fingerprint.
func (s *Server) equalAt(cursor string) (store.Equal, error) {
	places, id, _ := strings.Cut(cursor, ".")
	n, err := strconv.ParseInt(places, 10, 64)
	alias, bad := vault.ParseAlias(id)
	if err != nil || bad != nil {
		return store.Equal{}, fault.New(fault.Invalid, "the cursor is not of this list").WithField("cursor").WithCure("begin again at the first page")
	}
	return store.Equal{Print: s.Prints.Unalias(alias), Keys: n}, nil
}

// found returns the values that a caller may read several places of; it fails with fault.NotFound if there are none.
func (s *Server) found(ctx context.Context, c call, id string) (store.Equal, error) {
	alias, err := vault.ParseAlias(id)
	if err != nil {
		return store.Equal{}, err
	}
	print := s.Prints.Unalias(alias)
	p, err := s.Equals.Equals(ctx, viewer(c), store.EqualQuery{Limit: 1, Print: &print})
	if err == nil && len(p.Items) == 0 {
		err = s.Gate.Unknown(ctx, c.Actor, policy.DuplicateList, "duplicate", id)
	}
	return first(p.Items), err
}

func (s *Server) duplicate(ctx context.Context, c call, in *DuplicateRef) (*list[client.Duplicate], error) {
	e, err := s.found(ctx, c, in.Duplicate)
	if err != nil {
		return nil, err
	}
	return &list[client.Duplicate]{Body: s.duplicateOf(e)}, nil
}

func (s *Server) duplicatePlaces(ctx context.Context, c call, in *duplicatePlacesIn) (*list[client.Page[client.Holder]], error) {
	e, err := s.found(ctx, c, in.Duplicate)
	if err != nil {
		return nil, err
	}
	p, err := s.Equals.Holders(ctx, viewer(c), store.HolderQuery{Prints: []vault.Fingerprint{e.Print}, Now: true, Search: in.Search, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(h store.Holder) client.Holder { return holderOf(c.Actor, h) }), nil
}

func (s *Server) duplicateOf(e store.Equal) client.Duplicate {
	return client.Duplicate{ID: s.Prints.Alias(e.Print).String(), Keys: e.Keys, Mapped: e.Mapped, Namespaces: e.Namespaces, Clusters: e.Clusters,
		Accounts: e.Accounts, Example: e.Example}
}

// What can be done with a place.
var (
	keyHolderVerbs     = map[string]policy.Operation{"reveal": policy.AccountReveal, "map": policy.MappingCreate}
	accountHolderVerbs = map[string]policy.Operation{"reveal": policy.AccountReveal, "reset": policy.AccountReset}
)

func holderOf(actor identity.Actor, h store.Holder) client.Holder {
	out := client.Holder{
		Kind: "account", AccountID: h.AccountID, AccountName: h.AccountName, ResourceID: h.ResourceID, ResourceName: h.ResourceName, ResourceType: h.ResourceType,
		Mapped: h.Mapped && h.IsKey(), SecretID: h.SecretID, ClusterID: h.ClusterID, ClusterName: h.ClusterName, Namespace: h.Namespace, Secret: h.SecretName, Key: h.Key,
		Gone: h.Gone, Version: h.Version, Stage: h.Stage, VersionAt: h.At,
	}
	if !h.IsKey() {
		out.Can = canOf(actor, policy.Object{Kind: access.Account, ID: h.AccountID, Level: h.Level}, accountHolderVerbs)
		return out
	}
	out.Kind = "key"
	out.Can = canOf(actor, policy.Object{Kind: access.Account, ID: h.SecretID, Level: h.Level}, keyHolderVerbs)
	switch {
	case h.Gone:
		notNow(out.Can, "The Secret was deleted in its cluster", "map")
	case h.Stage != string(inventory.Current):
		notNow(out.Can, "The key holds another value by now", "map")
	case h.Mapped:
		notNow(out.Can, "The key is mapped already", "map")
	}
	return out
}
