package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target/password"
)

func TestPasswordPoliciesLieOneOverTheOther(t *testing.T) {
	usual := password.Default()
	with := func(change func(*password.Policy)) password.Policy {
		p := password.Default()
		change(&p)
		return p
	}
	for name, tt := range map[string]struct {
		documents []string
		want      password.Policy
	}{
		"none":                {[]string{"", ""}, usual},
		"a length":            {[]string{`{"length":40}`}, with(func(p *password.Policy) { p.Length = 40 })},
		"another for one run": {[]string{`{"length":40,"exclude":"x"}`, `{"length":20}`}, with(func(p *password.Policy) { p.Length, p.Exclude = 20, "x" })},
		"alphabets ask for one of each": {[]string{`{"alphabets":["lower","digits"]}`}, with(func(p *password.Policy) {
			p.Alphabets, p.First, p.Require = []password.Class{"lower", "digits"}, nil, map[password.Class]int{"lower": 1, "digits": 1}
		})},
		"words":            {[]string{`{"words":5}`}, with(func(p *password.Policy) { p.Words, p.Separator, p.Length = 5, "-", 0 })},
		"words and more":   {[]string{`{"words":5,"separator":".","length":50}`}, with(func(p *password.Policy) { p.Words, p.Separator, p.Length = 5, ".", 50 })},
		"texts add up":     {[]string{`{"forbid":["acme"]}`, `{"forbid":["shop"]}`}, with(func(p *password.Policy) { p.Forbid = []string{"acme", "shop"} })},
		"the name as well": {[]string{`{"forbid":["acme"],"forbidName":true}`}, with(func(p *password.Policy) { p.Forbid = []string{"acme", "app_rw"} })},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := passwordPolicy("app_rw", tt.documents...)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
	if p, err := passwordPolicy("db", `{"forbidName":true}`); err != nil || len(p.Forbid) != 0 {
		t.Errorf("a name of two letters: %v, %v", p.Forbid, err)
	}
	for _, document := range []string{"no JSON", `{"length":3,"require":{"lower":9}}`, `{"words":30}`} {
		if err := checkPasswordPolicy(document); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", document, err)
		}
	}
}
