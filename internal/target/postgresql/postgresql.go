// Package postgresql changes and proves the passwords of PostgreSQL roles.
//
// The server is sent a SCRAM-SHA-256 verifier, never the password, so that no log of its can hold one and the same
// change can be sent again. A login counts only when the server proved, by SCRAM, that it knows the password too.
package postgresql

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/vault"
)

// Names of the settings of a resource.
const (
	fieldDatabase = "database"
)

// maxRoleName is the longest role name in bytes. The server cuts a longer one short, and would then change another role.
const maxRoleName = 63

// Config is what a Target needs; a verb may take 15 seconds.
type Config = dial.Config

// Target is the type "postgresql". It keeps no connection and may be used by several goroutines at once.
type Target struct {
	dial    target.DialFunc
	timeout time.Duration
}

// New returns the type.
func New(c Config) *Target {
	c = c.Or(15 * time.Second)
	return &Target{dial: c.Dial, timeout: c.Timeout}
}

// Over implements target.Dialer.
func (t *Target) Over(dial target.DialFunc) target.Target {
	return &Target{dial: dial, timeout: t.timeout}
}

// Spec implements target.Target.
func (*Target) Spec() target.Spec {
	return target.Spec{
		Type:        "postgresql",
		Name:        "PostgreSQL",
		Description: "Roles of a PostgreSQL server: changed with a SCRAM verifier, proved by a fresh login.",
		Fields:      fields(),
		Limits: target.Limits{
			MinLength: 1,
			MaxLength: 1024,
			Alphabet:  "printable ASCII; other characters only where every client reads them alike",
			Forbidden: "\x00\r\n",
			UTF8:      true,
		},
		Capabilities: target.Capabilities{Verify: true, Change: true, Reconcile: true, Compare: true},
	}
}

func fields() []target.Field {
	return []target.Field{
		{Name: dial.Host, Label: "Host", Help: "DNS name or IP address.", Required: true, Kind: target.KindHost},
		{Name: dial.Port, Label: "Port", Default: "5432", Kind: target.KindPort},
		{Name: fieldDatabase, Label: "Database", Help: "Where to log in.", Default: "postgres", Kind: target.KindText},
		{Name: dial.Mode, Label: "TLS", Help: "Off is for loopback addresses, or with the acceptance below.", Default: "verify", Kind: target.KindChoice, Options: []string{"verify", "off"}},
		{Name: dial.CA, Label: "CA certificates", Help: "PEM; empty means those of the machine that Keyturn runs on.", Kind: target.KindPEM},
		{Name: dial.Name, Label: "Certificate name", Help: "The name in the server's certificate, where it is not the host.", Kind: target.KindHost},
		{Name: dial.Plaintext, Label: "I accept connections without TLS", Help: "The verifier travels in the open, and nothing proves which server answers.", Default: "no", Kind: target.KindChoice, Options: []string{"no", "yes"}},
	}
}

// Prepare implements target.Preparer: the result is a SCRAM-SHA-256 verifier with a fresh salt.
func (t *Target) Prepare(account string, value vault.Value) (vault.Value, error) {
	if err := checkRole(account); err != nil {
		return vault.Value{}, err
	}
	if err := t.checkValue(value); err != nil {
		return vault.Value{}, err
	}
	return newVerifier(value)
}

// Change implements target.Changer by ALTER ROLE. It refuses, before anything is sent, a verifier that is malformed (the
// server would take its text for a password) or was not made from the new value; and, before it changes anything, a
// role that could not log in afterwards because it is NOLOGIN or past its VALID UNTIL.
func (t *Target) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	if err := checkRole(ch.Account); err != nil {
		return err
	}
	if err := t.checkValue(ch.Value); err != nil {
		return err
	}
	verifier, err := checkedVerifier(ch.Prepared, ch.Value)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	conn, err := t.login(ctx, c, ch.By)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	if err := t.mayChange(ctx, conn, ch.Account); err != nil {
		return err
	}
	// A utility statement takes no parameters. The name is quoted; the verifier's alphabet has nothing to quote.
	_, err = conn.Exec(ctx, "ALTER ROLE "+pgx.Identifier{ch.Account}.Sanitize()+" PASSWORD '"+verifier+"'")
	return changeError(err, verifier)
}

// mayChange prepares the session and looks at the role. The session's own defaults must not get in the way: a role can
// have settings that make it act as another (ALTER ROLE … SET role) or read only. The server's time limit is shorter
// than ours, so that a statement that waits for a lock ends with a definite answer.
func (t *Target) mayChange(ctx context.Context, conn *pgx.Conn, account string) error {
	limit := max(t.timeout/2, time.Second).Milliseconds()
	_, err := conn.Exec(ctx, `SELECT pg_catalog.set_config('role', 'none', false),
		pg_catalog.set_config('default_transaction_read_only', 'off', false),
		pg_catalog.set_config('statement_timeout', $1::bigint::text, false)`, limit)
	if err != nil {
		return queryError(err)
	}
	var canLogin, expired bool
	err = conn.QueryRow(ctx, `SELECT rolcanlogin, coalesce(rolvaliduntil <= pg_catalog.now(), false)
		FROM pg_catalog.pg_roles WHERE rolname = $1`, account).Scan(&canLogin, &expired)
	switch {
	case isNoRows(err):
		return &target.Error{Outcome: target.NoSuchAccount, Msg: "the server has no role of this name", Cure: "create the role, or correct the account's name"}
	case err != nil:
		return queryError(err)
	case !canLogin:
		return &target.Error{Outcome: target.NotPermitted, Msg: "the role may not log in (NOLOGIN)", Cure: "ALTER ROLE … LOGIN, then try again"}
	case expired:
		return &target.Error{Outcome: target.NotPermitted, Msg: "the role's VALID UNTIL has passed, so a new password could not log in either", Cure: "ALTER ROLE … VALID UNTIL 'infinity', then try again"}
	}
	return nil
}

// Verify implements target.Verifier.
func (t *Target) Verify(ctx context.Context, c target.Connection, l target.Login) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	if err := t.proveRight(ctx, c, l); err != nil {
		return err
	}
	conn, err := t.login(ctx, c, l.Wrong())
	if err == nil {
		closeConn(conn)
		return &target.Error{Outcome: target.Unproven, Msg: "the server let in a wrong password too", Cure: "use scram-sha-256 in pg_hba.conf"}
	}
	if target.OutcomeOf(err) == target.Refused {
		return nil
	}
	return err
}

// proveRight logs in as l and asks the server whom it let in.
func (t *Target) proveRight(ctx context.Context, c target.Connection, l target.Login) error {
	conn, err := t.login(ctx, c, l)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	var user string
	var expired bool
	err = conn.QueryRow(ctx, `SELECT session_user::text, coalesce(
		(SELECT rolvaliduntil <= pg_catalog.now() FROM pg_catalog.pg_roles WHERE rolname = session_user), false)`).Scan(&user, &expired)
	switch {
	case err != nil:
		return queryError(err)
	case user != l.User:
		return &target.Error{Outcome: target.Unproven, Msg: "the server let the login in as another role", Cure: "look at user name maps in pg_hba.conf and at poolers on the way"}
	case expired:
		return &target.Error{Outcome: target.Refused, Msg: "the role's VALID UNTIL has just passed", Cure: "ALTER ROLE … VALID UNTIL 'infinity'"}
	}
	return nil
}
