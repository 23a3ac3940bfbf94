// Package app joins the parts: it gives each core package the small interfaces that it declared, made from the mechanisms
// that carry them out.
package app

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/password"
	"github.com/keyturn/keyturn/internal/vault"
)

// AccountStore is what Targets reads of the repository.
type AccountStore interface {
	Account(ctx context.Context, id string) (inventory.Account, error)
	Resource(ctx context.Context, id string) (inventory.Resource, error)
	Sealed(ctx context.Context, accountID string, version int64) (vault.Sealed, error)
	// Login returns whose value a version is; empty for the account's name.
	Login(ctx context.Context, accountID string, version int64) (string, error)
}

// Targets finds the real system behind an account. It may be used by several goroutines at once.
type Targets struct {
	Store    AccountStore
	Ring     *vault.Ring
	Registry *target.Registry
	// Policy returns the document of the password policy that applies to an account; empty is the default. Nil: there are none.
	Policy func(ctx context.Context, accountID string) (string, error)
	// Inside reaches what is inside of clusters.
	Inside Insides
}

// Insides knows the ways to what is in clusters.
type Insides interface {
	// Way returns what opens connections to ports of what t names, as kube.Conn.DialInside does. It fails when the cluster was
	// removed.
	Way(ctx context.Context, t inventory.Through) (func(ctx context.Context, port int) (net.Conn, error), error)
	// Tokens returns a cluster as the type of its ServiceAccounts' tokens needs it. It fails as Way does.
	Tokens(ctx context.Context, clusterID string) (target.Cluster, error)
}

var _ rotation.Targets = Targets{}

// Open implements rotation.Targets.
func (t Targets) Open(ctx context.Context, accountID string) (rotation.Target, error) {
	account, err := t.Store.Account(ctx, accountID)
	if err != nil {
		return nil, err
	}
	resource, err := t.Store.Resource(ctx, account.ResourceID)
	if err != nil {
		return nil, err
	}
	kind, err := t.Registry.Target(resource.Type)
	if err != nil {
		return nil, err
	}
	if resource.Through != (inventory.Through{}) {
		if kind, err = t.through(ctx, kind, resource.Through); err != nil {
			return nil, err
		}
	}
	a := accountTarget{id: account.ID, name: account.Name, first: account.Name, kind: kind, at: resource.Settings, through: resource.Through, policy: t.Policy}
	if resource.ReconcileAccountID != "" && resource.ReconcileAccountID != account.ID {
		if a.reconcile, err = t.login(ctx, resource.ReconcileAccountID); err != nil {
			return nil, err
		}
	}
	// Without a choice an account takes two values only where that needs no right that it has not.
	a.overlaps = account.Current != 0 && (account.Strategy == string(rotation.Overlap) ||
		account.Strategy == "" && (a.Reconciled() || !kind.Spec().Capabilities.OverlapByReconcile))
	return a, nil
}

// through returns kind with its connections led through a cluster. Which host its settings name plays no part then, but for
// certificates.
func (t Targets) through(ctx context.Context, kind target.Target, through inventory.Through) (target.Target, error) {
	if i, ok := kind.(target.Issuer); ok {
		cluster, err := t.Inside.Tokens(ctx, through.ClusterID)
		if err != nil {
			return nil, err
		}
		return i.In(cluster, through.Namespace), nil
	}
	d, ok := kind.(target.Dialer)
	if !ok {
		return nil, fault.New(fault.Invalid, "%s is not reached over a connection of its own", kind.Spec().Name).WithCure("take the way through a cluster away from the resource")
	}
	way, err := t.Inside.Way(ctx, through)
	if err != nil {
		return nil, err
	}
	return d.Over(func(ctx context.Context, _, addr string) (net.Conn, error) {
		_, text, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fault.New(fault.Invalid, "the resource has no port")
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, fault.New(fault.Invalid, "the resource's port is no number")
		}
		return way(ctx, port)
	}), nil
}

