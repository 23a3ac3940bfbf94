package rotation

import (
	"fmt"
	"time"
)

// Pace is how long the steps of earlier runs took.
type Pace struct {
	// Runs counts the runs that were measured: of the account itself, or, with Of, of others of its resource. Zero: none were,
	// and what is assumed holds.
	Runs int
	Of   PaceOf
	// Apply, Verify and Retire are how long those steps took.
	Apply, Verify, Retire time.Duration
	// Key is how long a key took to be written and read back, Pod how long one pod after the other took to be replaced; zero
	// where no measured run had any.
	Key, Pod time.Duration
}

// PaceOf is whose runs were measured.
type PaceOf string

// Whose runs.
const (
	PaceAccount  PaceOf = "account"
	PaceResource PaceOf = "resource"
)

// What is assumed where nothing was measured. They are meant to be on the long side for a system nearby.
const (
	assumedApply  = 2 * time.Second
	assumedVerify = 2 * time.Second
	assumedRetire = 2 * time.Second
	assumedWrite  = 2 * time.Second // for the first key of a wave; each more takes assumedKey
	assumedKey    = 10 * time.Millisecond
	assumedPod    = 30 * time.Second // to be scheduled, started and ready; pods of a workload go one after the other
	// kubeletLag is how long kubelet takes to renew the files of a Secret.
	kubeletLag = time.Minute
)

// Estimate is how long a run would take.
type Estimate struct {
	Total time.Duration
	Steps []StepTime
	Basis string
}

// StepTime is the estimate of one step. Measured is in how many runs; 0: it is assumed.
type StepTime struct {
	Step     Step
	Took     time.Duration
	Measured int
}

// wavePace is when, counted from the change on the system on, a wave's keys are written and its pods replaced.
type wavePace struct {
	written, rolled time.Duration
	// waits is set when a person has to resume the run before the wave begins.
	waits bool
}

func (p Pace) apply() time.Duration  { return p.or(p.Apply, assumedApply) }
func (p Pace) verify() time.Duration { return p.or(p.Verify, assumedVerify) }
func (p Pace) retire() time.Duration { return p.or(p.Retire, assumedRetire) }

func (p Pace) or(measured, assumed time.Duration) time.Duration {
	if p.Runs > 0 {
		return measured
	}
	return assumed
}

// write is how long n keys take.
func (p Pace) write(n int) time.Duration {
	switch {
	case n == 0:
		return 0
	case p.Key > 0:
		return time.Duration(n) * p.Key
	}
	return assumedWrite + time.Duration(n-1)*assumedKey
}

// roll is how long a workload of n pods takes: one after the other, as a rolling restart goes at its slowest.
func (p Pace) roll(n int) time.Duration {
	if p.Pod > 0 {
		return time.Duration(n) * p.Pod
	}
	return time.Duration(n) * assumedPod
}

// waveTimes says of each wave when it is through, counted from the change on the system on. There is one at least.
func waveTimes(f Forecast) []wavePace {
	out := make([]wavePace, max(f.Waves, 1))
	pause, _ := f.Policy.Rules.Waves.pause() // the policy was checked when it was stored; a pause that cannot be read is none
	at := f.Pace.verify()
	for i := range out {
		wave := i
		if f.Waves > 0 {
			wave = i + 1
		}
		if i > 0 {
			out[i].waits = pause < 0 || out[i-1].waits
			at += max(pause, 0)
		}
		keys, pods := 0, 0
		for _, k := range f.Keys {
			if k.Wave == wave {
				keys++
			}
		}
		for _, w := range f.Workloads {
			if w.Wave == wave && w.restarts() {
				pods = max(pods, w.Wanted)
			}
		}
		at += f.Pace.write(keys)
		out[i].written = at
		at += f.Pace.roll(pods)
		out[i].rolled = at
	}
	return out
}

func estimate(f Forecast) Estimate {
	var written, rolled time.Duration
	waves := waveTimes(f)
	before := f.Pace.verify()
	for _, w := range waves {
		written += w.written - before // pauses between waves are part of writing
		rolled += w.rolled - w.written
		before = w.rolled
	}
	e := Estimate{Steps: []StepTime{
		{Applied, f.Pace.apply(), f.Pace.Runs}, {Verified, f.Pace.verify(), f.Pace.Runs},
		{Published, written, f.Pace.measured(f.Pace.Key)}, {RolledOut, rolled, f.Pace.measured(f.Pace.Pod)}, {RetiredOld, f.Pace.retire(), f.Pace.Runs},
	}}
	for _, s := range e.Steps {
		e.Total += s.Took
	}
	e.Basis = f.Pace.basis()
	if waves[len(waves)-1].waits {
		e.Basis += "; how long a person takes to say when the next wave begins is not in it"
	}
	return e
}

// measured is in how many runs something was measured.
func (p Pace) measured(pace time.Duration) int {
	if pace > 0 {
		return p.Runs
	}
	return 0
}

func (p Pace) basis() string {
	whose := "of this account"
	if p.Of == PaceResource {
		whose = "of accounts of the same resource"
	}
	switch {
	case p.Runs == 0:
		return fmt.Sprintf("nothing was measured yet: %s to be applied, %s to be verified, %s for the first key, %s a pod, one after the other, are assumed",
			assumedApply, assumedVerify, assumedWrite, assumedPod)
	case p.Pod == 0:
		return fmt.Sprintf("measured in %d earlier runs %s; %s a pod, one after the other, is assumed", p.Runs, whose, assumedPod)
	}
	return fmt.Sprintf("measured in %d earlier runs %s", p.Runs, whose)
}

// Lockout is how long a value that the system takes no more is still held by readers. OpenEnded: nothing in the run ends it.
type Lockout struct {
	For       time.Duration
	OpenEnded bool
	Until     string
}

// lockouts says of each workload for how long its pods cannot log in, and returns the longest. Where the system takes both
// values until everybody has the new one, or there is no system, nobody is locked out.
func lockouts(f *Forecast) *Lockout {
	if f.Strategy != Single || !f.Remote {
		return nil
	}
	waves := waveTimes(*f)
	var worst *Lockout
	for i := range f.Workloads {
		w := &f.Workloads[i]
		w.Lockout = w.lockedOut(waves[max(w.Wave-1, 0)])
		if l := w.Lockout; l != nil && (worst == nil || l.OpenEnded && !worst.OpenEnded || l.OpenEnded == worst.OpenEnded && l.For > worst.For) {
			worst = &Lockout{For: l.For, OpenEnded: l.OpenEnded,
				Until: fmt.Sprintf("under the strategy single what holds the old value cannot log in from the change on; longest %s %s/%s/%s: %s",
					w.Kind, w.ClusterName, w.Namespace, w.Name, l.Until)}
		}
	}
	return worst
}

func (w WorkloadForecast) lockedOut(at wavePace) *Lockout {
	if len(w.Holds) == 0 {
		return nil // it reads the Secret whenever it needs it: what it pulls or serves is no login of the account
	}
	l := &Lockout{}
	switch {
	case at.waits:
		l.OpenEnded, l.Until = true, fmt.Sprintf("until a person resumes the run and wave %d is through", w.Wave)
	case w.Action == ActionRestart:
		l.For = at.rolled
		l.Until = fmt.Sprintf("about %s, until its pods are replaced", about(l.For))
	case w.Action == ActionLater:
		l.For = at.written
		l.Until = fmt.Sprintf("about %s, until the key is written: what starts later has the new value, and what runs keeps the old one to its end", about(l.For))
	case w.Action == ActionAsk:
		l.OpenEnded, l.Until = true, "until a person resumes the run and its pods are replaced"
	case w.Action == ActionNone && w.refreshes():
		l.For = at.written + kubeletLag
		l.Until = fmt.Sprintf("about %s, until kubelet has renewed its files; the program has to read them again", about(l.For))
	case w.Action == ActionNone:
		l.OpenEnded, l.Until = true, "until somebody restarts it, for it reads the key at its start only and the mapping leaves it alone"
	default:
		l.OpenEnded, l.Until = true, "until somebody restarts it: "+w.Reason
	}
	return l
}

// refreshes reports whether everything that the workload's pods hold is renewed while they run.
func (w WorkloadForecast) refreshes() bool {
	for _, u := range w.Uses {
		if !u.Refreshes {
			return false
		}
	}
	return true
}

// about rounds to what such an estimate is worth.
func about(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Second:
		return max(d.Round(time.Second), time.Second)
	case d < 10*time.Minute:
		return d.Round(5 * time.Second)
	}
	return d.Round(time.Minute)
}
