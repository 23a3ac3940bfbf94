package kube

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// NormaliseToken accepts a token as people paste it, raw or in base64 as kubectl's jsonpath prints a Secret's data, with
// white space around it or line breaks in it, and returns the raw token. It fails with fault.Invalid when the token is
// empty, truncated, or holds bytes that no header can carry; the error never quotes it.
func NormaliseToken(v vault.Value) (vault.Value, error) {
	var out vault.Value
	err := v.Expose(func(b []byte) error {
		raw := bytes.Join(bytes.Fields(b), nil)
		raw = bytes.TrimPrefix(raw, []byte("Bearer"))
		if len(raw) == 0 {
			return tokenFault("token-empty", "the token is empty", "paste what the command beside the field prints")
		}
		if !bytes.HasPrefix(raw, []byte("eyJ")) {
			if dec, ok := decode64(raw); ok && printable(dec) && len(dec) > 0 {
				raw = dec
			}
		}
		if !printable(raw) {
			return tokenFault("token-unreadable", "the token holds characters that no token has",
				"paste only what the command prints")
		}
		if jwtTruncated(raw) {
			return tokenFault("token-truncated", "the token is cut off", "copy it again, from the first character to the last")
		}
		out = vault.NewValue(bytes.Clone(raw))
		return nil
	})
	return out, err
}

func tokenFault(code, cause, cure string) error {
	return fault.New(fault.Invalid, "%s", cause).WithCode(code).WithField("token").WithCure("%s", cure)
}

func decode64(b []byte) ([]byte, bool) {
	s := strings.TrimRight(string(b), "=")
	dec, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil && len(s)%4 == 1 { // one character of the last group is missing: what is before it still decodes
		dec, err = base64.RawStdEncoding.DecodeString(s[:len(s)-1])
	}
	// Only a JWT is recognised as having been encoded: any other printable token could be base64 by chance.
	return dec, err == nil && bytes.HasPrefix(dec, []byte("eyJ"))
}

func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// signatureBytes is the length of a signature by algorithm; RSA's depends on the key.
func signatureBytes(alg string) []int {
	switch alg {
	case "ES256", "EdDSA":
		return []int{64}
	case "ES384":
		return []int{96}
	case "ES512":
		return []int{132}
	case "RS256", "RS384", "RS512":
		return []int{256, 384, 512, 1024}
	}
	return nil
}

// jwtTruncated reports whether b begins like a JWT and does not end like one.
func jwtTruncated(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("eyJ")) {
		return false
	}
	parts := bytes.Split(b, []byte("."))
	if len(parts) != 3 {
		return true
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if !decodePart(parts[0], &header) || !decodePart(parts[1], &struct{}{}) {
		return true
	}
	sig, err := base64.RawURLEncoding.DecodeString(string(parts[2]))
	if err != nil || len(sig) == 0 {
		return true
	}
	want := signatureBytes(header.Alg)
	for _, n := range want {
		if len(sig) == n {
			return false
		}
	}
	return want != nil
}

func decodePart(b []byte, into any) bool {
	dec, err := base64.RawURLEncoding.DecodeString(string(b))
	return err == nil && json.Unmarshal(dec, into) == nil
}

// claims are what a token says about itself. They are not verified: they explain a refusal, and say what to ask of the API
// server that verifies the token.
type claims struct {
	Issuer    string
	Subject   string
	Audience  []string
	Secret    string // of which a long-lived ServiceAccount token is the content
	IssuedAt  time.Time
	ExpiresAt time.Time // zero: never
}

// readClaims returns the unverified claims of a JWT; ok is false when v is none.
func readClaims(v vault.Value) (c claims, ok bool) {
	var raw struct {
		Iss string          `json:"iss"`
		Sub string          `json:"sub"`
		Aud json.RawMessage `json:"aud"`
		Exp float64         `json:"exp"`
		Iat float64         `json:"iat"`
		Of  string          `json:"kubernetes.io/serviceaccount/secret.name"`
	}
	_ = v.Expose(func(b []byte) error {
		parts := bytes.Split(b, []byte("."))
		ok = len(parts) == 3 && decodePart(parts[1], &raw)
		return nil
	})
	if !ok {
		return c, false
	}
	c.Issuer, c.Subject, c.Secret = clip(raw.Iss), clip(raw.Sub), clip(raw.Of)
	var one string
	if json.Unmarshal(raw.Aud, &c.Audience) != nil && json.Unmarshal(raw.Aud, &one) == nil {
		c.Audience = []string{one}
	}
	at := func(seconds float64) (t time.Time) {
		if seconds > 0 && seconds < 1<<40 {
			t = time.Unix(int64(seconds), 0).UTC()
		}
		return t
	}
	c.IssuedAt, c.ExpiresAt = at(raw.Iat), at(raw.Exp)
	return c, true
}

// clip bounds text that somebody else wrote and that is shown to a person.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > 400 {
		return strings.ToValidUTF8(s[:400], "") + " …"
	}
	return s
}
