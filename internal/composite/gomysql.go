package composite

import (
	"bytes"
	"regexp"
	"slices"
)

var mysqlNet = regexp.MustCompile(`^[A-Za-z0-9+._-]*(\([^()]*\))?$`)

// readGoMySQL reads user:password@net(address)/database as go-sql-driver/mysql does: nothing is escaped; the last / ends
// the address, the last @ before it the password, the first : the user name.
func readGoMySQL(_ Spec, b []byte) (reading, error) {
	const msg, cure = "the stored value is not of the form user:password@net(address)/database", "choose another format"
	body := bytes.TrimRight(b, "\r\n")
	if slices.ContainsFunc(body, control) || schemePattern.Match(body) {
		return reading{}, unreadable(msg, cure)
	}
	slash := bytes.LastIndexByte(body, '/')
	if slash < 0 {
		return reading{}, unreadable(msg, cure)
	}
	at := bytes.LastIndexByte(body[:slash], '@')
	colon := bytes.IndexByte(body, ':')
	if at < 0 || colon < 0 || colon > at {
		return reading{}, missing("the stored value has no user:password before its address", cure)
	}
	if !mysqlNet.Match(body[at+1 : slash]) {
		return reading{}, unreadable("the address in the stored value is not of the form net(address)",
			"percent-encode each / in its parameters")
	}
	var r reading
	plain := func(b []byte) bool { return !slices.ContainsFunc(b, control) }
	r.addUser(0, colon, bytes.Clone(body[:colon]),
		as(func(b []byte) bool { return plain(b) && bytes.IndexByte(b, ':') < 0 }, "a user name with a colon or control character cannot stand there"))
	r.addPassword(colon+1, at, bytes.Clone(body[colon+1:at]), as(plain, "a control character cannot stand there"))
	return r, nil
}
