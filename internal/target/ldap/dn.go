package ldap

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/keyturn/keyturn/internal/target"
)

// maxDN bounds a DN in bytes. The server has no bound of its own.
const maxDN = 1024

// parseDN refuses what is no DN in the notation of RFC 4514. The empty DN is anonymous, and no account's.
func parseDN(name string) (*ldap.DN, error) {
	bad := &target.Error{
		Outcome: target.Misconfigured,
		Msg:     "the account's name is no DN of up to 1024 bytes",
		Cure:    "write it as the directory does, such as uid=app,ou=services,dc=example,dc=org",
	}
	if name == "" || len(name) > maxDN || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return nil, bad
	}
	dn, err := ldap.ParseDN(name)
	if err != nil || len(dn.RDNs) == 0 {
		return nil, bad
	}
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			if a.Type == "" || a.Value == "" {
				return nil, bad
			}
		}
	}
	return dn, nil
}
