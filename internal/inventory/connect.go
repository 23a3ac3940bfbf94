package inventory

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Connection is how a cluster is reached and as whom. Token is as it was pasted, raw or in base64.
type Connection struct {
	Server, CAPEM string
	Token         vault.Value
	Scope         Scope
}

// Connector looks at clusters.
type Connector interface {
	// Check carries the three checks out; it takes half a minute at most.
	Check(ctx context.Context, c Connection) Report
	// Normalise returns the token as it is sent, without base64 around it. It fails with fault.Invalid.
	Normalise(token vault.Value) (vault.Value, error)
}

// ClusterStore keeps clusters. Each change commits its event in the same transaction.
type ClusterStore interface {
	Cluster(ctx context.Context, id string) (Cluster, error)
	// ClusterByUID returns the cluster of a kube-system UID: a connected one before a removed one; fault.NotFound if none.
	ClusterByUID(ctx context.Context, uid string) (Cluster, error)
	// AddCluster fails with fault.Conflict when the name or the UID is taken. ownerID is who gets to manage it; empty
	// for nobody.
	AddCluster(ctx context.Context, c Cluster, ownerID string, ev audit.Event) error
	// UpdateCluster fails with fault.Stale when rev is not the stored one.
	UpdateCluster(ctx context.Context, c Cluster, rev int64, ev audit.Event) error
	// Reattach makes the removed cluster c.ID of revision c.Rev a connected one again.
	Reattach(ctx context.Context, c Cluster, ev audit.Event) error
	// SetClusterState stores what a check showed; ev is recorded if the state is not the one before.
	SetClusterState(ctx context.Context, id string, state ClusterState, reason string, at time.Time, version string, ev audit.Event) error
	RemoveCluster(ctx context.Context, id string, rev int64, ev audit.Event) error
}

// Connections connects clusters, changes and removes their connections. It may be used by several goroutines at once.
type Connections struct {
	Store     ClusterStore
	Connector Connector
	Issuer    Issuer
	Vault     Sealer
	// Owner reports whether the actor needs a grant to manage what it made.
	Owner func(identity.Actor) bool
}

// Sealer seals values.
type Sealer interface {
	Seal(rec vault.Record, v vault.Value) (vault.Sealed, error)
	Open(rec vault.Record, s vault.Sealed) (vault.Value, error)
	Fingerprint(v vault.Value) vault.Fingerprint
}

// TokenRecord is what a cluster's token is bound to when it is sealed.
func TokenRecord(clusterID string) vault.Record {
	return vault.Record{Kind: "cluster-token", ID: clusterID, Version: 1}
}

// NotPassed is a cluster that was not saved because its checks failed.
type NotPassed struct{ Report Report }

// Error names the first failure.
func (e NotPassed) Error() string { return e.Unwrap().Error() }

// Unwrap returns the fault, with the code cluster-test-failed.
func (e NotPassed) Unwrap() error {
	check, step, _ := e.Report.Failure()
	return fault.New(fault.Invalid, "the check of the %s failed: %s", check, step.Cause).WithCode("cluster-test-failed").
		WithCure("%s", step.Cure).WithUnchanged("nothing was saved")
}

// Known says which cluster has the same identity already.
type Known struct {
	Name    string
	ID      string
	Removed bool
}

// Test carries the three checks out and saves nothing. known is set when a cluster of that identity was connected before.
func (s *Connections) Test(ctx context.Context, c Connection) (Report, *Known, error) {
	if err := c.Scope.Validate(); err != nil {
		return Report{}, nil, err
	}
	r := s.Connector.Check(ctx, c)
	if r.UID == "" {
		return r, nil, nil
	}
	have, err := s.Store.ClusterByUID(ctx, r.UID)
	if errors.Is(err, fault.NotFound) {
		return r, nil, nil
	}
	if err != nil {
		return r, nil, err
	}
	return r, &Known{have.Name, have.ID, have.State == ClusterRemoved}, nil
}

