package password_test

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/password"
)

func TestPassphrases(t *testing.T) {
	all := map[password.Class]int{password.Lower: 1, password.Upper: 1, password.Digits: 2, password.Symbols: 1}
	for name, tt := range map[string]struct {
		policy password.Policy
		limits target.Limits
		like   string
		bits   float64
	}{
		"four words":                    {password.Policy{Words: 4, Separator: "-"}, target.Limits{}, `^([a-z]{6}-){3}[a-z]{6}$`, 12 * math.Log2(80)},
		"with what a default requires":  {password.Policy{Words: 3, Separator: "-", Require: all}, target.Limits{}, `^([A-Z][a-z]{5}-){3}[0-9]{2}$`, 9*math.Log2(80) + 2*math.Log2(10)},
		"more words for a length":       {password.Policy{Words: 1, Length: 20}, target.Limits{}, `^[a-z]{24}$`, 12 * math.Log2(80)},
		"letters that a type refuses":   {password.Policy{Words: 2, Separator: "."}, target.Limits{Forbidden: "bdfgjklmnprstvw"}, `^(z[aeiou]){3}\.(z[aeiou]){3}$`, 6 * math.Log2(5)},
		"the length that a type asks":   {password.Policy{Words: 1}, target.Limits{MinLength: 12}, `^[a-z]{12}$`, 6 * math.Log2(80)},
		"texts that are forbidden":      {password.Policy{Words: 1, Forbid: []string{"BAB", "dad"}}, target.Limits{}, `^[a-z]{6}$`, 3 * math.Log2(80)},
		"capitals of what is left over": {password.Policy{Words: 1, Require: map[password.Class]int{password.Upper: 1}, Exclude: "BCDFGHJKLMNPQRSTVW"}, target.Limits{}, `^Z[aeiou](z[aeiou]){2}$`, 3 * math.Log2(5)},
	} {
		t.Run(name, func(t *testing.T) {
			got := string(plain(t, tt.policy, tt.limits))
			if !regexp.MustCompile(tt.like).MatchString(got) {
				t.Errorf("%q is not like %s", got, tt.like)
			}
			if bits, err := password.EntropyBits(tt.policy, tt.limits); err != nil || math.Abs(bits-tt.bits) > 1e-9 {
				t.Errorf("%v bits, %v; want %v", bits, err, tt.bits)
			}
		})
	}
	for name, p := range map[string]password.Policy{
		"too many words":               {Words: 21},
		"a separator that is excluded": {Words: 3, Separator: "-", Exclude: "-"},
		"a separator of no class":      {Words: 3, Separator: " "},
		"no symbol to be had":          {Words: 3, Require: map[password.Class]int{password.Symbols: 1}},
		"no lower case":                {Words: 3, Alphabets: []password.Class{password.Upper}},
		"a digit first":                {Words: 3, First: []password.Class{password.Digits}},
		"no vowel left":                {Words: 3, Exclude: vowels},
		"too long for the type":        {Words: 10},
	} {
		if err := p.Check(target.Limits{MaxLength: 40}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const vowels = "aeiou"

func TestForbiddenTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := password.Policy{Length: 6, Alphabets: []password.Class{password.Lower, password.Upper}, Exclude: "defghijklmnopqrstuvwxyzDEFGHIJKLMNOPQRSTUVWXYZ",
			Forbid: []string{"aab", "Bcc"}}
		got := strings.ToLower(string(plain(t, p, target.Limits{})))
		if strings.Contains(got, "aab") || strings.Contains(got, "bcc") {
			t.Fatalf("%q", got)
		}
	})
	only := password.Policy{Length: 9, Alphabets: []password.Class{password.Lower}, Exclude: "bcdefghijklmnopqrstuvwxyz", Forbid: []string{"aaa"}}
	if _, err := password.Generate(only, target.Limits{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("every value is forbidden: %v", err)
	}
	for _, text := range []string{"ab", strings.Repeat("a", 129), "\xff\xff\xff"} {
		if err := (password.Policy{Length: 8, Forbid: []string{text}}).Check(target.Limits{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a forbidden text of %d bytes: %v", len(text), err)
		}
	}
}
