package rotation

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

// maxRestartOrder is how many globs may order the restarts of a policy.
const maxRestartOrder = 50

// Restarts say when and in which order a run restarts what reads the keys that it has written. The zero Restarts are at
// once, and all together.
type Restarts struct {
	// Order are globs of NAMESPACE/KIND/NAME, such as "shop/Deployment/api-*". What matches the first is restarted and
	// watched to the end before what matches the second, and so on; what matches none of them comes last.
	Order []string `json:"order,omitempty"`
	// Windows are when restarts may begin, written as those of [schedule.Rules] and in the same zone; always if there are none.
	Windows []string `json:"windows,omitempty"`
}

// check fails with fault.Invalid, naming the field, when the restarts cannot be followed.
func (r Restarts) check(zone string) error {
	if len(r.Order) > maxRestartOrder {
		return policyFault("restartOrder", "too many globs order the restarts", "give 50 at most")
	}
	for _, glob := range r.Order {
		if _, err := path.Match(glob, ""); err != nil || strings.Count(glob, "/") != 2 {
			return policyFault("restartOrder", "that is not a glob of workloads", "use NAMESPACE/KIND/NAME with * and ?, such as shop/Deployment/api-*")
		}
	}
	_, err := r.windows(zone)
	if f := asFault(err); f != nil && f.Field == "windows" {
		return f.WithField("restartWindows")
	}
	return err
}

func (r Restarts) windows(zone string) (schedule.Schedule, error) {
	return schedule.Parse(schedule.Rules{Windows: r.Windows, Zone: zone})
}

// opens returns the first instant from t on at which restarts may begin.
func (r Restarts) opens(t time.Time, zone string) (time.Time, error) {
	windows, err := r.windows(zone)
	if err != nil {
		return t, err
	}
	at, _ := windows.Open(t)
	return at, nil
}

// groups parts workloads into those that are restarted together, in the order in which that is done. What is only told of
// another Secret comes first: pods that are made later may take the name from it.
func (r Restarts) groups(all []Rollout) [][]Rollout {
	groups := make([][]Rollout, len(r.Order)+2)
	for _, x := range all {
		if x.quiet() {
			groups[0] = append(groups[0], x)
			continue
		}
		i := slices.IndexFunc(r.Order, func(glob string) bool {
			ok, err := path.Match(glob, x.Namespace+"/"+x.Kind+"/"+x.Name)
			return ok && err == nil
		})
		if i < 0 {
			i = len(r.Order)
		}
		groups[i+1] = append(groups[i+1], x)
	}
	return slices.DeleteFunc(groups, func(g []Rollout) bool { return len(g) == 0 })
}