// login returns the login of an account that is in use, with its value.
func (t Targets) login(ctx context.Context, accountID string) (*target.Login, error) {
	account, err := t.Store.Account(ctx, accountID)
	if err != nil {
		return nil, err
	}
	if account.Current == 0 {
		return nil, fault.New(fault.Conflict, "the reconcile account %s has no stored value", account.Name).
			WithCure("store its password, or choose another reconcile account")
	}
	sealed, err := t.Store.Sealed(ctx, account.ID, account.Current)
	if err != nil {
		return nil, err
	}
	value, err := t.Ring.Open(inventory.VersionRecord(account.ID, account.Current), sealed)
	if err != nil {
		return nil, err
	}
	name, err := t.Store.Login(ctx, account.ID, account.Current)
	return &target.Login{User: cmp.Or(name, account.Name), Password: value}, err
}

// accountTarget is one login of an account on its system.
type accountTarget struct {
	id, name  string
	first     string // the account's name
	kind      target.Target
	at        target.Connection
	through   inventory.Through
	policy    func(ctx context.Context, accountID string) (string, error)
	reconcile *target.Login
	overlaps  bool // it is to take two values during a run, where its type can
}

func (a accountTarget) Remote() bool {
	_, ok := a.kind.(target.Changer)
	return ok
}

func (a accountTarget) Reconciled() bool { return a.reconcile != nil }

// Generate takes a policy as the JSON of a password.Policy; what it leaves out is that of the account's own policy, and what
// this leaves out the default's. A type that makes its own values, such as key pairs, has no use for one.
func (a accountTarget) Generate(ctx context.Context, policy string) (vault.Value, error) {
	if g, ok := a.kind.(target.Generator); ok {
		return g.Generate()
	}
	if a.Issues() {
		return vault.Value{}, fault.New(fault.Invalid, "the cluster makes tokens itself, and no password policy applies").WithField("policy").WithCure("leave the policy out")
	}
	base := ""
	if a.policy != nil {
		var err error
		if base, err = a.policy(ctx, a.id); err != nil {
			return vault.Value{}, err
		}
	}
	p, err := passwordPolicy(a.name, base, policy)
	if err != nil {
		return vault.Value{}, err
	}
	return password.Generate(p, a.kind.Spec().Limits)
}

// Issues implements rotation.Target.
func (a accountTarget) Issues() bool {
	_, ok := a.kind.(target.Issuer)
	return ok
}

// Home implements rotation.Target.
func (a accountTarget) Home(value vault.Value) (rotation.Home, error) {
	i, ok := a.kind.(target.Issuer)
	if !ok {
		return rotation.Home{}, fault.New(fault.Invalid, "%s does not make values itself", a.kind.Spec().Name)
	}
	name, key, err := i.Home(a.name, value)
	return rotation.Home{ClusterID: a.through.ClusterID, Namespace: a.through.Namespace, Name: name, Key: key}, target.Fault(err)
}

func (a accountTarget) Prepare(value vault.Value) (vault.Value, error) {
	if a.Issues() {
		_, err := a.Home(value)
		return vault.Value{}, err
	}
	p, ok := a.kind.(target.Preparer)
	if !ok {
		return vault.Value{}, nil
	}
	prepared, err := p.Prepare(a.name, value)
	return prepared, target.Fault(err)
}

func (a accountTarget) Change(ctx context.Context, old, next, prepared vault.Value) (rotation.Outcome, error) {
	err := a.kind.(target.Changer).Change(ctx, a.at, target.Change{By: a.by(old), Account: a.name, Value: next, Prepared: prepared})
	return outcome(err), target.Fault(err)
}

// Rehearse shows with a value that nobody uses that the account's could be changed. A type that cannot says so.
func (a accountTarget) Rehearse(ctx context.Context, old vault.Value) (string, error) {
	r, ok := a.kind.(target.Rehearser)
	if !ok {
		return "", fault.New(fault.Conflict, "%s cannot tell without changing something whether the value may be changed", a.kind.Spec().Name).
			WithCode(rotation.NotProvable).WithCure("reset the account once, in a window, to see that it works")
	}
	rehearse := r.Rehearse
	if o, ok := a.kind.(target.OverlapRehearser); ok && a.Overlaps() {
		rehearse = o.RehearseOverlap
	}
	proved, err := rehearse(ctx, a.at, a.by(old), a.name)
	if target.OutcomeOf(err) == target.Unsupported {
		f := target.Fault(err)
		if known, ok := errors.AsType[*fault.Error](f); ok {
			return "", known.WithCode(rotation.NotProvable)
		}
		return "", f
	}
	return proved, target.Fault(err)
}

