// Package generic is the target type of accounts whose system Keyturn does not talk to: it keeps and publishes their
// values, and says so when it is asked to prove or to change one.
package generic

import (
	"context"

	"github.com/keyturn/keyturn/internal/target"
)

// Target is the type. It has no state.
type Target struct{}

// New returns the type.
func New() Target { return Target{} }

// Spec implements target.Target.
func (Target) Spec() target.Spec {
	return target.Spec{
		Type:        "generic",
		Name:        "Generic",
		Description: "A system that Keyturn does not talk to: values are kept, published and audited, and changed on the system by hand.",
		Fields: []target.Field{
			{Name: "address", Label: "Address", Help: "Where the system is, for people to read.", Kind: target.KindText},
		},
		Limits: target.Limits{Alphabet: "anything"},
	}
}

// Verify implements target.Verifier: it always answers Unsupported, so that a value of this type stays "unverified".
func (Target) Verify(context.Context, target.Connection, target.Login) error {
	return &target.Error{
		Outcome: target.Unsupported,
		Msg:     "a generic account cannot be verified, because Keyturn does not talk to its system",
		Cure:    "log in to the system by hand",
	}
}
