package mysql

import (
	"crypto/rand"
	"crypto/sha1" // the method is the server's
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"filippo.io/edwards25519"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// hashes are the forms in which the server keeps one password, without salt. They allow offline guessing, and the native
// one together with a recorded login even a login, so they are treated as secret as the value.
type hashes struct{ native, ed25519 string }

// hashesOf computes both: "*" and the SHA-1 of the SHA-1 in hexadecimal; and the public key whose private key the
// password is, in Base64 without padding.
func hashesOf(value vault.Value) hashes {
	var h hashes
	_ = value.Expose(func(b []byte) error {
		once := sha1.Sum(b)
		twice := sha1.Sum(once[:])
		h.native = "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
		seed := sha512.Sum512(b)
		key, err := edwards25519.NewScalar().SetBytesWithClamping(seed[:32])
		if err != nil {
			return err // never: it fails only for another length
		}
		h.ed25519 = base64.RawStdEncoding.EncodeToString(new(edwards25519.Point).ScalarBaseMult(key).Bytes())
		return nil
	})
	return h
}

func (h hashes) text() string { return h.native + " " + h.ed25519 }

// by is the method that takes the value by plugin.
func (h hashes) by(plugin string) method {
	if plugin == ed25519 {
		return method{ed25519, h.ed25519}
	}
	return method{native, h.native}
}

// checked returns the hashes of a new value if the value may be set and its prepared text is theirs.
func (t *Target) checked(p target.Prepared) (hashes, error) {
	if err := t.Spec().Limits.Check(p.Value); err != nil {
		return hashes{}, err
	}
	h := hashesOf(p.Value)
	if !p.Text.Equal(vault.NewValue([]byte(h.text()))) {
		return hashes{}, &target.Error{Outcome: target.Misconfigured, Msg: "the prepared hashes are not those of the new value", Cure: "prepare the change anew"}
	}
	return h, nil
}

// wrongPassword is a value that nobody has.
func wrongPassword() vault.Value { return vault.NewValue([]byte(rand.Text())) }
