package targettest

import (
	"bytes"
	"context"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
)

// overlap is the part of the suite for types whose accounts take two values.
type overlap struct {
	Harness
	target target.Overlapper
}

func (o overlap) run(t *testing.T) {
	t.Run("add, then retire, each twice", o.twice)
	t.Run("not in this state", o.state)
	t.Run("third value", o.third)
	t.Run("no such account", o.missing)
	t.Run("cuts", o.cuts)
	t.Run("a reader never fails", o.reader)
}

// pair returns a fresh account, its login with the new value, and the overlap of both values.
func (o overlap) pair(t *testing.T) (current, next target.Login, ov target.Overlap) {
	t.Helper()
	current = o.Create(t)
	next = target.Login{User: current.User, Password: Value(o.newValue())}
	return current, next, o.between(t, current, next)
}

func (o overlap) between(t *testing.T, current, next target.Login) target.Overlap {
	t.Helper()
	ov := target.Overlap{By: o.Reconcile, Account: current.User, Current: target.Prepared{Value: current.Password}}
	err := next.Password.Expose(func(b []byte) (err error) {
		ov.Next, err = o.prepare(current.User, string(b))
		return err
	})
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return ov
}

// takes checks which of both logins the server takes.
func (o overlap) takes(t *testing.T, current, next target.Login, currentWorks, nextWorks bool) {
	t.Helper()
	ctx := o.context(t)
	outcome := map[bool]target.Outcome{true: "", false: target.Refused}
	want(t, o.Target.Verify(ctx, o.Connection, current), outcome[currentWorks])
	want(t, o.Target.Verify(ctx, o.Connection, next), outcome[nextWorks])
	if currentWorks && nextWorks {
		next.Before = current.Password
		want(t, o.Target.Verify(ctx, o.Connection, next), target.Unproven)
	}
}

func (o overlap) twice(t *testing.T) {
	ctx := o.context(t)
	current, next, ov := o.pair(t)
	for range 2 {
		want(t, o.target.Add(ctx, o.Connection, ov), "")
		o.takes(t, current, next, true, true)
	}
	for range 2 {
		want(t, o.target.Retire(ctx, o.Connection, ov), "")
		o.takes(t, current, next, false, true)
	}
	for _, l := range []target.Login{current, next} {
		_ = l.Password.Expose(func(b []byte) error {
			if bytes.Contains(o.Log(t), b) {
				t.Error("a value stands in the server's log")
			}
			return nil
		})
	}
	// A change in the middle of an overlap ends it: only its own value is left.
	later := target.Login{User: current.User, Password: Value(o.newValue())}
	want(t, o.target.Add(ctx, o.Connection, o.between(t, next, later)), "")
	last := o.newValue()
	want(t, o.Target.Change(ctx, o.Connection, o.prepared(t, o.Reconcile, current.User, last)), "")
	o.takes(t, next, later, false, false)
	want(t, o.Target.Verify(ctx, o.Connection, target.Login{User: current.User, Password: Value(last)}), "")
}

func (o overlap) state(t *testing.T) {
	ctx := o.context(t)
	current, next, ov := o.pair(t)
	want(t, o.target.Retire(ctx, o.Connection, ov), target.Refused) // it would lock everybody out
	o.takes(t, current, next, true, false)
	want(t, o.target.Add(ctx, o.Connection, o.between(t, current, current)), target.Misconfigured)
	want(t, o.target.Add(ctx, o.Connection, o.between(t, target.Login{User: current.User, Password: Value(o.newValue())}, next)), target.Refused)
	o.takes(t, current, next, true, false)
	if o.NoSelf {
		ov.By = current
		want(t, o.target.Add(ctx, o.Connection, ov), target.NotPermitted)
	}
	ov.By = target.Login{User: o.Reconcile.User, Password: Value(o.newValue())}
	want(t, o.target.Add(ctx, o.Connection, ov), target.Refused)
	want(t, o.target.Retire(ctx, o.Connection, ov), target.Refused)
	o.takes(t, current, next, true, false)
}

func (o overlap) third(t *testing.T) {
	ctx := o.context(t)
	current, next, ov := o.pair(t)
	third := o.newValue()
	o.AddValue(t, current.User, third)
	other := target.Login{User: current.User, Password: Value(third)}
	o.takes(t, current, other, true, true)
	want(t, o.target.Add(ctx, o.Connection, ov), target.NotPermitted)
	want(t, o.target.Retire(ctx, o.Connection, o.between(t, next, current)), target.NotPermitted)
	o.takes(t, current, other, true, true)
	want(t, o.Target.Verify(ctx, o.Connection, next), target.Refused)
}

func (o overlap) missing(t *testing.T) {
	ctx := o.context(t)
	_, _, ov := o.pair(t)
	ov.Account = "kt-missing"
	for range 2 { // the first try creates nothing
		want(t, o.target.Add(ctx, o.Connection, ov), target.NoSuchAccount)
		want(t, o.target.Retire(ctx, o.Connection, ov), target.NoSuchAccount)
	}
}

func (o overlap) cuts(t *testing.T) {
	ctx := o.context(t)
	current, next, ov := o.pair(t)
	proxy := o.breaker(t)
	c := o.at(proxy.Address())
	for _, step := range []struct {
		name          string
		verb          func(context.Context, target.Connection, target.Overlap) error
		cut           Cut
		outcome       target.Outcome
		current, next bool
	}{
		{"add lost", o.target.Add, CutBefore, target.Unknown, true, false},
		{"add without reply", o.target.Add, CutAfter, target.Unknown, true, true},
		{"add settled", o.target.Add, CutNever, "", true, true},
		{"retire lost", o.target.Retire, CutBefore, target.Unknown, true, true},
		{"retire without reply", o.target.Retire, CutAfter, target.Unknown, false, true},
		{"retire settled", o.target.Retire, CutNever, "", false, true},
	} {
		proxy.Set(step.cut)
		if got := target.OutcomeOf(step.verb(ctx, c, ov)); got != step.outcome {
			t.Errorf("%s: outcome %q, want %q", step.name, got, step.outcome)
		}
		if (proxy.Cuts() > 0) != (step.cut != CutNever) {
			t.Errorf("%s: %d connections were cut", step.name, proxy.Cuts())
		}
		o.takes(t, current, next, step.current, step.next)
	}
}

// reader turns an account ten times under a client that logs in again and again with the value that it finds.
func (o overlap) reader(t *testing.T) {
	ctx := o.context(t)
	current := o.Create(t)
	client := read(current, func(l target.Login) { want(t, o.Target.Verify(ctx, o.Connection, l), "") })
	for range 10 {
		next := target.Login{User: current.User, Password: Value(o.newValue())}
		ov := o.between(t, current, next)
		want(t, o.target.Add(ctx, o.Connection, ov), "")
		client.finds(next)
		want(t, o.target.Retire(ctx, o.Connection, ov), "")
		current = next
	}
	if logins := client.end(); logins < 10 {
		t.Errorf("the client logged in %d times only", logins)
	}
}
