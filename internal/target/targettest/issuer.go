package targettest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// IssuerHarness is a running system that makes values itself, and how the suite gets at it.
type IssuerHarness struct {
	Target target.Issuer
	// Away is the type on a system that does not answer.
	Away target.Issuer
	// Create makes an account, with its first value.
	Create func(t *testing.T) target.Login
	// Issue has the system make a further value of the account, as a run does.
	Issue func(t *testing.T, account string) vault.Value
	// End ends a value behind the back of the target.
	End func(t *testing.T, account string, value vault.Value)
	// Dump returns all that the system holds of values, the same for the same state.
	Dump func(t *testing.T) string
	// Strip takes the right to replace values away until restore is called.
	Strip func(t *testing.T) (restore func())
}

// RunIssuer is Run for a type whose system makes values itself.
func RunIssuer(t *testing.T, h IssuerHarness) {
	t.Run("verify", h.verify)
	t.Run("where a value stands", h.home)
	t.Run("add, then retire, each twice", h.twice)
	t.Run("not in this state", h.state)
	t.Run("a reader never fails", h.reader)
	t.Run("rehearsal", h.rehearse)
	t.Run("away", h.away)
}

func (h IssuerHarness) context(t *testing.T) context.Context { return Harness{}.context(t) }

// between is the overlap of an account's value and the next, which the system has made.
func (h IssuerHarness) between(t *testing.T, l target.Login) (next target.Login, o target.Overlap) {
	t.Helper()
	next = target.Login{User: l.User, Password: h.Issue(t, l.User)}
	return next, target.Overlap{By: l, Account: l.User, Current: target.Prepared{Value: l.Password}, Next: target.Prepared{Value: next.Password}}
}

func (h IssuerHarness) verify(t *testing.T) {
	ctx, l, other := h.context(t), h.Create(t), h.Create(t)
	want(t, h.Target.Verify(ctx, nil, l), "")
	for name, tt := range map[string]struct {
		login target.Login
		want  target.Outcome
	}{
		"empty":                  {target.Login{User: l.User}, target.Refused},
		"no token":               {target.Login{User: l.User, Password: Value("no token at all")}, target.Refused},
		"cut off":                {target.Login{User: l.User, Password: cut(l.Password)}, target.Refused},
		"another account's":      {target.Login{User: l.User, Password: other.Password}, target.Unproven},
		"no name of an account":  {target.Login{User: "../" + l.User, Password: l.Password}, target.Misconfigured},
		"a name of two accounts": {target.Login{User: l.User + "," + other.User, Password: l.Password}, target.Misconfigured},
	} {
		err := h.Target.Verify(ctx, nil, tt.login)
		if got := target.OutcomeOf(err); got != tt.want {
			t.Errorf("%s: outcome %q (%v), want %q", name, got, err, tt.want)
		}
		for _, v := range []vault.Value{l.Password, other.Password} {
			_ = v.Expose(func(b []byte) error {
				if err != nil && strings.Contains(err.Error(), string(b)) {
					t.Errorf("%s: the error carries a value", name)
				}
				return nil
			})
		}
	}
	want(t, h.Target.Change(ctx, nil, target.Change{By: l, Account: l.User, Value: other.Password}), target.Unsupported)
}

// cut is a value without its last characters.
func cut(v vault.Value) (short vault.Value) {
	_ = v.Expose(func(b []byte) error { short = Value(string(b[:len(b)-4])); return nil })
	return short
}

func (h IssuerHarness) home(t *testing.T) {
	l, other := h.Create(t), h.Create(t)
	name, key, err := h.Target.Home(l.User, l.Password)
	if err != nil || name == "" || key == "" {
		t.Errorf("it stands in %q, key %q: %v", name, key, err)
	}
	next, _, err := h.Target.Home(l.User, h.Issue(t, l.User))
	if err != nil || next == "" || next == name {
		t.Errorf("the next stands in %q: %v", next, err)
	}
	for _, v := range []vault.Value{other.Password, Value("no token at all"), {}} {
		_, _, err := h.Target.Home(l.User, v)
		want(t, err, target.Rejected)
	}
}

