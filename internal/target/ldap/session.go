package ldap

import (
	"context"
	"errors"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// passwordModify is the operation of RFC 3062.
const passwordModify = "1.3.6.1.4.1.4203.1.11.1"

// session is one connection that has logged in as name, which dn is. policy is what the server's password policy said of
// the login, nil where it said nothing.
type session struct {
	conn   *ldap.Conn
	name   string
	dn     *ldap.DN
	policy *ldap.ControlBeheraPasswordPolicy
}

func (s *session) close() { _ = s.conn.Close() }

// controls asks the server to say what its password policy has to do with an answer.
func controls() []ldap.Control {
	return []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
}

func (s *session) bind(ctx context.Context, l target.Login) error {
	var result *ldap.SimpleBindResult
	err := l.Password.Expose(func(b []byte) (err error) {
		result, err = s.conn.SimpleBind(ldap.NewSimpleBindRequest(l.User, string(b), controls()))
		return err
	})
	if err != nil {
		return loginError(ctx, err)
	}
	s.policy, _ = ldap.FindControl(result.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy)
	return nil
}

// usable refuses a login that was let in to set another password, and one that is let in a few times more. Either may
// still change its own value.
func (s *session) usable() error {
	switch {
	case s.policy == nil:
		return nil
	case s.policy.Error == changeAfterReset:
		return mustChange()
	case s.policy.Grace >= 0:
		return &target.Error{Outcome: target.NotPermitted, Msg: "the account's password has expired, and the server lets it in only a few times more", Cure: "reset the account"}
	}
	return nil
}

// whoami asks the server whom it let in.
func (s *session) whoami(ctx context.Context) error {
	result, err := s.conn.WhoAmI(controls())
	if err != nil {
		return queryError(ctx, err)
	}
	name, isDN := strings.CutPrefix(result.AuthzID, "dn:")
	if dn, err := ldap.ParseDN(name); err != nil || !isDN || !dn.EqualFold(s.dn) {
		return &target.Error{Outcome: target.Unproven, Msg: "the server let the login in under another name", Cure: "write the account's DN as the directory does, or look at proxies on the way"}
	}
	return nil
}

// look reads the account's own entry, without any attribute. An account that may not read itself is told that there is
// nothing; one that may do nothing at all before it has set another password is told that.
func (s *session) look(ctx context.Context) error {
	_, err := s.conn.Search(&ldap.SearchRequest{
		BaseDN: s.name, Scope: ldap.ScopeBaseObject, DerefAliases: ldap.NeverDerefAliases,
		Filter: "(objectClass=*)", Attributes: []string{"1.1"}, Controls: controls(),
	})
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	if err != nil {
		return queryError(ctx, err)
	}
	return nil
}

// modify sets the password of account. mayHold says of an error that it is also the answer to the repetition of a change
// that was carried out.
func (s *session) modify(ctx context.Context, account string, old, value vault.Value) (mayHold bool, err error) {
	request := ber.NewSequence("")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, account, ""))
	field := func(tag ber.Tag, v vault.Value) {
		_ = v.Expose(func(b []byte) error {
			request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, tag, string(b), ""))
			return nil
		})
	}
	if old.Len() > 0 {
		field(1, old)
	}
	field(2, value)
	extended := ldap.NewExtendedRequest(passwordModify, request)
	extended.Controls = controls()
	if _, err = s.conn.Extended(extended); err == nil {
		return false, nil
	}
	policy := policyError(err)
	return policy == tooYoung || policy == inHistory, changeError(ctx, err)
}

// policyError is what the server's password policy says of a failure, noPolicyError where it says nothing.
func policyError(err error) int8 {
	e, ok := errors.AsType[*ldap.Error](err)
	if !ok || e.Packet == nil || len(e.Packet.Children) < 3 {
		return noPolicyError
	}
	for _, child := range e.Packet.Children[2].Children {
		control, err := ldap.DecodeControl(child)
		if policy, ok := control.(*ldap.ControlBeheraPasswordPolicy); err == nil && ok {
			return policy.Error
		}
	}
	return noPolicyError
}
