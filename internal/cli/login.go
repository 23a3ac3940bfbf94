package cli

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

// trustFlags say which certificate to believe at the first contact.
type trustFlags struct{ caFile, sha256 string }

func (t *trustFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&t.caFile, "ca-file", "", "file with the CA that signed the server's certificate")
	c.Flags().StringVar(&t.sha256, "ca-sha256", "", "SHA-256 of the certificate to trust, as the server printed it")
	_ = c.MarkFlagFilename("ca-file")
}

func (k *command) loginCommand() *cobra.Command {
	var trust trustFlags
	var name, passwordFile string
	c := k.act("login [--server URL] [--username U] [--password-file F|-] [--ca-file F | --ca-sha256 HEX]",
		"Sign in, and keep the session for the commands after it", 0, 0, func(ctx context.Context, _ []string) error {
			t, err := k.firstContact(ctx, trust)
			if err != nil {
				return err
			}
			if name, err = k.username(name); err != nil {
				return err
			}
			password, err := k.value("password-file", passwordFile, "Password of "+clean(name))
			if err != nil {
				return err
			}
			api, err := k.connectTo(t)
			if err != nil {
				return err
			}
			s, err := api.Login(ctx, client.Login{Name: name, Password: password})
			if err != nil {
				return err
			}
			return k.keep(t, s)
		})
	c.Flags().StringVar(&name, "username", "", "who you are")
	c.Flags().StringVar(&passwordFile, "password-file", "", "file with the password, or - for standard input")
	trust.add(c)
	return c
}

