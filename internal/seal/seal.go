// Package seal knows where the root key comes from: a file, or a passphrase. The key opens the ring of package vault and
// nothing else; without it the server stays sealed.
//
// The root key is never in an environment variable or an argument. It is made only for a repository that is new: a key
// that is made for an old one could open nothing, and would hide that the right one is lost.
package seal

import (
	"context"
	"errors"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Source is a place that a root key comes from. Implementations are safe for concurrent use, in several processes too.
type Source interface {
	// Root returns the root key. It fails with fault.Sealed, code "root-key-missing" when there is none,
	// "root-key-malformed" when what is there is no root key, "root-key-exposed" when others could read or replace it,
	// and "root-key-unreadable" when the system refuses. It changes nothing.
	Root(ctx context.Context) (vault.RootKey, error)
	// Create makes a root key, stores durably what is needed to get it again, and returns it. It never replaces one: when
	// there is something already it fails with fault.Conflict, code "root-key-exists".
	Create(ctx context.Context) (vault.RootKey, error)
}

// Obtain returns the root key of src. Only when the repository is new does it create one; a key that a start which broke
// off had created already is used then.
func Obtain(ctx context.Context, src Source, repositoryIsNew bool) (vault.RootKey, error) {
	root, err := src.Root(ctx)
	if !repositoryIsNew || codeOf(err) != codeMissing {
		return root, err
	}
	root, err = src.Create(ctx)
	if codeOf(err) == codeExists { // another process was faster
		return src.Root(ctx)
	}
	return root, err
}

const (
	codeMissing    = "root-key-missing"
	codeMalformed  = "root-key-malformed"
	codeExposed    = "root-key-exposed"
	codeUnreadable = "root-key-unreadable"
	codeExists     = "root-key-exists"
)

func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return ""
}
