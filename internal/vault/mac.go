package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// keyedMAC is HMAC-SHA256 under one key. It keeps states that have absorbed the key already, which is most of the work
// for a short message. It is safe for concurrent use.
type keyedMAC struct{ states sync.Pool }

type macState struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func newKeyedMAC(key []byte) *keyedMAC {
	return &keyedMAC{states: sync.Pool{New: func() any { return &macState{mac: hmac.New(sha256.New, key)} }}}
}

// of returns the MAC of b.
func (m *keyedMAC) of(b []byte) [sha256.Size]byte {
	s := m.states.Get().(*macState)
	defer m.states.Put(s)
	s.mac.Reset()
	_, _ = s.mac.Write(b) // a hash never fails
	s.mac.Sum(s.sum[:0])
	sum := s.sum
	clear(s.sum[:])
	return sum
}
