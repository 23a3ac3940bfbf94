package target

import "github.com/keyturn/keyturn/internal/vault"

// Generator is a Target whose values are no passwords, such as key pairs, so that it makes them itself and no password
// policy applies.
type Generator interface {
	Target
	// Generate returns a new random value that is within the type's [Limits] and that its Prepare takes.
	Generate() (vault.Value, error)
}
