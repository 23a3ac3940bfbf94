package rotation

import (
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// holds reports whether value stands at the write's place in what the key has. Where nothing can be read it does not.
func (w *Write) holds(have, value vault.Value) bool {
	if w.Place.IsWhole() {
		return have.Equal(value)
	}
	part, err := composite.Find(w.Place, have)
	if err != nil {
		return false
	}
	defer part.Password.Wipe()
	return part.Holds(value)
}

// compose returns what the key has to hold so that value stands at the write's place and everything else is as it was.
func (w *Write) compose(have vault.Value, has bool, value vault.Value) (vault.Value, error) {
	switch {
	case w.Place.IsWhole():
		return value, nil
	case !has:
		return vault.Value{}, fault.New(fault.Invalid, "the key is gone, and what stood around the credential with it").
			WithCure("put the key back into the Secret, then resume")
	default:
		return composite.Replace(w.Place, have, nil, value)
	}
}

// proof is what a key is proved to hold: the credential, or where only its hash stands there the value as a whole.
func (e *Engine) proof(w Write, have vault.Value, credential vault.Fingerprint) vault.Fingerprint {
	if w.Place.Hashed() {
		return e.Vault.Fingerprint(have)
	}
	return credential
}
