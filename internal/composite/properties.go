package composite

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

const propSpace = " \t\f"

// readProperties reads a Java .properties file: # and ! begin comment lines, a backslash continues a line or escapes, key
// and value are separated by = : or blanks.
func readProperties(s Spec, b []byte) (reading, error) {
	var r reading
	for i := 0; i < len(b); {
		start := skip(b, i, propSpace+"\r\n")
		if start == len(b) {
			break
		}
		if in("#!", b[start]) {
			i = start + lineLength(b[start:])
			continue
		}
		end := propEnd(b, start)
		i = end
		key, valueStart := propKey(b[:end], start)
		password := string(key) == s.At
		if !password && (s.User == "" || string(key) != s.User) {
			continue
		}
		if err := r.addProperty(b, valueStart, end, password); err != nil {
			return r, err
		}
	}
	return r, r.complete(s)
}

// lineLength returns the length of the first line of b, its end left out.
func lineLength(b []byte) int {
	if n := bytes.IndexAny(b, "\r\n"); n >= 0 {
		return n
	}
	return len(b)
}

// propEnd returns where the logical line that begins at start ends.
func propEnd(b []byte, start int) int {
	for i := start; i < len(b); i++ {
		switch b[i] {
		case '\r', '\n':
			return i
		case '\\':
			if i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n' {
				i++
			}
			i++
		}
	}
	return len(b)
}

// propKey returns the key of a logical line, decoded, and where its value begins.
func propKey(line []byte, start int) (key []byte, value int) {
	i := start
	for i < len(line) && !in(propSpace+"=:", line[i]) {
		if after := propContinued(line, i); after > i {
			i = skip(line, after, propSpace)
		} else if line[i] == '\\' {
			i += 2
		} else {
			i++
		}
	}
	i = min(i, len(line))
	key, _ = propDecode(line[start:i])
	i = propSkip(line, i)
	if i < len(line) && in("=:", line[i]) {
		i = propSkip(line, i+1)
	}
	return key, i
}

// propSkip skips blanks and the ends of continued lines.
func propSkip(line []byte, i int) int {
	for {
		i = skip(line, i, propSpace)
		after := propContinued(line, i)
		if after == i {
			return i
		}
		i = after
	}
}

// propContinued returns where the next line begins if a backslash and a line end stand at i, else i.
func propContinued(line []byte, i int) int {
	if i+1 >= len(line) || line[i] != '\\' || !in("\r\n", line[i+1]) {
		return i
	}
	if line[i+1] == '\r' && i+2 < len(line) && line[i+2] == '\n' {
		return i + 3
	}
	return i + 2
}

// addProperty notes the value in b[start:end].
func (r *reading) addProperty(b []byte, start, end int, password bool) error {
	holds := userPart
	if password {
		holds = passwordPart
	}
	if slices.ContainsFunc(r.places, func(p place) bool { return p.holds == holds }) {
		return ambiguous("a key stands twice in the stored file", "remove one")
	}
	text, ok := propDecode(b[start:end])
	if password {
		r.addPassword(start, end, text, propEncode)
	} else {
		r.addUser(start, end, text, propEncode)
	}
	if !ok {
		return unreadable("the stored value has a broken escape, or characters whose meaning depends on the reader",
			`write characters beyond ASCII as \uXXXX`)
	}
	return nil
}

// propDecode decodes a key or value. It reports false for a broken escape and for bare characters beyond ASCII, which
// some readers take for Latin-1.
func propDecode(b []byte) ([]byte, bool) {
	ok := true
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c >= utf8.RuneSelf {
			ok = false
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++
		switch {
		case i == len(b):
			return out, false
		case in("tnrf", b[i]):
			out = append(out, "\t\n\r\f"[bytes.IndexByte([]byte("tnrf"), b[i])])
		case b[i] == 'u':
			r, n := unescapeU(b[i+1:])
			if n == 0 {
				return out, false
			}
			out = utf8.AppendRune(out, r)
			i += n
		case in("\r\n", b[i]):
			i = skip(b, propContinued(b, i-1), propSpace) - 1
		default:
			out = append(out, b[i])
		}
	}
	return out, ok
}

// unescapeU reads what follows \u: four hexadecimal digits, or with a second \uXXXX a surrogate pair. It returns how many
// bytes that took, 0 for a broken one.
func unescapeU(b []byte) (rune, int) {
	r := hex4(b)
	if r < 0 {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(b) < 10 || b[4] != '\\' || b[5] != 'u' {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, hex4(b[6:])); r == utf8.RuneError {
		return 0, 0
	}
	return r, 10
}

func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		d := hexDigit(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | rune(d)
	}
	return r
}

// propEncode writes a value in ASCII. ${ is refused: frameworks that read such files put something else in its place.
func propEncode(b []byte) ([]byte, error) {
	if bytes.Contains(b, []byte("${")) {
		return nil, unfit("${ in a properties file stands for something else", "use other characters")
	}
	out := make([]byte, 0, 6*len(b))
	for i, r := range string(b) {
		switch {
		case r == '\\' || r == ' ' && i == 0:
			out = append(out, '\\', byte(r))
		case r < 0x20 || r >= 0x7f:
			out = appendU(out, r)
		default:
			out = append(out, byte(r))
		}
	}
	return out, nil
}

// appendU appends r as \uXXXX, as a surrogate pair beyond the basic plane.
func appendU(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	units := []rune{r}
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		units = []rune{high, low}
	}
	for _, u := range units {
		out = append(out, '\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15])
	}
	return out
}
