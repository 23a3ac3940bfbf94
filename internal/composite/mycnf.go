package composite

import (
	"bytes"
	"slices"
	"strings"
)

// maxCnfLine is what MariaDB's client reads of a line at once, less a margin for the key's own limits.
const maxCnfLine = 4000

// cnfPlace splits s.At into section and key.
func cnfPlace(at string) (section, key string) {
	section, key, found := strings.Cut(at, "/")
	if !found {
		key = "password"
	}
	return section, cnfKey(key)
}

// cnfKey spells a key as the client compares it.
func cnfKey(key string) string { return strings.ReplaceAll(key, "_", "-") }

func checkMyCnf(s Spec) error {
	section, key := cnfPlace(s.At)
	if section == "" || key == "" || key == "user" || strings.ContainsAny(s.At, "[]=#'\" \\") {
		return badSpec("at", "the place is no section, or section/key, of an option file", "write it as client or client/password")
	}
	return nil
}

// readMyCnf reads an option file as MariaDB's client does: a # outside quotes begins a comment, one pair of quotes around
// the value is taken away, and \n \t \r \b \s \" \' \\ are escapes with quotes or without.
func readMyCnf(s Spec, b []byte) (reading, error) {
	section, key := cnfPlace(s.At)
	var r reading
	var current string
	seen := map[string]bool{}
	for start, end := range lines(b) {
		start = skip(b[:end], start, connSpace)
		if start == end || in("#;!", b[start]) {
			continue
		}
		if b[start] == '[' {
			current, _, _ = strings.Cut(string(b[start+1:end]), "]")
			continue
		}
		name, valueStart, valueEnd := cnfLine(b, start, end)
		if current != section || name != key && name != "user" {
			continue
		}
		if seen[name] {
			return r, ambiguous("a key stands twice in that section of the stored file", "remove one")
		}
		seen[name] = true
		if valueStart < 0 {
			return r, unreadable("a key in that section of the stored file has no value", "write it as key=value")
		}
		text, ok := cnfDecode(b[valueStart:valueEnd])
		write := cnfWriter(valueStart-start, valueStart < valueEnd && in(`"'`, b[valueStart]))
		if name == key {
			r.addPassword(valueStart, valueEnd, text, write)
		} else {
			r.addUser(valueStart, valueEnd, text, write)
		}
		if !ok || end-start > maxCnfLine {
			return r, unreadable("a value in that section of the stored file has an unknown escape, an odd quote or a line that is too long",
				"put it in double quotes, with each backslash doubled")
		}
	}
	if !seen[key] {
		return r, missing("the stored file has no such key in that section", "look at its sections and keys")
	}
	return r, nil
}

// cnfLine reads key = value in b[start:end]; the bounds are -1 without a value.
func cnfLine(b []byte, start, end int) (name string, valueStart, valueEnd int) {
	end = start + cnfComment(b[start:end])
	equals := bytes.IndexByte(b[start:end], '=')
	if equals < 0 {
		return cnfKey(strings.TrimRight(string(b[start:end]), connSpace)), -1, -1
	}
	name = cnfKey(strings.TrimRight(string(b[start:start+equals]), connSpace))
	valueStart = skip(b[:end], start+equals+1, connSpace)
	for end > valueStart && in(connSpace, b[end-1]) {
		end--
	}
	return name, valueStart, end
}

// cnfComment returns where the comment at the end of a line begins. As in the client, any quote opens a string.
func cnfComment(line []byte) int {
	var quote byte
	escape := false
	for i, c := range line {
		if (c == '"' || c == '\'') && !escape {
			switch quote {
			case 0:
				quote = c
			case c:
				quote = 0
			}
		}
		if quote == 0 && c == '#' {
			return i
		}
		escape = quote != 0 && c == '\\' && !escape
	}
	return len(line)
}

// cnfDecode decodes a value. It reports false for an escape that the client leaves as it is, for quotes that are not one
// pair around the value, and for control characters: those read differently elsewhere.
func cnfDecode(value []byte) ([]byte, bool) {
	ok := true
	var quote byte
	if len(value) > 0 && in(`"'`, value[0]) {
		quote = value[0]
		if len(value) < 2 || value[len(value)-1] != quote {
			return nil, false
		}
		value = value[1 : len(value)-1]
	}
	text := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == quote && quote != 0 || quote == 0 && in(`"'`, c) || control(c) && c != '\t' {
			ok = false
		}
		if c == '\\' {
			i++
			if i == len(value) {
				return text, false
			}
			n := strings.IndexByte(`ntrbs"'\`, value[i])
			if n < 0 {
				return text, false
			}
			c = "\n\t\r\b \"'\\"[n]
		}
		text = append(text, c)
	}
	return text, ok
}

// cnfWriter keeps a bare value bare if it can be; before is what stands on the line already.
func cnfWriter(before int, quoted bool) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		if slices.ContainsFunc(b, func(c byte) bool { return control(c) && !in("\n\t\r\b", c) }) {
			return nil, unfit("a control character cannot stand in an option file", "use other characters")
		}
		out := make([]byte, 0, 2*len(b)+2)
		out = append(out, '"')
		for _, c := range b {
			if n := strings.IndexByte("\n\t\r\b\"\\", c); n >= 0 {
				out = append(out, '\\', `ntrb"\`[n])
			} else {
				out = append(out, c)
			}
		}
		out = append(out, '"')
		if before+len(out) > maxCnfLine { // bare, too: what is written must still fit when it is quoted later
			return nil, unfit("the line would be longer than the client reads", "use a shorter text")
		}
		if !quoted && len(b) > 0 && only(b, "-_.~") {
			return out[1 : len(out)-1], nil
		}
		return out, nil
	}
}
