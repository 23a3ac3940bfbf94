package composite

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// readURL reads scheme://user:password@authority…. The user information ends at the only @ of the authority: readers
// disagree about a second one, and about a bare / ? # in a password, which leaves no @ in the authority at all.
func readURL(_ Spec, b []byte) (reading, error) {
	scheme := schemePattern.Find(b)
	if scheme == nil || bytes.HasPrefix(b, []byte("jdbc:")) {
		return reading{}, unreadable("the stored value is no URL of the form scheme://user:password@host", "choose another format")
	}
	body := bytes.TrimRight(b, "\r\n")
	if slices.ContainsFunc(body, control) {
		return reading{}, unreadable("the stored URL has control characters", "store it on one line")
	}
	start := len(scheme)
	end := len(body)
	if n := bytes.IndexAny(body[start:], "/?#"); n >= 0 {
		end = start + n
	}
	at := bytes.IndexByte(body[start:end], '@')
	if at < 0 {
		return reading{}, missing("the stored URL has no user name and password before its host",
			"percent-encode / ? # and @ in them if they are there, or choose another format")
	}
	if bytes.IndexByte(body[start+at+1:end], '@') >= 0 {
		return reading{}, ambiguous("the stored URL has more than one @ before its host", "percent-encode those in the password as %40")
	}
	if err := checkURLRest(body[start+at+1:]); err != nil {
		return reading{}, err
	}
	return readUserInfo(body, start, start+at)
}

// readUserInfo reads user:password in b[start:end], percent-encoded.
func readUserInfo(b []byte, start, end int) (reading, error) {
	colon := bytes.IndexByte(b[start:end], ':')
	if colon < 0 {
		return reading{}, missing("the stored URL has a user name but no password", "add one, or choose another format")
	}
	colon += start
	if bytes.ContainsAny(b[start:end], " \\") {
		return reading{}, unreadable("the stored user name or password has a blank or backslash", "percent-encode it")
	}
	user, ok1 := percentDecode(b[start:colon])
	password, ok2 := percentDecode(b[colon+1 : end])
	var r reading
	r.addUser(start, colon, user, percentEncode)
	r.addPassword(colon+1, end, password, percentEncode)
	if !ok1 || !ok2 {
		return r, unreadable("the stored user name or password has a % that begins no escape", "write it as %25")
	}
	return r, nil
}

// checkURLRest refuses credentials after the first user information: parameters that would win over those before the host, and a
// second URL of a list.
func checkURLRest(rest []byte) error {
	if n := bytes.Index(rest, []byte("://")); n >= 0 && bytes.IndexByte(rest[n:], '@') >= 0 {
		return ambiguous("the stored value has more than one URL with a user name", "map the whole value, or use a template")
	}
	_, query, _ := bytes.Cut(rest, []byte("?"))
	for param := range bytes.FieldsFuncSeq(query, func(c rune) bool { return c == '&' || c == ';' || c == '#' }) {
		name, _, _ := bytes.Cut(param, []byte("="))
		decoded, _ := percentDecode(name)
		switch strings.ToLower(string(decoded)) {
		case "password", "user", "pwd", "passwd", "username":
			return ambiguous("the stored URL names a user or password as a parameter too", "keep them in one place")
		}
	}
	return nil
}

// percentDecode decodes %XX; + stands for itself. It reports false when a % is not followed by two hexadecimal digits.
func percentDecode(b []byte) ([]byte, bool) {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '%' {
			out = append(out, b[i])
			continue
		}
		if i+2 >= len(b) {
			return out, false
		}
		high, low := hexDigit(b[i+1]), hexDigit(b[i+2])
		if high < 0 || low < 0 {
			return out, false
		}
		out = append(out, byte(high<<4|low))
		i += 2
	}
	return out, true
}

// percentEncode encodes all but RFC 3986's unreserved characters, so that no reader takes one for syntax or + for a blank.
func percentEncode(b []byte) ([]byte, error) {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 3*len(b))
	for _, c := range b {
		if alphanumeric(c) || strings.IndexByte("-._~", c) >= 0 {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return out, nil
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
