package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Prefix begins a bearer secret and says what it is for, to Keyturn and to whoever scans a repository for leaks.
type Prefix string

// The prefixes.
const (
	PrefixToken   Prefix = "kt_" // an API token
	PrefixSession Prefix = "ks_" // a session
	PrefixSetup   Prefix = "kc_" // a setup code
)

const (
	prefixSize   = 3
	randomSize   = 26 // of rand.Text: 130 bits
	checksumSize = 7  // 32 bits in base32
	secretSize   = prefixSize + randomSize + checksumSize
)

// SecretHash is the SHA-256 of a bearer secret: all that is ever stored of one. A fast hash is enough for 130 random bits.
type SecretHash [sha256.Size]byte

// Equal reports in constant time whether both are the hash of the same secret.
func (h SecretHash) Equal(other SecretHash) bool {
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}

// NewSecret returns a new bearer secret, such as kt_ followed by 33 letters and digits, and the hash to store. The secret
// is shown once: it cannot be had from the hash.
func NewSecret(p Prefix) (vault.Value, SecretHash) {
	body := string(p) + rand.Text()
	text := append([]byte(body), checksum([]byte(body))...)
	return vault.NewValue(text), sha256.Sum256(text)
}

// ParseSecret returns what kind of bearer secret text is and the hash to look it up by. It fails with
// fault.Unauthenticated unless form and checksum are right, so that a typing error or a guess costs no look-up. That it
// succeeds says nothing about whether the secret was ever issued.
func ParseSecret(text vault.Value) (p Prefix, hash SecretHash, err error) {
	err = text.Expose(func(b []byte) error {
		if !wellFormed(b) {
			return fault.New(fault.Unauthenticated, "that is no token, session or setup code of Keyturn").
				WithCode("secret-malformed").WithCure("copy it again, whole")
		}
		p, hash = Prefix(b[:prefixSize]), sha256.Sum256(b)
		return nil
	})
	return p, hash, err
}

func wellFormed(b []byte) bool {
	if len(b) != secretSize {
		return false
	}
	switch Prefix(b[:prefixSize]) {
	case PrefixToken, PrefixSession, PrefixSetup:
	default:
		return false
	}
	for _, c := range b[prefixSize:] {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	// The spelling is compared, not the number: base32 has spare bits at the end that a decoder would ignore.
	body := b[:prefixSize+randomSize]
	return subtle.ConstantTimeCompare(b[len(body):], checksum(body)) == 1
}

func checksum(body []byte) []byte {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	return base32.StdEncoding.WithPadding(base32.NoPadding).AppendEncode(nil, sum)
}
