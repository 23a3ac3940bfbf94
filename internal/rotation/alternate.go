package rotation

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// An account whose strategy is Alternating is a pair of logins. A run sets a value for Run.Login, which nobody uses, and
// never touches Run.Beside, which consumers use until they have the other:
//
//	planned    the rights of both are the same, and each mapped Secret will be told the user name too
//	applied    Login has the new value; settled by logging in as Login with it, then with the one it had (Spare)
//	verified   the new version is current: from now on Login is the one to use
//	published  user name and value of Login stand in every mapped key
//	retired    a login with each of the two works; what Login took before is refused
//
// The next run may change Beside, because this one is done: no consumer can still hold it.

// user is the login that the run publishes.
func (r Run) user() string { return cmp.Or(r.Login, r.AccountName) }

// beside is the login that the run leaves alone.
func (r Run) beside() string { return cmp.Or(r.Beside, r.AccountName) }

// before is the version that the login of the run took when it was planned; 0 if that is not known.
func (r Run) before() int64 {
	if r.Strategy == Alternating {
		return r.Spare
	}
	return r.Old
}

// target returns the login that the run changes, on its system.
func (e *Engine) target(ctx context.Context, run Run) (Target, error) {
	t, err := e.Targets.Open(ctx, run.AccountID)
	if err != nil {
		return nil, err
	}
	return t.As(run.Login), nil
}

// mayAlternate makes sure, before anything is made, that a run of a pair locks nobody out: that both logins may do the same,
// and that every mapped Secret is told the user name with the password. A run that goes back to what was in use a moment
// ago is not held up by the first.
func (e *Engine) mayAlternate(ctx context.Context, run Run, target Target) (Run, error) {
	if run.Strategy != Alternating {
		return run, nil
	}
	if run.Spare == 0 && !target.Reconciled() {
		return e.stop(ctx, run, NeedsAttention, "no value is stored for "+run.user()+", so Keyturn cannot log in as it to change it",
			"store its present value with the account, or give the resource a reconcile account, then resume")
	}
	writes, err := e.Store.Writes(ctx, run)
	if err != nil {
		return run, err
	}
	if w := nameless(writes); w != nil {
		return e.stop(ctx, run, NeedsAttention, fmt.Sprintf("what reads %s/%s would log in as %s with the value of %s: no key of it is mapped to the user name", w.Namespace, w.Name, run.beside(), run.user()),
			"cancel the run, map the key that holds the user name (or map the value that holds both as such), then reset again")
	}
	if run.Reverts != "" {
		return run, nil
	}
	differ, err := e.compare(ctx, run, target)
	switch {
	case err != nil && unreachable(err):
		return e.retry(ctx, run, "the rights of both logins could not be compared: "+reason(err), cure(err, "bring the target back; the run goes on by itself, or resume it"))
	case err != nil && fault.KindOf(err) == "":
		return run, err
	case err != nil:
		return e.stop(ctx, run, NeedsAttention, "the rights of both logins could not be compared: "+reason(err), cure(err, "mend the cause, then resume"))
	case len(differ) > 0:
		return e.stop(ctx, run, NeedsAttention, "the two logins may not do the same: "+summary(differ), "make them the same on the system, then resume")
	}
	return run, nil
}

// nameless returns a mapped key of a Secret that is told a password and no user name; nil if there is none.
func nameless(writes []Write) *Write {
	named := map[string]bool{}
	for _, w := range writes {
		named[w.SecretID] = named[w.SecretID] || w.Place.HasUser()
	}
	for i, w := range writes {
		if !named[w.SecretID] {
			return &writes[i]
		}
	}
	return nil
}

// compare asks the system how the rights of both logins differ.
func (e *Engine) compare(ctx context.Context, run Run, target Target) ([]string, error) {
	value := vault.Value{}
	if run.Old > 0 {
		var err error
		if value, err = e.open(ctx, run, run.Old); err != nil {
			return nil, err
		}
		defer value.Wipe()
	}
	return target.As(run.Beside).Compare(ctx, value, run.user())
}

// mostDiffer is how many differences a run names.
const mostDiffer = 20

func summary(differ []string) string {
	more := ""
	if n := len(differ) - mostDiffer; n > 0 {
		differ, more = differ[:mostDiffer], fmt.Sprintf("; and %d more", n)
	}
	return strings.Join(differ, "; ") + more
}

// keepBoth proves that both logins of a pair work, and that what the changed one took before is refused.
func (e *Engine) keepBoth(ctx context.Context, run Run, target Target) (Run, error) {
	next, before, _, err := e.values(ctx, run)
	if err != nil {
		return run, err
	}
	if after, err := e.proves(ctx, run, target, next, run.user()); err != nil {
		return after, err
	}
	if run.Spare > 0 && !before.Equal(next) {
		switch answer, cause := target.Login(ctx, before); answer {
		case Denied:
		case Accepted:
			return e.stop(ctx, run, NeedsAttention, "the target still accepts the value that "+run.user()+" had before",
				"look for a second password or a rule that lets every password in, then resume")
		default:
			return e.unanswered(ctx, run, cause)
		}
	}
	if run.Old == 0 {
		return e.retired(ctx, run, "a login as "+run.user()+" works; no value is stored for "+run.beside())
	}
	old, err := e.open(ctx, run, run.Old)
	if err != nil {
		return run, err
	}
	switch answer, cause := target.As(run.Beside).Prove(ctx, old); {
	case answer == Accepted:
		return e.retired(ctx, run, "logins as "+run.user()+" and as "+run.beside()+" both work")
	case answer == Denied && target.Reconciled():
		return e.retired(ctx, run, "a login as "+run.user()+" works; "+run.beside()+" refuses its stored value, and the next run sets it with the reconcile account")
	case answer == Denied:
		return e.stop(ctx, run, NeedsAttention, run.beside()+" refuses its stored value: "+reason(cause),
			"set it back on the target, or give the resource a reconcile account, then resume; everybody uses "+run.user()+" by now")
	default:
		return e.unanswered(ctx, run, cause)
	}
}

// proves makes sure that the login works with value.
func (e *Engine) proves(ctx context.Context, run Run, target Target, value vault.Value, user string) (Run, error) {
	switch answer, cause := target.Prove(ctx, value); answer {
	case Accepted:
		return run, nil
	case Denied:
		return e.stop(ctx, run, NeedsAttention, user+" does not take its new value any more: "+reason(cause),
			cure(cause, "look who changed it on the target, set it back, then resume"))
	default:
		return e.unanswered(ctx, run, cause)
	}
}

func (e *Engine) unanswered(ctx context.Context, run Run, cause error) (Run, error) {
	return e.retry(ctx, run, "whether both logins work could not be tried: "+reason(cause), cure(cause, "bring the target back, then resume"))
}
