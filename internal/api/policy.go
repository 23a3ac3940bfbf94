package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
	"github.com/keyturn/keyturn/internal/store"
)

// Policies keeps what values look like and when they are changed.
type Policies interface {
	PolicyKeeper
	// Explain returns the policies that are for an account, the one that applies first, and what follows from it.
	Explain(ctx context.Context, accountID string) ([]rotation.Applies, rotation.Plan, error)
	// EntropyBits returns how hard a value of a password policy's document is to guess.
	EntropyBits(document string) (float64, error)
	// AssignmentNames returns the names of the accounts and resources that assignments name, by the assignment's id, as far as
	// v may know of them.
	AssignmentNames(ctx context.Context, v store.Viewer) (map[string]string, error)
	// Followers returns the accounts that v may know of by the id of the policy that they follow.
	Followers(ctx context.Context, v store.Viewer) (map[string]store.Followers, error)
}

// PolicyKeeper makes, changes and deletes policies.
type PolicyKeeper interface {
	All(ctx context.Context) ([]rotation.Policy, error)
	Find(ctx context.Context, ref string) (rotation.Policy, error)
	Create(ctx context.Context, actor identity.Actor, change rotation.PolicyChange) (rotation.Policy, error)
	Change(ctx context.Context, actor identity.Actor, id string, rev int64, change rotation.PolicyChange) (rotation.Policy, error)
	Delete(ctx context.Context, actor identity.Actor, id string, rev int64) error
	// Preview returns when values would be changed under a policy like this.
	Preview(change rotation.PolicyChange, now time.Time) ([]schedule.Due, error)
	Assign(ctx context.Context, actor identity.Actor, policyID string, by rotation.By, pattern string) (rotation.Policy, error)
	Unassign(ctx context.Context, actor identity.Actor, policyID, id string) error
}

// PolicyRef names a policy.
type PolicyRef struct {
	Policy string `path:"policy" maxLength:"64" doc:"id or name"`
}

func (r PolicyRef) ref() string { return r.Policy }

type (
	newPolicyIn    struct{ Body client.NewPolicy }
	policyChangeIn struct {
		IfMatch
		PolicyRef
		Body client.PolicyChange
	}
	policyDeleteIn struct {
		IfMatch
		PolicyRef
	}
	draftIn  struct{ Body client.PolicyDraft }
	assignIn struct {
		PolicyRef
		Body client.NewPolicyAssignment
	}
	unassignIn struct {
		PolicyRef
		Assignment string `path:"assignment" maxLength:"64"`
	}
	scheduleIn struct {
		client.ScheduleFilter
		Query
	}
)

func (s *Server) policyOps() {
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/policies", Op: policy.PolicyList, Summary: "Policies"}, s.policies)
	op(s, operation[newPolicyIn]{Method: http.MethodPost, Path: "/policies", Op: policy.PolicyCreate, Status: http.StatusCreated, Summary: "Make a policy"}, s.addPolicy)
	op(s, operation[draftIn]{Method: http.MethodPost, Path: "/policies/preview", Op: policy.PolicyList, ID: "policy.preview",
		Summary: "When values would be changed under a policy, and how hard they would be to guess; nothing is stored"}, s.previewPolicy)
	op(s, operation[PolicyRef]{Method: http.MethodGet, Path: "/policies/{policy}", Op: policy.PolicyGet, Summary: "One policy", Object: of[PolicyRef](s.policyObject)},
		func(ctx context.Context, c call, _ *PolicyRef) (*answer[client.Policy], error) {
			return s.policy(ctx, c, c.Object.ID)
		})
	op(s, operation[policyChangeIn]{Method: http.MethodPatch, Path: "/policies/{policy}", Op: policy.PolicyUpdate, Summary: "Change a policy",
		Object: of[policyChangeIn](s.policyObject)}, s.changePolicy)
	op(s, operation[policyDeleteIn]{Method: http.MethodDelete, Path: "/policies/{policy}", Op: policy.PolicyDelete, Summary: "Delete a policy with its assignments",
		Object: of[policyDeleteIn](s.policyObject)}, remove[policyDeleteIn](func(ctx context.Context, a identity.Actor, id string, rev int64) error {
		return s.Policies.Delete(ctx, a, id, rev)
	}))
	op(s, operation[assignIn]{Method: http.MethodPost, Path: "/policies/{policy}/assignments", Op: policy.PolicyAssign, Status: http.StatusCreated,
		Summary: "Have a policy apply to accounts", Object: of[assignIn](s.policyObject)}, s.assign)
	op(s, operation[unassignIn]{Method: http.MethodDelete, Path: "/policies/{policy}/assignments/{assignment}", Op: policy.PolicyAssign, ID: "policy.unassign",
		Summary: "Take an assignment away", Object: of[unassignIn](s.policyObject)},
		func(ctx context.Context, c call, in *unassignIn) (*none, error) {
			return &none{}, s.Policies.Unassign(ctx, c.Actor, c.Object.ID, in.Assignment)
		})
	op(s, operation[AccountRef]{Method: http.MethodGet, Path: "/accounts/{account}/policy", Op: policy.AccountGet, ID: "account.policy",
		Summary: "Which policy applies to an account, and why", Object: of[AccountRef](s.accountObject)}, s.explain)
	op(s, operation[scheduleIn]{Method: http.MethodGet, Path: "/schedule", Op: policy.AccountList, ID: "schedule.list",
		Summary: "Accounts that are due to be changed, those that are overdue first"}, s.schedule)
}

