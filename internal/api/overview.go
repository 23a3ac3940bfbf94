package api

import (
	"context"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// Overviews counts what there is. The store has it.
type Overviews interface {
	Overview(ctx context.Context, v store.Viewer) (store.Overview, error)
}

// types is the answer with the kinds of system.
type types struct {
	Items []client.Type `json:"items"`
}

// overviewOps registers the first page, and what the pages that make resources are drawn from.
func (s *Server) overviewOps() {
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/overview", Op: policy.AccountList, ID: "overview.get",
		Summary: "What waits for a person, and counts"},
		func(ctx context.Context, c call, _ *struct{}) (*list[client.Overview], error) {
			// It sums up three lists, so that a token needs the scopes of all of them.
			for _, other := range []policy.Operation{policy.ClusterList, policy.RunList} {
				if _, err := s.Gate.Check(ctx, c.Actor, other, policy.Object{}, ""); err != nil {
					return nil, err
				}
			}
			o, err := s.Overview.Overview(ctx, viewer(c))
			if err != nil {
				return nil, err
			}
			return &list[client.Overview]{Body: overviewOf(o, time.Now().UTC())}, nil
		})
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/types", Op: policy.ResourceList, ID: "type.list", Summary: "Kinds of system that resources can be of"},
		func(context.Context, call, *struct{}) (*list[types], error) {
			return &list[types]{Body: types{Items: append([]client.Type{}, s.Types...)}}, nil
		})
}

func overviewOf(o store.Overview, now time.Time) client.Overview {
	out := client.Overview{AsOf: now, Needs: make([]client.Need, len(o.Needs)), NeedsTotal: o.NeedsTotal,
		Clusters: o.Clusters, Secrets: o.Secrets, Accounts: o.Accounts, Mappings: o.Mappings, Runs: o.Runs, LastProof: orNil(o.LastProof)}
	for i, n := range o.Needs {
		out.Needs[i] = client.Need{Kind: n.Kind, ID: n.ID, Name: n.Name, State: n.State, Reason: n.Reason, Since: orNil(n.Since)}
	}
	out.Due = client.Due{Overdue: o.Due.Overdue, Day: o.Due.Day}
	if next := o.Due.Next; next.ID != "" {
		out.Due.Next = &client.DueAccount{ID: next.ID, Name: next.Name, ResourceName: next.ResourceName, At: next.At}
	}
	return out
}
