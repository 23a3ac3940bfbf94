package inventory

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
)

// Selection chooses Secrets of a cluster. Its fields add up: a Secret is chosen when any of them chooses it. What belongs
// to the machinery of a cluster (Helm's releases, ServiceAccount and bootstrap tokens, the namespaces kube-system and
// keyturn) is left out, unless the Secret is named singly; a rule that names one of those types chooses that type.
type Selection struct {
	All        bool     `json:"all,omitempty"`        // every Secret, also of namespaces that come later
	Namespaces []string `json:"namespaces,omitempty"` // all Secrets of these
	Secrets    []string `json:"secrets,omitempty"`    // single ones, namespace/name
	Rule       *Rule    `json:"rule,omitempty"`
}

// Rule chooses Secrets that pass all of its fields; an empty field passes everything. In a glob, * stands for any number
// of characters and ? for one; there is nothing else to it.
type Rule struct {
	Namespaces []string `json:"namespaces,omitempty"` // globs, one of which must match
	Names      []string `json:"names,omitempty"`      // globs, one of which must match
	Labels     string   `json:"labels,omitempty"`     // "k=v,k2!=v,k3": equal, not equal or absent, present
	Types      []string `json:"types,omitempty"`      // exact types, one of which must be the Secret's
}

// Meta is what a Selection looks at.
type Meta struct {
	Namespace, Name, Type string
	Labels                map[string]string
}

// Limits of a selection, so that a request cannot make every later list slow.
const (
	maxNamespaces = 1000
	maxSingles    = 5000
	maxGlobs      = 100
	maxGlobLen    = 253
	maxLabels     = 1000
)

// Validate returns fault.Invalid, with the field, when the selection chooses nothing, names something that cannot exist
// or is too large.
func (s Selection) Validate() error {
	if !s.All && len(s.Namespaces) == 0 && len(s.Secrets) == 0 && s.Rule == nil {
		return fault.New(fault.Invalid, "nothing is chosen").WithField("selection").
			WithCure("choose everything, namespaces, single Secrets or a rule")
	}
	if len(s.Namespaces) > maxNamespaces {
		return fault.New(fault.TooLarge, "more than %d namespaces are chosen", maxNamespaces).WithField("namespaces").WithCure("use a rule, or choose everything")
	}
	if len(s.Secrets) > maxSingles {
		return fault.New(fault.TooLarge, "more than %d single Secrets are chosen", maxSingles).WithField("secrets").WithCure("choose their namespaces, or use a rule")
	}
	for i, ns := range s.Namespaces {
		if !validName(ns, 63, false) {
			return fault.New(fault.Invalid, "number %d of the namespaces is not a namespace's name", i+1).WithField("namespaces")
		}
	}
	for i, ref := range s.Secrets {
		ns, name, ok := strings.Cut(ref, "/")
		if !ok || !validName(ns, 63, false) || !validName(name, 253, true) {
			return fault.New(fault.Invalid, "number %d of the Secrets is not namespace/name", i+1).WithField("secrets")
		}
	}
	if s.Rule != nil {
		return s.Rule.validate()
	}
	return nil
}

func (r Rule) validate() error {
	for field, globs := range map[string][]string{"rule.namespaces": r.Namespaces, "rule.names": r.Names, "rule.types": r.Types} {
		if len(globs) > maxGlobs {
			return fault.New(fault.TooLarge, "the rule has more than %d entries in one field", maxGlobs).WithField(field)
		}
		for _, g := range globs {
			if g == "" || len(g) > maxGlobLen {
				return fault.New(fault.Invalid, "an entry of the rule is empty or too long").WithField(field)
			}
		}
	}
	if _, ok := parseLabels(r.Labels); !ok || len(r.Labels) > maxLabels {
		return fault.New(fault.Invalid, "the labels of the rule cannot be read").WithField("rule.labels").
			WithCure("write them as key=value, key!=value or key, with commas between")
	}
	return nil
}

// validName reports whether s can be a name in Kubernetes: lower-case letters, digits and dashes, and dots if dotted.
func validName(s string, most int, dotted bool) bool {
	if s == "" || len(s) > most {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || dotted && c == '.')
	})
}

// Matches reports whether the selection chooses the Secret, and if it does not, why, for a person.
func (s Selection) Matches(m Meta) (ok bool, why string) {
	if slices.Contains(s.Secrets, m.Namespace+"/"+m.Name) {
		return true, ""
	}
	byRule := s.Rule != nil && s.Rule.matches(m)
	if !byRule && !s.All && !slices.Contains(s.Namespaces, m.Namespace) {
		return false, "it is not chosen"
	}
	if leftOutNamespace(m.Namespace) {
		return false, "the namespace " + m.Namespace + " is left out; name the Secret to fetch it"
	}
	if what := leftOutType(m.Type); what != "" && !(byRule && slices.Contains(s.Rule.Types, m.Type)) {
		return false, what + " are left out; name the Secret, or its type in a rule, to fetch it"
	}
	return true, ""
}

func (r Rule) matches(m Meta) bool {
	if len(r.Types) > 0 && !slices.Contains(r.Types, m.Type) {
		return false
	}
	if !anyGlob(r.Namespaces, m.Namespace) || !anyGlob(r.Names, m.Name) {
		return false
	}
	terms, ok := parseLabels(r.Labels)
	return ok && !slices.ContainsFunc(terms, func(t labelTerm) bool { return !t.holds(m.Labels) })
}

func leftOutNamespace(ns string) bool { return ns == "kube-system" || ns == "keyturn" }

// leftOutType returns what Secrets of a type are called that is left out by default, and "" for any other.
func leftOutType(typ string) string {
	switch typ {
	case "helm.sh/release.v1":
		return "Helm's records of releases"
	case "kubernetes.io/service-account-token":
		return "tokens of ServiceAccounts"
	case "bootstrap.kubernetes.io/token":
		return "bootstrap tokens"
	default:
		return ""
	}
}

func anyGlob(globs []string, s string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool { return glob(g, s) })
}

// glob matches byte by byte, which is right for Kubernetes' names, and in time linear in len(pattern)·len(s): after a
// mismatch only the last * takes one more byte.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// literal reports whether a glob can match one name only.
func literal(g string) bool { return !strings.ContainsAny(g, "*?") }

// labelTerm is one condition on a label.
type labelTerm struct{ key, op, value string } // op is "=", "!=" or "" for present

func (t labelTerm) holds(labels map[string]string) bool {
	v, has := labels[t.key]
	switch t.op {
	case "=":
		return has && v == t.value
	case "!=":
		return !has || v != t.value
	default:
		return has
	}
}

func parseLabels(s string) (terms []labelTerm, ok bool) {
	if strings.TrimSpace(s) == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(s, ",") {
		t := labelTerm{key: part}
		if key, value, cut := strings.Cut(part, "!="); cut {
			t = labelTerm{key, "!=", value}
		} else if key, value, cut := strings.Cut(part, "="); cut {
			t = labelTerm{key, "=", strings.TrimPrefix(value, "=")}
		}
		t.key, t.value = strings.TrimSpace(t.key), strings.TrimSpace(t.value)
		if t.key == "" || strings.ContainsAny(t.key, "!= ()") || strings.ContainsAny(t.value, "!= ()") {
			return nil, false
		}
		terms = append(terms, t)
	}
	return terms, true
}
