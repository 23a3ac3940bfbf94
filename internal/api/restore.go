package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
)

// Restores says whether the repository was restored from an old backup, and ends that.
type Restores interface {
	// Restores returns every restore, the newest first. One that is not ended is the first.
	Restores(ctx context.Context) ([]rotation.Restore, error)
	// RestoredAccounts returns what is known of each account since, those that wait for a person first.
	RestoredAccounts(ctx context.Context, restoreID string) ([]rotation.RestoredAccount, error)
	// Witnesses returns what each cluster keeps of how far the repository has come, by its name.
	Witnesses() map[string]rotation.Witness
	// Recheck has accounts checked again; none means all that wait for a person.
	Recheck(ctx context.Context, actor identity.Actor, accountIDs []string) error
	// Accept ends the restore. It fails with fault.Conflict while accounts are to be checked, or when one that is not settled is
	// not among those that are accepted.
	Accept(ctx context.Context, actor identity.Actor, accountIDs []string) error
}

type (
	restoreCheckIn      struct{ Body client.RestoreCheck }
	restoreAcceptanceIn struct{ Body client.RestoreAcceptance }
)

// restoreOps registers what a restore from an old backup asks of an administrator.
func (s *Server) restoreOps() {
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/restore", Op: policy.RestoreGet, Summary: "Whether the repository was restored from an old backup, and what is known since"},
		func(ctx context.Context, _ call, _ *struct{}) (*list[client.Restore], error) { return s.restore(ctx) })
	op(s, operation[restoreCheckIn]{Method: http.MethodPost, Path: "/restore/check", Op: policy.RestoreCheck, Summary: "Check accounts again after a restore"},
		func(ctx context.Context, c call, in *restoreCheckIn) (*list[client.Restore], error) {
			if err := s.Restores.Recheck(ctx, c.Actor, in.Body.Accounts); err != nil {
				return nil, err
			}
			return s.restore(ctx)
		})
	op(s, operation[restoreAcceptanceIn]{Method: http.MethodPost, Path: "/restore/accept", Op: policy.RestoreAccept, Summary: "End a restore, with what is not known"},
		func(ctx context.Context, c call, in *restoreAcceptanceIn) (*list[client.Restore], error) {
			if err := s.Restores.Accept(ctx, c.Actor, in.Body.Accounts); err != nil {
				return nil, err
			}
			return s.restore(ctx)
		})
}

func (s *Server) restore(ctx context.Context) (*list[client.Restore], error) {
	all, err := s.Restores.Restores(ctx)
	if err != nil {
		return nil, err
	}
	out := client.Restore{State: "normal", Counts: map[string]int64{}, Accounts: []client.RestoredAccount{}, Witnesses: []client.RestoreWitness{}, Ended: []client.EndedRestore{}}
	for name, w := range s.Restores.Witnesses() {
		out.Witnesses = append(out.Witnesses, client.RestoreWitness{Cluster: name, Entries: w.Size, Problem: sentence(w.Problem)})
	}
	slices.SortFunc(out.Witnesses, func(a, b client.RestoreWitness) int { return cmp.Compare(a.Cluster, b.Cluster) })
	for _, r := range all {
		if r.EndedAt.IsZero() {
			out.State, out.SeenIn, out.FoundAt, out.Entries, out.Had = "restored", r.SeenIn, orNil(r.FoundAt), r.Inside, r.Outside
			accounts, err := s.Restores.RestoredAccounts(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			for _, a := range accounts {
				out.Accounts = append(out.Accounts, restoredOf(a))
				out.Counts[string(a.State)]++
			}
			continue
		}
		out.Ended = append(out.Ended, client.EndedRestore{FoundAt: r.FoundAt, EndedAt: r.EndedAt, EndedBy: r.EndedBy, Entries: r.Inside, Had: r.Outside})
	}
	return &list[client.Restore]{Body: out}, nil
}

func restoredOf(a rotation.RestoredAccount) client.RestoredAccount {
	out := client.RestoredAccount{ID: a.AccountID, Name: a.Name, State: string(a.State), Reason: sentence(a.Reason), Cure: sentence(a.Cure), Tried: []string{}, Run: a.RunID, At: orNil(a.At)}
	for _, t := range a.Tried {
		out.Tried = append(out.Tried, t.What)
	}
	return out
}
