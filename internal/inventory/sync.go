package inventory

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// Seen is a Secret as a cluster showed it.
type Seen struct {
	Namespace, Name, UID, ResourceVersion, Type string

	Immutable bool
	Labels    map[string]string
	CreatedAt time.Time
	Data      map[string]vault.Value
	// Written are the keys that Keyturn itself has just put there and proved: what is mapped to them is meant to have this
	// value from now on. A list leaves it empty.
	Written []string
	// Ours are the keys that were Keyturn's own in the very state, as far as that is known.
	Ours []string
	// Made says that Keyturn itself made the Secret in place of another: it is taken in though nobody fetched it.
	Made bool
	// Source and By are how the Secret came to hold what is new in it, and by whom. Empty, it was fetched by whoever brings it.
	Source Source
	By     identity.Actor
}

// Place is where a Secret is in its cluster.
type Place struct{ Namespace, Name string }

func (p Place) String() string { return p.Namespace + "/" + p.Name }

func (s Seen) place() Place { return Place{s.Namespace, s.Name} }

func (s Seen) meta() Meta { return Meta{s.Namespace, s.Name, s.Type, s.Labels} }

// Stored is as much of a Secret in the repository as tells whether it has to be looked at again.
type Stored struct {
	Place
	ID, UID, ResourceVersion string

	Gone bool // it is a tombstone
	Rev  int64
}

// History is the rest of it: what the cluster and the repository last agreed on.
type History struct {
	Keys    map[string]vault.Fingerprint
	Places  map[string]composite.Spec // by key, of the mappings whose credential is a part of the value
	Current int64                     // number of its current version, 0 if it has none
	Last    int64                     // highest number of its versions, 0 if it has none
}

// Import is a Secret to be stored. Its ResourceID is found by the store.
type Import struct {
	Secret  Secret
	Base    int64    // the revision that it was decided on; 0 means that it was not stored before
	Values  *Version // nil when the stored values and keys are right as they are
	Written []string
}

// comparison is how a seen Secret stands to the stored one.
type comparison int

const (
	same    comparison = iota
	newer              // or in any other way different
	earlier            // the repository has seen a later state of the same object
)

// compare looks at identity and version alone. API servers since 1.35 promise that resourceVersions are decimal numbers
// that grow; where they are anything else, different counts as newer.
func compare(have Stored, s Seen) comparison {
	if have.UID != s.UID || have.Gone {
		return newer
	}
	if have.ResourceVersion == s.ResourceVersion {
		return same
	}
	if passed(have, s.ResourceVersion) {
		return earlier
	}
	return newer
}

// passed reports whether the repository has a state that is later than version, which all Secrets of a cluster share.
func passed(have Stored, version string) bool {
	a, errA := strconv.ParseUint(have.ResourceVersion, 10, 64)
	b, errB := strconv.ParseUint(version, 10, 64)
	return errA == nil && errB == nil && b < a
}

// overtaken reports whether the repository knows what became of the Secret after it was s: a later state of it or of the
// one that took its place, or that it was deleted. A uid never comes back.
func overtaken(have Stored, s Seen) bool {
	if have.Gone {
		return have.UID == s.UID
	}
	return passed(have, s.ResourceVersion)
}

// sameValues reports whether the fingerprints are those that are stored.
func (h History) sameValues(keys []Key) bool {
	if h.Current == 0 || len(h.Keys) != len(keys) {
		return false
	}
	return !slices.ContainsFunc(keys, func(k Key) bool {
		fp, ok := h.Keys[k.Name]
		return !ok || fp != k.Fingerprint
	})
}

// MappedKey is a mapping as it was before its Secret was seen again.
type MappedKey struct {
	State  KeyState
	Reason string
	UID    string // of the Secret that was mapped
	// Place is how the credential stands in the key's value; fingerprints here are of the credential.
	Place composite.Spec
	// Expected is the fingerprint that the key should have; nil means that of Before, for a mapping that was in sync with it.
	Expected *vault.Fingerprint
	Before   *vault.Fingerprint // of the key as it was stored; nil if it was not there, or not readable
}

// Of returns the fingerprint that a mapping of the key with that place is judged by, nil if the place cannot be read.
func (k Key) Of(place composite.Spec) *vault.Fingerprint {
	if place.IsWhole() {
		return &k.Fingerprint
	}
	return k.Part
}

// Judge says what becomes of the mapping when its Secret has the given uid and the key this fingerprint (nil: there is no
// such key). A key that was just written is what it should be. States that belong to a run or to a refusal stay: it is
// for the next run to end them.
func (m MappedKey) Judge(uid string, now *vault.Fingerprint, written bool) MappedKey {
	out := m
	out.Before = now
	if out.Expected == nil && m.State == InSync {
		out.Expected = m.Before
	}
	if written && now != nil {
		out.State, out.Reason, out.Expected = InSync, "", now
		return out
	}
	switch m.State {
	case Syncing, Behind, HandsOff, Blocked:
		return out
	}
	same := now != nil && out.Expected != nil && *now == *out.Expected
	switch {
	case m.UID != uid && same:
		out.State, out.Reason = Drift, "the Secret was deleted and made anew, with the same value"
	case m.UID != uid:
		out.State, out.Reason = Drift, "the Secret was deleted and made anew"
	case now == nil && m.Place.IsWhole():
		out.State, out.Reason = Drift, "the key is gone"
	case now == nil:
		out.State, out.Reason = Drift, "the key is gone, or its value cannot be read as "+string(m.Place.Format)+" any more"
	case out.Expected == nil: // nothing is known to compare with
	case same:
		out.State, out.Reason = InSync, ""
	case m.State != Conflict:
		out.State, out.Reason = Drift, "the value was changed in the cluster"
	}
	return out
}

