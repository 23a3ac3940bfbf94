package identity

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/keyturn/keyturn/internal/fault"
)

// CanonicalName returns the one spelling of a user's or group's name: NFC, trimmed, lower case, 1 to 64 of a-z 0-9 . _ - @
// and a letter or digit first. It fails with fault.Invalid otherwise. The edge calls it once; all else compares ids.
func CanonicalName(s string) (string, error) {
	bad := fault.New(fault.Invalid, "that is not a name").WithField("name").
		WithCure("use 1 to 64 of the characters a-z 0-9 . _ - @, a letter or digit first")
	if len(s) > 256 {
		return "", bad
	}
	s = strings.ToLower(strings.TrimSpace(norm.NFC.String(s)))
	const first = "abcdefghijklmnopqrstuvwxyz0123456789"
	if s == "" || len(s) > 64 || !strings.Contains(first, s[:1]) || strings.Trim(s, first+"._-@") != "" {
		return "", bad
	}
	for _, r := range s {
		if !strings.ContainsRune(first+"._-@", r) {
			return "", bad
		}
	}
	return s, nil
}
