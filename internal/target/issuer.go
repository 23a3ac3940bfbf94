package target

import (
	"context"

	"github.com/keyturn/keyturn/internal/vault"
)

// Issuer is a Verifier and an Overlapper whose system makes values itself and keeps each in a Secret: a cluster, with the long-lived tokens
// of its ServiceAccounts. Whoever rotates has the Secret made; Add then finds it, and Retire ends a value by deleting its
// Secret. Change is Unsupported.
type Issuer interface {
	Verifier
	Overlapper
	// In returns the same type for the accounts of a namespace of a cluster. Nothing works before that.
	In(c Cluster, namespace string) Issuer
	// Home returns the name of the Secret that value stands in, and the key. It fails with Rejected when value is no token of
	// the account.
	Home(account string, value vault.Value) (name, key string, err error)
}

// Cluster is what an Issuer needs of a cluster, with the connector's rights where nothing else is said. Its methods may be
// called by several goroutines at once and fail with an [*Error].
type Cluster interface {
	// WhoIs asks the API server who a token is, with that token. It fails with Refused when it does not take it.
	WhoIs(ctx context.Context, token vault.Value) (string, error)
	// Claims returns what a token says of itself, unverified; ok is false when it is none that stands in a Secret.
	Claims(token vault.Value) (namespace, account, secret string, ok bool)
	// Token returns the Secret of that name. there is false when there is none, or one of another type.
	Token(ctx context.Context, namespace, name string) (s TokenSecret, there bool, err error)
	// DeleteToken deletes the Secret unless it has changed since; changed says that it has.
	DeleteToken(ctx context.Context, s TokenSecret) (changed bool, err error)
	// HasAccount fails with NoSuchAccount when there is no such ServiceAccount.
	HasAccount(ctx context.Context, namespace, account string) error
	// Lacks names the rights to replace Secrets of the namespace that the connector has not.
	Lacks(ctx context.Context, namespace string) ([]string, error)
}

// TokenSecret is a Secret that holds a ServiceAccount's token.
type TokenSecret struct {
	Namespace, Name, UID, ResourceVersion string
	Account                               string
	Token                                 vault.Value
}
