package rotation

import (
	"cmp"
	"fmt"
	"slices"
)

// Exposed is an account that a leaked value has to do with.
type Exposed struct {
	AccountID, AccountName                 string
	ResourceID, ResourceName, ResourceType string
	Strategy                               Strategy // as it was chosen
	// Current, Pending and Previous say which versions are the value; none of them is where only a mapped key holds it, or only
	// versions that are retired.
	Current, Pending, Previous bool
	InKeys                     int64    // how many of its mapped keys hold the value now
	OpenRun                    string   // id of its run that has not ended
	Repairs                    []string // ids of the resources whose reconcile account it is
	// Keys, Namespaces and Clusters are what a turn writes to: all its mapped keys, whatever they hold.
	Keys, Namespaces, Clusters int64
}

func (x Exposed) name() string { return x.ResourceName + "/" + x.AccountName }

// LeakAction is what is to become of an account.
type LeakAction string

// The actions.
const (
	LeakTurn  LeakAction = "turn"  // a run can be started now
	LeakWaits LeakAction = "waits" // others come first
	LeakRuns  LeakAction = "runs"  // a run is under way, or needs somebody
	LeakSkip  LeakAction = "skip"  // turning it would end nothing
)

// LeakStep is one account of a plan.
type LeakStep struct {
	Exposed
	Action LeakAction
	// Order counts from 1: those of one number need not wait for each other. 0 for what is skipped.
	Order int
	// After are the ids of the accounts that come first.
	After        []string
	Reason, Cure string
}

// PlanLeak says which of the accounts have to be turned, and in which order. What is known of how they depend on each other is
// which account repairs a resource's others: it comes after them, so that while they are turned there is one whose value is
// known and nobody touches. Nothing is known of systems that use each other.
func PlanLeak(all []Exposed) []LeakStep {
	steps := make([]LeakStep, len(all))
	for i, x := range all {
		steps[i] = LeakStep{Exposed: x}
		steps[i].Action, steps[i].Reason, steps[i].Cure = leakAction(x)
	}
	slices.SortFunc(steps, func(a, b LeakStep) int {
		return cmp.Or(cmp.Compare(a.name(), b.name()), cmp.Compare(a.AccountID, b.AccountID))
	})
	order(steps)
	slices.SortStableFunc(steps, func(a, b LeakStep) int { return cmp.Compare(last(a), last(b)) })
	return steps
}

// last is where a step stands in the list: what is skipped comes at the end.
func last(s LeakStep) int {
	if s.Action == LeakSkip {
		return 1 << 30
	}
	return s.Order
}

func leakAction(x Exposed) (action LeakAction, why, cure string) {
	switch {
	case x.OpenRun != "":
		return LeakRuns, "a run of the account is under way", "wait for run " + x.OpenRun + ", or mend what it needs and resume it"
	case x.Current:
		return LeakTurn, "its current value is the leaked one", ""
	case x.Pending:
		return LeakTurn, "a value that was prepared for it is the leaked one", ""
	case x.Previous && x.Strategy == Alternating:
		return LeakTurn, "the other login of the pair has the leaked value", ""
	case x.InKeys > 0:
		return LeakTurn, fmt.Sprintf("%d of its mapped keys hold the leaked value, although its own is another by now", x.InKeys), ""
	case x.Previous:
		return LeakSkip, "its system was given another value since", "if an older value might still be accepted there, reset the account once more"
	}
	return LeakSkip, "only a retired version was the leaked value", ""
}

// order gives each step that is not skipped its number and what it comes after. Accounts that repair each other in a circle are
// taken by name: somebody has to be first.
func order(steps []LeakStep) {
	at := map[string]int{}
	for i, s := range steps {
		if s.Action != LeakSkip {
			at[s.AccountID] = i
		}
	}
	before := func(i int) (all []int) { // what comes before step i
		for _, j := range at {
			if j != i && slices.Contains(steps[i].Repairs, steps[j].ResourceID) {
				all = append(all, j)
			}
		}
		slices.Sort(all)
		return all
	}
	left := slices.Sorted(func(yield func(int) bool) {
		for _, i := range at {
			if !yield(i) {
				return
			}
		}
	})
	placed := map[int]bool{}
	for number := 1; len(left) > 0; number++ {
		var now []int
		for _, i := range left {
			if !slices.ContainsFunc(before(i), func(j int) bool { return !placed[j] }) {
				now = append(now, i)
			}
		}
		if len(now) == 0 {
			now = left[:1]
			steps[now[0]].Reason += "; it and others repair each other, and it comes first by its name"
		}
		for _, i := range now {
			s := &steps[i]
			s.Order = number
			for _, j := range before(i) {
				if placed[j] {
					s.After = append(s.After, steps[j].AccountID)
				}
			}
			if len(s.After) > 0 && s.Action == LeakTurn {
				s.Action, s.Cure = LeakWaits, "turn the accounts that it repairs first"
			}
		}
		for _, i := range now {
			placed[i] = true
		}
		left = slices.DeleteFunc(left, func(i int) bool { return placed[i] })
	}
}
