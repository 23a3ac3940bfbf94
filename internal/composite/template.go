package composite

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"
)

// slot is a placeholder of a template; before is the literal text in front of it.
type slot struct {
	before   []byte
	user     bool
	encoding string
}

// encodings are how a placeholder's text may be written. decode is the exact inverse of encode and refuses all else.
func encodingOf(name string) (encode func([]byte) ([]byte, error), decode func([]byte) ([]byte, bool), ok bool) {
	switch name {
	case "":
		plain := func(b []byte) bool { return !slices.ContainsFunc(b, control) }
		return as(plain, "a control character cannot stand there without an encoding"),
			func(b []byte) ([]byte, bool) { return bytes.Clone(b), plain(b) }, true
	case "percent":
		return percentEncode, percentDecode, true
	case "base64":
		return func(b []byte) ([]byte, error) { return base64.StdEncoding.AppendEncode(nil, b), nil }, base64Decode, true
	case "json":
		return func(b []byte) ([]byte, error) { return jsonInside(make([]byte, 0, 6*len(b)), b), nil }, jsonInsideDecode, true
	case "shell-single-quoted":
		return shellQuote, shellDecode, true
	}
	return nil, nil, false
}

func checkTemplate(s Spec) error {
	if len(s.Template) > maxTemplate || !utf8.ValidString(s.Template) || strings.ContainsRune(s.Template, 0) {
		return badSpec("template", "the template is longer than 8 KiB or no text", "shorten it")
	}
	slots, _, err := parseTemplate(s.Template)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(slots, func(p slot) bool { return !p.user }) {
		return badSpec("template", "the template has no {{password}}", "say where the password stands")
	}
	return nil
}

// parseTemplate splits a template into its placeholders and the literal text after the last.
func parseTemplate(template string) (slots []slot, after []byte, err error) {
	for {
		before, rest, found := strings.Cut(template, "{{")
		if !found {
			return slots, []byte(template), nil
		}
		inside, rest, closed := strings.Cut(rest, "}}")
		name, encoding, _ := strings.Cut(strings.TrimSpace(inside), ":")
		_, _, known := encodingOf(encoding)
		switch {
		case !closed || name != "user" && name != "password" || !known || strings.HasSuffix(inside, ":"):
			return nil, nil, badSpec("template", "the template has an unknown placeholder",
				"use {{user}} and {{password}}, with :percent, :base64, :json or :shell-single-quoted inside the braces or nothing")
		case len(slots) > 0 && before == "":
			return nil, nil, badSpec("template", "two placeholders of the template touch", "put a text between them")
		case len(slots) == 16:
			return nil, nil, badSpec("template", "the template has more than 16 placeholders", "use fewer")
		}
		slots = append(slots, slot{before: []byte(before), user: name == "user", encoding: encoding})
		template = rest
	}
}

// readTemplate matches the value with the template. The leftmost and the rightmost way in which the literal texts fit must
// be the same: then it is the only one.
func readTemplate(s Spec, b []byte) (reading, error) {
	slots, after, err := parseTemplate(s.Template)
	if err != nil {
		return reading{}, err
	}
	ends, ok := matchTemplate(b, slots, after)
	if !ok {
		return reading{}, missing("the stored value is not as the template says", "change the template, or the value")
	}
	if ends == nil {
		return reading{}, ambiguous("the stored value fits the template in several ways", "use an encoding, or another text between the placeholders")
	}
	var r reading
	start := 0
	for i, p := range slots {
		start += len(p.before)
		if err := r.addSlot(b, p, start, ends[i]); err != nil {
			return r, err
		}
		start = ends[i]
	}
	return r, nil
}

// matchTemplate returns where each placeholder's text ends: false if there is no way, nil if there are several.
func matchTemplate(b []byte, slots []slot, after []byte) ([]int, bool) {
	first := slots[0].before
	if len(b) < len(first)+len(after) || !bytes.HasPrefix(b, first) || !bytes.HasSuffix(b, after) {
		return nil, false
	}
	limit := len(b) - len(after)
	left, right := make([]int, len(slots)), make([]int, len(slots))
	at := len(first)
	for i, p := range slots[1:] {
		n := bytes.Index(b[at:limit], p.before)
		if n < 0 {
			return nil, false
		}
		left[i] = at + n
		at += n + len(p.before)
	}
	at = limit
	for i := len(slots) - 1; i > 0; i-- {
		// It is there: where the leftmost way has it, at the latest.
		at = len(first) + bytes.LastIndex(b[len(first):at], slots[i].before)
		right[i-1] = at
	}
	left[len(slots)-1], right[len(slots)-1] = limit, limit
	if !slices.Equal(left, right) {
		return nil, true
	}
	return left, true
}

// addSlot notes the text in b[start:end]; one that stands twice must say the same.
func (r *reading) addSlot(b []byte, p slot, start, end int) error {
	encode, decode, _ := encodingOf(p.encoding)
	text, ok := decode(b[start:end])
	if !ok {
		clear(text)
		return unreadable("a text in the stored value is not encoded as the template says", "change the template's encoding, or the value")
	}
	holds, known := passwordPart, r.password
	if p.user {
		holds, known = userPart, r.user
	}
	again := slices.ContainsFunc(r.places, func(p place) bool { return p.holds == holds })
	switch {
	case again && !bytes.Equal(known, text):
		clear(text)
		return ambiguous("the user name or password stands several times in the stored value, not the same each time", "make them the same")
	case again:
		clear(text)
		text = known
	}
	if p.user {
		r.addUser(start, end, text, encode)
	} else {
		r.addPassword(start, end, text, encode)
	}
	return nil
}

func base64Decode(b []byte) ([]byte, bool) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	return out[:n], err == nil && !bytes.ContainsAny(b, "\r\n")
}

func jsonInsideDecode(b []byte) ([]byte, bool) {
	literal := slices.Concat([]byte(`"`), b, []byte(`"`))
	defer clear(literal)
	scan := jsonScan{b: literal}
	if scan.str(); scan.bad || scan.i != len(literal) {
		return nil, false
	}
	return jsonDecode(literal)
}

// shellQuote puts b in single quotes; a quote in it closes them, stands escaped and opens them again.
func shellQuote(b []byte) ([]byte, error) {
	out := append(make([]byte, 0, 4*len(b)+2), '\'')
	for _, c := range b {
		if c == '\'' {
			out = append(out, `'\''`...)
		} else {
			out = append(out, c)
		}
	}
	return append(out, '\''), nil
}

func shellDecode(b []byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != '\'' || b[len(b)-1] != '\'' {
		return nil, false
	}
	inside := b[1 : len(b)-1]
	out := make([]byte, 0, len(inside))
	for i := 0; i < len(inside); i++ {
		if inside[i] == '\'' {
			if !bytes.HasPrefix(inside[i:], []byte(`'\''`)) {
				return out, false
			}
			i += 3
			out = append(out, '\'')
			continue
		}
		out = append(out, inside[i])
	}
	return out, true
}
