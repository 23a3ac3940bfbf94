// Package vault keeps values: plaintext in the one type that does not print itself, ciphertext in another, and the ring
// of keys between the two.
//
//	root key (seal) ──wraps──▶ ring key ──HKDF(record)──▶ record key ──AES-256-GCM──▶ Sealed
//
// Invariants: plaintext leaves a [Value] only through Expose; a [Sealed] opens only as the record, kind and version it
// was sealed for, so a ciphertext that was moved to another row does not open.
package vault

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Value is a plaintext. Its zero value is empty. It never prints, logs or marshals what it holds: not with %+v of a
// struct that has one in an unexported field (hence the closure, which fmt cannot look into), not as JSON, not in slog.
// It may be used by several goroutines at once as long as none of them calls Wipe.
type Value struct{ get func() []byte }

// NewValue returns a Value that holds b. It takes b over: the caller must not use b afterwards.
func NewValue(b []byte) Value { return Value{get: func() []byte { return b }} }

// Expose calls f with the plaintext; it is the only way out. f must not keep or change the slice. Callers outside
// target, kube and the few edge operations that answer with a value are refused by a lint rule.
func (v Value) Expose(f func([]byte) error) error {
	if v.get == nil {
		return f(nil)
	}
	return f(v.get())
}

// Len returns the length in bytes. It is as secret as the value where that is a password.
func (v Value) Len() int {
	if v.get == nil {
		return 0
	}
	return len(v.get())
}

// Equal reports in constant time whether both hold the same bytes.
func (v Value) Equal(w Value) bool {
	var a, b []byte
	if v.get != nil {
		a = v.get()
	}
	if w.get != nil {
		b = w.get()
	}
	return subtle.ConstantTimeCompare(a, b) == 1
}

// Wipe overwrites the plaintext with zeros, as far as a garbage-collected language can promise that.
func (v Value) Wipe() {
	if v.get != nil {
		clear(v.get())
	}
}

// Format implements fmt.Formatter: every verb prints "[redacted]".
func (v Value) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// String implements fmt.Stringer.
func (v Value) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (v Value) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary implements encoding.BinaryMarshaler, and with it gob.
func (v Value) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }
