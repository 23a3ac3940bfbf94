package rotation

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
)

// Consent is what of a forecast somebody agrees to who binds a run to it. What moves by itself is left out: how many pods
// are ready, resourceVersions, budgets, estimates. A hash of each part makes it possible to say which part has changed
// without having kept the rest.
type Consent struct {
	Account   consentAccount
	Policy    string // its mark
	Keys      []consentKey
	Workloads []consentWorkload
	Waves     consentWaves
}

type consentAccount struct {
	ID, ResourceID string
	Current        int64
	Strategy       Strategy
}

type consentKey struct {
	Mapping, Cluster, Namespace, Secret, UID, Key string
	OnWrite                                       OnWrite
	Place                                         composite.Spec
	State                                         KeyState
	Owner                                         OwnerKind
	OwnerName                                     string
	Immutable                                     bool
}

type consentWorkload struct {
	Workload
	Pods   int
	Action Action
	Uses   []consentUse
}

type consentUse struct {
	Secret, How string
	Keys        []string
}

type consentWaves struct {
	Of    map[string]int
	Pause string
}

// The parts of a hash, in their order.
var consentParts = []string{
	"the account (its version, its strategy or its resource)", "its policy", "the mapped keys", "the workloads that read them, or how many pods they have", "the waves",
}

// consentMark says how a hash is made; another one means that it cannot be compared.
const consentMark = "1"

// consentBytes is how much of each part's SHA-256 a hash keeps: 9 bytes are 12 letters, and 2^72 tries to find another part
// with the same.
const consentBytes = 9

func consentTo(f Forecast, waves map[string]int) Consent {
	c := Consent{
		Account: consentAccount{f.Account.ID, f.Account.ResourceID, f.Account.Current, f.Strategy},
		Policy:  f.Policy.Mark(),
		Waves:   consentWaves{waves, f.Policy.Rules.Waves.Pause},
	}
	for _, k := range f.Keys {
		c.Keys = append(c.Keys, consentKey{k.MappingID, k.ClusterID, k.Namespace, k.Name, k.SeenUID, k.Key, k.OnWrite, k.Place, k.State,
			k.Owner.Kind, k.Owner.Name, k.Immutable})
	}
	for _, w := range f.Workloads {
		c.Workloads = append(c.Workloads, consentWorkload{w.Workload, w.Wanted, w.Action, consentUses(w.Uses)})
	}
	return c
}

// consentUses are what is read and how, whatever container reads it and whether pods or their template say so.
func consentUses(uses []Use) []consentUse {
	var out []consentUse
	for _, u := range uses {
		out = append(out, consentUse{u.Secret, u.How, u.Keys})
	}
	order := func(a, b consentUse) int {
		return cmp.Or(cmp.Compare(a.Secret, b.Secret), cmp.Compare(a.How, b.How), slices.Compare(a.Keys, b.Keys))
	}
	slices.SortFunc(out, order)
	return slices.CompactFunc(out, func(a, b consentUse) bool { return order(a, b) == 0 && (a.Keys == nil) == (b.Keys == nil) })
}

// Hash names the consent.
func (c Consent) Hash() string {
	hashes := []string{consentMark}
	for _, part := range []any{c.Account, c.Policy, c.Keys, c.Workloads, c.Waves} {
		text, err := json.Marshal(part) // maps by key, the rest in the order of Foresee, so that it is the same each time
		if err != nil {
			panic(fmt.Sprintf("rotation: a consent does not encode: %v", err)) // it is made of texts and numbers
		}
		sum := sha256.Sum256(text)
		hashes = append(hashes, base64.RawURLEncoding.EncodeToString(sum[:consentBytes]))
	}
	return strings.Join(hashes, ".")
}

// CheckPlanHash fails with fault.Invalid when hash is none that this program makes.
func CheckPlanHash(hash string) error {
	parts := strings.Split(hash, ".")
	wrong := len(parts) != len(consentParts)+1 || parts[0] != consentMark || slices.ContainsFunc(parts[1:], func(p string) bool {
		b, err := base64.RawURLEncoding.DecodeString(p)
		return err != nil || len(b) != consentBytes
	})
	if wrong {
		return fault.New(fault.Invalid, "that is not the hash of a plan").WithField("plan").WithCode("plan-hash").
			WithCure("ask for the plan again, and give its hash").WithUnchanged("nothing was changed")
	}
	return nil
}

// AgreedTo fails with fault.Conflict and the code plan-changed when f is not what was agreed to under hash. It says which
// parts are others now, and what they are.
func (f Forecast) AgreedTo(hash string) error {
	if err := CheckPlanHash(hash); err != nil {
		return err
	}
	was, now := strings.Split(hash, ".")[1:], strings.Split(f.Hash, ".")[1:]
	var changed []string
	for i, part := range consentParts {
		if was[i] != now[i] {
			changed = append(changed, part+", now "+f.nowOf(i))
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "the world has changed since the plan: %s", strings.Join(changed, "; ")).WithCode(PlanChanged).
		WithCure("look at the plan again, and agree to it as it is now").WithUnchanged("nothing was changed, and no value was made")
}

// PlanChanged is the code of a run that is refused because the world is not what its plan names.
const PlanChanged = "plan-changed"

// mostNamed is how many keys or workloads a sentence names.
const mostNamed = 5

// nowOf says what a part of the consent is now.
func (f Forecast) nowOf(part int) string {
	switch part {
	case 0:
		return fmt.Sprintf("version %d under the strategy %s", f.Account.Current, f.Strategy)
	case 1:
		return "the policy " + f.Policy.Name
	case 2:
		return named(f.Keys, func(k KeyForecast) string {
			return k.ClusterName + "/" + k.Namespace + "/" + k.Name + "/" + k.Key + " (" + strings.ReplaceAll(string(k.State), "_", " ") + ")"
		})
	case 3:
		return named(f.Workloads, func(w WorkloadForecast) string {
			return fmt.Sprintf("%s %s/%s/%s (%d pods, %s)", w.Kind, w.ClusterName, w.Namespace, w.Name, w.Wanted, w.Action)
		})
	}
	if f.Waves == 0 {
		return "all clusters at once"
	}
	return fmt.Sprintf("%d waves", f.Waves)
}

func named[T any](all []T, name func(T) string) string {
	if len(all) == 0 {
		return "none"
	}
	var names []string
	for _, x := range all[:min(len(all), mostNamed)] {
		names = append(names, name(x))
	}
	if more := len(all) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