func (s *Server) policyObject(ctx context.Context, ref string) (policy.Object, string, error) {
	found, err := s.Policies.Find(ctx, ref)
	return about("policy", ref, found.ID, found.Name, err)
}

func (s *Server) policies(ctx context.Context, c call, _ *struct{}) (*list[items[client.Policy]], error) {
	all, err := s.Policies.All(ctx)
	if err != nil {
		return nil, err
	}
	known, err := s.knownOfPolicies(ctx, c)
	if err != nil {
		return nil, err
	}
	out := make([]client.Policy, len(all))
	for i, p := range all {
		if out[i], err = s.policyOf(c, p, known); err != nil {
			return nil, err
		}
	}
	return &list[items[client.Policy]]{Body: items[client.Policy]{out}}, nil
}

func (s *Server) policy(ctx context.Context, c call, id string) (*answer[client.Policy], error) {
	p, err := s.Policies.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	known, err := s.knownOfPolicies(ctx, c)
	if err != nil {
		return nil, err
	}
	out, err := s.policyOf(c, p, known)
	return &answer[client.Policy]{ETag: etag(p.Rev), Body: out}, err
}

// knownOfPolicies is what a caller may know of that policies are for.
type knownOfPolicies struct {
	names     map[string]string // by the id of the assignment
	followers map[string]store.Followers
}

func (s *Server) knownOfPolicies(ctx context.Context, c call) (k knownOfPolicies, err error) {
	if k.names, err = s.Policies.AssignmentNames(ctx, viewer(c)); err != nil {
		return k, err
	}
	k.followers, err = s.Policies.Followers(ctx, viewer(c))
	return k, err
}

func (s *Server) previewPolicy(_ context.Context, _ call, in *draftIn) (*list[client.PolicyPreview], error) {
	change, err := policyChange(client.PolicyChange{Password: &in.Body.Password, Rotation: &in.Body.Rotation})
	if err != nil {
		return nil, err
	}
	due, err := s.Policies.Preview(change, time.Now())
	if err != nil {
		return nil, err
	}
	out := client.PolicyPreview{Next: make([]client.PolicyTime, len(due))}
	for i, d := range due {
		out.Next[i] = client.PolicyTime{At: d.At.UTC(), Why: d.Why}
	}
	out.EntropyBits, err = s.Policies.EntropyBits(*change.Password)
	return &list[client.PolicyPreview]{Body: out}, err
}

func (s *Server) addPolicy(ctx context.Context, c call, in *newPolicyIn) (*answer[client.Policy], error) {
	b := in.Body
	change, err := policyChange(client.PolicyChange{Name: &b.Name, Description: &b.Description, Password: &b.Password, History: &b.History, Rotation: &b.Rotation})
	if err != nil {
		return nil, err
	}
	made, err := s.Policies.Create(ctx, c.Actor, change)
	if err != nil {
		return nil, err
	}
	return s.policy(ctx, c, made.ID)
}

