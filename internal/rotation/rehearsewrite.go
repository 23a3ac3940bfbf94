package rotation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// tryWrite has the API server check the very patch that a run would send, or the Secret that it would make in place of an
// immutable one, whose name is returned then.
func tryWrite(ctx context.Context, c Cluster, p place, seen Seen, there bool, value vault.Value) (step RehearsalStep, instead string) {
	step = RehearsalStep{Name: RehearseWrite, Object: p.namespace + "/" + p.name}
	for range maxConflicts {
		d := decide(p.writes, seen, there, value)
		for _, w := range d.writes {
			if w.State == WriteBlocked || w.State == WriteHands {
				step.State, step.Reason, step.Cure = StepFailed, "key "+w.Key+": "+w.Reason, w.Cure
				return step, ""
			}
		}
		reply, instead, err := try(ctx, c, seen, d)
		if err == nil && d.issued() != "" {
			step.State, step.Proved = StepDone, "the API server would make the Secret "+instead+" for another token of the same account"
			return step, instead
		}
		if err == nil {
			for _, w := range answered(d, reply, value) {
				if w.State != WriteDone {
					step.State, step.Reason, step.Cure = StepFailed, "key "+w.Key+": "+w.Reason, w.Cure
					return step, ""
				}
			}
			step.State = StepDone
			step.Proved = "the API server would store " + strings.Join(slices.Sorted(maps.Keys(d.patch)), ", ") + " as sent"
			if instead != "" {
				step.Proved += ", in a new Secret " + instead + " in place of this one, which is immutable"
			}
			return step, instead
		}
		if !errors.Is(err, fault.Stale) {
			return triedStep(RehearseWrite, step.Object, err), ""
		}
		again, err := c.Read(ctx, p.namespace, []string{p.name})
		if err != nil {
			return failedStep(RehearseWrite, step.Object, err), ""
		}
		seen, there = again[p.name]
	}
	step.State, step.Reason, step.Cure = StepUnverified, "not proved: the Secret changed again and again meanwhile", "find what else writes it, then rehearse again"
	return step, ""
}

// try sends the request of a decision without its effect. A name that is taken is followed by the next.
func try(ctx context.Context, c Cluster, seen Seen, d decision) (reply Seen, instead string, err error) {
	if !d.replace {
		reply, err = c.TryPatch(ctx, seen, d.patch)
		return reply, "", err
	}
	base, n := seen.numbered()
	for range maxNames {
		n++
		instead = numberedName(base, n)
		made := Made{Name: instead, Base: base, By: "rehearsal"}
		if d.issued() != "" {
			reply, err = c.TryReissue(ctx, seen, made)
		} else {
			reply, err = c.TryReplace(ctx, seen, made, d.patch)
		}
		if f := asFault(err); f == nil || f.Code != NameTaken {
			break
		}
	}
	return reply, instead, err
}
