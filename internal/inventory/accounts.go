package inventory

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// AccountStore keeps resources and accounts. Each change commits its event in the same transaction, and fails with
// fault.Stale when rev is not the stored one.
type AccountStore interface {
	Resource(ctx context.Context, id string) (Resource, error)
	Account(ctx context.Context, id string) (Account, error)
	Cluster(ctx context.Context, id string) (Cluster, error)
	LastVersion(ctx context.Context, accountID string) (int64, error)
	ResourceStore
	// AddAccount stores an account and its first version, if there is one. It fails with fault.Conflict when another account
	// of its resource has the name, or one of its logins.
	AddAccount(ctx context.Context, a Account, first *Version, ev audit.Event) error
	// UpdateAccount fails with fault.Conflict when another account of its resource has one of its logins, when the login that
	// is to go is in use, or when a run is open.
	UpdateAccount(ctx context.Context, a Account, rev int64, ev audit.Event) error
	// SetAccountValue makes v the current version, without any system being changed. It fails with fault.Conflict while a
	// run is open, and with fault.Stale when v is not the next version.
	SetAccountValue(ctx context.Context, accountID string, v Version, ev audit.Event) error
	// SetSpareValue makes v the value that is known of the login of a pair which is not in use. It fails as SetAccountValue
	// does, and with fault.Conflict when the account is no pair with a login in use.
	SetSpareValue(ctx context.Context, v Version, ev audit.Event) error
	// DeleteAccount fails with fault.Conflict while it is mapped, a run is open or it is a reconcile account.
	DeleteAccount(ctx context.Context, id string, rev int64, ev audit.Event) error
}

// ResourceStore keeps resources.
type ResourceStore interface {
	// AddResource fails with fault.Conflict when the name is taken. ownerID is who gets to manage it; empty for nobody.
	AddResource(ctx context.Context, r Resource, ownerID string, ev audit.Event) error
	UpdateResource(ctx context.Context, r Resource, rev int64, ev audit.Event) error
	// DeleteResource fails with fault.Conflict while one of its accounts is mapped or has an open run.
	DeleteResource(ctx context.Context, id string, rev int64, ev audit.Event) error
}

// Types are the kinds of system that a resource can be of, beside kubernetes.
type Types interface {
	// CheckSettings fails with fault.Invalid when there is no such type or the settings are not those of one.
	CheckSettings(typ string, settings map[string]string) error
	// CanReconcile reports whether an account of the type can repair others.
	CanReconcile(typ string) bool
	// CanAlternate reports whether two accounts of the type can be a pair: whether it can tell how their rights differ.
	CanAlternate(typ string) bool
	// CanOverlap reports whether an account of the type can take two values at once.
	CanOverlap(typ string) bool
	// IsOfCluster reports whether accounts of the type are a cluster's own, which makes their values and keeps them in Secrets.
	IsOfCluster(typ string) bool
	// CanBeInside reports whether resources of the type can be reached through a cluster.
	CanBeInside(typ string) bool
}

// Accounts makes, changes and deletes resources and accounts. It may be used by several goroutines at once.
type Accounts struct {
	Store AccountStore
	Vault Sealer
	Types Types
	// Owner reports whether the actor needs a grant to manage what it made.
	Owner func(identity.Actor) bool
}

// CreateResource makes a resource of a target type.
func (s *Accounts) CreateResource(ctx context.Context, actor identity.Actor, name, typ string, settings map[string]string, through Through) (Resource, error) {
	if err := checkName(name, "name"); err != nil {
		return Resource{}, err
	}
	if typ == TypeKubernetes {
		return Resource{}, fault.New(fault.Invalid, "resources of type kubernetes are made by a fetch").WithField("type").
			WithCure("connect the cluster and fetch its Secrets")
	}
	if err := s.Types.CheckSettings(typ, settings); err != nil {
		return Resource{}, err
	}
	if err := s.checkThrough(ctx, typ, through); err != nil {
		return Resource{}, err
	}
	r := Resource{ID: uuid.Must(uuid.NewV7()).String(), Name: name, Type: typ, Settings: settings, Through: through, CreatedAt: time.Now().UTC()}
	owner := ""
	if s.Owner(actor) {
		owner = actor.ID
	}
	if err := s.Store.AddResource(ctx, r, owner, withThrough(resourceEvent(actor, "resource.create", r), through)); err != nil {
		return Resource{}, err
	}
	return s.Store.Resource(ctx, r.ID)
}

