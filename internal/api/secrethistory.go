package api

import (
	"context"
	"net/http"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// HistoryReader reads what became of Secrets.
type HistoryReader interface {
	SecretVersions(ctx context.Context, v store.Viewer, q store.SecretVersionQuery) (store.Page[store.SecretVersion], error)
}

// Pushes write to Secrets in their clusters.
type Pushes interface {
	// Restore fails with fault.Stale when rev is not the Secret's revision.
	Restore(ctx context.Context, actor identity.Actor, secretID string, rev, version int64, only []string) (inventory.Restoration, error)
}

type secretRestoreIn struct {
	IfMatch
	SecretRef
	Body client.SecretRestore
}

type secretVersionsIn struct {
	SecretRef
	client.VersionFilter
}

func (s *Server) secretHistoryOps() {
	op(s, operation[secretVersionsIn]{Method: http.MethodGet, Path: "/secrets/{secret}/versions", Op: policy.SecretHistory,
		Summary: "The versions of a Secret, newest first: which keys each changed, by whom and from which side; without values",
		Object:  of[secretVersionsIn](s.secretObject)}, s.secretVersions)
	op(s, operation[secretRestoreIn]{Method: http.MethodPost, Path: "/secrets/{secret}/restore", Op: policy.SecretRestore,
		Summary: "Bring a Secret back to an older version, in its cluster; one that was deleted there is made again", Object: of[secretRestoreIn](s.secretObject)}, s.restoreSecret)
}

func (s *Server) restoreSecret(ctx context.Context, c call, in *secretRestoreIn) (*list[client.SecretRestored], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	done, err := s.Pushes.Restore(ctx, c.Actor, c.Object.ID, rev, in.Body.Version, in.Body.Keys)
	if err != nil {
		return nil, err
	}
	return &list[client.SecretRestored]{Body: client.SecretRestored{Version: done.Version, Made: done.Made, Keys: changesOf(done.Keys)}}, nil
}

func changesOf(all []inventory.KeyChange) []client.KeyChange {
	out := make([]client.KeyChange, len(all))
	for i, k := range all {
		out[i] = client.KeyChange{Name: k.Name, Change: string(k.Change)}
	}
	return out
}

func (s *Server) secretVersions(ctx context.Context, c call, in *secretVersionsIn) (*list[client.Page[client.SecretVersion]], error) {
	p, err := s.Objects.SecretVersions(ctx, viewer(c), store.SecretVersionQuery{SecretID: c.Object.ID, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(v store.SecretVersion) client.SecretVersion {
		can := canOf(c.Actor, c.Object, map[string]policy.Operation{"reveal": policy.AccountReveal, "restore": policy.SecretRestore})
		return client.SecretVersion{Number: v.Number, Stage: string(v.Stage), Source: string(v.Source), Side: sideOf(v.Source), Actor: v.ActorName, CreatedAt: v.CreatedAt,
			RetiredAt: orNil(v.RetiredAt), Keys: changesOf(v.Keys), Can: can}
	}), nil
}

// sideOf says where what a version of that source changed was changed.
func sideOf(s inventory.Source) string {
	if s == inventory.Fetched {
		return "cluster"
	}
	return "keyturn"
}