func (s *Server) changePolicy(ctx context.Context, c call, in *policyChangeIn) (*answer[client.Policy], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	change, err := policyChange(in.Body)
	if err != nil {
		return nil, err
	}
	if _, err := s.Policies.Change(ctx, c.Actor, c.Object.ID, rev, change); err != nil {
		return nil, err
	}
	return s.policy(ctx, c, c.Object.ID)
}

// assign names accounts and resources by their ids, so that a name that is given to something else later means nothing.
func (s *Server) assign(ctx context.Context, c call, in *assignIn) (*answer[client.Policy], error) {
	by, pattern := rotation.By(in.Body.By), in.Body.Pattern
	var obj policy.Object
	var err error
	switch by {
	case rotation.ByAccount:
		obj, _, err = s.accountObject(ctx, pattern)
	case rotation.ByResource:
		obj, _, err = s.resourceObject(ctx, pattern)
	case rotation.ByLabel, rotation.ByRule:
		obj.ID = pattern
	}
	if err != nil {
		return nil, hide(err)
	}
	if _, err := s.Policies.Assign(ctx, c.Actor, c.Object.ID, by, obj.ID); err != nil {
		return nil, err
	}
	return s.policy(ctx, c, c.Object.ID)
}

func (s *Server) explain(ctx context.Context, c call, _ *AccountRef) (*list[client.PolicyExplanation], error) {
	row, err := only(s.Objects.Accounts(ctx, viewer(c), store.AccountQuery{ID: c.Object.ID}))
	if err != nil {
		return nil, err
	}
	all, plan, err := s.Policies.Explain(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	out := client.PolicyExplanation{AccountID: row.ID, AccountName: row.Name, ResourceName: row.ResourceName, NextAt: orNil(plan.NextAt), NextWhy: plan.NextWhy,
		Overdue: overdue(plan.OverdueAt), CheckAt: orNil(plan.CheckAt), Applying: make([]client.PolicyReason, len(all))}
	for i, a := range all {
		out.Applying[i] = client.PolicyReason{PolicyID: a.Policy.ID, Policy: a.Policy.Name, By: string(a.By), Pattern: a.Pattern, Because: sentence(a.Because)}
	}
	return &list[client.PolicyExplanation]{Body: out}, nil
}

func overdue(at time.Time) bool { return !at.IsZero() && !at.After(time.Now()) }

func (s *Server) schedule(ctx context.Context, c call, in *scheduleIn) (*list[client.Page[client.Account]], error) {
	q, err := s.accountQuery(ctx, in.AccountFilter, in.Query)
	if err != nil {
		return nil, err
	}
	q.Scheduled, q.Overdue = true, in.Overdue
	if in.Within != "" {
		within, err := schedule.ParseSpan(in.Within, "within")
		if err != nil {
			return nil, err
		}
		q.Before = time.Now().Add(within)
	}
	p, err := s.Objects.Accounts(ctx, viewer(c), q)
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(row store.AccountRow) client.Account { return accountOf(c.Actor, row) }), nil
}

// policyChange turns a change of the wire into one of the core. The password's part becomes a document of its own.
func policyChange(in client.PolicyChange) (rotation.PolicyChange, error) {
	out := rotation.PolicyChange{Name: in.Name, Description: in.Description, History: in.History}
	if in.Password != nil {
		text, err := json.Marshal(in.Password)
		if err != nil {
			return out, err
		}
		document := string(text)
		if document == "{}" {
			document = ""
		}
		out.Password = &document
	}
	if r := in.Rotation; r != nil {
		rules := rotation.Rules{Rules: schedule.Rules{Every: r.Every, Cron: r.Cron, Zone: r.Zone, Windows: r.Windows, Jitter: r.Jitter, MaxAge: r.MaxAge},
			OnReveal: r.OnReveal, Heartbeat: r.Heartbeat, Rehearse: r.Rehearse, Waves: rotation.Waves{Canary: r.Canary, Size: r.WaveSize, Pause: r.WavePause}, OnStuck: rotation.OnStuck(r.OnStuck), Immutable: rotation.Immutable(r.Immutable),
			Restarts: rotation.Restarts{Order: r.RestartOrder, Windows: r.RestartWindows}}
		for _, b := range r.Blackouts {
			rules.Blackouts = append(rules.Blackouts, schedule.Blackout{From: b.From, To: b.To, Why: b.Why})
		}
		for _, f := range r.Reconcile {
			rules.Reconcile = append(rules.Reconcile, rotation.Failure(f))
		}
		out.Rules = &rules
	}
	return out, nil
}

