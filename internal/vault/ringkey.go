package vault

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// RingKey is one key of a ring as it is stored: it says nothing without the root key.
type RingKey struct {
	ID      uint32 // unique in the ring, from 1, growing
	Purpose string
	// Wrapped is format version (1 byte, 1) ‖ algorithm (1 byte, 1 = AES-256-GCM) ‖ nonce (12) ‖ ciphertext (32) ‖ tag (16)
	// under a key derived from the root key, with the two first bytes, the id and the purpose as associated data.
	Wrapped   []byte
	CreatedAt time.Time // UTC, whole microseconds
	RetiredAt time.Time // when it stopped to seal, UTC; zero while it does
}

// Tag is how the id of a data key stands in every [Sealed] that was sealed with it, from the fourth byte on.
func (k RingKey) Tag() []byte { return binary.BigEndian.AppendUint32(nil, k.ID) }

const (
	wrapFormat = 1
	wrapHeader = 2
	wrappedLen = wrapHeader + gcmOverhead + KeyLen
)

func (k RingKey) associated() []byte {
	b := []byte{wrapFormat, algAES256GCM}
	b = binary.BigEndian.AppendUint32(b, k.ID)
	return appendPrefixed(b, k.Purpose)
}

func (k *RingKey) wrap(wrapper cipher.AEAD, plain []byte) {
	k.Wrapped = wrapper.Seal([]byte{wrapFormat, algAES256GCM}, nil, plain, k.associated())
}

func (k RingKey) unwrap(wrapper cipher.AEAD) (plain []byte, ok bool) {
	if len(k.Wrapped) != wrappedLen || k.Wrapped[0] != wrapFormat || k.Wrapped[1] != algAES256GCM {
		return nil, false
	}
	plain, err := wrapper.Open(nil, nil, k.Wrapped[wrapHeader:], k.associated())
	return plain, err == nil
}

// unwrapAll opens every row, or none: a single row that opens proves the root key, so the others are damaged, not locked.
func unwrapAll(wrapper cipher.AEAD, rows []RingKey) (map[uint32][]byte, error) {
	if len(rows) == 0 {
		return nil, damaged("the repository has no key ring")
	}
	plain := make(map[uint32][]byte, len(rows))
	var failed []uint32
	for _, row := range rows {
		key, ok := row.unwrap(wrapper)
		if !ok {
			failed = append(failed, row.ID)
			continue
		}
		if plain[row.ID] != nil {
			return nil, damaged("two keys of the ring share the id %d", row.ID)
		}
		plain[row.ID] = key
	}
	slices.Sort(failed)
	switch len(failed) {
	case 0:
		return plain, nil
	case len(rows):
		return nil, fault.New(fault.Sealed, "the root key is not the one that this repository was sealed with").
			WithCode("wrong-root-key").
			WithCure("start with the root key of this repository, or with the repository of this root key").
			WithUnchanged("nothing was written")
	default:
		return nil, damaged("%d of %d keys of the ring do not open, the first is %d", len(failed), len(rows), failed[0])
	}
}

func damaged(format string, args ...any) error {
	return fault.New(fault.Sealed, format, args...).
		WithCode("ring-damaged").
		WithCure("restore the key ring from a backup of the repository").
		WithUnchanged("nothing was written")
}
