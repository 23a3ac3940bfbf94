package rotation

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/vault"
)

// Outlook is everything that a run of an account would meet, as it was seen at At. It is gathered by [Forecaster]; what
// follows from it is a [Forecast].
type Outlook struct {
	At       time.Time
	Account  Account
	Subject  Subject
	Strategy Strategy
	// Remote is false where there is no system to change, so that nobody can be locked out of it.
	Remote  bool
	Policy  Policy
	Because string
	// Writes are the mapped keys, and Clusters what was seen of each of their clusters, by id.
	Writes   []Write
	Clusters map[string]ClusterView
	// Value is the current version; nil if there is none. Probe is a value that nobody uses: it stands for the new one.
	Value *vault.Value
	Probe vault.Value
	// Home is where Value stands if the system made it; the zero Home of any other.
	Home Home
	// OpenRun is set while a run of the account has not ended.
	OpenRun bool
	Pace    Pace
}

// ClusterView is what was seen of one cluster.
type ClusterView struct {
	// Secrets are those that are mapped and exist, by namespace and name.
	Secrets map[[2]string]Seen
	// Failed is why they could not be read; nil if they were.
	Failed error
	Census Census
	// MayReplace says that the connector may replace immutable Secrets.
	MayReplace bool
	// Uncounted is why who reads them could not be looked at; nil if it was.
	Uncounted error
}

// KeyState is what a forecast says of a mapped key. The words are those of client/state.
type KeyState string

// The states of a key before a run.
const (
	KeyInSync   KeyState = "in_sync"   // it holds the current version, and would be written
	KeyDrift    KeyState = "drift"     // it holds something else, which would be written over
	KeyHandsOff KeyState = "hands_off" // another controller owns it
	KeyBlocked  KeyState = "blocked"   // it could not be written
	KeyUnseen   KeyState = "unseen"    // its cluster did not answer
)

// Action is what a run would do with a workload.
type Action string

// The actions.
const (
	ActionRestart Action = "restart"
	ActionAsk     Action = "ask"     // first a person resumes the run
	ActionLater   Action = "later"   // its next pods have the new value
	ActionNone    Action = "none"    // it is left alone
	ActionRename  Action = "rename"  // it is told the name of another Secret, and nothing is restarted
	ActionRefused Action = "refused" // it should be restarted and may not be
)

// Forecast is what a run of an account would do, and to whom.
type Forecast struct {
	// Hash names what consent is given to; see [Consent].
	Hash    string
	Consent Consent
	Outlook
	Waves     int // 0: all clusters at once
	Keys      []KeyForecast
	Workloads []WorkloadForecast
	Warnings  []Warning
	Unseen    []string
	Blast     Blast
	Estimate  Estimate
	Lockout   *Lockout
}

// KeyForecast is one mapped key before a run. Its Reason and Cure are those of its State.
type KeyForecast struct {
	Write
	State     KeyState
	Wave      int
	Owner     Owner
	Immutable bool
	SeenUID   string
	// Instead is the name of the Secret that is put in the place of an immutable one; empty if none is.
	Instead string
}

// WorkloadForecast is one workload that reads mapped keys.
type WorkloadForecast struct {
	Reader
	ClusterName  string
	Wave         int
	Action       Action
	Reason, Cure string
	Lockout      *Lockout
}

// Warning is a fact to weigh before a run is begun.
type Warning struct {
	Code, Text, Cure string
	// Blocks says that the run would stop there.
	Blocks bool
}

// Blast counts whom a run touches.
type Blast struct {
	Clusters, Secrets, Keys, Blocked          int
	Workloads, Restarts, Pods, SingleReplicas int
}

// The codes of warnings about the whole.
const (
	WarnOpenRun  = "run-open"
	WarnNoValue  = "no-value"
	WarnNoKeys   = "no-keys"
	WarnLockout  = "lockout"
	WarnUnproved = "not-provable"
	WarnUnmapped = "token-unmapped"
)

