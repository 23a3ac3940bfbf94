package api

import (
	"fmt"
	"slices"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
)

// factsOf says in sentences what is known of a run now, and what is not.
func factsOf(row store.RunRow, versions []inventory.Version, rollouts []client.RunRollout) []string {
	facts := []string{acceptedFact(row.Run)}
	for _, number := range []int64{row.New, row.Old} {
		i := slices.IndexFunc(versions, func(v inventory.Version) bool { return v.Number == number })
		if i >= 0 {
			facts = append(facts, fmt.Sprintf("Version %d is stored as %s.", number, versions[i].Stage))
		}
	}
	switch {
	case row.Writes == 0:
		facts = append(facts, "No Secret key is mapped to the account.")
	case row.New > 0:
		facts = append(facts, fmt.Sprintf("%d of %d mapped keys were read back with version %d.", row.Proved, row.Writes, row.New))
	}
	if len(rollouts) > 0 {
		facts = append(facts, podFact(rollouts))
	}
	if old := oldFact(row.Run); old != "" {
		facts = append(facts, old)
	}
	return facts
}

// podFact says how many pods are left that were made before the keys were written.
func podFact(rollouts []client.RunRollout) string {
	pods, workloads := 0, 0
	for _, r := range rollouts {
		if pods += r.Old; r.Old > 0 {
			workloads++
		}
	}
	if pods == 0 {
		return fmt.Sprintf("No pod of %s is left from before the write.", counted(len(rollouts), "workload"))
	}
	return fmt.Sprintf("From before the write there are left: %s of %s.", counted(pods, "pod"), counted(workloads, "workload"))
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// acceptedFact says which value the system accepts, as far as this run has proved it.
func acceptedFact(run rotation.Run) string {
	reached := func(step rotation.Step) bool {
		return slices.Index(rotation.Steps(), run.Step) >= slices.Index(rotation.Steps(), step)
	}
	switch {
	case reached(rotation.Verified) && run.Proved:
		return fmt.Sprintf("The system accepted a login with version %d and refused a wrong value.", run.New)
	case reached(rotation.Verified):
		return fmt.Sprintf("There is no system to log in to: version %d is stored, not proved.", run.New)
	case reached(rotation.Applied):
		return fmt.Sprintf("The change to version %d was sent and answered; no proof by a fresh login is stored yet.", run.New)
	case run.State == rotation.RolledBack && run.Begun != rotation.Applied:
		return "Nothing was sent to the system."
	case run.State == rotation.RolledBack:
		return "The system refused the change, and what it accepts is what it accepted before."
	case run.Begun == rotation.Applied && run.Strategy == rotation.Alternating:
		return fmt.Sprintf("Whether the login that nobody uses has version %d is not known yet; it is in the vault. The one in use is as it was.", run.New)
	case run.Begun == rotation.Applied && run.Old > 0:
		return fmt.Sprintf("Whether the system accepts version %d or version %d is not known yet; both are in the vault.", run.Old, run.New)
	case run.Begun == rotation.Applied:
		return fmt.Sprintf("Whether the system accepts version %d is not known yet; it is in the vault.", run.New)
	case run.New > 0: // an earlier value of this run may have been sent and refused
		return fmt.Sprintf("Version %d was not sent to the system yet.", run.New)
	}
	return "Nothing was sent to the system yet."
}

// oldFact says whether the old value still works, if there is one that matters.
func oldFact(run rotation.Run) string {
	all := rotation.Steps()
	switch at := slices.Index(all, run.Step); {
	case run.Old == 0 || !run.Proved:
		return ""
	case run.Strategy == rotation.Alternating:
		return fmt.Sprintf("The other login, with version %d, was not touched.", run.Old)
	case run.Strategy == rotation.Overlap && at < slices.Index(all, rotation.RetiredOld):
		return fmt.Sprintf("The system takes version %d beside it until every key has the new one.", run.Old)
	case at >= slices.Index(all, rotation.RetiredOld):
		return fmt.Sprintf("The system refused a login with version %d.", run.Old)
	}
	return fmt.Sprintf("Whether the system still accepts version %d was not settled yet.", run.Old)
}
