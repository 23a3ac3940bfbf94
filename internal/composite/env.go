package composite

import (
	"bytes"
	"regexp"
	"slices"
)

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	envLine = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*`)
)

func checkEnv(s Spec) error {
	if !envName.MatchString(s.At) {
		return badSpec("at", "the place is no name of a variable", "write it as in the file, such as DB_PASSWORD")
	}
	if s.User != "" && !envName.MatchString(s.User) {
		return badSpec("user", "the place is no name of a variable", "write it as in the file, such as DB_USER")
	}
	return nil
}

// readEnv reads a .env file. There is no standard: a shell, a container engine and a dozen libraries read it. So only
// what all that know a line's style agree on is read and written: bare values without anything special, single quotes
// without escapes, double quotes with \" and \\ alone.
func readEnv(s Spec, b []byte) (reading, error) {
	var r reading
	for i := 0; i < len(b); {
		end := len(b)
		if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
			end = i + n
		}
		head := envLine.FindSubmatchIndex(b[i:end])
		if head == nil {
			i = end + 1
			continue
		}
		name, start := string(b[i+head[2]:i+head[3]]), i+head[1]
		valueEnd, closed := envValueEnd(b, start, end)
		if n := bytes.IndexByte(b[valueEnd:], '\n'); n >= 0 {
			i = valueEnd + n + 1
		} else {
			i = len(b)
		}
		if !closed {
			return r, unreadable("a quote in the stored file is never closed", "close it")
		}
		if name != s.At && name != s.User {
			continue
		}
		if err := r.addEnv(b, start, valueEnd, name == s.At); err != nil {
			return r, err
		}
	}
	return r, r.complete(s)
}

// complete fails unless all places that s names were found.
func (r *reading) complete(s Spec) error {
	if !slices.ContainsFunc(r.places, func(p place) bool { return p.holds&passwordPart != 0 }) {
		return missing("the stored value has no such place for the password", "look at how it is spelled in the value")
	}
	if s.User != "" && !r.hasUser {
		return missing("the stored value has no such place for the user name", "look at how it is spelled in the value")
	}
	return nil
}

// addEnv notes the value in b[start:end].
func (r *reading) addEnv(b []byte, start, end int, password bool) error {
	holds := userPart
	if password {
		holds = passwordPart
	}
	if slices.ContainsFunc(r.places, func(p place) bool { return p.holds == holds }) {
		return ambiguous("a variable stands twice in the stored file", "remove one")
	}
	lineEnd := len(b)
	if n := bytes.IndexByte(b[end:], '\n'); n >= 0 {
		lineEnd = end + n
	}
	after := bytes.TrimRight(b[end:lineEnd], " \t\r")
	comment := bytes.TrimLeft(after, " \t")
	var quote byte
	if start < end && in(`"'`, b[start]) {
		quote = b[start]
	}
	text, ok := envDecode(b[start:end], quote)
	if password {
		r.addPassword(start, end, text, envWriter(quote))
	} else {
		r.addUser(start, end, text, envWriter(quote))
	}
	if !ok || len(after) > 0 && !(len(comment) < len(after) && comment[0] == '#') {
		return unreadable("the stored value has characters that readers of such files disagree about",
			`put it in single quotes, without ' and \ in it`)
	}
	return nil
}

// envValueEnd returns where the value that begins at start ends, quotes included; a quoted one may span lines. Bare, it
// ends with the line, blanks cut off.
func envValueEnd(b []byte, start, lineEnd int) (end int, closed bool) {
	if start == lineEnd || !in(`"'`, b[start]) {
		return start + len(bytes.TrimRight(b[start:lineEnd], " \t\r")), true
	}
	for i := start + 1; i < len(b); i++ {
		switch {
		case b[i] == b[start]:
			return i + 1, true
		case b[i] == '\\' && b[start] == '"':
			i++
		}
	}
	return len(b), false
}

func envDecode(value []byte, quote byte) ([]byte, bool) {
	if quote == 0 {
		return bytes.Clone(value), envBare(value)
	}
	value = value[1 : len(value)-1]
	text := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' {
			i++
			if quote == '\'' || i == len(value) || value[i] != '"' && value[i] != '\\' {
				return text, false
			}
		}
		text = append(text, value[i])
	}
	if quote == '\'' {
		return text, envSingle(text)
	}
	return text, envDouble(text)
}

// The characters that each style carries. A bare one may hold nothing that a shell, which may read the file too, acts on.
func envBare(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return control(c) || in(" '\"\\$`#&;|<>()*?[]{}!~", c) })
}
func envSingle(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return control(c) || in(`'\`, c) })
}
func envDouble(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return control(c) || in("$`!", c) })
}

// envWriter keeps the stored style; where quotes are known already it may exchange them for the other kind. A bare value
// stays bare: whether its reader knows quotes is not known.
func envWriter(quote byte) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		switch {
		case quote == 0 && envBare(b):
			return bytes.Clone(b), nil
		case quote == 0:
			return nil, unfit("a value without quotes cannot have such characters for all readers of the file",
				"put the stored value in single quotes, or use letters and digits")
		case envSingle(b) && (quote == '\'' || !envDouble(b)):
			return quoteWith(b, '\''), nil
		case envDouble(b):
			return quoteWith(b, '"'), nil
		}
		return nil, unfit("no kind of quotes carries all these characters for all readers of the file", "use letters and digits")
	}
}

// quoteWith puts b in quotes, with a backslash before each backslash and quote.
func quoteWith(b []byte, quote byte) []byte {
	out := make([]byte, 0, 2*len(b)+2)
	out = append(out, quote)
	for _, c := range b {
		if c == quote || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, c)
	}
	return append(out, quote)
}