func resourceEvent(actor identity.Actor, action string, r Resource) audit.Event {
	return audit.New(actor, action, audit.Object{Kind: "resource", ID: r.ID, Name: r.Name, Parent: r.ClusterID}).With("type", r.Type)
}

// withThrough names the place in a cluster that a resource is reached through.
func withThrough(ev audit.Event, t Through) audit.Event {
	if t == (Through{}) {
		return ev
	}
	return ev.With("through_cluster", t.ClusterID).With("through", t.Place())
}

// ResourceChange is what is changed of a resource: what is not nil.
type ResourceChange struct {
	Name     *string
	Settings *map[string]string
	// Reconcile is the account that repairs the others; empty for none.
	Reconcile *string
	// Through is the cluster that it is reached through; the zero value for the direct way.
	Through *Through
}

// ChangeResource changes a resource of a target type.
func (s *Accounts) ChangeResource(ctx context.Context, actor identity.Actor, id string, rev int64, change ResourceChange) (Resource, error) {
	r, err := s.Store.Resource(ctx, id)
	if err != nil {
		return r, err
	}
	if r.Type == TypeKubernetes {
		return r, fault.New(fault.Conflict, "a fetch made this resource and keeps it").WithCure("edit the cluster instead")
	}
	ev := resourceEvent(actor, "resource.update", r)
	if name := change.Name; name != nil {
		if err := checkName(*name, "name"); err != nil {
			return r, err
		}
		r.Name, ev = *name, ev.With("name", *name)
	}
	if settings := change.Settings; settings != nil {
		if err := s.Types.CheckSettings(r.Type, *settings); err != nil {
			return r, err
		}
		r.Settings, ev = *settings, ev.With("settings", "changed")
	}
	if through := change.Through; through != nil {
		if err := s.checkThrough(ctx, r.Type, *through); err != nil {
			return r, err
		}
		r.Through, ev = *through, withThrough(ev.With("reached", "changed"), *through)
	}
	if reconcile := change.Reconcile; reconcile != nil {
		if err := s.checkReconcile(ctx, r, *reconcile); err != nil {
			return r, err
		}
		r.ReconcileAccountID, ev = *reconcile, ev.With("reconcile_account", *reconcile)
	}
	if err := s.Store.UpdateResource(ctx, r, rev, ev); err != nil {
		return r, err
	}
	return s.Store.Resource(ctx, id)
}

func (s *Accounts) checkReconcile(ctx context.Context, r Resource, accountID string) error {
	if accountID == "" {
		return nil
	}
	bad := func(msg, cure string) error {
		return fault.New(fault.Invalid, "%s", msg).WithField("reconcileAccountId").WithCure("%s", cure)
	}
	if !s.Types.CanReconcile(r.Type) {
		return bad("accounts of this type cannot repair others", "leave it empty")
	}
	a, err := s.Store.Account(ctx, accountID)
	switch {
	case err != nil:
		return err
	case a.ResourceID != r.ID:
		return bad("that account is on another resource", "choose one of this resource")
	case a.Current == 0:
		return bad("that account has no stored value", "store its password first")
	}
	return nil
}

// DeleteResource deletes a resource with its accounts and their versions.
func (s *Accounts) DeleteResource(ctx context.Context, actor identity.Actor, id string, rev int64) error {
	r, err := s.Store.Resource(ctx, id)
	if err != nil {
		return err
	}
	return s.Store.DeleteResource(ctx, id, rev, resourceEvent(actor, "resource.delete", r))
}