// Foresee says what a run would do. It is pure. It fails with fault.Invalid when the policy's waves cannot be followed.
func Foresee(o Outlook) (Forecast, error) {
	names := map[string]string{}
	for _, w := range o.Writes {
		names[w.ClusterID] = w.ClusterName
	}
	waves, err := o.Policy.Rules.Waves.order(names)
	if err != nil {
		return Forecast{}, err
	}
	f := Forecast{Outlook: o}
	for _, wave := range waves {
		f.Waves = max(f.Waves, wave)
	}
	if f.Waves < 2 {
		f.Waves, waves = 0, nil
	}
	f.Keys = keyForecasts(o, waves)
	f.Workloads = workloadForecasts(f, waves, names)
	f.Unseen = unseenOf(o, names)
	f.Blast = blastOf(f)
	f.Estimate = estimate(f)
	f.Lockout = lockouts(&f)
	f.Warnings = warningsOf(f)
	f.Consent = consentTo(f, waves)
	f.Hash = f.Consent.Hash()
	return f, nil
}

// keyForecasts decides about each key as a run does, with a value that nobody uses in place of the new one.
func keyForecasts(o Outlook, waves map[string]int) []KeyForecast {
	out := make([]KeyForecast, 0, len(o.Writes))
	for _, p := range places(o.Writes) {
		view := o.Clusters[p.cluster]
		seen, there := view.Secrets[[2]string{p.namespace, p.name}]
		decided := decide(p.under(o.Policy, false, view.MayReplace).writes, seen, there, o.Probe)
		instead := ""
		if decided.replace {
			base, n := seen.numbered()
			instead = numberedName(base, n+1)
		}
		for _, w := range decided.writes {
			k := KeyForecast{Write: w, Wave: waves[w.ClusterID], Owner: seen.Owners[w.Key], Immutable: seen.Immutable, SeenUID: seen.UID, Instead: instead}
			have, has := seen.Data[w.Key]
			switch {
			case view.Failed != nil:
				k.State, k.Reason, k.Cure = KeyUnseen, reason(view.Failed), cure(view.Failed, "bring the cluster back, then look again")
			case w.State == WriteHands:
				k.State = KeyHandsOff
			case w.State == WriteBlocked:
				k.State = KeyBlocked
			case o.Value != nil && has && w.holds(have, *o.Value):
				k.State = KeyInSync
			default:
				k.State, k.Reason, k.Cure = KeyDrift, driftReason(o.Value, has), "see that nobody needs what stands there"
			}
			out = append(out, k)
		}
	}
	slices.SortStableFunc(out, func(a, b KeyForecast) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(a.ClusterName, b.ClusterName))
	})
	return out
}

func driftReason(value *vault.Value, has bool) string {
	switch {
	case value == nil:
		return "no value is stored, so what stands there was not compared"
	case !has:
		return "the key is not there, and would be made"
	}
	return "it holds something else than the current version, which would be written over"
}

// workloadForecasts says what becomes of everything that reads a mapped key, by the rules of a run.
func workloadForecasts(f Forecast, waves map[string]int, names map[string]string) []WorkloadForecast {
	var out []WorkloadForecast
	replaced := f.replaced()
	for _, cluster := range slices.Sorted(maps.Keys(f.Clusters)) {
		here := slices.DeleteFunc(slices.Clone(f.Writes), func(w Write) bool { return w.ClusterID != cluster })
		readers := f.Clusters[cluster].Census.Readers
		does := map[Workload]Rollout{}
		for _, r := range consumers(here, readers, replaced) {
			does[r.Workload] = r
		}
		for _, r := range readers {
			if renamed := r.renamed(replaced, ""); renamed == nil {
				r.Uses = usesOf(r, here)
			}
			if len(r.Uses) == 0 {
				continue
			}
			w := WorkloadForecast{Reader: r, ClusterName: names[cluster], Wave: waves[cluster]}
			rollout, restarts := does[r.Workload]
			w.Action, w.Reason, w.Cure = actionOf(rollout, restarts, r, here)
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b WorkloadForecast) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(a.ClusterName, b.ClusterName), a.compare(b.Workload))
	})
	return out
}

