package inventory

import (
	"path"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestSelectionMatches(t *testing.T) {
	db := Meta{"shop", "db", "Opaque", map[string]string{"app": "shop", "tier": "db"}}
	helm := Meta{"shop", "sh.helm.release.v1.x.v1", "helm.sh/release.v1", nil}
	token := Meta{"shop", "t", "kubernetes.io/service-account-token", nil}
	boot := Meta{"shop", "b", "bootstrap.kubernetes.io/token", nil}
	system := Meta{"kube-system", "x", "Opaque", nil}
	own := Meta{"keyturn", "keyturn-token", "Opaque", nil}
	rule := func(r Rule) Selection { return Selection{Rule: &r} }
	for _, c := range []struct {
		name string
		s    Selection
		m    Meta
		want bool
	}{
		{"nothing chosen", Selection{}, db, false},
		{"all", Selection{All: true}, db, true},
		{"namespace", Selection{Namespaces: []string{"shop"}}, db, true},
		{"other namespace", Selection{Namespaces: []string{"sho", "shop2"}}, db, false},
		{"single", Selection{Secrets: []string{"shop/db"}}, db, true},
		{"another single", Selection{Secrets: []string{"shop/d", "other/db"}}, db, false},
		{"all, Helm", Selection{All: true}, helm, false},
		{"all, token", Selection{All: true}, token, false},
		{"namespace, bootstrap", Selection{Namespaces: []string{"shop"}}, boot, false},
		{"single, Helm", Selection{Secrets: []string{"shop/sh.helm.release.v1.x.v1"}}, helm, true},
		{"all, kube-system", Selection{All: true}, system, false},
		{"all, keyturn", Selection{All: true}, own, false},
		{"single, kube-system", Selection{Secrets: []string{"kube-system/x"}}, system, true},
		{"rule of everything", rule(Rule{}), db, true},
		{"rule of everything, token", rule(Rule{}), token, false},
		{"rule naming the type", rule(Rule{Types: []string{"kubernetes.io/service-account-token"}}), token, true},
		{"rule naming another type", rule(Rule{Types: []string{"helm.sh/release.v1"}}), token, false},
		{"rule of types in kube-system", rule(Rule{Types: []string{"Opaque"}}), system, false},
		{"all, with a rule that names the type elsewhere", Selection{All: true, Rule: &Rule{Namespaces: []string{"x"}, Types: []string{helm.Type}}}, helm, false},
		{"globs", rule(Rule{Namespaces: []string{"x", "sh*"}, Names: []string{"d?"}}), db, true},
		{"globs that do not match", rule(Rule{Namespaces: []string{"sh*"}, Names: []string{"d"}}), db, false},
		{"labels", rule(Rule{Labels: "app=shop, tier!=web,tier"}), db, true},
		{"absent label is not equal", rule(Rule{Labels: "zone!=a"}), db, true},
		{"label not equal", rule(Rule{Labels: "tier!=db"}), db, false},
		{"label missing", rule(Rule{Labels: "zone"}), db, false},
		{"labels that cannot be read choose nothing", rule(Rule{Labels: "a in (b)"}), db, false},
	} {
		got, why := c.s.Matches(c.m)
		if got != c.want || (why == "") != got {
			t.Errorf("%s: %v (%q), want %v", c.name, got, why, c.want)
		}
	}
}

func TestSelectionValidate(t *testing.T) {
	for name, s := range map[string]Selection{
		"nothing": {}, "upper case": {Namespaces: []string{"Shop"}}, "a dot in a namespace": {Namespaces: []string{"a.b"}},
		"no slash": {Secrets: []string{"db"}}, "two slashes": {Secrets: []string{"a/b/c"}}, "no name": {Secrets: []string{"a/"}},
		"way out": {Secrets: []string{"a/.."}}, "dash at the end": {Namespaces: []string{"a-"}},
		"long": {Namespaces: []string{strings.Repeat("a", 64)}}, "empty glob": {Rule: &Rule{Names: []string{""}}},
		"set selector": {Rule: &Rule{Labels: "a in (b)"}}, "no label": {Rule: &Rule{Labels: "a,,b"}}, "negation": {Rule: &Rule{Labels: "!a"}},
	} {
		if err := s.Validate(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if err := (Selection{Namespaces: make([]string, maxNamespaces+1)}).Validate(); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("too many: %v", err)
	}
	for name, s := range map[string]Selection{
		"all": {All: true}, "single": {Secrets: []string{"kube-system/a.b-c.1"}}, "rule": {Rule: &Rule{Names: []string{"*"}, Labels: "a=b,c!=d,e==f,g"}},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**", "")
	f.Add("*a*a*a*b", strings.Repeat("a", 50))
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if strings.ContainsAny(pattern, `[\`) || strings.ContainsFunc(pattern+s, func(r rune) bool { return r == '/' || r > 126 }) {
			return // path.Match gives these another meaning
		}
		want, err := path.Match(pattern, s)
		if err == nil && glob(pattern, s) != want {
			t.Errorf("glob(%q, %q) is %v", pattern, s, !want)
		}
	})
}
