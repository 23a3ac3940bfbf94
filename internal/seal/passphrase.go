package seal

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// MinPassphrase is the length in bytes below which a new passphrase is refused.
const MinPassphrase = 12

// Passphrase derives the root key from a passphrase that somebody types. Salt and parameters are in a small JSON file;
// it is no secret but is kept like one, because without it the passphrase is worth nothing.
//
// A wrong passphrase gives a wrong root key, not an error: vault.OpenRing is what notices. Each derivation takes 64 MiB
// and a few hundred milliseconds of one core, so who takes passphrases from the network must limit how many at once.
type Passphrase struct {
	path       string
	passphrase vault.Value
}

// NewPassphrase returns the source that derives the root key from passphrase with the parameters at path. It touches
// nothing.
func NewPassphrase(path string, passphrase vault.Value) Passphrase {
	return Passphrase{path: path, passphrase: passphrase}
}

const (
	kdfArgon2id = "argon2id"
	kdfPBKDF2   = "pbkdf2-sha256"
	saltLen     = 32
)

// parameters is the JSON file. Exactly the fields of its KDF are set.
type parameters struct {
	Version    int    `json:"version"`
	KDF        string `json:"kdf"`
	Salt       []byte `json:"salt"`
	MemoryKiB  uint32 `json:"memory_kib,omitempty"`
	Time       uint32 `json:"time,omitempty"`
	Threads    uint8  `json:"threads,omitempty"`
	Iterations int    `json:"iterations,omitempty"`
}

// newParameters chooses the KDF: Argon2id, or in FIPS mode, where that is not approved, PBKDF2.
func newParameters(fips bool) (parameters, error) {
	p := parameters{Version: 1, KDF: kdfArgon2id, Salt: make([]byte, saltLen), MemoryKiB: 64 << 10, Time: 3, Threads: 1}
	if _, err := rand.Read(p.Salt); err != nil {
		return parameters{}, fmt.Errorf("create root key: %w", err)
	}
	if fips {
		p = parameters{Version: 1, KDF: kdfPBKDF2, Salt: p.Salt, Iterations: 600_000}
	}
	return p, nil
}

// valid refuses what is weaker than newParameters ever made, and what would take the machine's memory or hours.
func (p parameters) valid() bool {
	if p.Version != 1 || len(p.Salt) < 16 || len(p.Salt) > 64 {
		return false
	}
	switch p.KDF {
	case kdfArgon2id:
		return p.MemoryKiB >= 64<<10 && p.MemoryKiB <= 1<<20 && p.Time >= 3 && p.Time <= 32 &&
			p.Threads >= 1 && p.Threads <= 8 && p.Iterations == 0
	case kdfPBKDF2:
		return p.Iterations >= 600_000 && p.Iterations <= 20_000_000 && p.MemoryKiB == 0 && p.Time == 0 && p.Threads == 0
	}
	return false
}

// Root implements [Source].
func (s Passphrase) Root(ctx context.Context) (vault.RootKey, error) {
	b, err := readPrivate(s.path)
	if err != nil {
		return vault.RootKey{}, err
	}
	p, ok := parseParameters(b)
	if !ok {
		return vault.RootKey{}, malformed(s.path, "its passphrase parameters are damaged, or weaker than is allowed")
	}
	if p.KDF == kdfArgon2id && fips140.Enabled() {
		return vault.RootKey{}, fault.New(fault.Sealed, "the root key is derived with Argon2id, which FIPS mode does not allow").
			WithCode("root-key-not-approved").
			WithCure("start without FIPS mode: a repository for it is begun under it, or has its root key in a file")
	}
	return s.derive(ctx, p)
}

// Create implements [Source]. The folder must exist. It fails with fault.Invalid when the passphrase is shorter than
// MinPassphrase.
func (s Passphrase) Create(ctx context.Context) (vault.RootKey, error) {
	if s.passphrase.Len() < MinPassphrase {
		return vault.RootKey{}, fault.New(fault.Invalid, "the passphrase is shorter than %d bytes", MinPassphrase).
			WithCode("passphrase-too-short").WithField("passphrase").WithCure("choose a longer one, such as six random words")
	}
	p, err := newParameters(fips140.Enabled())
	if err != nil {
		return vault.RootKey{}, err
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return vault.RootKey{}, fmt.Errorf("create root key: %w", err)
	}
	root, err := s.derive(ctx, p)
	if err != nil {
		return vault.RootKey{}, err
	}
	if err := createPrivate(s.path, append(b, '\n')); err != nil {
		return vault.RootKey{}, err
	}
	return root, nil
}

func (s Passphrase) derive(ctx context.Context, p parameters) (root vault.RootKey, err error) {
	if err := ctx.Err(); err != nil { // a derivation cannot be broken off, so at least none begins
		return vault.RootKey{}, fmt.Errorf("derive root key: %w", err)
	}
	err = s.passphrase.Expose(func(pass []byte) error {
		if len(pass) == 0 {
			return fault.New(fault.Sealed, "no passphrase was given").WithCode(codeMissing).WithCure("give the passphrase")
		}
		key, err := p.key(pass)
		if err != nil {
			return fmt.Errorf("derive root key: %w", err)
		}
		root, err = vault.NewRootKey(key)
		return err
	})
	return root, err
}

func (p parameters) key(pass []byte) ([]byte, error) {
	if p.KDF == kdfPBKDF2 {
		return pbkdf2.Key(sha256.New, string(pass), p.Salt, p.Iterations, vault.KeyLen)
	}
	return argon2.IDKey(pass, p.Salt, p.Time, p.MemoryKiB, p.Threads, vault.KeyLen), nil
}

// parseParameters reads exactly one JSON object, and accepts only parameters that are valid.
func parseParameters(b []byte) (p parameters, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return parameters{}, false
	}
	_, err := dec.Token()
	return p, err == io.EOF && p.valid()
}