// CreateAccount makes an account, with its present value if it is known. With the name of a second login it is a pair,
// whose first login is in use.
func (s *Accounts) CreateAccount(ctx context.Context, actor identity.Actor, resourceID, name, pair string, value *vault.Value) (Account, error) {
	r, err := s.Store.Resource(ctx, resourceID)
	if err != nil {
		return Account{}, err
	}
	if r.Type == TypeKubernetes {
		return Account{}, fault.New(fault.Conflict, "the accounts of a Kubernetes resource are its Secrets").WithCure("create the Secret in the cluster, then sync")
	}
	if err := checkName(name, "name"); err != nil {
		return Account{}, err
	}
	a := Account{ID: uuid.Must(uuid.NewV7()).String(), ResourceID: resourceID, Name: name, State: AccountUnverified, CreatedAt: time.Now().UTC()}
	ev := accountEvent(actor, "account.create", a)
	if pair != "" {
		if ev, err = s.pair(ctx, &a, alternating, pair, ev); err != nil {
			return Account{}, err
		}
	}
	var first *Version
	if value != nil {
		if err := notEmpty(*value); err != nil {
			return Account{}, err
		}
		if first, err = newVersion(s.Vault, actor, a.ID, 1, Typed, *value); err != nil {
			return Account{}, err
		}
		a.Current, ev = 1, ev.With("value", "typed")
	}
	if err := s.Store.AddAccount(ctx, a, first, ev); err != nil {
		return Account{}, err
	}
	return s.Store.Account(ctx, a.ID)
}

func accountEvent(actor identity.Actor, action string, a Account) audit.Event {
	return audit.New(actor, action, audit.Object{Kind: "account", ID: a.ID, Name: a.Name, Parent: a.ResourceID})
}

// AccountChange is what to change of an account: one of its members.
type AccountChange struct {
	Name *string
	// Strategy is "single", "overlap", "alternating", or empty for what the type is best at.
	Strategy *string
	// Pair is the second login of an account that alternates.
	Pair *string
	// Value stores a credential that was changed elsewhere; of a pair that of the login in use.
	Value *vault.Value
	// Spare stores the value of the login of a pair that is not in use.
	Spare *vault.Value
}

// ChangeAccount changes what is not nil. The system itself is not touched. It fails with fault.Stale when rev is not the
// stored one.
func (s *Accounts) ChangeAccount(ctx context.Context, actor identity.Actor, id string, rev int64, change AccountChange) (Account, error) {
	a, err := s.Store.Account(ctx, id)
	if err != nil {
		return a, err
	}
	ev := accountEvent(actor, "account.update", a)
	if value := cmp.Or(change.Value, change.Spare); value != nil {
		if change.Name != nil || change.Strategy != nil || change.Pair != nil || change.Value != nil && change.Spare != nil {
			return a, fault.New(fault.Invalid, "change a value, or the rest, one at a time")
		}
		keep := s.Store.SetAccountValue
		ev = ev.With("value", "typed")
		if change.Spare != nil {
			keep, ev = func(ctx context.Context, _ string, v Version, ev audit.Event) error {
				return s.Store.SetSpareValue(ctx, v, ev)
			}, ev.With("of", "the login that is not in use")
		}
		if err := s.store(ctx, actor, a, rev, *value, ev, keep); err != nil {
			return a, err
		}
		return s.Store.Account(ctx, id)
	}
	if change.Name != nil {
		if err := checkName(*change.Name, "name"); err != nil {
			return a, err
		}
		a.Name, ev = *change.Name, ev.With("name", *change.Name)
	}
	if change.Strategy != nil || change.Pair != nil || a.Pair != "" && change.Name != nil {
		strategy, pair := a.Strategy, a.Pair
		if change.Strategy != nil {
			strategy, ev = *change.Strategy, ev.With("strategy", *change.Strategy)
		}
		if change.Pair != nil {
			pair = *change.Pair
		} else if strategy != alternating {
			pair = ""
		}
		if ev, err = s.pair(ctx, &a, strategy, pair, ev); err != nil {
			return a, err
		}
	}
	if err := s.Store.UpdateAccount(ctx, a, rev, ev); err != nil {
		return a, err
	}
	return s.Store.Account(ctx, id)
}

