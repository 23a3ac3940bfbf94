package linux

import (
	"crypto/rand"
	"crypto/sha512"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	cryptPrefix = "$6$"
	saltSize    = 16
	cryptRounds = 5000 // the scheme's default, which the hash then does not name
	cryptDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func newSalt() string {
	b := make([]byte, saltSize)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = cryptDigits[b[i]%64]
	}
	return string(b)
}

// hash is the SHA-512 crypt of value as /etc/shadow holds it. It allows offline guessing and is treated as secret as the
// value.
func hash(salt string, value vault.Value) string {
	var out string
	_ = value.Expose(func(b []byte) error { out = sha512crypt(b, []byte(salt)); return nil })
	return out
}

// sha512crypt follows Ulrich Drepper's description of the scheme, "Unix crypt using SHA-256 and SHA-512".
func sha512crypt(pw, salt []byte) string {
	digest := sum(pw, salt, stretch(sum(pw, salt, pw), len(pw)), byBits(len(pw), sum(pw, salt, pw), pw))
	p := stretch(sum(repeat(pw, len(pw))), len(pw))
	s := stretch(sum(repeat(salt, 16+int(digest[0]))), len(salt))
	for i := range cryptRounds {
		var parts [4][]byte
		parts[0], parts[3] = digest, p
		if i%2 == 1 {
			parts[0], parts[3] = p, digest
		}
		if i%3 != 0 {
			parts[1] = s
		}
		if i%7 != 0 {
			parts[2] = p
		}
		digest = sum(parts[:]...)
	}
	return cryptPrefix + string(salt) + "$" + encode(digest)
}

func sum(parts ...[]byte) []byte {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func repeat(b []byte, n int) []byte { return []byte(strings.Repeat(string(b), n)) }

// stretch repeats b to n bytes.
func stretch(b []byte, n int) []byte { return repeat(b, n/len(b)+1)[:n] }

// byBits joins, from the lowest bit of n on, one for each bit that is set and zero for each that is not.
func byBits(n int, one, zero []byte) []byte {
	var out []byte
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out = append(out, one...)
		} else {
			out = append(out, zero...)
		}
	}
	return out
}

// encode writes a digest in the digits of the scheme, in its order of bytes.
func encode(digest []byte) string {
	var out strings.Builder
	put := func(v uint, digits int) {
		for ; digits > 0; digits-- {
			out.WriteByte(cryptDigits[v&63])
			v >>= 6
		}
	}
	for i := range 21 {
		three := [3]int{i, i + 21, i + 42}
		first := i % 3
		put(uint(digest[three[first]])<<16|uint(digest[three[(first+1)%3]])<<8|uint(digest[three[(first+2)%3]]), 4)
	}
	put(uint(digest[63]), 2)
	return out.String()
}

// checked returns the prepared hash of a change if the change may be made and the hash is that of its value. The machine
// takes any text for a hash and would lock the account out.
func (t *Target) checked(ch target.Change) (vault.Value, error) {
	if err := checkUser(ch.By.User); err != nil {
		return vault.Value{}, err
	}
	if err := checkUser(ch.Account); err != nil {
		return vault.Value{}, err
	}
	if err := t.Spec().Limits.Check(ch.Value); err != nil {
		return vault.Value{}, err
	}
	var salt string
	_ = ch.Prepared.Expose(func(b []byte) error {
		if rest, ok := strings.CutPrefix(string(b), cryptPrefix); ok {
			salt, _, _ = strings.Cut(rest, "$")
		}
		return nil
	})
	if len(salt) != saltSize || strings.Trim(salt, cryptDigits) != "" || !vault.NewValue([]byte(hash(salt, ch.Value))).Equal(ch.Prepared) {
		return vault.Value{}, misconfigured("the prepared hash is not that of the new value", "prepare the change anew")
	}
	return ch.Prepared, nil
}
