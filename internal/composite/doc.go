// Package composite finds and replaces one account's password, and its user name, inside a value that holds more than
// that: a DSN, a JSON document, a pull secret.
//
//	stored bytes ──reader of the format──▶ reading: user, password, places ──splice──▶ new bytes ──read again──▶ answer
//
// Invariants:
//   - What is outside the places is never touched. A reader only says where something stands; the new value is the old
//     bytes with those stretches exchanged, never a document printed anew.
//   - A replaced value is read again before it is returned, and it must yield exactly the wanted user name and password
//     at exactly the expected places. What fails that is refused.
//   - A place whose text does not change keeps its bytes, however it was spelled.
//   - What readers in the world disagree about (a duplicate key, a bare % in a URL) is refused, not guessed.
//   - No error carries a value or a piece of one, nor the place, which may be made of one.
//   - Plaintext that is copied here is overwritten before the call returns, but for the answer itself and for the strings
//     that the YAML library makes.
//
// All functions are pure and may be called by several goroutines at once. Time and memory are linear in the value's
// length, which [MaxBytes] bounds; htpasswd adds the cost of its hash.
package composite
