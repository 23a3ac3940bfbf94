package identity

import "time"

// NewCheapHasher returns a Hasher for tests that are not about hashing. memory is in KiB and at least 8.
func NewCheapHasher(memory uint32) *Hasher {
	return newHasher(cost{algorithm: algArgon2, memory: memory, iterations: 1}, 4, time.Minute)
}
