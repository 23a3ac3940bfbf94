package client

import "fmt"

// Value is a plaintext that travels: a password, a token, the contents of a key. It prints as "[redacted]" in every
// format; only its JSON holds the text. The zero Value is absent.
type Value struct{ text *string }

// NewValue returns the Value of text.
func NewValue(text string) Value { return Value{&text} }

// Text returns the plaintext, empty if there is none.
func (v Value) Text() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero reports whether there is no value; an empty text is one.
func (v Value) IsZero() bool { return v.text == nil }

// Format keeps the text out of everything that fmt makes.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// String is redacted.
func (v Value) String() string { return "[redacted]" }

// MarshalText gives the plaintext, for the wire.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.Text()), nil }

// UnmarshalText takes the plaintext from the wire.
func (v *Value) UnmarshalText(b []byte) error {
	text := string(b)
	v.text = &text
	return nil
}
