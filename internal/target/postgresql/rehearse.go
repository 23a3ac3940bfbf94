package postgresql

import (
	"context"
	"crypto/rand"

	"github.com/jackc/pgx/v5"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// Rehearse implements target.Rehearser: ALTER ROLE with a password that nobody knows, in a transaction that is rolled back.
// If the connection breaks before that, the server rolls it back by itself.
func (t *Target) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	if err := checkRole(account); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	conn, err := t.login(ctx, c, by)
	if err != nil {
		return "", err
	}
	defer closeConn(conn)
	if err := t.mayChange(ctx, conn, account); err != nil {
		return "", err
	}
	prepared, err := newVerifier(vault.NewValue([]byte(rand.Text())))
	if err != nil {
		return "", err
	}
	verifier := ""
	_ = prepared.Expose(func(b []byte) error { verifier = string(b); return nil })
	tx, err := conn.Begin(ctx)
	if err != nil {
		return "", queryError(err)
	}
	_, changed := tx.Exec(ctx, "ALTER ROLE "+pgx.Identifier{account}.Sanitize()+" PASSWORD '"+verifier+"'")
	if err := tx.Rollback(ctx); err != nil && changed == nil {
		return "", queryError(err)
	}
	if changed != nil {
		return "", unchanged(changeError(changed, verifier))
	}
	return "ALTER ROLE was carried out in a transaction and rolled back", nil
}

// unchanged says of a change that was never committed that it has no effect, whatever became of its answer.
func unchanged(err error) error {
	if target.OutcomeOf(err) == target.Unknown {
		return &target.Error{Outcome: target.Unreachable, Msg: "the connection was lost before the server answered", Cure: "try again"}
	}
	return err
}
