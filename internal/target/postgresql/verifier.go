package postgresql

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// iterations is the server's own default; each login costs the client as many rounds.
const iterations = 4096

var verifierForm = regexp.MustCompile(`^SCRAM-SHA-256\$4096:([A-Za-z0-9+/]{22}==)\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$`)

func newVerifier(value vault.Value) (vault.Value, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails: the program ends instead
	v, err := deriveVerifier(value, salt)
	if err != nil {
		return vault.Value{}, err
	}
	return vault.NewValue([]byte(v)), nil
}

// deriveVerifier follows RFC 5802 and the form of pg_authid.rolpassword.
func deriveVerifier(value vault.Value, salt []byte) (string, error) {
	var out string
	err := value.Expose(func(b []byte) error {
		key, err := pbkdf2.Key(sha256.New, normalised(string(b)), salt, iterations, sha256.Size)
		if err != nil {
			return fmt.Errorf("scram verifier: %w", err)
		}
		mac := func(s string) []byte {
			h := hmac.New(sha256.New, key)
			h.Write([]byte(s))
			return h.Sum(nil)
		}
		b64 := base64.StdEncoding.EncodeToString
		stored := sha256.Sum256(mac("Client Key"))
		out = fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac("Server Key")))
		return nil
	})
	return out, err
}

// normalised is what the client library makes of a password at login.
func normalised(s string) string {
	if p, err := precis.OpaqueString.String(s); err == nil {
		return p
	}
	return s
}

// checkedVerifier returns the text of prepared if it is a verifier of value.
func checkedVerifier(prepared, value vault.Value) (string, error) {
	var text string
	_ = prepared.Expose(func(b []byte) error { text = string(b); return nil })
	wrong := func(msg string) error {
		return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: "prepare the change anew"}
	}
	m := verifierForm.FindStringSubmatch(text)
	if m == nil {
		return "", wrong("the prepared verifier is malformed")
	}
	salt, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		return "", wrong("the prepared verifier is malformed")
	}
	want, err := deriveVerifier(value, salt)
	if err != nil {
		return "", wrong("the prepared verifier cannot be computed here")
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(text)) != 1 {
		return "", wrong("the prepared verifier was made from another value")
	}
	return text, nil
}

// checkValue refuses what the server or some client of it could not log in with.
func (t *Target) checkValue(value vault.Value) error {
	if err := t.Spec().Limits.Check(value); err != nil {
		return err
	}
	return value.Expose(func(b []byte) error {
		if stable(string(b)) {
			return nil
		}
		return &target.Error{
			Outcome: target.Rejected,
			Msg:     "the value has characters that PostgreSQL's clients read in different ways",
			Cure:    "use ASCII, or composed characters without compatibility forms",
		}
	})
}

// stable reports whether a password stays what it is under both preparations in use: libpq and the server take SASLprep
// (RFC 4013, hence NFKC and the characters that it drops), other clients precis (RFC 8265). ASCII always does.
func stable(s string) bool {
	ascii := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	if ascii {
		return true
	}
	p, err := precis.OpaqueString.String(s)
	return err == nil && p == s && norm.NFKC.String(s) == s && !strings.ContainsAny(s, "\u00ad\u034f\u1806\u200b\u200c\u200d\u2060\ufeff")
}

func checkRole(name string) error {
	if name == "" || len(name) > maxRoleName || strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		return &target.Error{
			Outcome: target.Misconfigured,
			Msg:     fmt.Sprintf("a role name has 1 to %d bytes of valid UTF-8", maxRoleName),
			Cure:    "correct the name",
		}
	}
	return nil
}
