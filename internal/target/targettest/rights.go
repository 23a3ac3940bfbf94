package targettest

import (
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
)

// Right is something that an account can have and another has not.
type Right struct {
	// Give gives it to account.
	Give func(t *testing.T, account string)
	// Line is how [target.Comparer] names it.
	Line string
}

// rights is the part of the suite for types whose accounts can be compared.
type rights struct {
	Harness
	target target.Comparer
}

// run gives two new accounts one right after the other: first to one, which must be named, then to the other too.
func (r rights) run(t *testing.T) {
	ctx, a, b := r.context(t), r.Create(t), r.Create(t)
	var said []string
	differ := func(by target.Login) []string {
		t.Helper()
		ofA, err := r.target.Rights(ctx, r.Connection, by, a.User)
		want(t, err, "")
		ofB, err := r.target.Rights(ctx, r.Connection, by, b.User)
		want(t, err, "")
		said = append(append(said, ofA...), ofB...)
		return target.Differences(a.User, ofA, b.User, ofB)
	}
	before := r.Dump(t)
	if got := differ(r.Reconcile); len(got) > 0 {
		t.Fatalf("two new accounts differ: %q", got)
	}
	if after := r.Dump(t); after != before {
		t.Errorf("the comparison changed something; before:\n%s\nafter:\n%s", before, after)
	}
	if len(r.Rights) == 0 {
		t.Fatal("the harness gives no rights")
	}
	for _, right := range r.Rights {
		right.Give(t, a.User)
		if got := differ(r.Reconcile); !slices.Contains(got, "only "+a.User+" "+right.Line) || len(got) > 3 {
			t.Errorf("found %q, want %q", got, right.Line)
		}
		right.Give(t, b.User)
		if got := differ(r.Reconcile); len(got) > 0 {
			t.Errorf("both have %q, and differ: %q", right.Line, got)
		}
	}
	bystander := target.NotPermitted
	if r.OpenRights {
		bystander = ""
	}
	for _, tt := range []struct {
		by      target.Login
		account string
		outcome target.Outcome
	}{
		{r.Reconcile, r.missing(), target.NoSuchAccount},
		{target.Login{User: r.Reconcile.User, Password: Value(r.newValue())}, a.User, target.Refused},
		{a, b.User, bystander},
	} {
		lines, err := r.target.Rights(ctx, r.Connection, tt.by, tt.account)
		want(t, err, tt.outcome)
		if err != nil && len(lines) > 0 {
			t.Errorf("rights of %s beside an error: %q", tt.account, lines)
		}
	}
	hashes := r.Hash.FindAllString(r.Dump(t), -1)
	if len(hashes) == 0 {
		t.Error("the dump shows no hash")
	}
	for _, line := range said {
		for _, l := range []target.Login{a, b, r.Reconcile} {
			_ = l.Password.Expose(func(v []byte) error {
				if strings.Contains(line, string(v)) {
					t.Errorf("a line shows a value: %q", line)
				}
				return nil
			})
		}
		for _, hash := range hashes {
			if strings.Contains(line, hash) {
				t.Errorf("a line shows a hash: %q", line)
			}
		}
	}
}
