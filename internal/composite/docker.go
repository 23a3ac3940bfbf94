package composite

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// readDockerConfig reads one registry of a pull secret. user name and password stand there as username and password, in
// auth as base64 of user:password, or both; both must say the same, and both are replaced.
func readDockerConfig(s Spec, b []byte) (reading, error) {
	var r reading
	entry := []string{"auths", s.At}
	hit, err := jsonFind(b, entry)
	switch {
	case err != nil:
		return r, err
	case !hit.found:
		return r, missing("the stored pull secret has no such registry", "spell it as in the file")
	case b[hit.start] != '{':
		return r, unreadable("the entry of that registry is no JSON object", "look at the file")
	}
	for _, name := range []string{"identitytoken", "registrytoken"} {
		token, err := dockerField(b, entry, name)
		if err != nil {
			return r, err
		}
		if len(token.text) > 0 {
			clear(token.text)
			return r, unreadable("that registry is entered with a token, not with a password", "remove the token, or map the whole value")
		}
	}
	return readDockerEntry(b, entry)
}

func readDockerEntry(b []byte, entry []string) (reading, error) {
	var r reading
	user, err := dockerField(b, entry, "username")
	if err != nil {
		return r, err
	}
	password, err := dockerField(b, entry, "password")
	if err != nil {
		return r, err
	}
	auth, err := dockerField(b, entry, "auth")
	if err != nil {
		return r, err
	}
	defer clear(auth.text)
	if user.found != password.found {
		return r, unreadable("the entry of that registry has a user name or a password without the other", "add it, or leave auth alone there")
	}
	if user.found {
		r.addUser(user.start, user.end, user.text, dockerUser)
		r.addPassword(password.start, password.end, password.text, jsonQuote)
	}
	if len(auth.text) > 0 {
		return r, r.addDockerAuth(auth)
	}
	if !user.found {
		return r, missing("the entry of that registry has no password", "look at the file")
	}
	return r, nil
}

// addDockerAuth notes base64 of user:password and compares it with what stands beside it.
func (r *reading) addDockerAuth(auth jsonHit) error {
	both := make([]byte, base64.StdEncoding.DecodedLen(len(auth.text)))
	n, err := base64.StdEncoding.Strict().Decode(both, auth.text)
	user, password, found := bytes.Cut(both[:n], []byte(":"))
	defer clear(both)
	if err != nil || !found || bytes.ContainsAny(auth.text, "\r\n") {
		return unreadable("auth of that registry is not base64 of user:password", "write it anew, or remove it")
	}
	if r.hasUser && !(bytes.Equal(user, r.user) && bytes.Equal(password, r.password)) {
		return ambiguous("auth of that registry says something else than its username and password", "remove one")
	}
	if !r.hasUser {
		r.user, r.password, r.hasUser = bytes.Clone(user), bytes.Clone(password), true
	}
	r.places = append(r.places, place{auth.start, auth.end, userPart | passwordPart, dockerAuth})
	return nil
}

// dockerField returns the string at name in entry, not found if it is not there or null.
func dockerField(b []byte, entry []string, name string) (jsonHit, error) {
	hit, err := jsonFind(b, append(slices.Clone(entry), name))
	if err != nil || !hit.found || string(b[hit.start:hit.end]) == "null" {
		return jsonHit{}, err
	}
	if b[hit.start] != '"' {
		return hit, unreadable("a field of that registry is no string", "look at the file")
	}
	text, ok := jsonDecode(b[hit.start:hit.end])
	hit.text = text
	if !ok {
		return hit, unreadable("a field of that registry has half of a surrogate pair", "write the character whole")
	}
	return hit, nil
}

func dockerUser(user []byte) ([]byte, error) {
	if bytes.IndexByte(user, ':') >= 0 {
		return nil, unfit("a user name with a colon cannot stand in a pull secret", "use another user name")
	}
	return jsonQuote(user)
}

func dockerAuth(user, password []byte) ([]byte, error) {
	if bytes.IndexByte(user, ':') >= 0 {
		return nil, unfit("a user name with a colon cannot stand in a pull secret", "use another user name")
	}
	both := slices.Concat(user, []byte(":"), password)
	defer clear(both)
	out := make([]byte, 0, base64.StdEncoding.EncodedLen(len(both))+2)
	return append(base64.StdEncoding.AppendEncode(append(out, '"'), both), '"'), nil
}
