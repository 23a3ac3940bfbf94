package identity

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	saltSize = 16
	sumSize  = 32
)

// cost is an algorithm and what one hash of it costs. Comparable: a hash at another cost than today's is made anew.
type cost struct {
	algorithm  string
	memory     uint32 // KiB, argon2id only
	iterations uint32
}

const (
	algArgon2 = "argon2id"
	algPBKDF2 = "pbkdf2-sha256"
)

var (
	argon2Cost = cost{algorithm: algArgon2, memory: 19 * 1024, iterations: 2}
	pbkdf2Cost = cost{algorithm: algPBKDF2, iterations: 600_000}
)

// derive returns the hash of password, sumSize bytes.
func (c cost) derive(password, salt []byte) ([]byte, error) {
	if c.algorithm == algArgon2 {
		return argon2.IDKey(password, salt, c.iterations, c.memory, 1, sumSize), nil
	}
	return pbkdf2.Key(sha256.New, string(password), salt, int(c.iterations), sumSize)
}

// sane bounds what a row of the database can make the process spend.
func (c cost) sane() bool {
	switch c.algorithm {
	case algArgon2:
		return c.memory >= 8 && c.memory <= 256*1024 && c.iterations >= 1 && c.iterations <= 16
	case algPBKDF2:
		return c.memory == 0 && c.iterations >= 1 && c.iterations <= 10_000_000
	}
	return false
}

// encoded is a hash as it is stored.
type encoded struct {
	cost
	salt, sum []byte
}

// String returns the PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$sum or $pbkdf2-sha256$i=600000$salt$sum.
func (e encoded) String() string {
	params := fmt.Sprintf("i=%d", e.iterations)
	if e.algorithm == algArgon2 {
		params = fmt.Sprintf("v=%d$m=%d,t=%d,p=1", argon2.Version, e.memory, e.iterations)
	}
	b64 := base64.RawStdEncoding
	return "$" + e.algorithm + "$" + params + "$" + b64.EncodeToString(e.salt) + "$" + b64.EncodeToString(e.sum)
}

var errHash = errors.New("a stored password hash cannot be read")

// parseHash is the inverse of String. It accepts nothing that String does not write: one hash has one spelling.
func parseHash(s string) (encoded, error) {
	parts := strings.Split(s, "$")
	if len(parts) < 5 {
		return encoded{}, errHash
	}
	e := encoded{cost: cost{algorithm: parts[1]}}
	var err error
	if e.algorithm == algArgon2 {
		_, err = fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &e.memory, &e.iterations)
	} else {
		_, err = fmt.Sscanf(parts[2], "i=%d", &e.iterations)
	}
	if err != nil || !e.sane() {
		return encoded{}, errHash
	}
	var errSalt, errSum error
	e.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[len(parts)-2])
	e.sum, errSum = base64.RawStdEncoding.DecodeString(parts[len(parts)-1])
	if errSalt != nil || errSum != nil || len(e.salt) != saltSize || len(e.sum) != sumSize || e.String() != s {
		return encoded{}, errHash
	}
	return e, nil
}
