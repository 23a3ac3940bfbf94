package rabbitmq

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// algorithm is the server's name for the form of hash, its default.
const algorithm = "rabbit_password_hashing_sha256"

const saltSize = 4 // the server's

func newSalt() []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// hash is the form in which the server keeps a password: salt and SHA-256 of salt and password, in Base64. It allows
// offline guessing and is treated as secret as the value.
func hash(salt []byte, value vault.Value) string {
	var out string
	_ = value.Expose(func(b []byte) error {
		h := sha256.New()
		h.Write(salt)
		h.Write(b)
		out = base64.StdEncoding.EncodeToString(h.Sum(append([]byte(nil), salt...)))
		return nil
	})
	return out
}

// checked returns the prepared hash of a change if the change may be made and the hash is that of its value. The server
// takes any text for a hash and would lock the user out.
func (t *Target) checked(ch target.Change) (string, error) {
	if err := checkUser(ch.Account); err != nil {
		return "", err
	}
	if err := t.Spec().Limits.Check(ch.Value); err != nil {
		return "", err
	}
	var prepared string
	var salt []byte
	_ = ch.Prepared.Expose(func(b []byte) error {
		prepared = string(b)
		salt, _ = base64.StdEncoding.DecodeString(prepared)
		return nil
	})
	if len(salt) != saltSize+sha256.Size || !vault.NewValue([]byte(hash(salt[:saltSize], ch.Value))).Equal(ch.Prepared) {
		return "", misconfigured("the prepared hash is not that of the new value", "prepare the change anew")
	}
	return prepared, nil
}
