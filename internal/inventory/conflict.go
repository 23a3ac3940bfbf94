package inventory

import (
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// DriftPolicy says which side is right when a key changes in a cluster and Keyturn did not do it.
type DriftPolicy string

// The drift policies.
const (
	DriftInherit DriftPolicy = ""             // a Secret: as its namespace; a namespace: as its cluster
	ClusterWins  DriftPolicy = "cluster_wins" // what the cluster has becomes the Secret's current version
	VaultWins    DriftPolicy = "vault_wins"   // what was there before is written again, and who changed it is told
	Ask          DriftPolicy = "ask"          // a person decides
)

// ParseDriftPolicy returns the policy of a word. It fails with fault.Invalid for any other text, and for the empty one unless
// there is something to inherit from.
func ParseDriftPolicy(s string, inherits bool) (DriftPolicy, error) {
	switch p := DriftPolicy(s); p {
	case ClusterWins, VaultWins, Ask:
		return p, nil
	case DriftInherit:
		if inherits {
			return p, nil
		}
	}
	cure := "choose cluster_wins, vault_wins or ask"
	if inherits {
		cure += ", or nothing to inherit it"
	}
	return "", fault.New(fault.Invalid, "that is not a drift policy").WithField("policy").WithCure("%s", cure)
}

// DriftPolicies are the policy that was set on something itself and the one in force there.
type DriftPolicies struct{ Own, InForce DriftPolicy }

// ConflictState is where a conflict stands. The words are those of client/state.
type ConflictState string

// The states of a conflict.
const (
	ConflictOpen    ConflictState = "open"    // a person has to say which side is right
	ConflictHealing ConflictState = "healing" // the vault's values are to be written
	ConflictStopped ConflictState = "stopped" // they could not be, or not again: a person has to look
	ConflictSettled ConflictState = "settled" // nothing differs
)

// Divergence is a Secret that was changed in its cluster though the policy is not that the cluster wins. Nothing is lost by
// either way out: what the cluster has is the Secret's current version, and the vault's values are in the ones before.
type Divergence struct {
	Secret Secret // without keys
	State  ConflictState
	Policy DriftPolicy // the one in force for the Secret
	// Reason and Cure say why it stopped.
	Reason, Cure string
	Since        time.Time // it is open or to be healed
	ChangedAt    time.Time // when the last change was seen
	// ChangedBy is the field manager that made it, as far as the cluster tells; Looked that it was asked.
	ChangedBy string
	Looked    bool
	// WantedBy is who asked for the vault's values to be written; zero where the policy does.
	WantedBy identity.Actor
	// Heals is how often they were written since HealsFrom.
	Heals     int
	HealsFrom time.Time
	Tries     int // in a row that failed
	NotBefore time.Time
	Fence     int64 // which claim a write belongs to
	Rev       int64
	Keys      []DivergentKey // by name
}

// DivergentKey is one key that differs.
type DivergentKey struct {
	Name string
	// Version is that of the Secret in which the vault's value stands, and Fingerprint its; nil where the key should not be there.
	Version     int64
	Fingerprint *vault.Fingerprint
	// There says whether the key is in the Secret now.
	There bool
	// AccountID is the account that the key is mapped to: then the vault's value is that account's, at Place. Empty for any other key.
	AccountID, AccountName string
	Place                  composite.Spec
}

// Diverged says which keys differ from what the vault wants, after a Secret with the keys was, of its version current, has
// become now: those of open and those that changed with it, without those that are as they were again. Mapped keys are left
// out. It is pure.
func Diverged(open []DivergentKey, was map[string]vault.Fingerprint, current int64, now []Key, mapped func(key string) bool) []DivergentKey {
	wanted := make(map[string]DivergentKey, len(open))
	have := prints(now)
	for name, fp := range was {
		wanted[name] = DivergentKey{Name: name, Version: current, Fingerprint: &fp}
	}
	for name := range have {
		if _, known := was[name]; !known {
			wanted[name] = DivergentKey{Name: name, Version: current}
		}
	}
	for _, k := range open { // what was wanted before the first of several changes stays wanted
		wanted[k.Name] = k
	}
	var out []DivergentKey
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		k := wanted[name]
		fp, there := have[name]
		k.There = there
		same := !there && k.Fingerprint == nil || there && k.Fingerprint != nil && fp == *k.Fingerprint
		if !same && !mapped(name) {
			out = append(out, k)
		}
	}
	return out
}

func prints(keys []Key) map[string]vault.Fingerprint {
	m := make(map[string]vault.Fingerprint, len(keys))
	for _, k := range keys {
		m[k.Name] = k.Fingerprint
	}
	return m
}

const (
	// mostHeals is how often the vault's values are written within healsWithin: whoever writes others each time is let
	// win, since two that fight for a key restart everything that reads it.
	mostHeals   = 3
	healsWithin = 10 * time.Minute
)

// healed returns the divergence with one more heal counted at now, and false where that would be one too many.
func (d Divergence) healed(now time.Time) (Divergence, bool) {
	if d.HealsFrom.IsZero() || now.Sub(d.HealsFrom) > healsWithin {
		d.Heals, d.HealsFrom = 0, now
	}
	if d.Heals >= mostHeals && d.WantedBy.ID == "" {
		return d, false
	}
	d.Heals++
	return d, true
}

// stopped returns the divergence as one that a person has to look at.
func (d Divergence) stopped(reason, cure string) Divergence {
	d.State, d.Reason, d.Cure, d.WantedBy = ConflictStopped, reason, cure, identity.Actor{}
	return d
}
