package composite

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"
)

// pgField is one field of a line: its bounds and what it says.
type pgField struct {
	start, end int
	text       []byte
}

// checkPgPass wants host:port:database, and a user name or not.
func checkPgPass(s Spec) error {
	if f := pgFields([]byte(s.At), 0, len(s.At)); len(f) != 3 && len(f) != 4 {
		return badSpec("at", "the place is not host:port:database or host:port:database:user", `write it as in the file, with \: for a colon`)
	}
	return nil
}

// readPgPass finds the line that libpq would use for the connection that s.At names: the first that matches, where a * in
// the line matches anything. Without a user name in s.At there must be one such line only.
func readPgPass(s Spec, b []byte) (reading, error) {
	want := pgFields([]byte(s.At), 0, len(s.At))
	var found []pgField
	var clash bool
	for start, end := range lines(b) {
		if start == end || b[start] == '#' {
			continue
		}
		f := pgFields(b, start, end)
		if len(f) < 5 || !pgMatches(want, f) {
			continue
		}
		f[4].end = end // a bare colon in the password stands for itself
		if found == nil {
			found = f
		} else if len(want) == 3 || pgSame(found[:4], f[:4]) {
			clash = true
		}
	}
	switch {
	case found == nil:
		return reading{}, missing("no line of the stored value matches that connection", "look at the file's host, port, database and user")
	case clash:
		return reading{}, ambiguous("several lines of the stored value match that connection", "add the user to the place, or remove a line")
	}
	return pgReading(b, found, len(want) == 4)
}

func pgReading(b []byte, f []pgField, named bool) (reading, error) {
	var r reading
	if user := f[3]; string(b[user.start:user.end]) != "*" {
		r.addUser(user.start, user.end, user.text, func(name []byte) ([]byte, error) {
			if named && !bytes.Equal(name, user.text) {
				return nil, unfit("the place names the user whose line it is", "leave the user out of the place")
			}
			if string(name) == "*" {
				return nil, unfit("a user name * would match anybody", "use another user name")
			}
			return pgEscape(name)
		})
	}
	password, ok := pgPassword(b[f[4].start:f[4].end])
	r.addPassword(f[4].start, f[4].end, password, pgEscape)
	if !ok {
		return r, unreadable("the stored password has a backslash before something else than a colon or backslash",
			`write each backslash as \\`)
	}
	return r, nil
}

// pgPassword decodes a password; false if it has an escape that readers disagree about.
func pgPassword(b []byte) ([]byte, bool) {
	text := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' {
			i++
			if i == len(b) || b[i] != ':' && b[i] != '\\' {
				return text, false
			}
		}
		text = append(text, b[i])
	}
	return text, true
}

// pgFields splits b[start:end] at bare colons, of the fifth field only where it begins, and takes one backslash before
// any character away.
func pgFields(b []byte, start, end int) []pgField {
	fields := []pgField{{start: start}}
	for i := start; i < end; i++ {
		last := &fields[len(fields)-1]
		switch {
		case b[i] == ':':
			last.end = i
			fields = append(fields, pgField{start: i + 1})
			if len(fields) == 5 {
				return fields // the rest is the password
			}
			continue
		case b[i] == '\\' && i+1 < end:
			i++
		}
		last.text = append(last.text, b[i])
	}
	fields[len(fields)-1].end = end
	return fields
}

func pgMatches(want, line []pgField) bool {
	for i, w := range want {
		if string(line[i].text) != "*" && !bytes.Equal(w.text, line[i].text) {
			return false
		}
	}
	return true
}

func pgSame(a, b []pgField) bool {
	return slices.EqualFunc(a, b, func(a, b pgField) bool { return bytes.Equal(a.text, b.text) })
}

func pgEscape(b []byte) ([]byte, error) {
	if slices.ContainsFunc(b, control) {
		return nil, unfit("a control character cannot stand in a line of that file", "use other characters")
	}
	if last, _ := utf8.DecodeLastRune(b); unicode.IsSpace(last) {
		return nil, unfit("some readers cut a blank at the end of a line off", "use another last character")
	}
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		if c == ':' || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, c)
	}
	return out, nil
}