// replaced are the Secrets that the run would put others in the place of.
func (f Forecast) replaced() []Replacement {
	var out []Replacement
	for _, k := range f.Keys {
		r := Replacement{ClusterID: k.ClusterID, Namespace: k.Namespace, Old: k.Name, New: k.Instead}
		if k.Instead != "" && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

func actionOf(r Rollout, restarts bool, reader Reader, writes []Write) (Action, string, string) {
	switch {
	case !restarts && len(reader.Holds) == 0:
		return ActionNone, "it reads the Secret whenever it needs it", ""
	case !restarts && slices.ContainsFunc(writes, func(w Write) bool { return reader.Namespace == w.Namespace && reader.holds(w.Name, w.Key) }):
		return ActionNone, "the mapping says to leave it alone", ""
	case !restarts:
		return ActionNone, "its pods hold none of the mapped keys", ""
	case r.State == RolloutToDo && reader.quiet():
		return ActionRename, "it is told the new Secret's name, and nothing is restarted", ""
	case r.State == RolloutSkipped:
		return ActionLater, r.Reason, ""
	case r.State == RolloutStuck:
		return ActionRefused, r.Reason, r.Cure
	case r.State == RolloutAsks:
		return ActionAsk, r.Reason, r.Cure
	}
	return ActionRestart, "", ""
}

// usesOf leaves the references to Secrets and keys that are mapped.
func usesOf(r Reader, writes []Write) []Use {
	return slices.DeleteFunc(slices.Clone(r.Uses), func(u Use) bool {
		return !slices.ContainsFunc(writes, func(w Write) bool {
			return w.Namespace == r.Namespace && w.Name == u.Secret && (u.Keys == nil || slices.Contains(u.Keys, w.Key))
		})
	})
}

func unseenOf(o Outlook, names map[string]string) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(o.Clusters)) {
		view, name := o.Clusters[id], names[id]
		if view.Failed != nil {
			out = append(out, name+": its Secrets could not be read: "+reason(view.Failed))
		}
		if view.Uncounted != nil {
			out = append(out, name+": who reads the keys could not be looked at: "+reason(view.Uncounted))
		}
		if view.Census.Note != "" {
			out = append(out, name+": "+view.Census.Note)
		}
	}
	return out
}

func blastOf(f Forecast) Blast {
	b := Blast{Clusters: len(f.Clusters), Keys: len(f.Keys), Workloads: len(f.Workloads)}
	secrets := map[string]bool{}
	for _, k := range f.Keys {
		secrets[k.SecretID] = true
		if k.State == KeyBlocked || k.State == KeyHandsOff {
			b.Blocked++
		}
	}
	b.Secrets = len(secrets)
	for _, w := range f.Workloads {
		if !w.restarts() {
			continue
		}
		b.Restarts++
		b.Pods += w.Wanted
		if w.Single {
			b.SingleReplicas++
		}
	}
	return b
}

// restarts reports whether the run replaces the workload's pods, be it after a person has agreed.
func (w WorkloadForecast) restarts() bool { return w.Action == ActionRestart || w.Action == ActionAsk }

func warningsOf(f Forecast) []Warning {
	var out []Warning
	if f.OpenRun {
		out = append(out, Warning{WarnOpenRun, "another run of the account is open, and keeps it until it has ended", "see to that run first", true})
	}
	if f.Account.Current == 0 {
		out = append(out, Warning{WarnNoValue, "no value is stored yet, so only a reconcile account can change it", "store the present password, or give the resource a reconcile account", false})
	}
	if len(f.Keys) == 0 {
		out = append(out, Warning{WarnNoKeys, "no Secret key is mapped to the account, so the new value is written nowhere", "map the keys that hold it", false})
	}
	if !f.Remote {
		out = append(out, Warning{WarnUnproved, "this resource has no remote side, so no login proves the new value", "change the system yourself", false})
	}
	if f.Home != (Home{}) && at(f.Writes, f.Home) == nil {
		out = append(out, Warning{WarnUnmapped, reason(unmapped(f.Home)), cure(unmapped(f.Home), ""), true})
	}
	if f.Lockout != nil {
		out = append(out, Warning{WarnLockout, f.Lockout.Until, "choose a window, or a system and strategy that take two values for a time", false})
	}
	return out
}
