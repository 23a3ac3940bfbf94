package ldap_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

const (
	binary  = "/usr/sbin/slapd"
	loader  = "/usr/sbin/slapadd"
	base    = "dc=kt,dc=test"
	apps    = "ou=apps," + base
	rootDN  = "cn=admin," + base
	recDN   = "cn=rec,ou=sys," + base
	guarded = "cn=guarded,ou=sys," + base
)

// server is a real slapd of one test. It logs every operation (loglevel stats) and, as LDIF, every change.
type server struct {
	*targettest.Server
	port, tlsPort string
	stop          func()
}

// start starts a server with further lines of slapd.conf before its database, and for its database.
func start(t *testing.T, conf, database string) *server {
	t.Helper()
	s := &server{Server: targettest.NewServer(t), port: targettest.Port(t), tlsPort: targettest.Port(t)}
	s.Write(t, "slapd.conf", strings.NewReplacer("$DIR", s.Dir, "$BASE", base, "$CONF", conf, "$DATABASE", database).Replace(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
moduleload auditlog
pidfile $DIR/pid
TLSCACertificateFile $DIR/ca.crt
TLSCertificateFile $DIR/srv.crt
TLSCertificateKeyFile $DIR/srv.key
password-hash {SSHA}
$CONF
database mdb
maxsize 33554432
suffix "$BASE"
rootdn "cn=admin,$BASE"
rootpw admin-pw
directory $DIR/db
dbnosync
$DATABASE
access to dn.exact="cn=guarded,ou=sys,$BASE" attrs=userPassword by anonymous auth by * none
access to attrs=userPassword by self =xw by dn.exact="cn=rec,ou=sys,$BASE" write by dn.exact="cn=manager,ou=sys,$BASE" manage by anonymous auth by * none
access to attrs=pwdAccountLockedTime,pwdReset by dn.exact="cn=manager,ou=sys,$BASE" manage by self read by * none
access to dn.subtree="ou=blind,$BASE" by dn.exact="cn=rec,ou=sys,$BASE" read by anonymous auth by * none
access to * by dn.exact="cn=rec,ou=sys,$BASE" read by self read by users read by anonymous auth
overlay ppolicy
ppolicy_default "cn=default,ou=sys,$BASE"
ppolicy_use_lockout
overlay auditlog
auditlog $DIR/audit.ldif
`))
	ldif := "dn: " + base + "\nobjectClass: dcObject\nobjectClass: organization\ndc: kt\no: kt\n\n"
	for _, ou := range []string{"sys", "apps", "blind"} {
		ldif += fmt.Sprintf("dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, base, ou)
	}
	for _, cn := range []string{"rec", "manager", "guarded", "reader"} {
		ldif += fmt.Sprintf("dn: cn=%s,ou=sys,%s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: %s\nuserPassword: %s-pw\n\n", cn, base, cn, cn)
	}
	for name, rules := range map[string]string{
		"default": "pwdCheckQuality: 2\npwdInHistory: 3\npwdMaxFailure: 20\npwdLockout: TRUE",
		"strict":  "pwdCheckQuality: 2\npwdMinLength: 12\npwdInHistory: 3\npwdMaxFailure: 20\npwdLockout: TRUE",
		"young":   "pwdMinAge: 1000\npwdMaxFailure: 9\npwdLockout: TRUE",
		"locking": "pwdMaxFailure: 3\npwdLockout: TRUE\npwdLockoutDuration: 0",
		"safe":    "pwdSafeModify: TRUE",
		"fixed":   "pwdAllowUserChange: FALSE",
		"expiry":  "pwdMaxAge: 1",
		"grace":   "pwdMaxAge: 1\npwdGraceAuthNLimit: 5",
		"change":  "pwdMustChange: TRUE",
	} {
		ldif += fmt.Sprintf("dn: %s\nobjectClass: device\nobjectClass: pwdPolicy\ncn: %s\npwdAttribute: userPassword\n%s\n\n", policyDN(name), name, rules)
	}
	s.Write(t, "base.ldif", ldif)
	must(t, s.Command("/bin/mkdir", s.Dir+"/db").Run())
	if out, err := s.Command(loader, "-w", "-f", s.Dir+"/slapd.conf", "-l", s.Dir+"/base.ldif").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.stop = s.Start(t, s.Command(binary, "-f", s.Dir+"/slapd.conf", "-d", "stats",
		"-h", "ldap://127.0.0.1:"+s.port+"/ ldaps://127.0.0.1:"+s.tlsPort+"/"), func() error {
		conn, err := ldap.DialURL("ldap://127.0.0.1:" + s.port)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return s
}

func policyDN(name string) string { return "cn=" + name + ",ou=sys," + base }

// admin runs f with a connection of the directory's administrator, whom no policy binds.
func (s *server) admin(t *testing.T, f func(*ldap.Conn) error) {
	t.Helper()
	conn, err := ldap.DialURL("ldap://127.0.0.1:" + s.port)
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.Bind(rootDN, "admin-pw"))
	must(t, f(conn))
}

// create makes an entry with a password.
func (s *server) create(t *testing.T, dn, value string) target.Login {
	t.Helper()
	parsed, err := ldap.ParseDN(dn)
	must(t, err)
	add := ldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"person", "uidObject"})
	attributes := map[string][]string{"sn": {"x"}, "cn": {"x"}, "uid": {"x"}}
	for _, a := range parsed.RDNs[0].Attributes {
		attributes[strings.ToLower(a.Type)] = []string{a.Value}
	}
	for name, values := range attributes {
		add.Attribute(name, values)
	}
	s.admin(t, func(c *ldap.Conn) error { return c.Add(add) })
	s.set(t, dn, value)
	return target.Login{User: dn, Password: targettest.Value(value)}
}

func (s *server) set(t *testing.T, dn, value string) {
	t.Helper()
	s.admin(t, func(c *ldap.Conn) error {
		_, err := c.PasswordModify(ldap.NewPasswordModifyRequest(dn, "", value))
		return err
	})
}

// app makes an entry below apps, under a policy.
func (s *server) app(t *testing.T, cn, policy string) target.Login {
	t.Helper()
	l := s.create(t, "cn="+cn+","+apps, "start-"+rand.Text())
	s.rule(t, l.User, policy)
	return l
}

// rule puts an entry under a policy.
func (s *server) rule(t *testing.T, dn, policy string) {
	t.Helper()
	r := ldap.NewModifyRequest(dn, nil)
	r.Replace("pwdPolicySubentry", []string{policyDN(policy)})
	s.admin(t, func(c *ldap.Conn) error { return c.Modify(r) })
}

// addValue makes an entry take a further value.
func (s *server) addValue(t *testing.T, dn, value string) {
	t.Helper()
	r := ldap.NewModifyRequest(dn, nil)
	r.Add("userPassword", []string{value})
	s.admin(t, func(c *ldap.Conn) error { return c.Modify(r) })
}

// relax replaces an attribute that only the server may write, by the Relax Rules control.
func (s *server) relax(t *testing.T, dn, attribute, value string) {
	t.Helper()
	r := ldap.NewModifyRequest(dn, []ldap.Control{ldap.NewControlString("1.3.6.1.4.1.4203.666.5.12", true, "")})
	r.Replace(attribute, []string{value})
	s.admin(t, func(c *ldap.Conn) error { return c.Modify(r) })
}

// read returns the values of an attribute.
func (s *server) read(t *testing.T, dn, attribute string) []string {
	t.Helper()
	var out []string
	s.admin(t, func(c *ldap.Conn) error {
		r, err := c.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{attribute}, nil))
		if err == nil {
			out = r.Entries[0].GetAttributeValues(attribute)
		}
		return err
	})
	return out
}

// dump returns every entry with every attribute, but for what a wrong login leaves: a rehearsal may meet one.
func (s *server) dump(t *testing.T) string {
	t.Helper()
	return s.entries(t, "pwdFailureTime", "entryCSN", "modifyTimestamp", "modifiersName")
}

// entries returns every entry with every attribute, those of the server itself included, but for some.
func (s *server) entries(t *testing.T, but ...string) string {
	t.Helper()
	var out []string
	s.admin(t, func(c *ldap.Conn) error {
		found, err := c.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"*", "+"}, nil))
		if err != nil {
			return err
		}
		for _, e := range found.Entries {
			for _, a := range e.Attributes {
				if !slices.Contains(but, a.Name) {
					out = append(out, fmt.Sprintf("%s %s %q", e.DN, a.Name, a.Values))
				}
			}
		}
		return nil
	})
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// log returns what the server logged of operations and of changes.
func (s *server) log(t *testing.T) []byte {
	t.Helper()
	all := s.Read(t, "output") + s.Read(t, "audit.ldif")
	if !strings.Contains(all, "PASSMOD") || !strings.Contains(all, "BIND dn=") || !strings.Contains(all, "userPassword") {
		t.Fatal("the logs show nothing")
	}
	return []byte(all)
}

// binds is how many binds of dn the server has seen.
func (s *server) binds(t *testing.T, dn string) int {
	t.Helper()
	return strings.Count(s.Read(t, "output"), `BIND dn="`+dn+`" method=`)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
