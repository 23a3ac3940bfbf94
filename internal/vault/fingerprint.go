package vault

import "encoding/hex"

// Fingerprint tells whether two values are equal without opening either: HMAC-SHA256 under a key of its own, cut to 16
// bytes. Without that key it says nothing about the value, not even to who guesses it; whoever can read two fingerprints
// learns whether their values are equal.
//
// Two different values share a fingerprint with odds of 2^-128; among a billion values (2^30) the odds that any two do
// are about 2^-69. A fingerprint therefore finds equal values; where a wrong "equal" could lose one, open both.
type Fingerprint [16]byte

// String returns the fingerprint in hex.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Fingerprint returns the fingerprint of v; an empty value has one too. It is the same for the life of the repository:
// neither a new root key nor a new data key changes it. Safe for concurrent use.
func (r *Ring) Fingerprint(v Value) (fp Fingerprint) {
	mac := r.keys.Load().fingerprint
	_ = v.Expose(func(b []byte) error {
		sum := mac.of(b)
		copy(fp[:], sum[:])
		return nil
	})
	return fp
}
