package rotation

import (
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// rename has what names a replaced Secret name the one in its place, whose mapping somebody has removed, so that the run could
// not.
func (m *machine) rename() {
	for _, r := range m.replaced {
		mapped := slices.ContainsFunc(m.writes, func(w Write) bool { return w.Name == r.New })
		if r.Gone || r.NewUID == "" || mapped || !strings.Contains(m.run.Reason, r.Old+" is kept: ") {
			continue
		}
		for _, x := range m.workloads {
			x.renamed(map[string]string{r.Old: r.New})
		}
	}
}

// inUse reports whether a Secret is mapped, or named by anything while a mapped one takes its place.
func (m *machine) inUse(name string) bool {
	mapped := func(name string) bool {
		return slices.ContainsFunc(m.writes, func(w Write) bool { return "c1/"+w.Name == name })
	}
	named := slices.ContainsFunc(slices.Collect(maps.Values(m.workloads)), func(x *workload) bool { return "c1/"+x.reads == name })
	return mapped(name) || named && slices.ContainsFunc(m.replaced, func(r Replacement) bool {
		return r.RunID == m.run.ID && "c1/"+r.Old == name && mapped("c1/"+r.New)
	})
}

// tidied fails the test when a run that is done has left a Secret that it replaced, or made in vain.
func (m *machine) tidied() {
	for _, r := range m.replaced {
		for name, s := range m.secrets {
			if r.RunID == m.run.ID && (!r.Gone || name == "c1/"+r.Old && s.uid == r.OldUID || name == "c1/"+r.New && r.NewUID == "" && s.madeBy == r.RunID) {
				m.t.Errorf("done: %+v, and %s is there", r, name)
			}
		}
	}
}

func (m *machine) saysOfImmutable(t *rapid.T) {
	m.policy.Rules.Immutable = rapid.SampledFrom([]Immutable{ImmutableRefuse, ImmutableReplace}).Draw(t, "policy")
}