// Add connects a cluster whose checks pass. A cluster that was removed before is continued if reattach is set: its
// resources, values and history are its own again; otherwise that is refused with the code cluster-removed-before.
func (s *Connections) Add(ctx context.Context, actor identity.Actor, name string, c Connection, reattach bool) (Cluster, error) {
	if err := ValidateName(name); err != nil {
		return Cluster{}, err
	}
	report, known, err := s.Test(ctx, c)
	if err != nil {
		return Cluster{}, err
	}
	if !report.OK() {
		return Cluster{}, NotPassed{report}
	}
	now := time.Now().UTC()
	cluster := Cluster{ID: uuid.Must(uuid.NewV7()).String(), CreatedAt: now}
	switch {
	case known == nil:
	case !known.Removed:
		return Cluster{}, fault.New(fault.Conflict, "this cluster is connected already, as %s", known.Name).WithCode("cluster-known").
			WithCure("edit %s, or remove it first", known.Name)
	case !reattach:
		return Cluster{}, fault.New(fault.Conflict, "this cluster was connected before, as %s, and removed", known.Name).
			WithCode("cluster-removed-before").WithCure("re-attach it: what came from it is still here and becomes its own again")
	default:
		if cluster, err = s.Store.Cluster(ctx, known.ID); err != nil {
			return Cluster{}, err
		}
	}
	token, err := s.seal(cluster.ID, c.Token)
	if err != nil {
		return Cluster{}, err
	}
	cluster.Name, cluster.Server, cluster.CAPEM, cluster.Scope, cluster.Token = name, c.Server, c.CAPEM, c.Scope, token
	cluster.UID, cluster.Version, cluster.Since, cluster.CheckedAt = report.UID, report.Version, now, now
	cluster.State, cluster.Reason = stateOf(report)
	ev := clusterEvent(actor, "cluster.create", cluster)
	if cluster.Rev > 0 {
		return s.saved(ctx, cluster.ID, s.Store.Reattach(ctx, cluster, ev.With("reattached", "true")))
	}
	owner := ""
	if s.Owner(actor) {
		owner = actor.ID
	}
	return s.saved(ctx, cluster.ID, s.Store.AddCluster(ctx, cluster, owner, ev))
}

func (s *Connections) saved(ctx context.Context, id string, err error) (Cluster, error) {
	if err != nil {
		return Cluster{}, err
	}
	return s.Store.Cluster(ctx, id)
}

func (s *Connections) seal(id string, token vault.Value) (vault.Sealed, error) {
	raw, err := s.Connector.Normalise(token)
	if err != nil {
		return nil, err
	}
	return s.Vault.Seal(TokenRecord(id), raw)
}

func clusterEvent(actor identity.Actor, action string, c Cluster) audit.Event {
	return audit.New(actor, action, audit.Object{Kind: "cluster", ID: c.ID, Name: c.Name}).With("server", c.Server)
}

// ClusterEdit changes what is set. Token is empty to keep the one that is stored.
type ClusterEdit struct {
	Name, Server, CAPEM *string
	Scope               *Scope
	Token               *vault.Value
}

