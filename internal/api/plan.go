package api

import (
	"context"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
)

// Plans says what resets would do, and has them rehearsed.
type Plans interface {
	Foresee(ctx context.Context, accountID string) (rotation.Forecast, error)
	// Ask has a run rehearsed soon. It fails with fault.Conflict while one is open.
	Ask(ctx context.Context, actor identity.Actor, accountID string) error
	// Rehearsal returns the last one, without a time if there was none, and whether somebody asked for another.
	Rehearsal(ctx context.Context, accountID string) (last rotation.Rehearsal, asked bool, err error)
}

func (s *Server) planOps() {
	ofAccount := of[AccountRef](s.accountObject)
	op(s, operation[AccountRef]{Method: http.MethodGet, Path: "/accounts/{account}/plan", Op: policy.AccountPlan,
		Summary: "What a reset of an account would do now, and to whom", Object: ofAccount}, s.plan)
	op(s, operation[AccountRef]{Method: http.MethodGet, Path: "/accounts/{account}/rehearsal", Op: policy.AccountPlan, ID: "account.rehearsal",
		Summary: "What the last rehearsal of a reset found", Object: ofAccount}, s.rehearsal)
	op(s, operation[AccountRef]{Method: http.MethodPost, Path: "/accounts/{account}/rehearsal", Op: policy.AccountRehearse, Status: http.StatusAccepted,
		Summary: "Try the whole way of a reset without changing anything", Object: ofAccount},
		func(ctx context.Context, c call, in *AccountRef) (*list[client.Rehearsal], error) {
			if err := s.Plans.Ask(ctx, c.Actor, c.Object.ID); err != nil {
				return nil, err
			}
			return s.rehearsal(ctx, c, in)
		})
}

// planVerbs are what can be done with a plan.
var planVerbs = map[string]policy.Operation{"reset": policy.AccountReset, "rehearse": policy.AccountRehearse}

