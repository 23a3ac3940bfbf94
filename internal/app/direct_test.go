package app

import (
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// No type of target is led to the metadata service of a cloud, under any of its spellings, and each says why.
func TestNoTargetIsTheCloudsMetadataService(t *testing.T) {
	registry, err := newRegistry(kube.DialDirect)
	if err != nil {
		t.Fatal(err)
	}
	dialers := 0
	for _, spec := range registry.Specs() {
		kind, err := registry.Target(spec.Type)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := kind.(target.Dialer); !ok {
			continue
		}
		dialers++
		verifier, err := registry.Verifier(spec.Type)
		if err != nil {
			t.Fatal(err)
		}
		login := target.Login{User: map[string]string{"ldap": "cn=app,dc=example"}[spec.Type], Password: vault.NewValue([]byte("a value of a login"))}
		if login.User == "" {
			login.User = "app"
		}
		if spec.Type == "linux-key" {
			generator, ok := kind.(target.Generator)
			if !ok {
				t.Fatal("linux-key makes no keys")
			}
			if login.Password, err = generator.Generate(); err != nil {
				t.Fatal(err)
			}
		}
		for _, host := range []string{"169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "fd00:ec2::254"} {
			c := target.Connection{"host": host}
			for name, text := range map[string]string{"path": "/hook", "verify_path": "/hook", "resource": "x", "host_key": "SHA256:" + strings.Repeat("A", 43)} {
				for _, f := range spec.Fields {
					if f.Name == name {
						c[name] = text
					}
				}
			}
			err := verifier.Verify(t.Context(), c, login)
			if target.OutcomeOf(err) != target.Unreachable || !strings.Contains(err.Error(), "is refused: it is") {
				t.Errorf("%s at %s: %v", spec.Type, host, err)
			}
		}
	}
	if dialers != 8 {
		t.Errorf("%d types open connections, want 8", dialers)
	}
}
