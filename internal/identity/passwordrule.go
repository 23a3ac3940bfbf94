package identity

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	minPassword = 15   // characters
	maxPassword = 1024 // bytes: room for any passphrase, and a bound on what one request makes the process hash
	minOwn      = 5    // characters that have to remain when everything guessable is taken out
)

// guessable are the words and runs that long bad passwords are made of. Longest first where one contains another.
var guessable = []string{
	"correcthorsebatterystaple", "abcdefghijklmnopqrstuvwxyz", "administrator", "1234567890", "0123456789", "0987654321",
	"qwertyuiop", "qwertzuiop", "asdfghjkl", "123456789", "password", "passwort", "p@ssw0rd", "passw0rd", "12345678",
	"changeme", "iloveyou", "keyturn", "letmein", "welcome", "zxcvbnm", "yxcvbnm", "123456", "qwerty", "qwertz",
	"secret", "abcdef", "admin", "login", "12345", "root",
}

// CheckPassword fails with fault.Invalid unless password may be the new password of the user with this canonical name: 15
// characters to 1024 bytes of UTF-8, and not merely the user's name, a well-known word or one character over and over.
// It asks for no kinds of characters. No error says what the password holds.
func CheckPassword(name string, password vault.Value) error {
	return password.Expose(func(b []byte) error {
		if len(b) > maxPassword {
			return errTooLong()
		}
		text := norm.NFC.Append(nil, b...)
		defer clear(text)
		if !utf8.Valid(text) || utf8.RuneCount(text) < minPassword {
			return fault.New(fault.Invalid, "the password is too short or no text").WithCode("password-short").WithField("password").
				WithCure("use at least %d characters: four or five unrelated words do well", minPassword)
		}
		if own(name, text) < minOwn {
			return fault.New(fault.Invalid, "the password is easy to guess").WithCode("password-guessable").
				WithField("password").WithCure("add words that have nothing to do with the user's name or with each other")
		}
		return nil
	})
}

// own counts the characters of text, which is not empty, that are in no guessable part of it.
func own(name string, text []byte) int {
	rest := bytes.ToLower(text)
	_, first := utf8.DecodeRune(rest)
	if len(bytes.ReplaceAll(rest, rest[:first], nil)) == 0 {
		clear(rest)
		return 0 // one character over and over
	}
	for _, part := range append([]string{name}, guessable...) {
		if part == "" {
			continue
		}
		next := bytes.ReplaceAll(rest, []byte(part), nil)
		clear(rest)
		rest = next
	}
	defer clear(rest)
	return utf8.RuneCount(rest)
}

func errTooLong() error {
	return fault.New(fault.Invalid, "the password is too long").WithCode("password-long").WithField("password").
		WithCure("use at most %d bytes", maxPassword)
}
