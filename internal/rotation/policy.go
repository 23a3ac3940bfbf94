package rotation

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

// DefaultPolicy is the id of the policy of accounts that no other one applies to. It can be changed, not deleted.
const DefaultPolicy = "default"

// Limits of a policy.
const (
	MaxHistory     = 100
	maxPolicyName  = 64
	maxDescription = 1000
	// leastHeartbeat keeps a heartbeat, which costs a failed login each, from locking accounts out.
	leastHeartbeat = 10 * time.Second
	usualHeartbeat = 24 * time.Hour
)

// Policy says what the values of accounts look like and when they are changed.
type Policy struct {
	ID, Name, Description string
	// Password is how a value is made, as Passwords takes it; empty is the default.
	Password string
	// History is how many versions a new value must differ from, the current one included; 0 to [MaxHistory].
	History     int
	Rules       Rules
	Assignments []Assignment
	CreatedAt   time.Time
	Rev         int64
}

// Mark names a state of the policy: another mark means that something in it is another.
func (p Policy) Mark() string { return p.ID + "@" + strconv.FormatInt(p.Rev, 10) }

// Rules are the part of a policy that says when accounts are changed and looked after.
type Rules struct {
	schedule.Rules
	// Waves say in which order clusters get a new value.
	Waves Waves `json:"waves,omitzero"`
	// Restarts say when and in which order workloads are restarted.
	Restarts Restarts `json:"restarts,omitzero"`
	// OnReveal is how long after its reveal a value is changed, such as "8h"; empty: a reveal changes nothing.
	OnReveal string `json:"onReveal,omitempty"`
	// OnStuck is what is done with a run that needs attention after its value was proved.
	OnStuck OnStuck `json:"onStuck,omitempty"`
	// Immutable is what is done with a mapped Secret that is immutable.
	Immutable Immutable `json:"immutable,omitempty"`
	// Heartbeat is how often a login with the stored value is tried, such as "6h"; empty is daily, "off" never.
	Heartbeat string `json:"heartbeat,omitempty"`
	// Rehearse is how often a run is rehearsed, such as "7d"; empty is daily, "off" never.
	Rehearse string `json:"rehearse,omitempty"`
	// Reconcile are the failures of a heartbeat after which the account is repaired by its resource's reconcile account.
	Reconcile []Failure `json:"reconcile,omitempty"`
}

// OnStuck is what is done with a run that needs attention after its value was proved. Empty: it waits for a person.
type OnStuck string

// OnStuckRollBack sets the value before it again, as long as the system takes both.
const OnStuckRollBack OnStuck = "rollback"

// Failure is what a heartbeat met. That a system did not answer is none: it says nothing of the account.
type Failure string

// LoginRefused is a login that the system definitely turned down.
const LoginRefused Failure = "refused"

// HeartbeatOff turns the heartbeat of a policy off, or its rehearsals.
const HeartbeatOff = "off"

// timing is Rules as they are followed.
type timing struct {
	schedule  schedule.Schedule
	onReveal  time.Duration
	heartbeat time.Duration // 0: off
	rehearse  time.Duration // the same
}

func (r Rules) timing() (t timing, err error) {
	if t.schedule, err = schedule.Parse(r.Rules); err != nil {
		return t, err
	}
	if t.onReveal, err = schedule.ParseSpan(r.OnReveal, "onReveal"); err != nil {
		return t, err
	}
	if r.OnReveal != "" {
		t.onReveal = max(t.onReveal, time.Second) // at once, but still after the answer
	}
	if t.heartbeat, err = often(r.Heartbeat, "heartbeat"); err != nil {
		return t, err
	}
	t.rehearse, err = often(r.Rehearse, "rehearse")
	return t, err
}

// often reads how often a login is tried, be it alone or in a rehearsal: daily if text is empty, 0 if it is off.
func often(text, field string) (time.Duration, error) {
	switch text {
	case HeartbeatOff:
		return 0, nil
	case "":
		return usualHeartbeat, nil
	}
	d, err := schedule.ParseSpan(text, field)
	if err == nil && d < leastHeartbeat {
		err = policyFault(field, "a "+field+" this often would lock accounts out", "give it 10s or more, or "+HeartbeatOff)
	}
	return d, err
}

// Check fails with fault.Invalid, naming the field, when the policy cannot be followed. What Password says is for
// Passwords to check.
func (p Policy) Check() error {
	switch {
	case p.Name == "" || len(p.Name) > maxPolicyName || strings.TrimSpace(p.Name) != p.Name || !plainName(p.Name):
		return policyFault("name", "that cannot be the name of a policy", "use up to 64 letters, digits, dots, dashes and underscores")
	case len(p.Description) > maxDescription || !utf8.ValidString(p.Description):
		return policyFault("description", "the description is too long", "use up to 1000 bytes")
	case p.History < 0 || p.History > MaxHistory:
		return policyFault("history", "the history is from 0 to 100 versions", "give a number in between")
	}
	if s := p.Rules.OnStuck; s != "" && s != OnStuckRollBack {
		return policyFault("onStuck", "that cannot be done with a run that is stuck", "give "+string(OnStuckRollBack)+", or nothing")
	}
	if i := p.Rules.Immutable; i != "" && i != ImmutableRefuse && i != ImmutableReplace {
		return policyFault("immutable", "that cannot be done with an immutable Secret", "give "+string(ImmutableRefuse)+" or "+string(ImmutableReplace))
	}
	for _, f := range p.Rules.Reconcile {
		if f != LoginRefused {
			return policyFault("reconcile", "an account is repaired only after a definite answer", "give "+string(LoginRefused)+", or nothing")
		}
	}
	if _, err := p.Rules.timing(); err != nil {
		return err
	}
	if err := p.Rules.Restarts.check(p.Rules.Zone); err != nil {
		return err
	}
	return p.Rules.Waves.check()
}

// plainName reports whether s can be part of a path and of a command line as it is.
func plainName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}) && strings.Trim(s, ".") != ""
}

func policyFault(field, msg, cure string) error {
	return fault.New(fault.Invalid, "%s", msg).WithField(field).WithCode("policy").WithCure("%s", cure).WithUnchanged("nothing was changed")
}

// repairs reports whether the policy has an account repaired after f.
func (p Policy) repairs(f Failure) bool { return slices.Contains(p.Rules.Reconcile, f) }

// Opens returns the first instant from t on at which the policy lets an account be changed, and why it is not t.
func (p Policy) Opens(t time.Time) (time.Time, string, error) {
	rules, err := p.Rules.timing()
	if err != nil {
		return t, "", err
	}
	at, why := rules.schedule.Open(t)
	return at, why, nil
}
