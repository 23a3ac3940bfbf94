package story

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"golang.org/x/crypto/ssh"
)

// The types of Secrets that Kubernetes and its tools know.
const (
	opaque       = "Opaque"
	tlsType      = "kubernetes.io/tls"
	dockerType   = "kubernetes.io/dockerconfigjson"
	basicType    = "kubernetes.io/basic-auth"
	sshType      = "kubernetes.io/ssh-auth"
	accountToken = "kubernetes.io/service-account-token"
	helmType     = "helm.sh/release.v1"
)

// The roles of the story in PostgreSQL.
const (
	role          = "app_rw"
	reconcileRole = "keyturn_reconcile"
)

// quiet keeps the story's own statements with passwords out of the log that is searched for passwords later.
const quiet = "SET log_statement = 'none';\n"

var namespaces = []string{"shop", "billing", "platform"}

// object is a Kubernetes object as JSON.
type object = map[string]any

// place is one key of one Secret in one cluster. The password is the key's whole value, or stands in it by a format.
type place struct {
	site                   int
	namespace, secret, key string
	format                 string
}

// path is the place as the command line writes it.
func (s *Stage) path(p place) string {
	return s.sites[p.site].name + "/" + p.namespace + "/" + p.secret + "/" + p.key
}

// mapped are the keys that carry the password of role.
var mapped = []place{{0, "shop", "db", "password", ""}, {0, "billing", "orders", "DB_PASSWORD", ""}, {1, "shop", "db", "password", ""}, {1, "billing", "ledger", "DATABASE_URL", "url"}}

// dsn is what a program of the story connects with, and dsnPassword the password in it.
func dsn(password string) string {
	return (&url.URL{Scheme: "postgresql", User: url.UserPassword(role, password), Host: "db.example:5432", Path: "/orders", RawQuery: "sslmode=verify-full&application_name=ledger"}).String()
}

func dsnPassword(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("kubectl: the URL is none any more")
	}
	password, _ := u.User.Password()
	if text != dsn(password) {
		return "", errors.New("kubectl: more of the URL than its password was changed")
	}
	return password, nil
}

// fill makes the Secrets in both clusters and the roles in PostgreSQL.
func (s *Stage) fill(ctx context.Context) (string, error) {
	s.first, s.reconcile = rand.Text(), rand.Text()
	s.current = s.first
	s.secrets = append(s.secrets, s.first, s.reconcile)
	sql := quiet + fmt.Sprintf(`
		CREATE TABLE orders (id int PRIMARY KEY, item text);
		INSERT INTO orders VALUES (1, 'lamp'), (2, 'chair');
		CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s';
		GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO %[1]s;
		CREATE ROLE %[3]s LOGIN CREATEROLE PASSWORD '%[4]s';
		GRANT %[1]s TO %[3]s WITH ADMIN OPTION;`, role, s.first, reconcileRole, s.reconcile)
	if _, err := s.psql(ctx, s.postgres.SuperUser, s.postgres.SuperPassword, sql); err != nil {
		return "", err
	}
	made := 0
	for i, site := range s.sites {
		objects, err := s.objects(i)
		if err != nil {
			return "", err
		}
		if err := site.create(ctx, objects...); err != nil {
			return "", err
		}
		made += len(objects) - len(namespaces) - 1
	}
	for _, at := range mapped {
		o, err := s.object(ctx, at)
		if err != nil {
			return "", err
		}
		s.before = append(s.before, o)
	}
	return fmt.Sprintf("%d Secrets", made), s.deploy(ctx)
}

// create makes objects with kubectl, as an administrator would.
func (s *site) create(ctx context.Context, objects ...object) error {
	b, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": objects})
	if err != nil {
		return err
	}
	_, err = s.kubectl(ctx, string(b), "create", "-f", "-")
	return err
}

// objects are the namespaces, one ServiceAccount and the Secrets of a site.
func (s *Stage) objects(at int) ([]object, error) {
	var out []object
	for _, ns := range namespaces {
		out = append(out, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": ns}})
	}
	out = append(out, object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": object{"name": "robot", "namespace": "platform"}})
	cert, key, err := selfSigned("shop.example")
	if err != nil {
		return nil, err
	}
	ssh, err := sshKey()
	if err != nil {
		return nil, err
	}
	binary := make([]byte, 4096)
	_, _ = rand.Read(binary)
	db := []byte(s.first)
	auth := base64.StdEncoding.EncodeToString([]byte("robot:" + rand.Text()))
	docker := fmt.Appendf(nil, `{"auths": {"registry.example": {"auth": %q}}}`, auth)
	frozen := secret("platform", "licence", opaque, data{"key": []byte(rand.Text())})
	frozen["immutable"] = true
	robot := secret("platform", "robot-token", accountToken, nil)
	robot["metadata"].(object)["annotations"] = object{"kubernetes.io/service-account.name": "robot"}
	out = append(out,
		secret("shop", "db", opaque, data{"host": []byte("db.example"), "user": []byte(role), "password": db}),
		secret("shop", "tls", tlsType, data{"tls.crt": cert, "tls.key": key}),
		secret("shop", "smtp", basicType, data{"username": []byte("mailer"), "password": []byte(rand.Text())}),
		secret("shop", "feature-flags", opaque, data{"flags.json": []byte(`{"dark": true}`)}),
		secret("shop", "sh.helm.release.v1.shop.v1", helmType, data{"release": []byte(rand.Text())}),
		secret("billing", "registry", dockerType, data{".dockerconfigjson": docker}),
		secret("billing", "binary", opaque, data{"blob": binary, "nothing": {}}),
		secret("platform", "deploy-key", sshType, data{"ssh-privatekey": ssh}),
		secret("platform", "empty", opaque, nil),
		frozen, robot,
	)
	if at == 0 {
		out = append(out, secret("billing", "orders", opaque, data{"DB_USER": []byte(role), "DB_PASSWORD": db, "API_KEY": []byte(rand.Text())}))
	} else {
		out = append(out, secret("billing", "ledger", opaque, data{"DATABASE_URL": []byte(dsn(s.first)), "API_KEY": []byte(rand.Text())}))
	}
	return out, nil
}

// data is what a Secret holds; encoding/json writes it in base64, as Kubernetes wants it.
type data map[string][]byte

func secret(namespace, name, kind string, d data) object {
	o := object{"apiVersion": "v1", "kind": "Secret", "type": kind,
		"metadata": object{"namespace": namespace, "name": name, "labels": object{"app": namespace}}}
	if d != nil {
		o["data"] = d
	}
	return o
}

// selfSigned returns a certificate for name and its key, PEM.
func selfSigned(name string) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

// sshKey returns a new private key in OpenSSH's form.
func sshKey() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "deploy")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}