// Wrote says what becomes of the mapping when the key was proved to hold the value that it should have from now on, in
// that version of its Secret. Whatever state a run or a refusal gave it ends with that. When the repository has a later
// state, that is what the mapping is judged by, so that a change that was seen meanwhile is not lost; of a tombstone only
// the expected value changes.
func (m MappedKey) Wrote(have Stored, version string, value vault.Fingerprint) MappedKey {
	out := m
	out.Expected = &value
	switch {
	case have.Gone:
		return out
	case !passed(have, version):
		out.State, out.Reason = InSync, ""
		return out
	case m.State != Conflict:
		out.State = InSync
	}
	return out.Judge(have.UID, m.Before, false)
}

// JoinSelections adds s to the selections of a cluster. What is chosen by name is gathered in one selection and each rule
// is kept once, so that fetching the same again adds nothing.
func JoinSelections(all []Selection, s Selection) []Selection {
	named := Selection{}
	var rules []Selection
	for _, x := range append(slices.Clone(all), s) {
		named.All = named.All || x.All
		named.Namespaces = union(named.Namespaces, x.Namespaces)
		named.Secrets = union(named.Secrets, x.Secrets)
		if x.Rule != nil && !slices.ContainsFunc(rules, func(r Selection) bool { return equalRules(*r.Rule, *x.Rule) }) {
			rules = append(rules, Selection{Rule: x.Rule})
		}
	}
	if named.All || len(named.Namespaces) > 0 || len(named.Secrets) > 0 {
		return append([]Selection{named}, rules...)
	}
	return rules
}

func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	both := slices.Concat(a, b)
	slices.Sort(both)
	return slices.Compact(both)
}

func equalRules(a, b Rule) bool {
	return a.Labels == b.Labels && slices.Equal(a.Namespaces, b.Namespaces) && slices.Equal(a.Names, b.Names) && slices.Equal(a.Types, b.Types)
}

// unit is one way of asking a cluster: for single Secrets of a namespace, or, without names, for all of it. Without a
// namespace too it is all of the cluster.
type unit struct {
	namespace string
	names     []string
}

func (u unit) whole() bool { return u.namespace == "" }

// maxReads is from how many Secrets of a namespace on a list is cheaper than single reads; maxLists is the same for
// namespaces and a list of the whole cluster.
const (
	maxReads = 32
	maxLists = 32
)

// plan returns what to ask for, so that every Secret that is chosen and every place in have is seen: the whole cluster, or
// namespaces and single reads in order of their names. Only what the connector's scope reaches is listed for a wish for
// everything; what was named is asked for in any case, so that a missing right is reported.
func plan(scope Scope, chosen []Selection, have []Place) []unit {
	lists := map[string]bool{}
	for _, s := range chosen {
		spaces, all := s.spaces()
		if all && scope.WholeCluster {
			return []unit{{}}
		}
		if all {
			for _, ns := range scope.Namespaces {
				lists[ns] = lists[ns] || s.All || anyGlob(s.Rule.Namespaces, ns)
			}
		}
		for _, ns := range spaces {
			lists[ns] = true
		}
	}
	reads := map[string]map[string]bool{}
	add := func(p Place) {
		if reads[p.Namespace] == nil {
			reads[p.Namespace] = map[string]bool{}
		}
		reads[p.Namespace][p.Name] = true
	}
	for _, s := range chosen {
		for _, ref := range s.Secrets {
			ns, name, _ := strings.Cut(ref, "/")
			add(Place{ns, name})
		}
	}
	for _, p := range have {
		add(p)
	}
	return units(scope, lists, reads)
}

func units(scope Scope, lists map[string]bool, reads map[string]map[string]bool) (all []unit) {
	listed := 0
	for ns, names := range reads {
		lists[ns] = lists[ns] || len(names) > maxReads
	}
	for _, ns := range slices.Sorted(maps.Keys(lists)) {
		if lists[ns] {
			all = append(all, unit{namespace: ns})
			listed++
		}
	}
	if listed > maxLists && scope.WholeCluster {
		return []unit{{}}
	}
	for _, ns := range slices.Sorted(maps.Keys(reads)) {
		if !lists[ns] {
			all = append(all, unit{ns, slices.Sorted(maps.Keys(reads[ns]))})
		}
	}
	return all
}

// spaces returns the namespaces that s names, and whether it wants more than can be named.
func (s Selection) spaces() (named []string, all bool) {
	named, all = slices.Clone(s.Namespaces), s.All
	if s.Rule == nil {
		return named, all
	}
	if len(s.Rule.Namespaces) == 0 || slices.ContainsFunc(s.Rule.Namespaces, func(g string) bool { return !literal(g) }) {
		return named, true
	}
	return append(named, s.Rule.Namespaces...), all
}
