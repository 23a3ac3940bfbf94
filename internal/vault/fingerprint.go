package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/keyturn/keyturn/internal/fault"
)

// Fingerprint tells whether two values are equal without opening either: HMAC-SHA256 of the value's SHA-256 under a key of
// its own, cut to 16 bytes. Without that key it says nothing about the value, not even to who guesses it; whoever can read two
// fingerprints learns whether their values are equal. It is made of the hash so that who knows a leaked value only by its
// SHA-256 can look for it too.
//
// Two different values share a fingerprint with odds of 2^-128; among a billion values (2^30) the odds that any two do
// are about 2^-69. A fingerprint therefore finds equal values; where a wrong "equal" could lose one, open both.
type Fingerprint [16]byte

// String returns the fingerprint in hex.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Fingerprint returns the fingerprint of v; an empty value has one too. It is the same for the life of the repository:
// neither a new root key nor a new data key changes it. Safe for concurrent use.
func (r *Ring) Fingerprint(v Value) (fp Fingerprint) {
	_ = v.Expose(func(b []byte) error {
		hash := sha256.Sum256(b)
		fp = r.FingerprintOfHash(hash)
		clear(hash[:])
		return nil
	})
	return fp
}

// FingerprintOfHash returns the fingerprint of the value that has this SHA-256.
func (r *Ring) FingerprintOfHash(hash [sha256.Size]byte) (fp Fingerprint) {
	sum := r.keys.Load().fingerprint.of(hash[:])
	copy(fp[:], sum[:])
	return fp
}

// Alias stands for a fingerprint where people see it: the fingerprint encrypted under a key of its own, so that the
// fingerprint itself, by which a copy of the repository could be searched, never leaves the server. It is as lasting as the
// fingerprint and tells no more than which of two aliases are the same.
type Alias [16]byte

// String returns the alias in hex.
func (a Alias) String() string { return hex.EncodeToString(a[:]) }

// ParseAlias reads what String wrote. It fails with fault.Invalid.
func ParseAlias(text string) (a Alias, err error) {
	if n, err := hex.Decode(a[:], []byte(text[:min(len(text), 2*len(a))])); err != nil || n != len(a) || len(text) != 2*len(a) {
		return Alias{}, fault.New(fault.Invalid, "this is not the id of a group of equal values").WithCure("take an id from keyturn secret duplicates")
	}
	return a, nil
}

// Alias returns the alias of a fingerprint.
func (r *Ring) Alias(f Fingerprint) (a Alias) {
	r.keys.Load().alias.Encrypt(a[:], f[:])
	return a
}

// Unalias returns the fingerprint that an alias stands for. Any alias stands for one, which need not be a stored value's.
func (r *Ring) Unalias(a Alias) (f Fingerprint) {
	r.keys.Load().alias.Decrypt(f[:], a[:])
	return f
}

// fingerprintKeys derives what fingerprints are made with, and what their aliases are, from the ring's fingerprint key.
func fingerprintKeys(plain []byte) (*keyedMAC, cipher.Block, error) {
	key, err := hkdf.Key(sha256.New, plain, nil, "keyturn/fingerprint/v1", KeyLen)
	if err != nil {
		return nil, nil, fmt.Errorf("open ring: %w", err)
	}
	alias, err := hkdf.Key(sha256.New, plain, nil, "keyturn/fingerprint-alias/v1", KeyLen)
	if err != nil {
		return nil, nil, fmt.Errorf("open ring: %w", err)
	}
	block, err := aes.NewCipher(alias) // one block is all that is encrypted, so no mode is needed
	if err != nil {
		return nil, nil, fmt.Errorf("open ring: %w", err)
	}
	return newKeyedMAC(key), block, nil
}