func (s *Server) plan(ctx context.Context, c call, _ *AccountRef) (*list[client.Plan], error) {
	row, err := only(s.Objects.Accounts(ctx, viewer(c), store.AccountQuery{ID: c.Object.ID}))
	if err != nil {
		return nil, err
	}
	f, err := s.Plans.Foresee(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	can := canOf(c.Actor, c.Object, planVerbs)
	if f.OpenRun {
		notNow(can, "A reset of this account is under way", "reset", "rehearse")
	}
	out := client.Plan{
		Hash: f.Hash, At: f.At, AccountID: row.ID, AccountName: row.Name, ResourceID: row.ResourceID, ResourceName: row.ResourceName, ResourceType: row.ResourceType,
		Current: f.Account.Current, Strategy: string(f.Strategy), Policy: f.Policy.Name, PolicyBecause: sentence(f.Because), Waves: f.Waves,
		Blast: client.PlanBlast{Clusters: f.Blast.Clusters, Secrets: f.Blast.Secrets, Keys: f.Blast.Keys, Blocked: f.Blast.Blocked, Workloads: f.Blast.Workloads,
			Restarts: f.Blast.Restarts, Pods: f.Blast.Pods, SingleReplica: f.Blast.SingleReplicas},
		Keys: make([]client.PlanKey, len(f.Keys)), Workloads: make([]client.PlanWorkload, len(f.Workloads)), Warnings: planWarnings(f.Warnings),
		Estimate: estimateOf(f.Estimate), Lockout: lockoutOf(f.Lockout), Can: can,
	}
	for i, k := range f.Keys {
		out.Keys[i] = planKeyOf(k)
	}
	for i, w := range f.Workloads {
		out.Workloads[i] = planWorkloadOf(w)
	}
	for _, u := range f.Unseen {
		out.Unseen = append(out.Unseen, sentence(u))
	}
	return &list[client.Plan]{Body: out}, nil
}

// ownerWords are the kinds of owner in the API's words.
var ownerWords = map[rotation.OwnerKind]string{
	rotation.OwnerNone: "none", rotation.OwnerKeyturn: "keyturn", rotation.OwnerOneShot: "one_shot", rotation.OwnerReconciler: "reconciler",
}

func planKeyOf(k rotation.KeyForecast) client.PlanKey {
	out := client.PlanKey{MappingID: k.MappingID, ClusterID: k.ClusterID, Cluster: k.ClusterName, SecretID: k.SecretID, Namespace: k.Namespace, Secret: k.Name, Key: k.Key,
		Wave: k.Wave, OnWrite: string(k.OnWrite), Place: placeOf(k.Place), State: string(k.State), Immutable: k.Immutable, Instead: k.Instead, Reason: sentence(k.Reason), Cure: sentence(k.Cure)}
	if k.State != rotation.KeyUnseen {
		out.Owner, out.OwnerName = ownerWords[k.Owner.Kind], k.Owner.Name
	}
	return out
}

func planWorkloadOf(w rotation.WorkloadForecast) client.PlanWorkload {
	out := client.PlanWorkload{ClusterID: w.ClusterID, Cluster: w.ClusterName, Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, UID: w.UID, Wave: w.Wave,
		Action: string(w.Action), Reason: sentence(w.Reason), Cure: sentence(w.Cure), Pods: w.Wanted, Ready: w.Ready, Uses: make([]client.PlanUse, len(w.Uses)),
		Warnings: planWarnings(w.Weigh), Lockout: lockoutOf(w.Lockout)}
	for i, u := range w.Uses {
		out.Uses[i] = client.PlanUse{Secret: u.Secret, Keys: u.Keys, How: u.How, Container: u.Container, Init: u.Init, At: u.At, Optional: u.Optional,
			Refreshes: u.Refreshes, InPodsOnly: u.InPodsOnly}
	}
	return out
}

func planWarnings(all []rotation.Warning) []client.PlanWarning {
	var out []client.PlanWarning
	for _, w := range all {
		out = append(out, client.PlanWarning{Code: w.Code, Text: sentence(w.Text), Cure: sentence(w.Cure), Blocks: w.Blocks})
	}
	return out
}

// seconds rounds up, so that what takes a moment is not told as nothing.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func estimateOf(e rotation.Estimate) client.PlanEstimate {
	out := client.PlanEstimate{Seconds: seconds(e.Total), Basis: sentence(e.Basis), Steps: make([]client.PlanStepTime, len(e.Steps))}
	for i, s := range e.Steps {
		from := "assumed"
		if s.Measured > 0 {
			from = "measured"
		}
		out.Steps[i] = client.PlanStepTime{Step: string(s.Step), Seconds: seconds(s.Took), From: from, Runs: s.Measured}
	}
	return out
}

func lockoutOf(l *rotation.Lockout) *client.PlanLockout {
	if l == nil {
		return nil
	}
	return &client.PlanLockout{Seconds: seconds(l.For), OpenEnded: l.OpenEnded, Until: sentence(l.Until)}
}

func (s *Server) rehearsal(ctx context.Context, c call, _ *AccountRef) (*list[client.Rehearsal], error) {
	row, err := only(s.Objects.Accounts(ctx, viewer(c), store.AccountQuery{ID: c.Object.ID}))
	if err != nil {
		return nil, err
	}
	last, asked, err := s.Plans.Rehearsal(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	can := canOf(c.Actor, policy.Object{Kind: access.Account, ID: row.ID, Level: c.Object.Level}, planVerbs)
	if row.OpenRun != "" {
		notNow(can, "A reset of this account is under way", "reset", "rehearse")
	}
	out := client.Rehearsal{AccountID: row.ID, AccountName: row.Name, ResourceID: row.ResourceID, ResourceName: row.ResourceName, State: row.Readiness,
		Reason: sentence(row.ReadyReason), Cure: sentence(last.Cure), At: orNil(last.At), NextAt: orNil(row.Plan.RehearseAt), Actor: last.By.Name,
		Steps: make([]client.RehearsalStep, len(last.Steps)), Can: can}
	if asked {
		out.State = "running"
		notNow(can, "A rehearsal is under way", "rehearse")
	}
	for i, x := range last.Steps {
		out.Steps[i] = client.RehearsalStep{Name: string(x.Name), State: string(x.State), Object: x.Object, Cluster: x.Cluster, Proved: sentence(x.Proved),
			Reason: sentence(x.Reason), Cure: sentence(x.Cure)}
	}
	return &list[client.Rehearsal]{Body: out}, nil
}
