package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// leftover is a Secret that a run has to delete when nothing names it any more, and what to name in its place.
type leftover struct {
	Replacement
	// uid is empty of one that a run may have made: whether it did stands on the Secret.
	name, uid string
	instead   string
}

// leftovers are the Secrets that the run replaced and has not deleted yet; and what was made in vain by it, by the run that it
// undoes, or by runs that were given up: but for a name that this run has given to a Secret of its own, or replaced itself.
func (e *Engine) leftovers(ctx context.Context, run Run) ([]leftover, error) {
	own, err := e.Store.Replacements(ctx, run)
	if err != nil {
		return nil, err
	}
	var out []leftover
	for _, r := range own {
		switch {
		case r.Gone:
		case r.NewUID == "":
			out = append(out, r.inVain())
		default:
			out = append(out, leftover{r, r.Old, r.OldUID, r.New})
		}
	}
	vain, err := e.Store.Abandoned(ctx, run.AccountID)
	if err == nil && run.Reverts != "" {
		var undone []Replacement
		undone, err = e.Store.Replacements(ctx, Run{ID: run.Reverts})
		vain = append(vain, undone...)
	}
	for _, r := range vain {
		kept := func(o Replacement) bool {
			return o.ClusterID == r.ClusterID && o.Namespace == r.Namespace && (o.New == r.New || o.Old == r.New)
		}
		if r.NewUID == "" && !r.Gone && !slices.ContainsFunc(own, kept) && !slices.Contains(out, r.inVain()) {
			out = append(out, r.inVain())
		}
	}
	return out, err
}

// inVain is the Secret that was chosen, and perhaps made, and that nothing was mapped to.
func (r Replacement) inVain() leftover { return leftover{r, r.New, "", r.Old} }

// unnamed makes sure that nothing names a Secret that is to be deleted: whatever reads the old one is told before its value
// is retired.
func (e *Engine) unnamed(ctx context.Context, run Run, left []leftover) (Run, error) {
	byCluster := map[string][]leftover{}
	for _, l := range left {
		byCluster[l.ClusterID] = append(byCluster[l.ClusterID], l)
	}
	for cluster, here := range byCluster {
		secrets := make([][2]string, len(here))
		for i, l := range here {
			secrets[i] = [2]string{l.Namespace, l.name}
		}
		census, err := censusOf(ctx, e.Clusters, cluster, secrets)
		if err != nil {
			return e.retry(ctx, run, "whether anything still names "+here[0].Namespace+"/"+here[0].name+" is not known: "+reason(err),
				cure(err, "bring the cluster back; the run goes on by itself, or resume it"))
		}
		if census.Note != "" {
			return e.stop(ctx, run, NeedsAttention, "whether anything still names "+here[0].Namespace+"/"+here[0].name+" is not known: "+census.Note,
				"have the connector see what reads Secrets, then resume; the old Secret is kept until then")
		}
		for _, l := range here {
			if r, names := namer(census.Readers, l); names {
				return e.named(ctx, run, l, r)
			}
		}
	}
	return run, nil
}

func namer(readers []Reader, l leftover) (Reader, bool) {
	for _, r := range readers {
		if r.Namespace == l.Namespace && r.names(l.name) {
			return r, true
		}
	}
	return Reader{}, false
}

// names reports whether the reader refers to the Secret in any way.
func (r Reader) names(secret string) bool {
	return slices.ContainsFunc(r.Uses, func(u Use) bool { return u.Secret == secret })
}

// lookForEnd is how often a pod that names a Secret which is to be deleted is looked for.
const lookForEnd = time.Minute

// named stores that something still names a Secret that is to be deleted. What only runs on with it is waited for, for as
// long as it takes.
func (e *Engine) named(ctx context.Context, run Run, l leftover, r Reader) (Run, error) {
	what := r.Kind + " " + r.Namespace + "/" + r.Name
	if !r.says(l.name) {
		run.NotBefore = time.Now().Add(lookForEnd)
		return e.pause(ctx, run, Waiting, "the replaced Secret "+l.Namespace+"/"+l.name+" is kept: a pod of "+what+" that still runs names it", "wait for its end; the run goes on by itself, or resume it")
	}
	return e.stop(ctx, run, NeedsAttention, "the replaced Secret "+l.Namespace+"/"+l.name+" is kept: "+what+" names it", "have it name "+l.instead+", then resume")
}

// retired deletes the Secrets that others have taken the place of, unless something has come to name them since, and stores
// that the old value is retired.
func (e *Engine) retired(ctx context.Context, run Run, note string) (Run, error) {
	left, err := e.leftovers(ctx, run)
	if err != nil {
		return run, err
	}
	if run, err = e.unnamed(ctx, run, left); err != nil {
		return run, err
	}
	if run, err = e.forget(ctx, run, left); err != nil {
		return run, err
	}
	if len(left) > 0 {
		note = strings.TrimPrefix(note+fmt.Sprintf("; %d replaced Secrets are deleted", len(left)), "; ")
	}
	return e.passed(ctx, run, RetiredOld, note)
}

// forget deletes Secrets that others have taken the place of and that nothing names.
func (e *Engine) forget(ctx context.Context, run Run, left []leftover) (Run, error) {
	for _, l := range left {
		err := e.delete(ctx, run, l)
		switch {
		case err == nil:
		case fault.KindOf(err) == "":
			return run, err
		case unreachable(err) || changed(err):
			return e.retry(ctx, run, "the replaced Secret "+l.Namespace+"/"+l.name+" is not deleted: "+reason(err), cure(err, "bring the cluster back; the run goes on by itself, or resume it"))
		case errors.Is(err, fault.Stale):
			return run, err // the lease is lost
		default:
			return e.stop(ctx, run, NeedsAttention, "the replaced Secret "+l.Namespace+"/"+l.name+" is not deleted: "+reason(err), cure(err, "mend the cause, then resume"))
		}
	}
	return run, nil
}

// codeChanged is the code of a write to a Secret that was changed since it was read.
const codeChanged = "secret-changed"

func changed(err error) bool { f := asFault(err); return f != nil && f.Code == codeChanged }

// delete deletes one Secret, as long as it is the very one, and stores that it is gone.
func (e *Engine) delete(ctx context.Context, run Run, l leftover) error {
	c, err := e.Clusters.Open(ctx, l.ClusterID)
	if err != nil {
		return err
	}
	there, err := e.read(ctx, run, c, l.Namespace, []string{l.name})
	if err != nil {
		return err
	}
	state := "it was gone, or another"
	if s, ok := there[l.name]; ok && (l.uid == s.UID || l.uid == "" && s.MadeBy == l.RunID) {
		e.at("retired:before-delete")
		err = c.Delete(ctx, s)
		e.at("retired:deleted")
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		state = "deleted"
	}
	l.Gone = true
	ev := e.event(run, "secret.delete").With("cluster", l.ClusterID).With("secret", l.Namespace+"/"+l.name).With("instead", l.Namespace+"/"+l.instead).With("state", state)
	err = e.Store.SaveReplacement(ctx, run, l.Replacement, ev)
	e.at("retired:delete-stored")
	return err
}
