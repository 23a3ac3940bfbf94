package rotation

import (
	"context"
	"errors"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// versions is where the values of an account are read.
type versions interface {
	LastVersion(ctx context.Context, accountID string) (int64, error)
	Sealed(ctx context.Context, accountID string, version int64) (vault.Sealed, error)
}

// usedBefore reports whether value is one of the last n of the account. Fingerprints are compared, so that no two values
// are open at once for longer than one of them takes.
func usedBefore(ctx context.Context, from versions, keys Vault, accountID string, n int, value vault.Value) (bool, error) {
	if n == 0 {
		return false, nil
	}
	last, err := from.LastVersion(ctx, accountID)
	if err != nil {
		return false, err
	}
	is := keys.Fingerprint(value)
	for number := last; number > max(0, last-int64(n)); number-- {
		sealed, err := from.Sealed(ctx, accountID, number)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		old, err := keys.Open(vault.Record{Kind: "version", ID: accountID, Version: number}, sealed)
		if err != nil {
			return false, err
		}
		was := keys.Fingerprint(old)
		old.Wipe()
		if was == is {
			return true, nil
		}
	}
	return false, nil
}
