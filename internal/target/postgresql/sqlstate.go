package postgresql

import (
	"errors"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyturn/keyturn/internal/target"
)

// loginError says what a failed login means. Nothing of the driver's error is kept but the SQLSTATE.
func loginError(err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if text := err.Error(); strings.Contains(text, "require_auth check failed") || strings.Contains(text, "channel binding") || strings.Contains(text, "server does not support SCRAM") {
			return &target.Error{
				Outcome: target.Unproven,
				Msg:     "the server does not prove by SCRAM that it knows the password (pg_hba.conf has trust, password or a pooler in between)",
				Cure:    "use scram-sha-256 in pg_hba.conf, over TLS",
			}
		}
		return unreachable(err)
	}
	e := &target.Error{Code: pg.Code}
	switch {
	case pg.Code == "28P01":
		e.Outcome, e.Msg = target.Refused, "the server refused the login: the password is wrong, the role is missing, or its VALID UNTIL has passed"
		e.Cure = "compare the stored value with the server, or reconcile"
	case strings.HasPrefix(pg.Code, "28"):
		e.Outcome, e.Msg = target.NotPermitted, "the server does not let this role in from here"
		e.Cure = "look at NOLOGIN and at pg_hba.conf"
	case pg.Code == "3D000", pg.Code == "42501":
		e.Outcome, e.Msg = target.NotPermitted, "the database of the resource is not there, or the role may not connect to it"
		e.Cure = "correct the resource's database, or GRANT CONNECT"
	default:
		return busy(pg)
	}
	return e
}

// queryError says what the failure of a statement means that changes nothing.
func queryError(err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return unreachable(err)
	}
	if pg.Code == "42501" {
		return &target.Error{Outcome: target.NotPermitted, Code: pg.Code, Msg: "the login may not read pg_roles", Cure: "GRANT SELECT ON pg_catalog.pg_roles to it"}
	}
	return busy(pg)
}

func busy(pg *pgconn.PgError) error {
	return &target.Error{Outcome: target.Unreachable, Code: pg.Code, Msg: "the server answered and could not serve the request now", Cure: "look at the server's log for this code, then try again"}
}

// changeError says what the failure of ALTER ROLE means. An SQLSTATE of the statement itself means that it was undone;
// one that tells of the server going away, and every failure without one, leaves the outcome open.
func changeError(err error, verifier string) error {
	if err == nil {
		return nil
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	unknown := &target.Error{Outcome: target.Unknown, Msg: "the connection ended before the server answered the change", Cure: "log in with the new value, then with the old one, to see which holds"}
	if !ok {
		return unknown
	}
	e := &target.Error{Code: pg.Code}
	switch {
	case pg.Code == "57014" || pg.Code == "55P03":
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the server gave the change up, because something else held the role for too long", "try again"
	case strings.HasPrefix(pg.Code, "57"), strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "58"), strings.HasPrefix(pg.Code, "XX"):
		unknown.Code = pg.Code
		return unknown
	case strings.HasPrefix(pg.Code, "22"):
		e.Outcome, e.Msg, e.Cure = target.Rejected, "the server's policy rejected the new value: "+ruleText(pg.Message, verifier), "choose another value"
	case pg.Code == "42501":
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the login may not change this role's password", "give it CREATEROLE (and ADMIN OPTION on the role from PostgreSQL 16 on), or change a superuser as a superuser"
	case pg.Code == "42704":
		e.Outcome, e.Msg, e.Cure = target.NoSuchAccount, "the server has no role of this name", "create the role, or correct the account's name"
	case pg.Code == "25006":
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the server is a standby and takes no changes", "point the resource at the primary"
	default:
		return busy(pg)
	}
	return e
}

// ruleText is what the server says about its rule, without what it was sent: printable, short, or nothing.
func ruleText(message, verifier string) string {
	for _, part := range strings.FieldsFunc(verifier, func(r rune) bool { return r == '$' || r == ':' }) {
		if len(part) > 16 && strings.Contains(message, part) {
			return "no rule was named"
		}
	}
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, message)
	if len(text) > 200 {
		return "no rule was named"
	}
	return text
}
