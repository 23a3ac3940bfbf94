package rotation

import (
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestTheMostSpecificPolicyApplies(t *testing.T) {
	subject := Subject{ID: "a1", Name: "app", ResourceID: "r1", ResourceName: "prod-orders", ResourceType: "postgresql",
		Labels: []map[string]string{{"tier": "web"}, {"env": "prod", "team": "shop"}}}
	policy := func(name string, assignments ...Assignment) Policy {
		return Policy{ID: "id-" + name, Name: name, Assignments: assignments}
	}
	by := func(by By, pattern string) Assignment { return Assignment{By: by, Pattern: pattern} }
	account, resource := by(ByAccount, "a1"), by(ByResource, "r1")
	label, rule := by(ByLabel, "env=prod"), by(ByRule, "postgresql/*/*")
	for name, tt := range map[string]struct {
		policies []Policy
		want     string
		because  string
	}{
		"none":                    {nil, "default", "no other policy is for this account"},
		"of others":               {[]Policy{policy("x", by(ByAccount, "a2"), by(ByResource, "r2"), by(ByLabel, "env=test"), by(ByRule, "mysql/*/*"))}, "default", "no other policy is for this account"},
		"an account":              {[]Policy{policy("w", rule), policy("x", label), policy("y", resource), policy("z", account)}, "z", "it is assigned to this account"},
		"a resource":              {[]Policy{policy("w", rule), policy("x", label), policy("y", resource)}, "y", "it is assigned to the resource prod-orders"},
		"labels":                  {[]Policy{policy("w", rule), policy("x", label)}, "x", "it is assigned to the labels env=prod, which a Secret of this account has"},
		"a rule":                  {[]Policy{policy("w", rule)}, "w", "it is assigned by the rule postgresql/*/*"},
		"the longer rule":         {[]Policy{policy("a", rule), policy("b", by(ByRule, "postgresql/prod-*/*"))}, "b", "it is assigned by the rule postgresql/prod-*/*"},
		"the lower name":          {[]Policy{policy("b", by(ByRule, "*/prod-*/a*")), policy("a", by(ByRule, "*/*prod-*/*"))}, "a", "it is assigned by the rule */*prod-*/*"},
		"labels of one Secret":    {[]Policy{policy("x", by(ByLabel, "env=prod,tier"))}, "default", "no other policy is for this account"},
		"several labels":          {[]Policy{policy("x", by(ByLabel, "env=prod,team"))}, "x", "it is assigned to the labels env=prod,team, which a Secret of this account has"},
		"a star stops at a slash": {[]Policy{policy("x", by(ByRule, "*/*"))}, "default", "no other policy is for this account"},
	} {
		t.Run(name, func(t *testing.T) {
			got, because := Select(tt.policies, subject)
			if got.Name != tt.want || because != tt.because {
				t.Errorf("%s, %q", got.Name, because)
			}
		})
	}
	changed := []Policy{{ID: DefaultPolicy, Name: "default", History: 7}, policy("w", rule)}
	if all := Applying(changed, subject); len(all) != 2 || all[0].Policy.Name != "w" || all[1].Policy.History != 7 {
		t.Errorf("%+v", all)
	}
}

func TestAssignmentsThatNameNothing(t *testing.T) {
	for _, a := range []Assignment{{By: ByAccount}, {By: "everything", Pattern: "x"}, {By: ByLabel, Pattern: "=x"}, {By: ByLabel, Pattern: "a=b,"}, {By: ByLabel, Pattern: "a in (b)"},
		{By: ByRule, Pattern: "a/b"}, {By: ByRule, Pattern: "a/[/c"}, {By: ByRule, Pattern: "a//c"}} {
		if err := a.Check(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func TestPoliciesThatCannotBeFollowed(t *testing.T) {
	for field, p := range map[string]Policy{
		"name":      {Name: "a b"},
		"history":   {Name: "x", History: 101},
		"reconcile": {Name: "x", Rules: Rules{Reconcile: []Failure{"timeout"}}},
		"heartbeat": {Name: "x", Rules: Rules{Heartbeat: "1s"}},
		"onReveal":  {Name: "x", Rules: Rules{OnReveal: "later"}},
	} {
		err := p.Check()
		if f, ok := err.(*fault.Error); !ok || f.Field != field || f.Kind != fault.Invalid {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := (Policy{Name: "prod-90d", History: 5, Rules: Rules{OnReveal: "8h", Heartbeat: HeartbeatOff, Reconcile: []Failure{LoginRefused}}}).Check(); err != nil {
		t.Error(err)
	}
}
