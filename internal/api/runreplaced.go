package api

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/rotation"
)

// replacementsOf says what became of each Secret that the run replaces. What was chosen, made in vain and is gone
// is left out. The names of clusters and the workloads are taken from out.
func replacementsOf(run rotation.Run, replaced []rotation.Replacement, out client.Run) (all []client.RunReplacement) {
	names := map[string]string{}
	for _, w := range out.Writes {
		names[w.ClusterID] = w.Cluster
	}
	for _, r := range replaced {
		if r.Gone && r.NewUID == "" {
			continue
		}
		x := client.RunReplacement{ClusterID: r.ClusterID, Cluster: names[r.ClusterID], Namespace: r.Namespace, Secret: r.Old, Instead: r.New}
		x.State, x.Old = replacementState(run, r)
		for _, w := range out.Rollouts {
			if w.ClusterID != r.ClusterID || w.Namespace != r.Namespace {
				continue
			}
			x.Consumers++
			if w.State == string(rotation.RolloutDone) || w.State == string(rotation.RolloutSkipped) {
				x.Switched++
			}
		}
		if stands := run.State == rotation.NeedsAttention || run.State == rotation.Waiting; stands && !r.Gone {
			x.Held = "The run stands still for another reason."
			if concerns(run.Reason, r) {
				x.Held = sentence(run.Reason)
			}
		}
		all = append(all, x)
	}
	return all
}

// replacementState is how far one is, and what there is to say of the old Secret.
func replacementState(run rotation.Run, r rotation.Replacement) (state, old string) {
	switch {
	case r.Gone:
		return "done", "It was deleted once its value was retired and nothing named it any more."
	case run.State.Ended():
		return "skipped", "It was kept: the run ended before its value was retired."
	case r.NewUID == "":
		state, old = "to_do", "It stays as it is until the Secret in its place is made and read back."
	case slices.Index(rotation.Steps(), run.Step) < slices.Index(rotation.Steps(), rotation.RolledOut):
		state, old = "running", "It is deleted without a grace period once everything that names it names the new one and its value is retired."
	default:
		state, old = "running", "It is deleted next, if nothing names it any more."
	}
	if run.State == rotation.NeedsAttention && concerns(run.Reason, r) {
		state = "failed"
	}
	return state, old
}

// concerns reports whether the reason for which a run stands still names either Secret.
func concerns(reason string, r rotation.Replacement) bool {
	return strings.Contains(reason, r.Namespace+"/"+r.Old+" ") || strings.Contains(reason, r.Namespace+"/"+r.New+" ")
}
