package composite

import (
	"crypto/md5" // the scheme of $apr1$; what is stored decides
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"slices"
	"strconv"
	"strings"
)

const (
	maxCrypt    = 255     // bytes of a password: some of the work grows with their square
	maxRounds   = 500_000 // about half a second; a stored number beyond would let a value stop the process
	cryptDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// apr1Scheme is Apache's variant of the MD5 crypt of FreeBSD.
func apr1Scheme(stored string) (scheme, error) {
	salt, _, ok := strings.Cut(stored[len("$apr1$"):], "$")
	if !ok || salt == "" || len(salt) > 8 {
		return scheme{}, unreadable("the stored hash is broken", "store a whole one once")
	}
	return scheme{
		verify: func(pw []byte) bool { return len(pw) <= maxCrypt && constantEqual(apr1(pw, salt), []byte(stored)) },
		hash:   hashable(maxCrypt, func(pw []byte) ([]byte, error) { return apr1(pw, randomSalt(8)), nil }),
	}, nil
}

func apr1(pw []byte, salt string) []byte {
	once := digestOf(md5.New(), pw, []byte(salt), pw)
	h := md5.New()
	h.Write(pw)
	h.Write([]byte("$apr1$" + salt))
	h.Write(repeat(once, len(pw)))
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write([]byte{0})
		} else {
			h.Write(pw[:1])
		}
	}
	digest := h.Sum(nil)
	for i := range 1000 {
		digest = cryptRound(md5.New(), i, digest, pw, []byte(salt))
	}
	out := []byte("$apr1$" + salt + "$")
	for _, g := range [5][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		out = cryptTriple(out, digest[g[0]], digest[g[1]], digest[g[2]], 4)
	}
	return cryptTriple(out, 0, 0, digest[11], 2)
}

// cryptRound is one of the rounds that MD5 crypt and SHA crypt share: what goes into it depends on its number.
func cryptRound(h hash.Hash, n int, digest, pw, salt []byte) []byte {
	first, last := digest, pw
	if n&1 == 1 {
		first, last = pw, digest
	}
	h.Write(first)
	if n%3 != 0 {
		h.Write(salt)
	}
	if n%7 != 0 {
		h.Write(pw)
	}
	h.Write(last)
	return h.Sum(digest[:0:0])
}

// shaCrypt is the crypt of glibc with SHA-256 ($5$) or SHA-512 ($6$).
type shaCrypt struct {
	new    func() hash.Hash
	prefix string // up to the salt, the number of rounds included if it is stored
	rounds int
}

// shaCryptScheme reads $5$ or $6$, rounds=… or not, salt and hash.
func shaCryptScheme(stored string) (scheme, error) {
	c := shaCrypt{new: sha512.New, prefix: stored[:3], rounds: 5000}
	if c.prefix == "$5$" {
		c.new = sha256.New
	}
	rest := stored[3:]
	if number, after, ok := strings.Cut(strings.TrimPrefix(rest, "rounds="), "$"); ok && strings.HasPrefix(rest, "rounds=") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1000 || n > maxRounds {
			return scheme{}, unreadable("the stored hash has a number of rounds that is not accepted", "store one with 1000 to 500000 rounds")
		}
		c.prefix, c.rounds, rest = "$"+stored[1:2]+"$rounds="+number+"$", n, after
	}
	salt, _, ok := strings.Cut(rest, "$")
	if !ok || salt == "" || len(salt) > 16 {
		return scheme{}, unreadable("the stored hash is broken", "store a whole one once")
	}
	return scheme{
		verify: func(pw []byte) bool { return len(pw) <= maxCrypt && constantEqual(c.sum(pw, salt), []byte(stored)) },
		hash:   hashable(maxCrypt, func(pw []byte) ([]byte, error) { return c.sum(pw, randomSalt(16)), nil }),
	}, nil
}

func (c shaCrypt) sum(pw []byte, salt string) []byte {
	once := digestOf(c.new(), pw, []byte(salt), pw)
	h := c.new()
	h.Write(pw)
	h.Write([]byte(salt))
	h.Write(repeat(once, len(pw)))
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write(once)
		} else {
			h.Write(pw)
		}
	}
	digest := h.Sum(nil)
	p := repeat(digestOf(c.new(), slices.Repeat([][]byte{pw}, len(pw))...), len(pw))
	s := repeat(digestOf(c.new(), slices.Repeat([][]byte{[]byte(salt)}, 16+int(digest[0]))...), len(salt))
	for i := range c.rounds {
		digest = cryptRound(c.new(), i, digest, p, s)
	}
	out := []byte(c.prefix + salt + "$")
	x, y, z := 0, len(digest)/3, len(digest)/3*2
	for range len(digest) / 3 {
		out = cryptTriple(out, digest[x], digest[y], digest[z], 4)
		if len(digest) == sha256.Size {
			x, y, z = z+1, x+1, y+1
		} else {
			x, y, z = y+1, z+1, x+1
		}
	}
	if len(digest) == sha256.Size {
		return cryptTriple(out, 0, digest[31], digest[30], 3)
	}
	return cryptTriple(out, 0, 0, digest[63], 2)
}

func digestOf(h hash.Hash, parts ...[]byte) []byte {
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// repeat returns b over and over, n bytes of it.
func repeat(b []byte, n int) []byte {
	return slices.Repeat(b, n/len(b)+1)[:n]
}

// cryptTriple appends the first n digits of three bytes, the lowest first.
func cryptTriple(out []byte, a, b, c byte, n int) []byte {
	v := uint(a)<<16 | uint(b)<<8 | uint(c)
	for ; n > 0; n-- {
		out = append(out, cryptDigits[v&63])
		v >>= 6
	}
	return out
}

func randomSalt(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: see crypto/rand
	for i, c := range b {
		b[i] = cryptDigits[c&63]
	}
	return string(b)
}
