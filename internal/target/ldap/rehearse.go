package ldap

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/keyturn/keyturn/internal/target"
)

const (
	// controlNoOp asks OpenLDAP to carry an operation out and to abandon it at its end, instead of committing it.
	controlNoOp = "1.3.6.1.4.1.4203.666.5.2"
	// noOperation is the result of an operation that would have succeeded.
	noOperation = 16654
	// rootOfOpenLDAP is the object class of what OpenLDAP says of itself.
	rootOfOpenLDAP = "OpenLDAProotDSE"
)

// Rehearse implements target.Rehearser: the entry gets a value that nobody knows, by Modify with OpenLDAP's No-Op control.
// The server judges its access rules, its password policy and its schema, and then abandons the whole. The control is
// critical, so that a server which does not know it has to refuse; a server that is not OpenLDAP is not sent it. The
// account's password of now is not sent along either: a log of refused operations would show it.
func (t *Target) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	if _, err := parseDN(account); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, by)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := s.openLDAP(ctx); err != nil {
		return "", err
	}
	if err := s.tryModify(ctx, account); err != nil {
		return "", err
	}
	return "the server carried out a change of userPassword and abandoned it at its end, as it was asked to", nil
}

// openLDAP refuses a server that does not call itself OpenLDAP.
func (s *session) openLDAP(ctx context.Context) error {
	found, err := s.conn.Search(&ldap.SearchRequest{Scope: ldap.ScopeBaseObject, DerefAliases: ldap.NeverDerefAliases, Filter: "(objectClass=*)", Attributes: []string{"objectClass"}})
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return queryError(ctx, err)
	}
	if err == nil && len(found.Entries) == 1 {
		for _, class := range found.Entries[0].GetAttributeValues("objectClass") {
			if strings.EqualFold(class, rootOfOpenLDAP) {
				return nil
			}
		}
	}
	return &target.Error{Outcome: target.Unsupported, Msg: "the server does not call itself OpenLDAP, which alone can carry a change out and abandon it", Cure: "reset the account once, in a window, to see that it works"}
}

// tryModify returns nil if the server would have replaced the password of account.
func (s *session) tryModify(ctx context.Context, account string) error {
	r := ldap.NewModifyRequest(account, append(controls(), ldap.NewControlString(controlNoOp, true, "")))
	r.Replace("userPassword", []string{"Aa1-" + rand.Text()})
	err := s.conn.Modify(r)
	switch {
	case err == nil:
		return &target.Error{Outcome: target.Unknown, Msg: "the server ignored that it was to change nothing, so that the account may have a value that nobody knows", Cure: "reset the account with a reconcile login"}
	case ldap.IsErrorWithCode(err, noOperation):
		return nil
	case ldap.IsErrorWithCode(err, ldap.LDAPResultUnavailableCriticalExtension):
		return &target.Error{Outcome: target.Unsupported, Code: code(err), Msg: "the server does not carry changes out that it is to abandon", Cure: "reset the account once, in a window, to see that it works"}
	}
	failed := changeError(ctx, err)
	switch {
	case target.OutcomeOf(failed) == target.Unknown: // whatever it came to, it was not to be committed
		return &target.Error{Outcome: target.Unreachable, Code: code(err), Msg: "the connection was lost, or the server gave up, before it answered", Cure: "try again"}
	case target.OutcomeOf(failed) == target.Rejected, policyError(err) == mustSupplyOld:
		return &target.Error{Outcome: target.Unsupported, Code: code(err), Msg: "the server's password policy refuses what a rehearsal sends before it looks at the right: a value of its own, without the old one", Cure: "reset the account once, in a window, to see that it works"}
	}
	return failed
}
