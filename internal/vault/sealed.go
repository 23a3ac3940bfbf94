package vault

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/keyturn/keyturn/internal/fault"
)

// Sealed is a ciphertext as it is stored. Its format, integers big-endian:
//
//	offset  length  content
//	0       1       magic, 'K'
//	1       1       format version, 1
//	2       1       algorithm, 1 = AES-256-GCM
//	3       4       id of the data key in the ring
//	7       12      nonce, random
//	19      n       ciphertext, as long as the plaintext
//	19+n    16      tag
//
// Every record has its own key, HKDF-SHA256 of the data key without salt, with
//
//	info = lp("keyturn/record/v1") ‖ lp(kind) ‖ lp(id)          lp(x) = length of x (4 bytes) ‖ x
//
// and the associated data is
//
//	format version (1) ‖ algorithm (1) ‖ key id (4) ‖ lp(kind) ‖ lp(id) ‖ version (8)
//
// so a ciphertext that was moved to another row or column, put back from an older version, or given another header does
// not open. The length prefixes keep ("ab", "c") and ("a", "bc") apart.
type Sealed []byte

const (
	sealedMagic   = 'K'
	sealedFormat  = 1
	algAES256GCM  = 1
	sealedHeader  = 7
	gcmOverhead   = 12 + 16 // nonce and tag
	recordKeyInfo = "keyturn/record/v1"
)

// Overhead is by how many bytes a Sealed is longer than its plaintext.
const Overhead = sealedHeader + gcmOverhead

// Record names what a Sealed belongs to: Kind is the table and column, such as "credential_version.value"; ID the row;
// Version the version of the value, 0 where there is only one. The same three must be given to open it.
type Record struct {
	Kind    string
	ID      string
	Version int64
}

// KeyID returns the id of the data key that s was sealed with, and whether s has the form of a Sealed at all. It proves
// nothing: only [Ring.Open] does.
func (s Sealed) KeyID() (id uint32, ok bool) {
	if len(s) < Overhead || s[0] != sealedMagic || s[1] != sealedFormat || s[2] != algAES256GCM {
		return 0, false
	}
	return binary.BigEndian.Uint32(s[3:sealedHeader]), true
}

// Seal encrypts v for rec with the active data key. Two seals of the same value differ. It fails when rec has no kind or
// no id, with fault.Unavailable when the key may not be used again before that is stored, and when the system has no
// cryptography. Safe for concurrent use.
func (r *Ring) Seal(rec Record, v Value) (Sealed, error) {
	if rec.Kind == "" || rec.ID == "" {
		return nil, errors.New("seal: a record needs a kind and an id")
	}
	key := r.keys.Load().active
	if !key.count.take() {
		return nil, fault.New(fault.Unavailable, "the data key may not be used again before that is counted in the repository").WithCode("uses-not-counted").
			WithCure("try again; if it lasts, the repository does not take writes").WithUnchanged("nothing was sealed")
	}
	aead, err := key.forRecord(rec)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	var out []byte
	err = v.Expose(func(plain []byte) error {
		out = make([]byte, sealedHeader, Overhead+len(plain))
		out[0], out[1], out[2] = sealedMagic, sealedFormat, algAES256GCM
		binary.BigEndian.PutUint32(out[3:], key.id)
		out = aead.Seal(out, nil, plain, rec.associated(key.id))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return out, nil
}

// Open decrypts what Seal returned for the same record. Whatever does not fit (the record, the version, a byte, the
// format, a data key that the ring does not hold) gives one and the same fault: fault.Conflict, code
// "value-unreadable". When the ring does not hold the data key, what OnMissing has set is asked first. Safe for
// concurrent use.
func (r *Ring) Open(rec Record, s Sealed) (Value, error) {
	id, ok := s.KeyID()
	key := r.keys.Load().data[id]
	if ask := r.missing.Load(); ok && key == nil && ask != nil {
		(*ask)(id)
		key = r.keys.Load().data[id]
	}
	if !ok || key == nil {
		return Value{}, unreadable()
	}
	aead, err := key.forRecord(rec)
	if err != nil {
		return Value{}, fmt.Errorf("open: %w", err)
	}
	plain, err := aead.Open(nil, nil, s[sealedHeader:], rec.associated(id))
	if err != nil {
		return Value{}, unreadable()
	}
	return NewValue(plain), nil
}

func unreadable() error {
	return fault.New(fault.Conflict, "the stored value cannot be opened: it is damaged, or belongs to another record or ring").
		WithCode("value-unreadable").
		WithCure("restore this record from a backup, or fetch or reset the value")
}

// forRecord returns the cipher of one record. A SHA-256 key is a single block of HKDF's expansion, HMAC(prk, info ‖ 1),
// so the key of the HMAC is absorbed once for all records; crypto/hkdf would do it again for each, which is half of the
// time that a seal takes.
func (k *dataKey) forRecord(rec Record) (cipher.AEAD, error) {
	info := make([]byte, 0, 64+len(rec.Kind)+len(rec.ID))
	info = appendPrefixed(info, recordKeyInfo)
	info = appendPrefixed(info, rec.Kind)
	info = appendPrefixed(info, rec.ID)
	key := k.prk.of(append(info, 1))
	defer clear(key[:])
	return newGCM(key[:])
}

// associated returns the data that is authenticated with the value.
func (rec Record) associated(keyID uint32) []byte {
	b := make([]byte, 0, 32+len(rec.Kind)+len(rec.ID))
	b = append(b, sealedFormat, algAES256GCM)
	b = binary.BigEndian.AppendUint32(b, keyID)
	b = appendPrefixed(b, rec.Kind)
	b = appendPrefixed(b, rec.ID)
	return binary.BigEndian.AppendUint64(b, uint64(rec.Version))
}

func appendPrefixed(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
