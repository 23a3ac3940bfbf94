package targettest

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
)

// rehearsal is the part of the suite for types that tell whether a change would be let do its work.
type rehearsal struct {
	Harness
	target target.Rehearser
}

func (r rehearsal) run(t *testing.T) {
	ctx, l, other := r.context(t), r.Create(t), r.Create(t)
	wrong := func(l target.Login) target.Login { return target.Login{User: l.User, Password: Value(r.newValue())} }
	var said []string
	rehearse := func(name string, c target.Connection, by target.Login, account string, outcome target.Outcome) {
		t.Helper()
		proved, err := r.target.Rehearse(ctx, c, by, account)
		if got := target.OutcomeOf(err); got != outcome {
			t.Errorf("%s: outcome %q (%v), want %q", name, got, err, outcome)
		}
		if (err == nil) != (proved != "") || strings.HasSuffix(proved, ".") || strings.ContainsAny(proved, "\r\n") {
			t.Errorf("%s: %q is no sentence, or one about nothing", name, proved)
		}
		if said = append(said, proved); err != nil {
			said = append(said, err.Error())
		}
	}
	begun, before := r.Log(t), r.Dump(t)
	if !strings.Contains(before, l.User) {
		t.Fatal("the dump does not show the account")
	}
	same := func(name string) {
		t.Helper()
		if after := r.Dump(t); after != before {
			t.Errorf("%s: something is another on the server; before:\n%s\nafter:\n%s", name, before, after)
		}
	}

	rehearse("by the reconcile login", r.Connection, r.Reconcile, l.User, "")
	own := target.Outcome("")
	if r.NoSelf {
		own = target.NotPermitted
	}
	rehearse("by itself", r.Connection, l, l.User, own)
	rehearse("again", r.Connection, r.Reconcile, l.User, "")
	rehearse("by a bystander", r.Connection, other, l.User, target.NotPermitted)
	rehearse("no such account", r.Connection, r.Reconcile, r.missing(), target.NoSuchAccount)
	if r.Protected != "" {
		rehearse("protected", r.Connection, r.Reconcile, r.Protected, target.NotPermitted)
	}
	rehearse("a wrong value", r.Connection, wrong(r.Reconcile), l.User, target.Refused)
	rehearse("its own wrong value", r.Connection, wrong(l), l.User, target.Refused)
	for _, name := range r.BadNames {
		rehearse(name, r.Connection, r.Reconcile, name, target.Misconfigured)
	}
	same("rehearsed")

	rehearse("nobody there", r.at("127.0.0.1:"+Port(t)), r.Reconcile, l.User, target.Unreachable)
	r.cuts(ctx, t, l)
	same("broken off")

	by, restore := r.Strip(t)
	rehearse("without the right", r.Connection, by, l.User, target.NotPermitted)
	restore()
	rehearse("with the right again", r.Connection, r.Reconcile, l.User, "")
	same("without the right")
	want(t, r.Target.Verify(ctx, r.Connection, l), "")

	logged := r.Log(t)
	for _, value := range []target.Login{l, other, r.Reconcile} {
		_ = value.Password.Expose(func(b []byte) error {
			// What made the account may have left it in the log.
			if bytes.Count(logged, b) > bytes.Count(begun, b) || strings.Contains(strings.Join(said, "\n"), string(b)) {
				t.Errorf("the value of %s stands in the server's log, or in what was said", value.User)
			}
			return nil
		})
	}
}

// cuts breaks connections where a change would be under way, for types that send something of the kind.
func (r rehearsal) cuts(ctx context.Context, t *testing.T, l target.Login) {
	t.Helper()
	proxy := r.breaker(t)
	for _, cut := range []Cut{CutBefore, CutAfter} {
		proxy.Set(cut)
		_, err := r.target.Rehearse(ctx, r.at(proxy.Address()), r.Reconcile, l.User)
		outcome := target.Outcome("")
		if proxy.Cuts() > 0 {
			outcome = target.Unreachable
		}
		want(t, err, outcome)
	}
}