func (k *command) unsealCommand() *cobra.Command {
	var trust trustFlags
	var passphraseFile string
	c := k.act("unseal [--server URL] [--passphrase-file F|-] [--ca-file F | --ca-sha256 HEX]",
		"Open a sealed server: with its passphrase, or after its root key file was put back", 0, 0, func(ctx context.Context, _ []string) error {
			t, err := k.firstContact(ctx, trust)
			if err != nil {
				return err
			}
			api, err := k.connectTo(t)
			if err != nil {
				return err
			}
			h, err := api.Health(ctx)
			if err != nil {
				return err
			}
			var in client.Unseal
			if h.Sealed && h.Passphrase {
				if in.Passphrase, err = k.value("passphrase-file", passphraseFile, "Passphrase"); err != nil {
					return err
				}
			}
			if h.Sealed {
				if _, err = api.Unseal(ctx, in); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintln(k.Err, "The server is open.")
			return err
		})
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase, or - for standard input")
	trust.add(c)
	return c
}

func (k *command) setupCommand() *cobra.Command {
	var trust trustFlags
	var name, code, codeFile, passwordFile string
	c := k.act("setup (--code CODE | --code-file F|-) --username U --password-file F|-",
		"Make the first administrator with the one-time code that the server printed", 0, 0, func(ctx context.Context, _ []string) error {
			if code != "" && codeFile != "" {
				return usage("--code and --code-file exclude each other")
			}
			if codeFile == "-" && passwordFile == "-" {
				return usage("standard input gives one value; put the other in a file")
			}
			t, err := k.firstContact(ctx, trust)
			if err != nil {
				return err
			}
			n := client.Setup{Code: client.NewValue(code)}
			if code == "" {
				if n.Code, err = k.value("code-file", codeFile, "One-time code"); err != nil {
					return err
				}
			}
			if n.Name, err = k.username(name); err != nil {
				return err
			}
			if n.Password, err = k.newPassword("password-file", passwordFile, "Password of "+clean(n.Name)); err != nil {
				return err
			}
			api, err := k.connectTo(t)
			if err != nil {
				return err
			}
			s, err := api.Setup(ctx, n)
			if err != nil {
				return err
			}
			return k.keep(t, s)
		})
	f := c.Flags()
	f.StringVar(&code, "code", "", "the one-time code")
	f.StringVar(&codeFile, "code-file", "", "file with the one-time code, or - for standard input")
	f.StringVar(&name, "username", "", "name of the first administrator")
	f.StringVar(&passwordFile, "password-file", "", "file with the password, or - for standard input")
	trust.add(c)
	return c
}

func (k *command) username(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if _, ok := terminal(k.In); !ok {
		return "", usage("--username is needed")
	}
	name, err := k.line("Name")
	if err == nil && name == "" {
		err = usage("--username is needed")
	}
	return name, err
}

// keep stores a session that was just opened.
func (k *command) keep(t target, s client.Session) error {
	if s.Secret.IsZero() {
		return errors.New("the server opened a session without its secret")
	}
	kept := session{URL: t.url, CA: string(t.ca), User: s.User.Name, Token: s.Secret, ExpiresAt: s.ExpiresAt}
	if err := k.saveSession(kept); err != nil {
		return err
	}
	k.done("Signed in to %s as %s (%s).", t.url, s.User.Name, s.User.Role)
	return nil
}

// firstContact makes sure that the server is who it should be, before any password is asked for or sent.
func (k *command) firstContact(ctx context.Context, flags trustFlags) (target, error) {
	t, err := k.target()
	if err != nil {
		return t, err
	}
	t.token = client.Value{}
	if flags.caFile != "" {
		ca, err := k.text("ca-file", flags.caFile)
		if err != nil {
			return t, err
		}
		t.ca = []byte(ca)
	}
	api, err := k.connectTo(t)
	if err != nil {
		return t, err
	}
	_, err = api.Health(ctx)
	bad, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok {
		return t, err
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown || len(bad.UnverifiedCertificates) == 0 {
		return t, err
	}
	cert, err := k.choose(bad.UnverifiedCertificates, flags.sha256)
	if err != nil {
		return t, err
	}
	t.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	if api, err = k.connectTo(t); err != nil {
		return t, err
	}
	_, err = api.Health(ctx) // now checked against what was chosen, host name included
	return t, err
}

// unknownCertificate is the type of the problems that only the first contact has.
const unknownCertificate = "urn:keyturn:problem:certificate-unknown"

// choose returns the certificate of a presented chain that is to be trusted: the one that was named, or the highest, if
// a person says so.
func (k *command) choose(chain []*x509.Certificate, want string) (*x509.Certificate, error) {
	if want != "" {
		for _, cert := range chain {
			if fingerprint(cert) == normal(want) {
				return cert, nil
			}
		}
		return nil, &client.Problem{Type: unknownCertificate, Title: "The server's certificate is not the one that you named",
			Cause: fmt.Sprintf("Its SHA-256 is %s.", fingerprint(chain[len(chain)-1])),
			Cure:  "Compare it with what the server printed when it started.", Unchanged: "Nothing was sent."}
	}
	top := chain[len(chain)-1]
	if _, ok := terminal(k.In); !ok {
		return nil, &client.Problem{Type: unknownCertificate, Title: "The server's certificate is not trusted",
			Cause:     fmt.Sprintf("It is signed by none that is known here. Its SHA-256 is %s.", fingerprint(top)),
			Cure:      "Compare it with what the server printed when it started, then give it as --ca-sha256, or the CA as --ca-file.",
			Unchanged: "Nothing was sent."}
	}
	k.done("The server's certificate is signed by none that is known here.")
	k.done("subject: %s\u2003until: %s", top.Subject, instant(top.NotAfter))
	k.done("SHA-256: %s", fingerprint(top))
	k.done("Compare it with what the server printed when it started.")
	got, err := k.line("Trust it? [y/N]")
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(got, "y") && !strings.EqualFold(got, "yes") {
		return nil, usage("not trusted; nothing was sent")
	}
	return top, nil
}

func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// normal is a fingerprint as fingerprint writes it, whichever way it was typed.
func normal(s string) string {
	s = strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(s))
	return strings.TrimPrefix(s, "sha256")
}

func (k *command) logoutCommand() *cobra.Command {
	return k.act("logout", "End the session", 0, 0, func(ctx context.Context, _ []string) error {
		kept, err := k.loadSession()
		if err != nil {
			return err
		}
		if kept.Token.IsZero() {
			k.done("Nobody is signed in.")
			return nil
		}
		api, err := k.connectTo(target{url: kept.URL, ca: []byte(kept.CA), token: kept.Token})
		if err != nil {
			return err
		}
		err = api.Logout(ctx)
		if p, ok := errors.AsType[*client.Problem](err); err != nil && (!ok || p.Status != 401) { // 401: it has ended already
			return err
		}
		if err := k.saveSession(session{URL: kept.URL, CA: kept.CA}); err != nil { // what to trust stays known
			return err
		}
		k.done("Signed out of %s.", kept.URL)
		return nil
	})
}

func (k *command) whoamiCommand() *cobra.Command {
	return k.call("whoami", "Show who you are to the server", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
		s, err := api.Session(ctx)
		if err != nil {
			return err
		}
		s.Secret = client.Value{}
		return printOne(k, s, s.User.Name, []fact{
			{"user", s.User.Name}, {"called", s.User.DisplayName}, {"role", s.User.Role}, {"by", s.Kind},
			{"scopes", strings.Join(s.Scopes, ",")}, {"server", api.URL()}, {"until", instantOf(s.ExpiresAt)},
			{"idle until", instantOf(s.IdleUntil)},
		})
	})
}