// takes checks which of both values the system takes.
func (h IssuerHarness) takes(t *testing.T, current, next target.Login, currentWorks bool) {
	t.Helper()
	ctx := h.context(t)
	want(t, h.Target.Verify(ctx, nil, current), map[bool]target.Outcome{true: "", false: target.Refused}[currentWorks])
	want(t, h.Target.Verify(ctx, nil, next), "")
}

func (h IssuerHarness) twice(t *testing.T) {
	ctx, l := h.context(t), h.Create(t)
	next, o := h.between(t, l)
	for range 2 {
		want(t, h.Target.Add(ctx, nil, o), "")
		h.takes(t, l, next, true)
	}
	for range 2 {
		want(t, h.Target.Retire(ctx, nil, o), "")
		h.takes(t, l, next, false)
	}
}

func (h IssuerHarness) state(t *testing.T) {
	ctx, l, other := h.context(t), h.Create(t), h.Create(t)
	next, o := h.between(t, l)
	foreign := o
	foreign.Next.Value = other.Password
	want(t, h.Target.Add(ctx, nil, foreign), target.Rejected)
	want(t, h.Target.Retire(ctx, nil, foreign), target.Unproven) // it would lock everybody out
	same := o
	same.Next = same.Current
	want(t, h.Target.Retire(ctx, nil, same), target.Misconfigured)
	h.takes(t, l, next, true)
	h.End(t, l.User, next.Password)
	want(t, h.Target.Add(ctx, nil, o), target.Refused)
	want(t, h.Target.Retire(ctx, nil, o), target.Refused)
	want(t, h.Target.Verify(ctx, nil, l), "")
	want(t, h.Target.Verify(ctx, nil, other), "")
}

// reader turns an account under a client that logs in again and again with the value that it finds.
func (h IssuerHarness) reader(t *testing.T) {
	ctx, l := h.context(t), h.Create(t)
	r := read(l, func(l target.Login) { want(t, h.Target.Verify(ctx, nil, l), "") })
	for range 2 {
		next, o := h.between(t, l)
		want(t, h.Target.Add(ctx, nil, o), "")
		r.finds(next)
		want(t, h.Target.Retire(ctx, nil, o), "")
		l = next
	}
	if logins := r.end(); logins < 10 {
		t.Errorf("the client logged in %d times only", logins)
	}
}

func (h IssuerHarness) rehearse(t *testing.T) {
	r, ok := h.Target.(target.Rehearser)
	if !ok {
		t.Fatal("it is no Rehearser")
	}
	ctx, l, other := h.context(t), h.Create(t), h.Create(t)
	before := h.Dump(t)
	for name, tt := range map[string]struct {
		by      target.Login
		account string
		want    target.Outcome
	}{
		"by itself":       {l, l.User, ""},
		"by a bystander":  {other, l.User, target.NotPermitted},
		"no such account": {target.Login{User: "kt-missing", Password: l.Password}, "kt-missing", target.NoSuchAccount},
		"a wrong value":   {target.Login{User: l.User, Password: cut(l.Password)}, l.User, target.Refused},
		"no name":         {l, "../x", target.Misconfigured},
	} {
		proved, err := r.Rehearse(ctx, nil, tt.by, tt.account)
		if got := target.OutcomeOf(err); got != tt.want || (err == nil) != (proved != "") {
			t.Errorf("%s: outcome %q (%v), proved %q, want %q", name, got, err, proved, tt.want)
		}
	}
	restore := h.Strip(t)
	_, err := r.Rehearse(ctx, nil, l, l.User)
	want(t, err, target.NotPermitted)
	restore()
	_, err = r.Rehearse(ctx, nil, l, l.User)
	want(t, err, "")
	if after := h.Dump(t); after != before {
		t.Errorf("something is another; before:\n%s\nafter:\n%s", before, after)
	}
}

func (h IssuerHarness) away(t *testing.T) {
	l := h.Create(t)
	_, o := h.between(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	want(t, h.Away.Verify(ctx, nil, l), target.Unreachable)
	want(t, h.Away.Add(ctx, nil, o), target.Unreachable)
	want(t, h.Away.Retire(ctx, nil, o), target.Unreachable)
	want(t, h.Target.Verify(ctx, nil, l), "")
}
