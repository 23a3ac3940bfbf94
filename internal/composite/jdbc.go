package composite

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var (
	jdbcDriver = regexp.MustCompile(`^jdbc:(postgresql|mysql|mariadb|sqlserver|oracle):`)
	oracleThin = regexp.MustCompile(`^jdbc:oracle:(?:thin|oci8?):([A-Za-z0-9_$#]+)/([^@]*)@`)
	hexEscape  = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

// readJDBC reads a JDBC URL as the driver that it names does; other drivers are refused, since each has its own rules.
func readJDBC(_ Spec, b []byte) (reading, error) {
	driver := jdbcDriver.FindSubmatch(b)
	body := bytes.TrimRight(b, "\r\n")
	if driver == nil || slices.ContainsFunc(body, control) {
		return reading{}, unreadable("the stored value is no JDBC URL of PostgreSQL, MySQL, MariaDB, SQL Server or Oracle", "use a template")
	}
	switch string(driver[1]) {
	case "sqlserver":
		return readSQLServer(body)
	case "oracle":
		return readOracle(body)
	case "mariadb": // whether parameters are decoded depends on the driver's version
		return readJDBCQuery(body, as(jdbcPlain, "only letters, digits and -._~ mean the same to all versions of that driver"), jdbcBare)
	}
	return readJDBCQuery(body, percentEncode, formDecode)
}

// readJDBCQuery reads …?user=…&password=…. A user name before the host would win or lose by the driver's version.
func readJDBCQuery(b []byte, write func([]byte) ([]byte, error), decode func([]byte) ([]byte, bool)) (reading, error) {
	var r reading
	mark := bytes.IndexByte(b, '?')
	if mark < 0 {
		return r, missing("the stored JDBC URL has no parameters", "add user and password as parameters, or choose another key")
	}
	if bytes.ContainsAny(b[:mark], "@()") || bytes.IndexByte(b[mark:], '#') >= 0 {
		return r, ambiguous("the stored JDBC URL has a user name before its host, a list of addresses or a #", "give user and password as parameters alone")
	}
	for start := mark + 1; start < len(b); {
		end := len(b)
		if n := bytes.IndexByte(b[start:], '&'); n >= 0 {
			end = start + n
		}
		name, _, found := bytes.Cut(b[start:end], []byte("="))
		valueStart := start + len(name) + 1
		start = end + 1
		decoded, _ := formDecode(name)
		if key := strings.ToLower(string(decoded)); key != "user" && key != "password" {
			continue
		}
		exact := string(name) == "user" || string(name) == "password"
		if !exact || !found {
			return r, ambiguous("the stored JDBC URL spells user or password in a way that drivers disagree about", "write user= and password=")
		}
		if err := r.addParameter(b, name, valueStart, end, write, decode); err != nil {
			return r, err
		}
	}
	if !slices.ContainsFunc(r.places, func(p place) bool { return p.holds == passwordPart }) {
		return r, missing("the stored JDBC URL has no parameter password", "add one, or choose another key")
	}
	return r, nil
}

// addParameter notes the value of user or password in b[start:end].
func (r *reading) addParameter(b, name []byte, start, end int, write func([]byte) ([]byte, error), decode func([]byte) ([]byte, bool)) error {
	holds, add := passwordPart, r.addPassword
	if string(name) == "user" {
		holds, add = userPart, r.addUser
	}
	if slices.ContainsFunc(r.places, func(p place) bool { return p.holds == holds }) {
		return ambiguous("the stored JDBC URL names a user or password twice", "remove one")
	}
	text, ok := decode(b[start:end])
	add(start, end, text, write)
	if !ok {
		return unreadable("the stored user name or password has characters that drivers disagree about", "percent-encode them, or change them")
	}
	return nil
}

// formDecode decodes %XX, and + as a blank, as Java's URLDecoder does.
func formDecode(b []byte) ([]byte, bool) {
	spaced := bytes.ReplaceAll(b, []byte("+"), []byte(" "))
	defer clear(spaced)
	return percentDecode(spaced)
}

// jdbcBare takes a value as it is, if it means the same decoded or not.
func jdbcBare(b []byte) ([]byte, bool) {
	return bytes.Clone(b), !hexEscape.Match(b) && bytes.IndexByte(b, '+') < 0 && bytes.IndexByte(b, '%') < 0
}

func jdbcPlain(b []byte) bool { return only(b, "-._~") }

// readSQLServer reads …;user=…;password=…, names in any case, values bare or in braces with }} for }.
func readSQLServer(b []byte) (reading, error) {
	var r reading
	seen := map[string]bool{}
	i := bytes.IndexByte(b, ';')
	for i >= 0 && i < len(b) {
		equals := bytes.IndexAny(b[i+1:], "=;")
		if equals < 0 {
			break
		}
		name := strings.ToLower(strings.TrimSpace(string(b[i+1 : i+1+equals])))
		if i += 1 + equals; b[i] == ';' {
			continue
		}
		start := skip(b, i+1, " ")
		end, next, ok := sqlServerEnd(b, start)
		i = next
		if name == "username" {
			name = "user"
		}
		if !ok {
			return r, unreadable("the stored JDBC URL has a brace that is never closed, or something after one", "close it")
		}
		if name != "user" && name != "password" {
			continue
		}
		if seen[name] {
			return r, ambiguous("the stored JDBC URL names a user or password twice", "remove one")
		}
		seen[name] = true
		if err := r.addParameter(b, []byte(name), start, end, sqlServerEncode, sqlServerDecode); err != nil {
			return r, err
		}
	}
	if !seen["password"] {
		return r, missing("the stored JDBC URL has no property password", "add one, or choose another key")
	}
	return r, nil
}

// sqlServerEnd returns where the value that begins at start ends, braces included, and where the ; after it stands.
func sqlServerEnd(b []byte, start int) (end, next int, ok bool) {
	if start < len(b) && b[start] == '{' {
		for i := start + 1; i < len(b); i++ {
			if b[i] != '}' {
				continue
			}
			if i+1 < len(b) && b[i+1] == '}' {
				i++
				continue
			}
			next = skip(b, i+1, " ")
			return i + 1, next, next == len(b) || b[next] == ';'
		}
		return len(b), len(b), false
	}
	next = len(b)
	if n := bytes.IndexByte(b[start:], ';'); n >= 0 {
		next = start + n
	}
	return start + len(bytes.TrimRight(b[start:next], " ")), next, true
}

func sqlServerDecode(value []byte) ([]byte, bool) {
	if len(value) > 0 && value[0] == '{' {
		return bytes.ReplaceAll(value[1:len(value)-1], []byte("}}"), []byte("}")), true
	}
	return bytes.Clone(value), !bytes.ContainsAny(value, "{}[]")
}

func sqlServerEncode(b []byte) ([]byte, error) {
	switch {
	case slices.ContainsFunc(b, control):
		return nil, unfit("a control character cannot stand there", "use other characters")
	case len(b) > 0 && only(b, "-._~"):
		return bytes.Clone(b), nil
	}
	out := append(make([]byte, 0, 2*len(b)+2), '{')
	for _, c := range b {
		if c == '}' {
			out = append(out, '}')
		}
		out = append(out, c)
	}
	return append(out, '}'), nil
}

// readOracle reads jdbc:oracle:thin:user/password@…. How the driver reads quotes and special characters there changed
// between versions, so only what stands for itself in all of them is read and written.
func readOracle(b []byte) (reading, error) {
	m := oracleThin.FindSubmatchIndex(b)
	if m == nil {
		return reading{}, missing("the stored JDBC URL has no user/password before its @", "add them, or choose another key")
	}
	plain := func(b []byte) bool { return only(b, "_$#") }
	var r reading
	write := as(plain, "only letters, digits and _ $ # mean the same to all versions of that driver")
	r.addUser(m[2], m[3], bytes.Clone(b[m[2]:m[3]]), write)
	r.addPassword(m[4], m[5], bytes.Clone(b[m[4]:m[5]]), write)
	if !plain(r.password) || bytes.IndexByte(b[m[1]:], '@') >= 0 {
		return r, unreadable("the stored password, or what follows it, has characters that versions of that driver disagree about",
			"use letters and digits")
	}
	return r, nil
}
