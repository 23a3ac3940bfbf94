package composite

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxDepth = 1000 // of nested JSON

// checkPointers wants RFC 6901 pointers to something inside the document.
func checkPointers(s Spec) error {
	if _, ok := pointer(s.At); !ok {
		return badSpec("at", "the place is no JSON pointer", "write it as /name/name, with ~1 for a slash and ~0 for a tilde")
	}
	if _, ok := pointer(s.User); s.User != "" && !ok {
		return badSpec("user", "the place is no JSON pointer", "write it as /name/name, with ~1 for a slash and ~0 for a tilde")
	}
	return nil
}

// pointer splits a JSON pointer; false if it is none or names the whole document.
func pointer(p string) ([]string, bool) {
	if !strings.HasPrefix(p, "/") {
		return nil, false
	}
	path := strings.Split(p[1:], "/")
	for i, token := range path {
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(token)
		if strings.Contains(rest, "~") {
			return nil, false
		}
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	}
	return path, true
}

// escapePointer is the inverse of pointer, for one name.
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// arrayIndex reports whether token is the index i, spelled as RFC 6901 wants it.
func arrayIndex(token string, i int) bool {
	n := 0
	for j, c := range []byte(token) {
		if c < '0' || c > '9' || c == '0' && j == 0 && len(token) > 1 || len(token) > 7 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return token != "" && n == i
}

func readJSON(s Spec, b []byte) (reading, error) {
	var r reading
	if s.User != "" {
		user, err := jsonString(b, s.User)
		if err != nil {
			return r, err
		}
		r.addUser(user.start, user.end, user.text, jsonQuote)
	}
	password, err := jsonString(b, s.At)
	if err != nil {
		return r, err
	}
	r.addPassword(password.start, password.end, password.text, jsonQuote)
	return r, nil
}

// jsonHit is a value in a document. text is set if it is a string.
type jsonHit struct {
	start, end int
	text       []byte
	found      bool
}

// jsonString finds the string at p.
func jsonString(b []byte, p string) (jsonHit, error) {
	path, _ := pointer(p)
	hit, err := jsonFind(b, path)
	switch {
	case err != nil:
		return hit, err
	case !hit.found:
		return hit, missing("the stored JSON has nothing at that place", "look at how its names are spelled")
	case b[hit.start] != '"':
		return hit, unreadable("what stands at that place of the stored JSON is no string", "name the place of a string")
	}
	var ok bool
	if hit.text, ok = jsonDecode(b[hit.start:hit.end]); !ok {
		return hit, unreadable("the string at that place of the stored JSON has half of a surrogate pair", "write the character whole")
	}
	return hit, nil
}

// jsonFind checks that b is one JSON document and returns the value at path. It refuses a name that stands twice on the
// way to it.
func jsonFind(b []byte, path []string) (jsonHit, error) {
	s := jsonScan{b: b}
	s.space()
	s.value(path, true, 0)
	s.space()
	if s.bad || s.i != len(b) {
		return jsonHit{}, unreadable("the stored value is not one JSON document", "choose another format")
	}
	if s.twice {
		return jsonHit{}, ambiguous("a name on the way to that place stands twice in the stored JSON", "remove one")
	}
	return s.hit, nil
}

// jsonScan walks over a document once. After bad is set, i has no meaning.
type jsonScan struct {
	b          []byte
	i          int
	bad, twice bool
	hit        jsonHit
	// visit, if set, is called for each string that is a value, with the names that lead to it.
	visit func(path []string)
	path  []string
}

// value steps over a value; if on, path leads from it to what is wanted.
func (s *jsonScan) value(path []string, on bool, depth int) {
	start := s.i
	switch {
	case s.i == len(s.b) || depth > maxDepth:
		s.bad = true
	case s.b[s.i] == '{':
		s.object(path, on, depth)
	case s.b[s.i] == '[':
		s.array(path, on, depth)
	case s.b[s.i] == '"':
		s.str()
		if s.visit != nil && !s.bad {
			s.visit(s.path)
		}
	default:
		s.literal()
	}
	if on && len(path) == 0 && !s.bad {
		s.hit = jsonHit{start: start, end: s.i, found: true}
	}
}

func (s *jsonScan) object(path []string, on bool, depth int) {
	seen := false
	for first := true; !s.bad; first = false {
		s.i++ // { or ,
		s.space()
		if first && s.at('}') {
			break
		}
		if !s.at('"') {
			s.bad = true
			return
		}
		start := s.i
		if s.str(); s.bad {
			return
		}
		end := s.i
		match := on && len(path) > 0 && jsonIs(s.b[start:end], path[0])
		if match {
			s.twice = s.twice || seen
			seen = true
		}
		if s.space(); !s.at(':') {
			s.bad = true
			return
		}
		s.i++
		s.space()
		if s.visit != nil {
			name, _ := jsonDecode(s.b[start:end])
			s.path = append(s.path, string(name))
		}
		s.value(tail(path), match, depth+1)
		s.leave()
		if s.space(); !s.at(',') {
			break
		}
	}
	s.close('}')
}

func (s *jsonScan) array(path []string, on bool, depth int) {
	for n := 0; !s.bad; n++ {
		s.i++ // [ or ,
		s.space()
		if n == 0 && s.at(']') {
			break
		}
		if s.visit != nil {
			s.path = append(s.path, strconv.Itoa(n))
		}
		s.value(tail(path), on && len(path) > 0 && arrayIndex(path[0], n), depth+1)
		s.leave()
		if s.space(); !s.at(',') {
			break
		}
	}
	s.close(']')
}

func (s *jsonScan) leave() {
	if s.visit != nil {
		s.path = s.path[:len(s.path)-1]
	}
}

func tail(path []string) []string {
	if len(path) == 0 {
		return nil
	}
	return path[1:]
}

func (s *jsonScan) at(c byte) bool { return !s.bad && s.i < len(s.b) && s.b[s.i] == c }

func (s *jsonScan) close(c byte) {
	if !s.at(c) {
		s.bad = true
	}
	s.i++
}

func (s *jsonScan) space() {
	if !s.bad {
		s.i = skip(s.b, s.i, " \t\r\n")
	}
}

// str steps over a string.
func (s *jsonScan) str() {
	for s.i++; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return
		case c < 0x20:
			s.bad = true
			return
		case c == '\\':
			s.i++
			if s.i == len(s.b) || !in(`"\/bfnrtu`, s.b[s.i]) || s.b[s.i] == 'u' && hex4(s.b[s.i+1:]) < 0 {
				s.bad = true
				return
			}
		}
	}
	s.bad = true
}

