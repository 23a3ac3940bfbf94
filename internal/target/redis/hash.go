package redis

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// hash is the form in which the server keeps a password: lower-case hexadecimal SHA-256, without salt. It allows offline
// guessing and is treated as secret as the value.
func hash(value vault.Value) string {
	var out string
	_ = value.Expose(func(b []byte) error {
		sum := sha256.Sum256(b)
		out = hex.EncodeToString(sum[:])
		return nil
	})
	return out
}

// checked returns the hash of a new value if the value may be set and its prepared text is that hash.
func (t *Target) checked(p target.Prepared) (string, error) {
	if err := t.Spec().Limits.Check(p.Value); err != nil {
		return "", err
	}
	h := hash(p.Value)
	if !p.Text.Equal(vault.NewValue([]byte(h))) {
		return "", &target.Error{Outcome: target.Misconfigured, Msg: "the prepared hash is not that of the new value", Cure: "prepare the change anew"}
	}
	return h, nil
}

// wrongPassword is a value that nobody has.
func wrongPassword() vault.Value { return vault.NewValue([]byte(rand.Text())) }
