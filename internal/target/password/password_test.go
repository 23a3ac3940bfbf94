package password_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/password"
)

func plain(t interface{ Fatal(...any) }, p password.Policy, l target.Limits) []byte {
	v, err := password.Generate(p, l)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	_ = v.Expose(func(b []byte) error { out = bytes.Clone(b); return nil })
	return out
}

func policies() *rapid.Generator[password.Policy] {
	return rapid.Custom(func(t *rapid.T) password.Policy {
		some := func(name string) []password.Class {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(password.Classes()), 0, 4, rapid.ID).Draw(t, name)
		}
		return password.Policy{
			Length:    rapid.IntRange(0, 40).Draw(t, "length"),
			Alphabets: some("alphabets"),
			Exclude:   rapid.StringMatching(`[ -~]{0,60}`).Draw(t, "exclude"),
			Require:   rapid.MapOf(rapid.SampledFrom(password.Classes()), rapid.IntRange(0, 12)).Draw(t, "require"),
			First:     some("first"),
		}
	})
}

func TestGeneratedPasswordsFollowTheirPolicyOrThePolicyIsRefused(t *testing.T) {
	limits := target.Limits{MinLength: 2, MaxLength: 30, Forbidden: "\x00'q", ForbiddenFirst: "{Z7"}
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		v, err := password.Generate(p, limits)
		if refused := p.Check(limits); (refused == nil) != (err == nil) {
			t.Fatalf("Check says %v, Generate says %v", refused, err)
		}
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		if v.Len() != p.Length {
			t.Fatalf("length %d, want %d", v.Len(), p.Length)
		}
		if bad := p.Violations(v); bad != nil {
			t.Fatalf("violates its own policy: %v", bad)
		}
		if err := limits.Check(v); err != nil {
			t.Fatal(err)
		}
		if bits, err := password.EntropyBits(p, limits); err != nil || bits < 0 || bits > 6.56*float64(p.Length) {
			t.Fatalf("%v bits, %v", bits, err)
		}
	})
}

// TestEveryPasswordIsEquallyLikely draws from the five passwords of "a", "b" and "1" in two places that have a digit.
func TestEveryPasswordIsEquallyLikely(t *testing.T) {
	p := password.Policy{
		Length: 2, Alphabets: []password.Class{password.Lower, password.Digits},
		Exclude: "cdefghijklmnopqrstuvwxyz023456789", Require: map[password.Class]int{password.Digits: 1},
	}
	seen := map[string]int{}
	const draws = 10000
	for range draws {
		seen[string(plain(t, p, target.Limits{}))]++
	}
	want := []string{"a1", "b1", "1a", "1b", "11"}
	if len(seen) != len(want) {
		t.Fatalf("got %v, want %v", seen, want)
	}
	for _, w := range want {
		// Six standard deviations of a binomial: wrong once in a billion runs.
		if mean := draws / 5.0; math.Abs(float64(seen[w])-mean) > 6*math.Sqrt(mean*0.8) {
			t.Errorf("%s came %d times, want about %.0f", w, seen[w], mean)
		}
	}
	if bits, err := password.EntropyBits(p, target.Limits{}); err != nil || math.Abs(bits-math.Log2(5)) > 1e-9 {
		t.Errorf("%v bits, %v; want log2(5)", bits, err)
	}
}

func TestImpossiblePoliciesAreRefused(t *testing.T) {
	pg := target.Limits{MinLength: 4, MaxLength: 64}
	for name, c := range map[string]struct {
		p     password.Policy
		field string
	}{
		"no length":        {password.Policy{}, "length"},
		"too long":         {password.Policy{Length: 65}, "length"},
		"too short":        {password.Policy{Length: 3}, "length"},
		"requires more":    {password.Policy{Length: 4, Require: map[password.Class]int{password.Lower: 3, password.Upper: 2}}, "require"},
		"first is no room": {password.Policy{Length: 4, Require: map[password.Class]int{password.Digits: 4}, First: []password.Class{password.Lower}}, "require"},
		"class emptied":    {password.Policy{Length: 4, Exclude: "0123456789", Require: map[password.Class]int{password.Digits: 1}}, "require"},
		"all excluded":     {password.Policy{Length: 4, Alphabets: []password.Class{password.Digits}, Exclude: "0123456789"}, "alphabets"},
		"first excluded":   {password.Policy{Length: 4, First: []password.Class{password.Digits}, Exclude: "0123456789"}, "first"},
		"first elsewhere":  {password.Policy{Length: 4, Alphabets: []password.Class{password.Digits}, First: []password.Class{password.Lower}}, "first"},
		"unknown class":    {password.Policy{Length: 4, Alphabets: []password.Class{"runes"}}, "alphabets"},
		"negative":         {password.Policy{Length: 4, Require: map[password.Class]int{password.Digits: -1}}, "require"},
	} {
		t.Run(name, func(t *testing.T) {
			f, ok := errors.AsType[*fault.Error](c.p.Check(pg))
			if !ok || f.Kind != fault.Invalid || f.Field != c.field {
				t.Errorf("got %+v, want a fault about %s", f, c.field)
			}
		})
	}
}

func TestDefaultPolicy(t *testing.T) {
	p := password.Default()
	if bits, err := password.EntropyBits(p, target.Limits{}); err != nil || bits < 180 {
		t.Errorf("%v bits, %v", bits, err)
	}
	for range 200 {
		if b := plain(t, p, target.Limits{}); strings.ContainsAny(string(b), p.Exclude) || len(b) != 32 {
			t.Fatal("does not follow its policy")
		}
	}
	longest := p
	longest.Length = password.MaxLength
	if b := plain(t, longest, target.Limits{}); len(b) != password.MaxLength {
		t.Errorf("got %d characters", len(b))
	}
}