// policyVerbs are what can be done with a policy.
var policyVerbs = map[string]policy.Operation{"update": policy.PolicyUpdate, "delete": policy.PolicyDelete, "assign": policy.PolicyAssign}

// policyOf leaves out the accounts and resources that are not known.
func (s *Server) policyOf(c call, p rotation.Policy, known knownOfPolicies) (client.Policy, error) {
	can := canOf(c.Actor, policy.Object{Kind: "policy", ID: p.ID}, policyVerbs)
	if p.ID == rotation.DefaultPolicy {
		notNow(can, "It is for every account that no other policy is for", "delete", "assign")
	}
	r := p.Rules
	out := client.Policy{ID: p.ID, Name: p.Name, Description: p.Description, BuiltIn: p.ID == rotation.DefaultPolicy, History: p.History,
		Rotation: client.PolicyRotation{Every: r.Every, Cron: r.Cron, Zone: r.Zone, Windows: r.Windows, Jitter: r.Jitter, MaxAge: r.MaxAge, OnReveal: r.OnReveal, Heartbeat: r.Heartbeat,
			Rehearse: r.Rehearse, Canary: r.Waves.Canary, WaveSize: r.Waves.Size, WavePause: r.Waves.Pause, OnStuck: string(r.OnStuck), Immutable: string(r.Immutable),
			RestartOrder: r.Restarts.Order, RestartWindows: r.Restarts.Windows},
		CreatedAt: orNil(p.CreatedAt), Rev: p.Rev, Can: can, Assignments: []client.PolicyAssignment{}}
	f := known.followers[p.ID]
	out.Accounts, out.Overdue, out.NextAt = f.Accounts, f.Overdue, orNil(f.NextAt)
	for _, b := range r.Blackouts {
		out.Rotation.Blackouts = append(out.Rotation.Blackouts, client.Blackout{From: b.From, To: b.To, Why: b.Why})
	}
	for _, f := range r.Reconcile {
		out.Rotation.Reconcile = append(out.Rotation.Reconcile, string(f))
	}
	for _, a := range p.Assignments {
		name, ok := known.names[a.ID]
		if !ok && (a.By == rotation.ByAccount || a.By == rotation.ByResource) {
			continue
		}
		out.Assignments = append(out.Assignments, client.PolicyAssignment{ID: a.ID, By: string(a.By), Pattern: a.Pattern, Name: name})
	}
	if p.Password != "" {
		if err := json.Unmarshal([]byte(p.Password), &out.Password); err != nil {
			return out, fault.New(fault.Conflict, "the stored password policy cannot be read").WithCure("change the policy's password part")
		}
	}
	var err error
	out.EntropyBits, err = s.Policies.EntropyBits(p.Password)
	return out, err
}

// planned adds what follows for an account from its policy.
func planned(a client.Account, row store.AccountRow) client.Account {
	a.Policy, a.PolicyBecause, a.NextAt, a.NextWhy = row.Policy, sentence(row.Plan.Because), orNil(row.Plan.NextAt), row.Plan.NextWhy
	a.Overdue, a.CheckAt = overdue(row.Plan.OverdueAt), orNil(row.Plan.CheckAt)
	a.Readiness, a.ReadyReason, a.RehearsedAt, a.RehearseAt = row.Readiness, sentence(row.ReadyReason), orNil(row.RehearsedAt), orNil(row.Plan.RehearseAt)
	return a
}
