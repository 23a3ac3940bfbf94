package composite

import (
	"bytes"
	"crypto/fips140"
	"crypto/sha1" // the scheme of {SHA}; what is stored decides
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	maxBcryptCost  = 14 // about a second; a stored cost beyond would let a value stop the process for hours
	maxBcryptBytes = 72
)

func checkHtpasswd(s Spec) error {
	if strings.Contains(s.At, ":") {
		return badSpec("at", "a user name of an htpasswd file has no colon", "name the user alone")
	}
	return nil
}

// readHtpasswd finds the line of s.At, or the only line. What is replaced is the hash, by one of its own scheme.
func readHtpasswd(s Spec, b []byte) (reading, error) {
	var found [][2]int
	for start, end := range lines(b) {
		line := b[start:end]
		if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
			continue
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			return reading{}, unreadable("the stored value has a line that is not user:hash", "choose another format")
		}
		if s.At == "" || string(line[:colon]) == s.At {
			found = append(found, [2]int{start, end})
		}
	}
	switch {
	case len(found) == 0:
		return reading{}, missing("the stored value has no line of that user", "look at the file")
	case len(found) > 1:
		return reading{}, ambiguous("the stored value has several such lines", "name the user, or remove a line")
	}
	return htpasswdLine(s, b, found[0][0], found[0][1])
}

func htpasswdLine(s Spec, b []byte, start, end int) (reading, error) {
	colon := start + bytes.IndexByte(b[start:end], ':')
	hashEnd := end
	if n := bytes.IndexByte(b[colon+1:end], ':'); n >= 0 { // servers ignore what follows
		hashEnd = colon + 1 + n
	}
	stored := string(bytes.TrimRight(b[colon+1:hashEnd], " \t"))
	sch, err := schemeOf(stored)
	if err != nil {
		return reading{}, err
	}
	user := bytes.Clone(b[start:colon])
	var r reading
	r.addUser(start, colon, user, func(name []byte) ([]byte, error) {
		switch {
		case s.At != "" && string(name) != s.At:
			return nil, unfit("the place names the user whose line it is", "leave the place empty, for a file of one line")
		case bytes.IndexByte(name, ':') >= 0 || bytes.HasPrefix(name, []byte("#")) || slices.ContainsFunc(name, control),
			len(bytes.TrimSpace(name)) != len(name):
			return nil, unfit("a user name with a colon, a control character, a # or blanks around it cannot stand there",
				"use another user name")
		}
		return bytes.Clone(name), nil
	})
	r.addPassword(colon+1, colon+1+len(stored), nil, sch.hash)
	r.verify = sch.verify
	return r, nil
}

// scheme is how a line's hash is made and compared.
type scheme struct {
	hash   func(password []byte) ([]byte, error)
	verify func(password []byte) bool
}

// schemeOf reads the scheme and its parameters from a stored hash.
func schemeOf(stored string) (scheme, error) {
	prefix := stored[:min(4, len(stored))]
	weak := strings.HasPrefix(stored, "$apr1$") || strings.HasPrefix(stored, "{SHA}")
	switch {
	case weak && fips140.Enforced():
		return scheme{}, unreadable("the stored hash is of a scheme that FIPS 140 forbids", "store a bcrypt hash once")
	case prefix == "$2y$" || prefix == "$2a$" || prefix == "$2b$":
		return bcryptScheme(stored)
	case strings.HasPrefix(stored, "$apr1$"):
		return apr1Scheme(stored)
	case strings.HasPrefix(stored, "$5$") || strings.HasPrefix(stored, "$6$"):
		return shaCryptScheme(stored)
	case strings.HasPrefix(stored, "{SHA}"):
		verify := func(password []byte) bool { return constantEqual(sha1Hash(password), []byte(stored)) }
		return scheme{hash: hashable(0, func(pw []byte) ([]byte, error) { return sha1Hash(pw), nil }), verify: verify}, nil
	}
	return scheme{}, unreadable("the stored hash is of a scheme that is not known here", "store a bcrypt hash once, as htpasswd -B makes it")
}

func bcryptScheme(stored string) (scheme, error) {
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || len(stored) != 60 {
		return scheme{}, unreadable("the stored bcrypt hash is broken", "store a whole one once")
	}
	if cost > maxBcryptCost {
		return scheme{}, unreadable("the stored bcrypt hash is too expensive to compute", "store one with a cost of at most 14")
	}
	return scheme{
		verify: func(pw []byte) bool {
			return len(pw) <= maxBcryptBytes && bcrypt.CompareHashAndPassword([]byte(stored), pw) == nil
		},
		hash: hashable(maxBcryptBytes, func(pw []byte) ([]byte, error) {
			out, err := bcrypt.GenerateFromPassword(pw, max(cost, bcrypt.DefaultCost))
			if err != nil {
				return nil, unfit("no bcrypt hash can be made of the new password", "use another one")
			}
			out[2] = stored[2] // some servers know only their own letter; the hash is the same
			return out, nil
		}),
	}, nil
}

// hashable refuses passwords that a scheme would cut off, or that cannot be typed into a login.
func hashable(limit int, hash func([]byte) ([]byte, error)) func([]byte) ([]byte, error) {
	return func(pw []byte) ([]byte, error) {
		switch {
		case limit > 0 && len(pw) > limit:
			return nil, unfit("the new password is longer than the hash's scheme allows", "use a shorter one")
		case slices.ContainsFunc(pw, control):
			return nil, unfit("HTTP has no way to send a password with a control character", "use other characters")
		}
		return hash(pw)
	}
}

func constantEqual(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func sha1Hash(pw []byte) []byte {
	sum := sha1.Sum(pw)
	return []byte("{SHA}" + base64.StdEncoding.EncodeToString(sum[:]))
}
