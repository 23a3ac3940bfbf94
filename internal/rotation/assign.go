package rotation

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"
)

// By is what an assignment names accounts by, the most specific first.
type By string

// The ways to name accounts.
const (
	ByAccount  By = "account"  // an account's id
	ByResource By = "resource" // a resource's id
	ByLabel    By = "label"    // labels of a Secret that the account is mapped to: "env=prod,tier"
	ByRule     By = "rule"     // globs "type/resource/account", such as "postgresql/prod-*/app*"
)

// maxPattern bounds an assignment's pattern, in bytes.
const maxPattern = 1000

// Assignment says which accounts a policy is for. There is one assignment at most of the same By and Pattern.
type Assignment struct {
	ID, PolicyID string
	By           By
	Pattern      string
	CreatedAt    time.Time
}

// Check fails with fault.Invalid when the assignment can name nothing.
func (a Assignment) Check() error {
	bad := func(msg, cure string) error { return policyFault("pattern", msg, cure) }
	if a.Pattern == "" || len(a.Pattern) > maxPattern {
		return bad("an assignment names accounts", "give an account, a resource, labels or a rule")
	}
	switch a.By {
	case ByAccount, ByResource:
		return nil
	case ByLabel:
		for _, term := range strings.Split(a.Pattern, ",") {
			if key, _, _ := strings.Cut(term, "="); key == "" || strings.ContainsAny(term, " !()") {
				return bad("the labels cannot be read", "write them as env=prod,tier, where a name alone asks for any value")
			}
		}
		return nil
	case ByRule:
		parts := strings.Split(a.Pattern, "/")
		if len(parts) != 3 || slices.Contains(parts, "") {
			return bad("a rule has three parts", "write it as TYPE/RESOURCE/ACCOUNT with globs, such as postgresql/prod-*/*")
		}
		for _, glob := range parts {
			if _, err := path.Match(glob, ""); err != nil {
				return bad("a glob of the rule cannot be read", "use *, ? and [a-z]")
			}
		}
		return nil
	}
	return policyFault("by", "accounts are named by account, resource, label or rule", "give one of these")
}

// Subject is what assignments look at of an account.
type Subject struct {
	ID, Name                               string
	ResourceID, ResourceName, ResourceType string
	// Labels are those of each Secret that the account is mapped to.
	Labels []map[string]string
}

// names reports whether the assignment is for the account.
func (a Assignment) names(s Subject) bool {
	switch a.By {
	case ByAccount:
		return a.Pattern == s.ID
	case ByResource:
		return a.Pattern == s.ResourceID
	case ByLabel:
		return slices.ContainsFunc(s.Labels, func(labels map[string]string) bool { return selects(a.Pattern, labels) })
	case ByRule:
		parts := strings.Split(a.Pattern, "/")
		return len(parts) == 3 && globs(parts[0], s.ResourceType) && globs(parts[1], s.ResourceName) && globs(parts[2], s.Name)
	}
	return false
}

func globs(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// selects reports whether labels have all that the selector asks for.
func selects(selector string, labels map[string]string) bool {
	for term := range strings.SplitSeq(selector, ",") {
		key, want, exactly := strings.Cut(term, "=")
		have, ok := labels[key]
		if !ok || exactly && have != want {
			return false
		}
	}
	return true
}

// because says why the assignment is for the account, as a page shows it.
func (a Assignment) because(s Subject) string {
	switch a.By {
	case ByAccount:
		return "it is assigned to this account"
	case ByResource:
		return "it is assigned to the resource " + s.ResourceName
	case ByLabel:
		return "it is assigned to the labels " + a.Pattern + ", which a Secret of this account has"
	}
	return "it is assigned by the rule " + a.Pattern
}

// Applies is a policy that is for an account, and why.
type Applies struct {
	Policy  Policy
	By      By // empty: it is the default
	Pattern string
	Because string
}

// Applying returns the policies that are for the account, the one that applies first: the most specific wins, of two that
// are as specific the one of the longer pattern, then that of the lower name. The default is always the last.
func Applying(policies []Policy, s Subject) []Applies {
	var all []Applies
	fallback := Applies{Policy: Policy{ID: DefaultPolicy, Name: DefaultPolicy}, Because: "no other policy is for this account"}
	for _, p := range policies {
		if p.ID == DefaultPolicy {
			fallback.Policy = p
		}
		for _, a := range p.Assignments {
			if a.names(s) {
				all = append(all, Applies{p, a.By, a.Pattern, a.because(s)})
			}
		}
	}
	rank := []By{ByAccount, ByResource, ByLabel, ByRule}
	slices.SortFunc(all, func(a, b Applies) int {
		return cmp.Or(cmp.Compare(slices.Index(rank, a.By), slices.Index(rank, b.By)), cmp.Compare(len(b.Pattern), len(a.Pattern)),
			cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Pattern, b.Pattern))
	})
	return append(all, fallback)
}

// Select returns the policy that applies to the account, and a clause that says why.
func Select(policies []Policy, s Subject) (Policy, string) {
	first := Applying(policies, s)[0]
	return first.Policy, first.Because
}