// Edited returns cluster with the edit, and its connection. The stored token goes to no other host and is sent under no
// other CA than those it was given for: changing them without a new token fails with fault.Invalid.
func (s *Connections) Edited(cluster Cluster, e ClusterEdit) (Cluster, Connection, error) {
	moved := e.Server != nil && *e.Server != cluster.Server || e.CAPEM != nil && *e.CAPEM != cluster.CAPEM
	if moved && e.Token == nil {
		return cluster, Connection{}, fault.New(fault.Invalid, "another server or CA needs the token again, since the stored one is sent nowhere else").
			WithField("token").WithCure("paste the connector's token")
	}
	set(&cluster.Name, e.Name)
	set(&cluster.Server, e.Server)
	set(&cluster.CAPEM, e.CAPEM)
	set(&cluster.Scope, e.Scope)
	c := Connection{Server: cluster.Server, CAPEM: cluster.CAPEM, Scope: cluster.Scope}
	if e.Token != nil {
		c.Token = *e.Token
		return cluster, c, nil
	}
	var err error
	c.Token, err = s.Vault.Open(TokenRecord(cluster.ID), cluster.Token)
	return cluster, c, err
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// Retest carries the checks of a saved cluster out, with the edit that is not saved. Without an edit it stores the state
// that they showed.
func (s *Connections) Retest(ctx context.Context, actor identity.Actor, id string, e ClusterEdit) (Report, error) {
	have, err := s.cluster(ctx, id)
	if err != nil {
		return Report{}, err
	}
	edited, c, err := s.Edited(have, e)
	if err != nil {
		return Report{}, err
	}
	if err := edited.Scope.Validate(); err != nil {
		return Report{}, err
	}
	r := foreign(s.Connector.Check(ctx, c), have)
	if e == (ClusterEdit{}) {
		state, reason := stateOf(r)
		ev := clusterEvent(actor, "cluster.state", have).With("state", string(state))
		return r, s.Store.SetClusterState(ctx, id, state, reason, time.Now().UTC(), r.Version, ev)
	}
	return r, nil
}

// LongLived is the code of a step of the token's check that is done with a warning: the cluster is reached with the
// long-lived token, since it could not be exchanged for short ones.
const LongLived = "cluster-token-long-lived"

// stateOf is what a report says of a connected cluster, and why. A cluster that works with its long-lived token is
// degraded: who copied that token can use it until somebody deletes it.
func stateOf(r Report) (ClusterState, string) {
	state, reason := r.ClusterState()
	if state != ClusterConnected {
		return state, reason
	}
	for _, check := range r.Checks {
		for _, step := range check.Steps {
			if step.Code == LongLived {
				return ClusterDegraded, step.Cause
			}
		}
	}
	return state, reason
}

// foreign fails a report that is of another cluster than the one that was saved.
func foreign(r Report, have Cluster) Report {
	if r.UID == "" || have.UID == "" || r.UID == have.UID {
		return r
	}
	last := &r.Checks[len(r.Checks)-1]
	last.State = CheckFailed
	last.Steps = append(last.Steps, CheckStep{Name: "same-cluster", State: CheckFailed, Code: "cluster-other",
		Cause: "this is another cluster than the one that was connected here", Cure: "connect it under a name of its own"})
	return r
}

// Change saves an edit whose checks pass. It fails with fault.Stale when rev is not the stored one.
func (s *Connections) Change(ctx context.Context, actor identity.Actor, id string, rev int64, e ClusterEdit) (Cluster, error) {
	have, err := s.cluster(ctx, id)
	if err != nil {
		return Cluster{}, err
	}
	if e.Name != nil {
		if err := ValidateName(*e.Name); err != nil {
			return Cluster{}, err
		}
	}
	edited, c, err := s.Edited(have, e)
	if err != nil {
		return Cluster{}, err
	}
	if err := edited.Scope.Validate(); err != nil {
		return Cluster{}, err
	}
	r := foreign(s.Connector.Check(ctx, c), have)
	if !r.OK() {
		return Cluster{}, NotPassed{r}
	}
	if e.Token != nil {
		if edited.Token, err = s.seal(id, *e.Token); err != nil {
			return Cluster{}, err
		}
	}
	now := time.Now().UTC()
	state, reason := stateOf(r)
	if edited.State != state {
		edited.Since = now
	}
	edited.State, edited.Reason, edited.Version, edited.UID, edited.CheckedAt = state, reason, r.Version, r.UID, now
	return s.saved(ctx, id, s.Store.UpdateCluster(ctx, edited, rev, clusterEvent(actor, "cluster.update", edited)))
}

// Remove ends the association and wipes the token. What came from the cluster stays and says so.
func (s *Connections) Remove(ctx context.Context, actor identity.Actor, id string, rev int64) error {
	have, err := s.cluster(ctx, id)
	if err != nil {
		return err
	}
	return s.Store.RemoveCluster(ctx, id, rev, clusterEvent(actor, "cluster.delete", have))
}

// cluster returns a cluster that is connected.
func (s *Connections) cluster(ctx context.Context, id string) (Cluster, error) {
	c, err := s.Store.Cluster(ctx, id)
	if err == nil && c.State == ClusterRemoved {
		err = fault.New(fault.Conflict, "the cluster %s was removed", c.Name).WithCode("cluster-removed").WithCure("connect it again")
	}
	return c, err
}

var (
	clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$`)
	namespace   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

// ValidateName fails with fault.Invalid unless name can be a cluster's: it stands in resource names, paths and URLs.
func ValidateName(name string) error {
	if !clusterName.MatchString(name) {
		return fault.New(fault.Invalid, "that is no name for a cluster").WithField("name").
			WithCure("use up to 63 lower-case letters, digits, dots and dashes")
	}
	return nil
}

// Validate fails with fault.Invalid unless the scope names the whole cluster or at least one well-formed namespace. Who
// replaces Secrets writes them and restarts what reads them.
func (s Scope) Validate() error {
	if s.Replace && (!s.ReadWrite || !s.Restart) {
		return fault.New(fault.Invalid, "a connector replaces immutable Secrets only if it may write Secrets and restart workloads").
			WithField("scope").WithCure("choose read-write access and restarts too")
	}
	if s.WholeCluster {
		return nil
	}
	if len(s.Namespaces) == 0 {
		return fault.New(fault.Invalid, "no namespace is chosen").WithField("scope").WithCure("name one, or choose the whole cluster")
	}
	for _, ns := range s.Namespaces {
		if !namespace.MatchString(ns) {
			return fault.New(fault.Invalid, "a namespace's name is not one").WithField("scope").WithCure("use lower-case letters, digits and dashes")
		}
	}
	return nil
}