// literal steps over a number, true, false or null.
func (s *jsonScan) literal() {
	start := s.i
	for s.i < len(s.b) && (alphanumeric(s.b[s.i]) || in("+-.", s.b[s.i])) {
		s.i++
	}
	s.bad = s.bad || !jsonLiteral(s.b[start:s.i])
}

func jsonLiteral(b []byte) bool {
	if word := string(b); word == "true" || word == "false" || word == "null" {
		return true
	}
	digits := func() bool {
		n := 0
		for n < len(b) && '0' <= b[n] && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	b = bytes.TrimPrefix(b, []byte("-"))
	if bytes.HasPrefix(b, []byte("0")) {
		b = b[1:]
	} else if !digits() {
		return false
	}
	if bytes.HasPrefix(b, []byte(".")) {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && in("eE", b[0]) {
		if b = b[1:]; len(b) > 0 && in("+-", b[0]) {
			b = b[1:]
		}
		return digits() && len(b) == 0
	}
	return len(b) == 0
}

// jsonIs reports whether the string literal says name.
func jsonIs(literal []byte, name string) bool {
	if bytes.IndexByte(literal, '\\') < 0 {
		return string(literal[1:len(literal)-1]) == name
	}
	text, ok := jsonDecode(literal)
	return ok && string(text) == name
}

// jsonDecode decodes a string literal that was scanned; false if it has half of a surrogate pair.
func jsonDecode(literal []byte) ([]byte, bool) {
	inside := literal[1 : len(literal)-1]
	out := make([]byte, 0, len(inside))
	for i := 0; i < len(inside); i++ {
		if inside[i] != '\\' {
			out = append(out, inside[i])
			continue
		}
		i++
		if inside[i] == 'u' {
			r, n := unescapeU(inside[i+1:])
			if n == 0 {
				return out, false
			}
			out = utf8.AppendRune(out, r)
			i += n
			continue
		}
		out = append(out, "\"\\/\b\f\n\r\t"[bytes.IndexByte([]byte(`"\/bfnrt`), inside[i])])
	}
	return out, true
}

// jsonQuote writes a string literal.
func jsonQuote(b []byte) ([]byte, error) {
	out := append(make([]byte, 0, 6*len(b)+2), '"')
	return append(jsonInside(out, b), '"'), nil
}

// jsonInside appends b as it stands inside a JSON string.
func jsonInside(out, b []byte) []byte {
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < 0x20 || c == 0x7f:
			out = appendU(out, rune(c))
		default:
			out = append(out, c)
		}
	}
	return out
}
