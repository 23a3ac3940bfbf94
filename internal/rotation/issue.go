package rotation

import (
	"context"
	"crypto/rand"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Some systems make values themselves and keep each in a Secret: a cluster does so with the long-lived tokens of
// ServiceAccounts. A run then goes through the same steps:
//
//	minted       the name of another Secret is stored, the cluster makes it and fills it in, and what stands in it is sealed
//	published    what was mapped to the old Secret is mapped to the new one, and the value is written to every other key
//	rolled out   whatever names the old Secret names the new one
//	retired      nothing names the old Secret any more, it is deleted, and with it the old value ends
//
// Whatever the process dies between, the value is in the Secret whose name is stored, and that says which run had it made.

// mintIssued is mint for a system that makes its values itself.
func (e *Engine) mintIssued(ctx context.Context, run Run, target Target, policy Policy) (Run, error) {
	value, err := e.issue(ctx, run, target)
	switch {
	case err == nil:
		return e.store(ctx, run, target, policy, value)
	case fault.KindOf(err) == "" || fault.KindOf(err) == fault.Stale:
		return run, err // the repository's fault, or the lease is lost
	case unreachable(err):
		return e.retry(ctx, run, "no value could be made: "+reason(err), cure(err, "bring the cluster back; the run goes on by itself, or resume it"))
	}
	state := RolledBack
	if asFault(err).Code == codeKept || fault.KindOf(err) == fault.Denied {
		state = NeedsAttention
	}
	return e.stop(ctx, run, state, "no value could be made: "+reason(err), cure(err, "mend the cause and reset again"))
}

// codeKept is the code of a Secret that may not be replaced as things are.
const codeKept = "token-kept"

// issue has the cluster make the run's value, or chooses the Secret of a given one. It fails before anything is made unless
// the Secret of the present value is there, holds it, is mapped and may be replaced.
func (e *Engine) issue(ctx context.Context, run Run, target Target) (vault.Value, error) {
	none := vault.Value{}
	switch {
	case run.Old == 0:
		return none, fault.New(fault.Conflict, "no present value is stored, so that it is not known which Secret another is to take the place of").
			WithCure("map the key in which it stands to the account, then reset again")
	case run.Strategy != Overlap:
		return none, fault.New(fault.Conflict, "the account's strategy is %s, and its value can only end when everything has the next", run.Strategy).
			WithCure("choose overlap, then reset again")
	}
	current, err := e.open(ctx, run, run.Old)
	if err != nil {
		return none, err
	}
	defer current.Wipe()
	home, err := target.Home(current)
	if err != nil {
		return none, err
	}
	writes, err := e.Store.Writes(ctx, run)
	if err != nil {
		return none, err
	}
	given, to, err := e.given(ctx, run, target)
	if err != nil || run.Typed && at(writes, to) != nil { // a run that is undone had mapped nothing to another Secret yet
		return given, err
	}
	w := at(writes, home)
	if w == nil {
		return none, unmapped(home)
	}
	c, err := e.Clusters.Open(ctx, home.ClusterID)
	if err != nil {
		return none, err
	}
	there, err := e.read(ctx, run, c, home.Namespace, []string{home.Name})
	if err != nil {
		return none, err
	}
	old, ok := there[home.Name]
	if have := old.Data[home.Key]; !ok || !have.Equal(current) {
		return none, fault.New(fault.Conflict, "the Secret %s/%s does not hold the stored value any more", home.Namespace, home.Name).
			WithCure("sync the cluster and store what stands there with the account, then reset again")
	}
	own := *w
	own.to, own.replace = home.Name, Policy{}.mayReplace(true, c.MayReplace())
	if why, cure := own.fixed(old); why != "" {
		return none, fault.New(fault.Conflict, "%s", why).WithCode(codeKept).WithCure("%s", cure)
	}
	r := Replacement{RunID: run.ID, ClusterID: home.ClusterID, Namespace: home.Namespace, Old: home.Name, OldUID: old.UID, Key: home.Key, New: to.Name}
	known, err := e.Store.Replacements(ctx, run)
	if err != nil {
		return none, err
	}
	if run.Typed {
		return given, e.choose(ctx, run, r, known)
	}
	_, made, err := e.numberedFrom(ctx, run, r, old, known, func(m Made) (Seen, error) {
		e.at("minted:before-issue")
		s, err := c.Reissue(ctx, old, m)
		e.at("minted:issued")
		return s, err
	})
	return made.Data[home.Key], err
}

// given is the value of a run that does not have one made, and where it stands; nothing of any other.
func (e *Engine) given(ctx context.Context, run Run, target Target) (value vault.Value, home Home, err error) {
	if !run.Typed {
		return value, home, nil
	}
	if value, err = e.open(ctx, run, run.New); err != nil {
		return value, home, err
	}
	home, err = target.Home(value)
	return value, home, err
}

// at returns the write that is of the key at home; nil if there is none.
func at(writes []Write, home Home) *Write {
	for i, w := range writes {
		if (Home{w.ClusterID, w.Namespace, w.Name, w.Key}) == home && w.Place.IsWhole() {
			return &writes[i]
		}
	}
	return nil
}

func unmapped(home Home) error {
	return fault.New(fault.Conflict, "the Secret %s/%s, which is deleted in the end, is not mapped, so that nobody would be told of another", home.Namespace, home.Name).
		WithCode(WarnUnmapped).WithCure("fetch it and map its key %s to the account, then reset again", home.Key)
}

// leadTo tells the writes of keys in which a value stands that the system made where it has made the next.
func leadTo(writes []Write, known []Replacement) {
	for _, r := range known {
		if r.Key == "" {
			continue
		}
		if w := at(writes, Home{r.ClusterID, r.Namespace, r.Old, r.Key}); w != nil {
			w.to = r.New
		}
	}
}

// leadOn is leadTo before it is known under which name the next will be made.
func leadOn(writes []Write, home Home) {
	leadTo(writes, []Replacement{{ClusterID: home.ClusterID, Namespace: home.Namespace, Old: home.Name, Key: home.Key, New: home.Name}})
}

// homeOf returns where value stands if the target's system made it; the zero Home if not.
func homeOf(target Target, value *vault.Value) (Home, error) {
	if value == nil || !target.Issues() {
		return Home{}, nil
	}
	return target.Home(*value)
}

// issued is the Secret that takes the place of the one that is decided about, where the system has made it; empty where it has
// not.
func (d decision) issued() string {
	for _, w := range d.writes {
		if w.to != "" && d.replace {
			return w.to
		}
	}
	return ""
}

// moved is replaced where the system has made the Secret that takes the old one's place.
func (e *Engine) moved(ctx context.Context, run Run, c Cluster, p place, old Seen, d decision, value vault.Value) []Write {
	to := d.issued()
	there, err := e.read(ctx, run, c, p.namespace, []string{to})
	if err != nil {
		return failed(d.writes, err)
	}
	made, ok := there[to]
	if !ok {
		return failed(d.writes, fault.New(fault.Conflict, "the Secret %s/%s, which held the new value, is gone, and the value with it", p.namespace, to).
			WithCure("roll the run back, then reset again"))
	}
	writes := answered(d, made, value)
	for i := range writes {
		if w := &writes[i]; w.State == WriteDone {
			w.Moved = Replacement{RunID: run.ID, ClusterID: p.cluster, Namespace: p.namespace, Old: old.Name, OldUID: old.UID, Key: w.Key, New: made.Name, NewUID: made.UID}
		}
	}
	return writes
}

// standIn is a value that nobody uses in place of the new one. Where the system makes that itself, the writes are told.
func (s *Rehearsals) standIn(ctx context.Context, account Account, target Target, writes []Write) (vault.Value, error) {
	if !target.Issues() {
		return target.Generate(ctx, "")
	}
	if account.Current > 0 {
		current, err := s.version(ctx, account, account.Current)
		if err != nil {
			return vault.Value{}, err
		}
		home, err := homeOf(target, &current)
		if err != nil {
			return vault.Value{}, err
		}
		if at(writes, home) == nil {
			return vault.Value{}, unmapped(home)
		}
		leadOn(writes, home)
	}
	return vault.NewValue([]byte(rand.Text())), nil
}
