package composite

import (
	"bytes"
	"strings"
)

const connSpace = " \t\n\r\v\f" // what libpq and pgx skip between settings

const connSafe = "-_.~" // with letters and digits: what may stand without quotes

// readKeyValue reads libpq's connection strings: name = value, blanks between, values bare or in single quotes, \ before
// ' and \ in both.
func readKeyValue(_ Spec, b []byte) (reading, error) {
	var r reading
	seen := map[string]bool{}
	for i := skip(b, 0, connSpace); i < len(b); i = skip(b, i, connSpace) {
		nameStart := i
		for i < len(b) && b[i] != '=' && !in(connSpace, b[i]) {
			i++
		}
		name := string(b[nameStart:i])
		i = skip(b, i, connSpace)
		if i == len(b) || b[i] != '=' || name == "" {
			return r, unreadable("the stored value is no list of name=value settings", "choose another format")
		}
		start := skip(b, i+1, connSpace)
		end, closed := connEnd(b, start)
		i = end
		if !closed {
			return r, unreadable("a quote in the stored value is never closed", "close it")
		}
		if name != "password" && name != "user" {
			continue
		}
		text, ok := connDecode(b[start:end])
		if !ok {
			clear(text)
			return r, unreadable("the stored user name or password has an escape that readers disagree about",
				`put it in single quotes, with \ before each ' and \`)
		}
		if seen[name] {
			return r, ambiguous("the stored value names a user or password twice", "remove one")
		}
		seen[name] = true
		write := connWriter(start < end && b[start] == '\'')
		if name == "user" {
			r.addUser(start, end, text, write)
		} else {
			r.addPassword(start, end, text, write)
		}
	}
	if !seen["password"] {
		return r, missing("the stored value has no password setting", "choose another format")
	}
	return r, nil
}

// connDecode decodes a value. It reports false for a backslash before anything but ' and \.
func connDecode(value []byte) ([]byte, bool) {
	if len(value) > 0 && value[0] == '\'' {
		value = value[1 : len(value)-1]
	}
	text := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' {
			i++
			if i == len(value) || value[i] != '\'' && value[i] != '\\' {
				return text, false
			}
		}
		text = append(text, value[i])
	}
	return text, true
}

// connEnd returns where the value that begins at start ends, quotes included; false if its quote is not closed.
func connEnd(b []byte, start int) (int, bool) {
	quoted := start < len(b) && b[start] == '\''
	i := start
	if quoted {
		i++
	}
	for ; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\'':
			return i + 1, true
		case !quoted && in(connSpace, b[i]):
			return i, true
		case b[i] == '\\':
			i++
		}
	}
	return len(b), !quoted
}

// connWriter keeps a bare value bare if it can be.
func connWriter(quoted bool) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		if !quoted && len(b) > 0 && only(b, connSafe) {
			return bytes.Clone(b), nil
		}
		out := make([]byte, 0, 2*len(b)+2)
		out = append(out, '\'')
		for _, c := range b {
			if c == '\'' || c == '\\' {
				out = append(out, '\\')
			}
			out = append(out, c)
		}
		return append(out, '\''), nil
	}
}

// skip returns the first index from i on whose byte is not in set.
func skip(b []byte, i int, set string) int {
	for i < len(b) && in(set, b[i]) {
		i++
	}
	return i
}

func in(set string, c byte) bool { return strings.IndexByte(set, c) >= 0 }
