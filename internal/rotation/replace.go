package rotation

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// An immutable Secret takes no new value. Where the policy and the connector's rights allow it, a run puts another in its
// place:
//
//	published    a Secret NAME-1, which is the old one but for the mapped keys, is made and read back; what was mapped to the
//	             old one is mapped to it, in the same transaction
//	rolled out   whatever names the old Secret names the new one, in the same write as the mark of the restart
//	retired      nothing names the old Secret any more, and it is deleted
//
// The name is stored before the Secret is made, and the Secret says which run made it: a run that lost the reply knows its
// own again. A run that undoes another goes back to the old Secret, as long as that is there, and deletes the new one.

// Immutable is what a policy says of mapped Secrets that are immutable. Empty is refuse.
type Immutable string

// The answers of a policy.
const (
	ImmutableRefuse  Immutable = "refuse"  // the run stops there
	ImmutableReplace Immutable = "replace" // by a Secret of another name, which what reads the old one is told
)

// Replacement is a Secret that a run puts in the place of another.
type Replacement struct {
	RunID, ClusterID, Namespace string

	Old, OldUID string
	// Key is the one in which the value stands, of Secrets that the system makes itself; empty of those that the run makes.
	Key string
	// New is chosen before it is made; NewUID is empty until it was read back.
	New, NewUID string
	// Gone says that the old one is deleted, or is another object by now.
	Gone bool
}

func (r Replacement) path() string { return r.Namespace + "/" + r.Old }

// ReplaceStore keeps which Secrets a run replaces.
type ReplaceStore interface {
	// Replacements returns those of the run.
	Replacements(ctx context.Context, run Run) ([]Replacement, error)
	// Abandoned returns those in which the system made a Secret for a run of the account that was given up before anything was
	// mapped to it.
	Abandoned(ctx context.Context, accountID string) ([]Replacement, error)
	// SaveReplacement stores one, of run or of the run that it undoes, in place of what is stored of the same old Secret. It
	// fails with fault.Stale when the stored fence is another than run.Fence, and with fault.Unavailable while another run
	// that has not ended replaces the old Secret or has put it in the place of another.
	SaveReplacement(ctx context.Context, run Run, r Replacement, ev audit.Event) error
}

// Made is a Secret that is made in place of another.
type Made struct {
	// Name is its own, Base the name that its number follows, By the run that makes it.
	Name, Base, By string
}

// Replacer puts other Secrets in the place of immutable ones.
type Replacer interface {
	// MayReplace reports whether the connector was given the right to.
	MayReplace() bool
	// Replace makes the Secret made, which is old but for data, and returns it as the API server stored it. It fails with the
	// code NameTaken when there is one of its name, and otherwise as Patch does.
	Replace(ctx context.Context, old Seen, made Made, data map[string]vault.Value) (Seen, error)
	// TryReplace is Replace without its effect, as TryPatch is.
	TryReplace(ctx context.Context, old Seen, made Made, data map[string]vault.Value) (Seen, error)
	// Reissue has the cluster make the Secret made for another token of the ServiceAccount that old holds one of, and returns
	// it once it is filled in. Doing it again returns the same. It fails with the code NameTaken when there is one of its name
	// that is not that, with fault.NotFound when there is no such account, and otherwise as Patch does.
	Reissue(ctx context.Context, old Seen, made Made) (Seen, error)
	// TryReissue is Reissue without its effect; the token is not filled in.
	TryReissue(ctx context.Context, old Seen, made Made) (Seen, error)
	// Delete deletes the Secret that was seen. It fails with fault.Stale when it changed since, fault.NotFound when it is gone.
	Delete(ctx context.Context, seen Seen) error
}

// NameTaken is the code of a Secret that could not be made because there is one of its name.
const NameTaken = "secret-name-taken"

const (
	// maxNames is how many names are tried for a Secret in place of another.
	maxNames = 50
	// longestName is how long the name of a Secret may be.
	longestName = 253
)