// alternating is the strategy of a pair.
const alternating = "alternating"

// pair gives a its strategy and its second login, which belong together.
func (s *Accounts) pair(ctx context.Context, a *Account, strategy, pair string, ev audit.Event) (audit.Event, error) {
	bad := func(field, msg, cure string) error {
		return fault.New(fault.Invalid, "%s", msg).WithField(field).WithCure("%s", cure)
	}
	r, err := s.Store.Resource(ctx, a.ResourceID)
	switch {
	case err != nil:
		return ev, err
	case strategy == "single" && s.Types.IsOfCluster(r.Type):
		return ev, bad("strategy", "a token ends when its Secret is deleted, which is when everything has the next", "use overlap")
	case strategy == "overlap" && !s.Types.CanOverlap(r.Type):
		return ev, bad("strategy", "accounts of type "+r.Type+" take one value at a time", "use single")
	case strategy == alternating && !s.Types.CanAlternate(r.Type):
		return ev, bad("strategy", "Keyturn cannot compare the rights of two accounts of type "+r.Type+", so they cannot stand in for each other", "use single or overlap")
	case strategy == alternating && pair == "":
		return ev, bad("pair", "an account that alternates needs a second login", "name it")
	case strategy != alternating && pair != "":
		return ev, bad("pair", "only an account that alternates has a second login", "leave it out, or choose alternating")
	case pair == a.Name:
		return ev, bad("pair", "both logins of the pair are the same", "name another one")
	}
	if pair != "" {
		if err := checkName(pair, "pair"); err != nil {
			return ev, err
		}
	}
	if pair != a.Pair {
		ev = ev.With("pair", pair)
	}
	a.Strategy, a.Pair = strategy, pair
	return ev, nil
}

func (s *Accounts) store(ctx context.Context, actor identity.Actor, a Account, rev int64, value vault.Value, ev audit.Event,
	keep func(context.Context, string, Version, audit.Event) error) error {
	if err := notEmpty(value); err != nil {
		return err
	}
	if a.Rev != rev { // a value that comes between the two is noticed by the version's number
		return fault.New(fault.Stale, "the account was changed since it was read").WithCure("read it again").WithUnchanged("nothing was changed")
	}
	last, err := s.Store.LastVersion(ctx, a.ID)
	if err != nil {
		return err
	}
	v, err := newVersion(s.Vault, actor, a.ID, last+1, Typed, value)
	if err != nil {
		return err
	}
	return keep(ctx, a.ID, *v, ev)
}

// DeleteAccount deletes an account and its versions.
func (s *Accounts) DeleteAccount(ctx context.Context, actor identity.Actor, id string, rev int64) error {
	a, err := s.Store.Account(ctx, id)
	if err != nil {
		return err
	}
	return s.Store.DeleteAccount(ctx, id, rev, accountEvent(actor, "account.delete", a))
}

func notEmpty(v vault.Value) error {
	if v.Len() == 0 {
		return fault.New(fault.Invalid, "the value is empty").WithField("value")
	}
	return nil
}

// checkName fails with fault.Invalid unless s can be the name of a resource or an account: it is shown, typed and part
// of paths such as resource/account.
func checkName(s, field string) error {
	bad := !utf8.ValidString(s) || s == "" || len(s) > 253 || strings.TrimSpace(s) != s || strings.ContainsAny(s, "/\\;%?#") || s == "." || s == ".."
	if bad || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return fault.New(fault.Invalid, "that cannot be a name").WithField(field).
			WithCure(`use up to 253 bytes of letters, digits and signs, without / \ ; %% ? # and without spaces at the ends`)
	}
	return nil
}
