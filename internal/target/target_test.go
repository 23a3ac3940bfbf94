package target_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/generic"
	"github.com/keyturn/keyturn/internal/target/mysql"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/target/redis"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestTheRegistryKnowsWhatEachTypeCan(t *testing.T) {
	r, err := target.NewRegistry(postgresql.New(postgresql.Config{}), mysql.New(mysql.Config{}), redis.New(redis.Config{}), generic.New())
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, s := range r.Specs() {
		types = append(types, s.Type)
		_, err := r.Overlapper(s.Type)
		if (err == nil) != s.Capabilities.Overlap || err != nil && target.OutcomeOf(err) != target.Unsupported {
			t.Errorf("%s overlaps %v: %v", s.Type, s.Capabilities.Overlap, err)
		}
	}
	if !slices.Equal(types, []string{"postgresql", "mysql", "redis", "generic"}) {
		t.Errorf("types %v", types)
	}
	if _, err := r.Changer("postgresql"); err != nil {
		t.Error(err)
	}
	if _, err := r.Changer("generic"); target.OutcomeOf(err) != target.Unsupported {
		t.Errorf("a generic resource can be changed: %v", err)
	}
	if _, err := r.Target("oracle"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want invalid", err)
	}
	if _, err := target.NewRegistry(generic.New(), generic.New()); err == nil {
		t.Error("a type was listed twice")
	}
	if _, err := target.NewRegistry(boastful{}); err == nil {
		t.Error("a type promises what it does not implement")
	}
}

// boastful promises an overlap and cannot do one.
type boastful struct{ generic.Target }

func (boastful) Spec() target.Spec {
	return target.Spec{Type: "boastful", Capabilities: target.Capabilities{Overlap: true}}
}

func TestOverlapNeedsAKnownState(t *testing.T) {
	const current, next, third = "c", "n", "t"
	for _, tc := range []struct {
		held    []string
		added   bool
		add     target.Outcome
		retired bool
		retire  target.Outcome
	}{
		{held: nil, add: target.Refused, retire: target.Refused},
		{held: []string{current}, retire: target.Refused},
		{held: []string{current, next}, added: true},
		{held: []string{next, current}, added: true},
		{held: []string{next}, add: target.Refused, retired: true},
		{held: []string{third}, add: target.Refused, retire: target.Refused},
		{held: []string{current, third}, add: target.NotPermitted, retire: target.Refused},
		{held: []string{next, third}, add: target.Refused, retire: target.NotPermitted},
		{held: []string{current, next, third}, add: target.NotPermitted, retire: target.NotPermitted},
	} {
		done, err := target.CheckAdd(tc.held, current, next)
		if done != tc.added || target.OutcomeOf(err) != tc.add {
			t.Errorf("add to %v: done %v, %v", tc.held, done, err)
		}
		done, err = target.CheckRetire(tc.held, current, next)
		if done != tc.retired || target.OutcomeOf(err) != tc.retire {
			t.Errorf("retire from %v: done %v, %v", tc.held, done, err)
		}
		for _, check := range []func([]string, string, string) (bool, error){target.CheckAdd, target.CheckRetire} {
			if _, err := check(tc.held, current, current); target.OutcomeOf(err) != target.Misconfigured {
				t.Errorf("a value beside itself in %v: %v", tc.held, err)
			}
		}
	}
}

func TestFaultSaysWhatIsKnown(t *testing.T) {
	for outcome, want := range map[target.Outcome]fault.Kind{
		target.Refused: fault.Conflict, target.Rejected: fault.Invalid, target.NoSuchAccount: fault.Conflict, target.NotPermitted: fault.Conflict,
		target.Unproven: fault.Conflict, target.Unreachable: fault.Unavailable, target.Unknown: fault.Unavailable, target.Unsupported: fault.Invalid,
		target.Misconfigured: fault.Invalid,
	} {
		err := target.Fault(&target.Error{Outcome: outcome, Msg: "100% of it", Cure: "do 5%", Code: "42P01"})
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Kind != want || f.Code == "" || f.Msg != "100% of it (42P01)" || f.Cure != "do 5%" {
			t.Errorf("%s: %+v", outcome, f)
		} else if (f.Unchanged == "") != (outcome == target.Unknown) {
			t.Errorf("%s: unchanged is %q", outcome, f.Unchanged)
		}
	}
	if target.Fault(nil) != nil || target.OutcomeOf(nil) != "" || target.OutcomeOf(errors.New("other")) != target.Unknown {
		t.Error("an error that is no target's is taken for one")
	}
}

func TestSettingsAreChecked(t *testing.T) {
	spec := postgresql.New(postgresql.Config{}).Spec()
	good := target.Connection{"host": "db.example", "port": "5432", "database": "orders"}
	if err := spec.Check(good); err != nil {
		t.Fatal(err)
	}
	for field, value := range map[string]string{"host": "postgres://db", "port": "70000", "tls": "maybe", "nonsense": "x", "database": "a\nb"} {
		bad := target.Connection{}
		for k, v := range good {
			bad[k] = v
		}
		bad[field] = value
		if field == "nonsense" { // whatever was typed there is not repeated
			field = "settings"
		}
		f, ok := errors.AsType[*fault.Error](spec.Check(bad))
		if !ok || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%s: %+v", field, f)
		}
	}
}

func TestLimitsNeverShowTheValue(t *testing.T) {
	l := target.Limits{MinLength: 4, MaxLength: 8, Forbidden: "\x00\n", ForbiddenFirst: "{", UTF8: true}
	for value, ok := range map[string]bool{"good1": true, "abc": false, "too-long-by-far": false, "a\nbcd": false, "{abcd": false, "ab{cd": true, "ab\xffcd": false} {
		err := l.Check(vault.NewValue([]byte(value)))
		if (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
		if err != nil && (target.OutcomeOf(err) != target.Rejected || len(err.Error()) == 0) {
			t.Errorf("%q: %v", value, err)
		}
	}
}
