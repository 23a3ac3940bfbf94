package vault

import (
	"bytes"
)

// Mark is what is stored beside a sealed value so that equal ones are found: its fingerprint, and whether that it is equal to
// another says nothing.
type Mark struct {
	Print Fingerprint
	// Common is true for values that stand in many places because they are no secrets. They are found like any other, but
	// not gathered in groups.
	Common bool
}

// MarkOf returns the mark of v. The zero Mark means that a value has none.
func MarkOf(keys interface{ Fingerprint(Value) Fingerprint }, v Value) Mark {
	return Mark{Print: keys.Fingerprint(v), Common: common(v)}
}

// shortest is the length from which a value can be somebody's secret. Whatever is shorter can be guessed in a moment.
const shortest = 4

// longestNumber is how many digits a port, a year or a size has at most. A longer number may be a PIN.
const longestNumber = 5

// commonWords are settings, in lower case.
var commonWords = [][]byte{
	[]byte("true"), []byte("false"), []byte("null"), []byte("none"), []byte("auto"), []byte("enabled"), []byte("disabled"),
	[]byte("localhost"), []byte("127.0.0.1"), []byte("0.0.0.0"), []byte("{}"), []byte("[]"),
}

// common reports whether v is one of the values that many places hold without having anything to do with each other: short
// ones, settings, small numbers, and certificates, which are public.
func common(v Value) (is bool) {
	_ = v.Expose(func(b []byte) error {
		b = bytes.TrimSpace(b)
		is = len(b) < shortest || smallNumber(b) || certificates(b)
		for _, word := range commonWords {
			is = is || bytes.EqualFold(b, word)
		}
		return nil
	})
	return is
}

func smallNumber(b []byte) bool {
	if len(b) > longestNumber {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// certificates reports whether b is PEM with certificates and no private key.
func certificates(b []byte) bool {
	return bytes.HasPrefix(b, []byte("-----BEGIN CERTIFICATE-----")) && !bytes.Contains(b, []byte("PRIVATE KEY-----"))
}