// As implements rotation.Target.
func (a accountTarget) As(login string) rotation.Target {
	a.name = cmp.Or(login, a.first)
	return a
}

// Compare implements rotation.Target.
func (a accountTarget) Compare(ctx context.Context, value vault.Value, other string) ([]string, error) {
	kind, ok := a.kind.(target.Comparer)
	if !ok {
		return nil, fault.New(fault.Invalid, "Keyturn cannot compare the rights of two %s accounts", a.kind.Spec().Name).WithCure("give the account another strategy")
	}
	mine, err := kind.Rights(ctx, a.at, a.by(value), a.name)
	if err != nil {
		return nil, target.Fault(err)
	}
	others, err := kind.Rights(ctx, a.at, a.by(value), other)
	return target.Differences(a.name, mine, other, others), target.Fault(err)
}

func (a accountTarget) Overlaps() bool {
	_, ok := a.kind.(target.Overlapper)
	return ok && a.overlaps && a.kind.Spec().Capabilities.Overlap
}

func (a accountTarget) Add(ctx context.Context, old, next, prepared vault.Value) (rotation.Outcome, error) {
	err := a.kind.(target.Overlapper).Add(ctx, a.at, a.overlap(old, old, next, prepared))
	return outcome(err), target.Fault(err)
}

// Drop logs in as the account itself with the new value, where it does so at all.
func (a accountTarget) Drop(ctx context.Context, old, next, prepared vault.Value) (rotation.Outcome, error) {
	err := a.kind.(target.Overlapper).Retire(ctx, a.at, a.overlap(next, old, next, prepared))
	return outcome(err), target.Fault(err)
}

func (a accountTarget) overlap(by, old, next, prepared vault.Value) target.Overlap {
	return target.Overlap{By: a.by(by), Account: a.name, Current: target.Prepared{Value: old}, Next: target.Prepared{Value: next, Text: prepared}}
}

// by is who makes a change: the reconcile account, or the account itself with value.
func (a accountTarget) by(value vault.Value) target.Login {
	if a.reconcile != nil {
		return *a.reconcile
	}
	return target.Login{User: a.name, Password: value}
}

// outcome says what an error of a change means for the account.
func outcome(err error) rotation.Outcome {
	switch target.OutcomeOf(err) {
	case "":
		return rotation.Changed
	case target.Rejected:
		return rotation.Rejected
	case target.Unreachable:
		return rotation.NotSent
	case target.Unknown:
		return rotation.Unknown
	default:
		return rotation.Refused
	}
}

// Login is Prove: a target has one verb for both, and it costs one failed login.
func (a accountTarget) Login(ctx context.Context, value vault.Value) (rotation.Answer, error) {
	v, ok := a.kind.(target.Verifier)
	if !ok {
		return rotation.NoAnswer, fault.New(fault.Invalid, "%s cannot verify a login", a.kind.Spec().Name)
	}
	return answered(v.Verify(ctx, a.at, target.Login{User: a.name, Password: value}))
}

func answered(err error) (rotation.Answer, error) {
	switch target.OutcomeOf(err) {
	case "":
		return rotation.Accepted, nil
	case target.Refused, target.NoSuchAccount:
		return rotation.Denied, target.Fault(err)
	default:
		return rotation.NoAnswer, target.Fault(err)
	}
}

func (a accountTarget) Prove(ctx context.Context, value vault.Value) (rotation.Answer, error) {
	return a.Login(ctx, value)
}

// ProveChange proves next as Prove does where the old value is let in too, or is none that the type takes: that next works
// is what is asked first.
func (a accountTarget) ProveChange(ctx context.Context, old, next vault.Value) (rotation.Answer, bool, error) {
	v, ok := a.kind.(target.Verifier)
	if !ok || old.Len() == 0 || old.Equal(next) {
		answer, err := a.Prove(ctx, next)
		return answer, false, err
	}
	err := v.Verify(ctx, a.at, target.Login{User: a.name, Password: next, Before: old})
	switch target.OutcomeOf(err) {
	case "":
		return rotation.Accepted, true, nil
	case target.Refused, target.NoSuchAccount, target.Unreachable:
		answer, err := answered(err)
		return answer, false, err
	}
	answer, err := a.Prove(ctx, next)
	return answer, false, err
}
