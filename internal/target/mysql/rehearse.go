package mysql

import (
	"context"
	"crypto/rand"

	"github.com/keyturn/keyturn/internal/target"
)

// Rehearse implements target.Rehearser. A statement about accounts cannot be rolled back, so the one of a change is sent for
// an account of a random name that is not there: the server looks whether it takes changes, and at the right, and then
// refuses because of the name. It would look at the hash only after that, so its policy is read. An account that changes
// itself needs no right.
func (t *Target) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	return t.rehearse(ctx, c, by, account, false)
}

// RehearseOverlap implements target.OverlapRehearser: SET PASSWORD takes one value alone, so that an account that is to take
// two needs the right of ALTER USER even for itself.
func (t *Target) RehearseOverlap(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	return t.rehearse(ctx, c, by, account, true)
}

func (t *Target) rehearse(ctx context.Context, c target.Connection, by target.Login, account string, overlap bool) (string, error) {
	a, err := parseAccount(account)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, by)
	if err != nil {
		return "", err
	}
	defer s.close()
	self := s.name == a
	if err := s.settle(ctx, t.timeout/2); err != nil {
		return "", err
	}
	u, err := s.user(ctx, a, self)
	if err != nil {
		return "", err
	}
	if err := u.editable(); err != nil {
		return "", err
	}
	if err := s.single(ctx); err != nil {
		return "", err
	}
	if err := s.takesHashes(ctx); err != nil {
		return "", err
	}
	if self && len(u.methods) == 1 && !overlap {
		if err := s.writable(ctx); err != nil {
			return "", err
		}
		return "an account may set its own password, and the server is not read-only and takes hashes", nil
	}
	if err := s.tryAlter(ctx, hashesOf(wrongPassword()).by(u.plugin())); err != nil {
		return "", err
	}
	return "the server refused ALTER USER for an account that is not there because of its name alone, so the login may change the one that is there", nil
}

// tryAlter sends the statement of a change for an account that is not there. It returns nil if nothing but that stood in
// the way.
func (s *session) tryAlter(ctx context.Context, m method) error {
	nobody := account{rand.Text(), "%"}
	_, err := s.conn.ExecContext(ctx, "ALTER USER "+nobody.sql()+" IDENTIFIED VIA "+via([]method{m}))
	if err == nil {
		return &target.Error{Outcome: target.Unsupported, Msg: "the server says that it has changed an account that is not there, so that its answers prove nothing", Cure: "look at proxies on the way"}
	}
	reason := uint16(0)
	if number(err) == failedOperation {
		reason = s.reason(ctx)
	}
	err = changeError(err, reason)
	switch target.OutcomeOf(err) {
	case target.NoSuchAccount:
		return nil
	case target.Unknown: // nothing of it can have been carried out
		return &target.Error{Outcome: target.Unreachable, Msg: "the connection was lost, or the server gave up, before it answered", Cure: "try again"}
	}
	return err
}

// single refuses a node of a Galera cluster, which would hand the statement to every other.
func (s *session) single(ctx context.Context) error {
	var on bool
	err := s.conn.QueryRowContext(ctx, "SELECT @@wsrep_on").Scan(&on)
	switch {
	case number(err) == unknownVariable:
		return nil
	case err != nil:
		return queryError(err)
	case on:
		return &target.Error{Outcome: target.Unsupported, Msg: "in a Galera cluster every node is handed a statement that is to fail, so none is tried", Cure: "reset the account once, in a window, to see that it works"}
	}
	return nil
}

// unknownVariable is the number of a question for a variable that the server does not have.
const unknownVariable = 1193

// writable refuses a server that is read-only.
func (s *session) writable(ctx context.Context) error {
	var readOnly bool
	if err := s.conn.QueryRowContext(ctx, "SELECT @@global.read_only").Scan(&readOnly); err != nil {
		return queryError(err)
	}
	if readOnly {
		return takesNoChanges("")
	}
	return nil
}

// takesHashes refuses a server that judges passwords itself. Everybody may ask for that.
func (s *session) takesHashes(ctx context.Context) error {
	var judges int
	err := s.conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM information_schema.PLUGINS
		WHERE PLUGIN_TYPE = 'PASSWORD VALIDATION' AND PLUGIN_STATUS = 'ACTIVE' AND @@global.strict_password_validation`).Scan(&judges)
	if err != nil {
		return queryError(err)
	}
	if judges > 0 {
		return takesNoHashes("")
	}
	return nil
}
