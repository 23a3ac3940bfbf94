package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/keyturn/keyturn/client/state"
)

// none stands where a table has nothing to say.
const none = "-"

// word returns the state as people read it. One that is not in the list is shown as it came, as it is newer than this.
func word(object state.Object, s string) string {
	if st, ok := state.Parse(object.API(), s); ok {
		return string(st.Word)
	}
	return or(strings.ReplaceAll(s, "_", " "))
}

func or(s string) string { return cmp.Or(s, none) }

// age returns how long ago t was, as kubectl writes it.
func (k *command) age(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return duration.HumanDuration(max(0, k.now().Sub(t)))
}

func (k *command) ageOf(t *time.Time) string {
	if t == nil {
		return none
	}
	return k.age(*t)
}

// instant is a time in full, for what has to be compared with other records.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func instantOf(t *time.Time) string {
	if t == nil {
		return none
	}
	return instant(*t)
}

// size is a number of bytes with one digit, in powers of 1000.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_950:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}

// counts writes a count by state, such as "3 in sync, 1 behind", in the order of the list of states.
func counts(object state.Object, n map[string]int64) string {
	var parts []string
	known := map[string]bool{}
	for _, s := range state.Of(object) {
		known[s.Word.API()] = true
		if c := n[s.Word.API()]; c > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c, s.Word))
		}
	}
	for _, s := range slices.Sorted(maps.Keys(n)) {
		if !known[s] && n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], word(object, s)))
		}
	}
	return or(strings.Join(parts, ", "))
}

// pairs writes a map as "a=1,b=2".
func pairs(m map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, key+"="+m[key])
	}
	return or(strings.Join(parts, ","))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func version(n int64) string {
	if n == 0 {
		return none
	}
	return fmt.Sprintf("v%d", n)
}

// clean replaces what could make a terminal do something else than show text, line ends and tabs included.
func clean(s string) string { return strings.Map(harmless, s) }

// cleanLines is clean for text of several lines.
func cleanLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return harmless(r)
	}, s)
}

func harmless(r rune) rune {
	if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) || r == '\u2028' || r == '\u2029' {
		return '\ufffd'
	}
	return r
}

// apiWord returns a state as the API writes it, whichever way it was typed.
func apiWord(s string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(s))
}
