package api

import (
	"context"
	"net/http"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// HistoryReader reads what became of Secrets.
type HistoryReader interface {
	SecretVersions(ctx context.Context, v store.Viewer, q store.SecretVersionQuery) (store.Page[store.SecretVersion], error)
}

type secretVersionsIn struct {
	SecretRef
	client.VersionFilter
}

func (s *Server) secretHistoryOps() {
	op(s, operation[secretVersionsIn]{Method: http.MethodGet, Path: "/secrets/{secret}/versions", Op: policy.SecretHistory,
		Summary: "The versions of a Secret, newest first: which keys each changed, by whom and from which side; without values",
		Object:  of[secretVersionsIn](s.secretObject)}, s.secretVersions)
}

func (s *Server) secretVersions(ctx context.Context, c call, in *secretVersionsIn) (*list[client.Page[client.SecretVersion]], error) {
	p, err := s.Objects.SecretVersions(ctx, viewer(c), store.SecretVersionQuery{SecretID: c.Object.ID, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(v store.SecretVersion) client.SecretVersion {
		out := client.SecretVersion{Number: v.Number, Stage: string(v.Stage), Source: string(v.Source), Side: sideOf(v.Source), Actor: v.ActorName, CreatedAt: v.CreatedAt,
			RetiredAt: orNil(v.RetiredAt), Keys: make([]client.KeyChange, len(v.Keys)), Can: canOf(c.Actor, c.Object, map[string]policy.Operation{"reveal": policy.AccountReveal})}
		for i, k := range v.Keys {
			out.Keys[i] = client.KeyChange{Name: k.Name, Change: string(k.Change)}
		}
		return out
	}), nil
}

// sideOf says where what a version of that source changed was changed.
func sideOf(s inventory.Source) string {
	if s == inventory.Fetched {
		return "cluster"
	}
	return "keyturn"
}