// unmakeable are types of Secrets whose data the cluster fills in, so that a copy is not what it says.
var unmakeable = []string{"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}

// mayReplace is whether an immutable Secret may be replaced, and if not for want of what.
type mayReplace int

const (
	replaceRefused mayReplace = iota // by the policy
	replaceNoRight                   // the policy lets it be, and the connector's scope does not
	replaceAllowed
)

// mayReplace says whether the policy has immutable Secrets replaced and the connector has the right to. A run that undoes
// another may what that one did.
func (p Policy) mayReplace(reverts, right bool) mayReplace {
	switch {
	case p.Rules.Immutable != ImmutableReplace && !reverts:
		return replaceRefused
	case !right:
		return replaceNoRight
	}
	return replaceAllowed
}

// under returns the place with what is allowed if its Secret is replaced. Where a token stands in it no policy is asked: it
// cannot be changed in another way.
func (p place) under(policy Policy, reverts, right bool) place {
	p.writes = slices.Clone(p.writes)
	for i, w := range p.writes {
		p.writes[i].replace = policy.mayReplace(reverts || w.to != "", right)
	}
	return p
}

// isFixed reports whether the Secret that was seen, which is immutable or holds a token, is not replaced, and then says why.
func (w *Write) isFixed(seen Seen) bool {
	reason, cure := w.fixed(seen)
	if reason != "" {
		w.set(WriteBlocked, reason, cure)
	}
	return reason != ""
}

// fixed says why it is not replaced, and what to do; nothing if it is.
func (w *Write) fixed(seen Seen) (reason, cure string) {
	owner, held := seen.reconciler()
	base, n := seen.numbered()
	is := "the Secret is immutable"
	if w.to != "" {
		is = "the Secret holds a token, which the cluster makes in another Secret"
	}
	switch {
	case w.replace == replaceRefused:
		return is + ", and the account's policy does not say that it is replaced",
			"have the policy say so (--immutable replace), or remove the mapping and resume; then make the Secret anew without immutable, sync the cluster and map the key again"
	case w.replace == replaceNoRight:
		return is + ", and the connector has no right to replace it", cureNoRight
	case held:
		return is + " and belongs to " + owner.Name, owner.Advice
	case slices.Contains(unmakeable, seen.Type) && w.to == "":
		return is + ", and one of type " + seen.Type + " is filled in by the cluster, so it cannot be made like another", "remove the mapping and resume"
	case w.OnWrite == OnWriteNothing:
		return is + ", and its mapping says to leave alone what reads it, so that nothing could be told another Secret's name",
			"have the mapping say restart or ask, then resume"
	case len(numberedName(base, n+maxNames)) > longestName:
		return is + ", and its name is too long to have a number behind it", "make the Secret anew under a shorter name, and map its key"
	}
	return "", ""
}

const cureNoRight = "apply the manifest that gives it (keyturn cluster config --restart --replace), say so (keyturn cluster edit CLUSTER --replace), then resume"

// reconciler returns a controller that keeps any key of the Secret: it would make the old one again.
func (s Seen) reconciler() (Owner, bool) {
	for _, o := range s.Owners {
		if o.Kind == OwnerReconciler {
			return o, true
		}
	}
	return Owner{}, false
}

// numbered returns the name that the Secret's number follows, and the number; 0 if it has none. That a name ends in a number
// says nothing: only what Keyturn itself wrote on the Secret does.
func (s Seen) numbered() (base string, n int) {
	if tail, ok := strings.CutPrefix(s.Name, s.Base+"-"); ok && s.Base != "" {
		if n, err := strconv.Atoi(tail); err == nil && n > 0 && strconv.Itoa(n) == tail {
			return s.Base, n
		}
	}
	return s.Name, 0
}

func numberedName(base string, n int) string { return base + "-" + strconv.Itoa(n) }

// replaced puts another Secret in the place of an immutable one. The writes it returns as WriteDone name it in Moved, and
// were proved by the reply.
func (e *Engine) replaced(ctx context.Context, run Run, c Cluster, p place, old Seen, d decision, value vault.Value) []Write {
	r := Replacement{RunID: run.ID, ClusterID: p.cluster, Namespace: p.namespace, Old: old.Name, OldUID: old.UID}
	known, err := e.Store.Replacements(ctx, run)
	if err != nil {
		return failed(d.writes, err)
	}
	if back, err := e.wayBack(ctx, run, c, r, d, value); err != nil {
		return failed(d.writes, err)
	} else if back != nil {
		r.New = back.Name
		if err := e.choose(ctx, run, r, known); err != nil {
			return failed(d.writes, err)
		}
		return r.answered(d, old, *back, value)
	}
	r, made, err := e.numberedFrom(ctx, run, r, old, known, func(m Made) (Seen, error) { return e.make(ctx, run, c, old, m, d.patch) })
	if err != nil {
		return failed(d.writes, err)
	}
	return r.answered(d, old, made, value)
}

// numberedFrom makes the Secret that takes old's place under the first name behind old's that nobody has. Each name is stored
// before it is tried.
func (e *Engine) numberedFrom(ctx context.Context, run Run, r Replacement, old Seen, known []Replacement, make func(Made) (Seen, error)) (Replacement, Seen, error) {
	base, n := old.numbered()
	first := n + 1
	for n = first; n < first+maxNames; n++ {
		r.New = numberedName(base, n)
		if r.passedOver(known) {
			continue
		}
		if err := e.choose(ctx, run, r, known); err != nil {
			return r, Seen{}, err
		}
		made, err := make(Made{Name: r.New, Base: base, By: run.ID})
		if f := asFault(err); f != nil && f.Code == NameTaken {
			continue
		}
		return r, made, err
	}
	return r, Seen{}, fault.New(fault.Conflict, "%d names behind %s are taken", maxNames, base).WithCure("delete Secrets of these names that nothing needs, then resume")
}

// passedOver reports whether an earlier try found the name taken and chose a later one: it may have made a Secret of that.
func (r Replacement) passedOver(known []Replacement) bool {
	return slices.ContainsFunc(known, func(k Replacement) bool {
		return k.ClusterID == r.ClusterID && k.Namespace == r.Namespace && k.Old == r.Old && k.OldUID == r.OldUID &&
			(len(r.New) < len(k.New) || len(r.New) == len(k.New) && r.New < k.New)
	})
}

// choose stores which Secret is to take the place of another, before it is made, unless that is stored.
func (e *Engine) choose(ctx context.Context, run Run, r Replacement, known []Replacement) error {
	if slices.ContainsFunc(known, func(k Replacement) bool { k.NewUID = ""; return k == r }) {
		return nil
	}
	ev := e.event(run, "secret.replace").With("cluster", r.ClusterID).With("old", r.path()).With("new", r.Namespace+"/"+r.New)
	e.at("published:before-choice")
	err := e.Store.SaveReplacement(ctx, run, r, ev)
	e.at("published:choice")
	return err
}

// make makes the Secret, or finds it as an earlier try of this run has made it.
func (e *Engine) make(ctx context.Context, run Run, c Cluster, old Seen, made Made, data map[string]vault.Value) (Seen, error) {
	e.at("published:before-replacement")
	stored, err := c.Replace(ctx, old, made, data)
	e.at("published:replacement")
	if f := asFault(err); f == nil || f.Code != NameTaken {
		return stored, err
	}
	there, readErr := e.read(ctx, run, c, old.Namespace, []string{made.Name})
	if readErr != nil {
		return Seen{}, readErr
	}
	if s, ok := there[made.Name]; ok && s.MadeBy == run.ID {
		return s, nil
	}
	return Seen{}, err
}

// wayBack returns the Secret that the run which this one undoes has replaced, if it is still there with the value that is
// set again.
func (e *Engine) wayBack(ctx context.Context, run Run, c Cluster, r Replacement, d decision, value vault.Value) (*Seen, error) {
	if run.Reverts == "" {
		return nil, nil
	}
	undone, err := e.Store.Replacements(ctx, Run{ID: run.Reverts})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(undone, func(u Replacement) bool {
		return u.ClusterID == r.ClusterID && u.Namespace == r.Namespace && u.New == r.Old && u.NewUID == r.OldUID && !u.Gone
	})
	if i < 0 {
		return nil, nil
	}
	there, err := e.read(ctx, run, c, r.Namespace, []string{undone[i].Old})
	if err != nil {
		return nil, err
	}
	s, ok := there[undone[i].Old]
	if !ok || s.UID != undone[i].OldUID || !d.stands(s, value) {
		return nil, nil
	}
	return &s, nil
}

// stands reports whether every key that is to be written holds value in s.
func (d decision) stands(s Seen, value vault.Value) bool {
	for i := range d.writes {
		w := &d.writes[i]
		if _, goes := d.patch[w.Key]; !goes {
			continue
		}
		if have, ok := s.Data[w.Key]; !ok || !w.holds(have, value) {
			return false
		}
	}
	return true
}

// answered reads what was stored in place of old. Every key that is not written has to be there to the byte, and no other.
func (r Replacement) answered(d decision, old, made Seen, value vault.Value) []Write {
	writes := answered(d, made, value)
	rest := len(made.Data)
	for key, have := range old.Data {
		if _, ours := d.patch[key]; ours {
			continue
		}
		if now, ok := made.Data[key]; ok && now.Equal(have) {
			rest--
		}
	}
	for i := range writes {
		if writes[i].State != WriteDone {
			continue
		}
		if rest != len(d.patch) {
			writes[i].set(WriteBlocked, "the API server stored other keys in the new Secret than it was sent", "look for an admission webhook that changes Secrets, then resume")
			continue
		}
		writes[i].Moved = r
		writes[i].Moved.NewUID = made.UID
	}
	return writes
}

// now returns the name and the uid of the Secret that the place's keys stand in: the other one once it is replaced.
func (p place) now() string {
	for _, w := range p.writes {
		if w.Moved.New != "" {
			return w.Moved.New
		}
	}
	return p.name
}

// replacements are those of the run in which others have taken the place of their Secrets.
func (e *Engine) replacements(ctx context.Context, run Run) ([]Replacement, error) {
	all, err := e.Store.Replacements(ctx, run)
	return slices.DeleteFunc(all, func(r Replacement) bool { return r.NewUID == "" || r.Gone }), err
}

// names returns which Secrets the workload is to name in place of others.
func (e *Engine) names(ctx context.Context, run Run, w Workload) (map[string]string, error) {
	all, err := e.replacements(ctx, run)
	return namesOf(all, w), err
}

func namesOf(replaced []Replacement, w Workload) map[string]string {
	names := map[string]string{}
	for _, r := range replaced {
		if r.ClusterID == w.ClusterID && r.Namespace == w.Namespace {
			names[r.Old] = r.New
		}
	}
	return names
}
