package password

import (
	"bytes"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/target"
)

// A word of a passphrase is three syllables, each a consonant and a vowel: it can be said and heard, belongs to no language,
// and what it is worth is counted, not guessed. Letters that are easily misheard for another are left out.
const (
	consonants = "bdfgjklmnprstvwz"
	vowels     = "aeiou"
	syllables  = 3
)

// MaxWords is the most that a policy can ask for.
const MaxWords = 20

// phrase is a policy for passphrases brought down to what a type's limits leave.
type phrase struct {
	words              int
	consonants, vowels string
	separator          string
	capitals           bool
	digits             int
	digit              string
}

func (p Policy) phrase(l target.Limits) (phrase, error) {
	gone := p.Exclude + l.Forbidden
	ph := phrase{words: p.Words, consonants: without(consonants, gone), vowels: without(vowels, gone), separator: p.Separator,
		capitals: p.Require[Upper] > 0, digits: p.Require[Digits], digit: without(Digits.Characters(), gone)}
	if ph.capitals {
		ph.consonants = without(ph.consonants, strings.ToLower(gone))
	}
	least := max(p.Length, l.MinLength)
	for ph.words < MaxWords && ph.length() < least {
		ph.words++
	}
	switch {
	case p.Words < 0 || p.Words > MaxWords:
		return ph, invalid("words", "a passphrase has up to %d words", MaxWords)
	case utf8.RuneCountInString(p.Separator) > 3 || strings.ContainsFunc(p.Separator, func(r rune) bool { return r >= utf8.RuneSelf || !unicode.IsPrint(r) }):
		return ph, invalid("separator", "a separator is up to three printable characters of ASCII")
	case strings.ContainsAny(p.Separator, gone):
		return ph, invalid("separator", "the separator has a character that must not occur")
	case len(ph.consonants)*len(ph.vowels) < 2 || ph.digits > 0 && ph.digit == "":
		return ph, invalid("exclude", "the policy leaves too few characters for words")
	case ph.length() < least || ph.length() > MaxLength:
		return ph, invalid("words", "a passphrase of this kind cannot be so long")
	case l.MaxLength > 0 && ph.length() > l.MaxLength:
		return ph, invalid("words", "this type of system takes %d characters at most, and such a passphrase has %d", l.MaxLength, ph.length())
	}
	return ph, ph.follows(p, l)
}

// follows checks a phrase of this form against what the policy says of classes.
func (ph phrase) follows(p Policy, l target.Limits) error {
	if ph.capitals && p.Require[Upper] > ph.words {
		return invalid("require", "a passphrase has one upper case letter for each word")
	}
	example := []byte(ph.join(func(s string) string { return s[:1] }))
	for _, v := range p.violations(example) {
		if v.Rule != "exclude" && v.Rule != "forbid" { // the example is one of many
			return invalid(v.Rule, "no passphrase follows the policy: %s", v.Msg)
		}
	}
	if bytes.ContainsAny(example[:1], l.ForbiddenFirst) {
		return invalid("words", "this type of system does not take a letter first")
	}
	return nil
}

func (ph phrase) length() int {
	n := ph.words*2*syllables + (ph.words-1)*len(ph.separator)
	if ph.digits > 0 {
		n += len(ph.separator) + ph.digits
	}
	return n
}

// join builds a phrase of what pick takes from each set of characters.
func (ph phrase) join(pick func(string) string) string {
	var b strings.Builder
	for w := range ph.words {
		if w > 0 {
			b.WriteString(ph.separator)
		}
		for s := range syllables {
			c := pick(ph.consonants)
			if s == 0 && ph.capitals {
				c = strings.ToUpper(c)
			}
			b.WriteString(c)
			b.WriteString(pick(ph.vowels))
		}
	}
	if ph.digits > 0 {
		b.WriteString(ph.separator)
	}
	for range ph.digits {
		b.WriteString(pick(ph.digit))
	}
	return b.String()
}

func (ph phrase) draw() ([]byte, error) {
	var failed error
	text := ph.join(func(set string) string {
		i, err := below(len(set))
		if err != nil {
			failed = err
		}
		return set[i : i+1]
	})
	return []byte(text), failed
}

// bits returns the logarithm of the number of phrases.
func (ph phrase) bits() float64 {
	syllable := math.Log2(float64(len(ph.consonants) * len(ph.vowels)))
	digits := 0.0
	if ph.digits > 0 {
		digits = float64(ph.digits) * math.Log2(float64(len(ph.digit)))
	}
	return float64(ph.words*syllables)*syllable + digits
}
