package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"

	"github.com/keyturn/keyturn/internal/fault"
)

// KeyLen is the length in bytes of the root key and of every key in the ring.
const KeyLen = 32

// RootKey wraps the ring and nothing else. Like a [Value] it never prints, logs or marshals what it holds. Its zero
// value is no key: a ring does not open with it.
type RootKey struct{ v Value }

// NewRootKey returns a RootKey that holds b, which it takes over. It fails with fault.Sealed, code
// "root-key-malformed", when b is not KeyLen bytes long or all of them are the same.
func NewRootKey(b []byte) (RootKey, error) {
	if len(b) != KeyLen || bytes.Count(b, b[:1]) == KeyLen {
		return RootKey{}, fault.New(fault.Sealed, "the root key is not %d random bytes", KeyLen).
			WithCode("root-key-malformed").WithCure("restore the root key from its backup")
	}
	return RootKey{v: NewValue(b)}, nil
}

// Wipe overwrites the key with zeros, as far as a garbage-collected language can promise that. No ring opens with it
// afterwards; rings that are open stay open.
func (k RootKey) Wipe() { k.v.Wipe() }

// Format implements fmt.Formatter: every verb prints "[redacted]".
func (k RootKey) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// String implements fmt.Stringer.
func (k RootKey) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (k RootKey) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (k RootKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML.
func (k RootKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary implements encoding.BinaryMarshaler, and with it gob.
func (k RootKey) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

// wrapper returns the cipher that wraps ring keys. The root key itself encrypts nothing, so another use of it would get
// its own label and could not collide with this one.
func (k RootKey) wrapper() (cipher.AEAD, error) {
	var aead cipher.AEAD
	err := k.v.Expose(func(root []byte) error {
		if len(root) != KeyLen || bytes.Count(root, root[:1]) == KeyLen {
			return fault.New(fault.Sealed, "there is no root key").WithCode("root-key-missing").WithCure("unseal the server")
		}
		key, err := hkdf.Key(sha256.New, root, nil, "keyturn/ring-wrap/v1", KeyLen)
		if err != nil {
			return fmt.Errorf("derive wrapping key: %w", err)
		}
		defer clear(key)
		aead, err = newGCM(key)
		return err
	})
	return aead, err
}

// newGCM returns AES-256-GCM that draws a random nonce for each message and puts it in front: the only form of GCM that
// FIPS mode allows, because nobody can repeat a nonce by mistake. It does not keep key.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	return aead, nil
}
