package audit

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const originPrefix = "keyturn/audit/"

// Head is a state of the log: its size, the hash over all of it, and the signature that says so. The zero Head is that of
// a log without entries, which nobody signs.
type Head struct {
	Size int64
	Hash tlog.Hash
	At   time.Time // when it was signed: UTC, microseconds
	// Signed is the signed note. It alone counts; the other fields are read from it.
	Signed []byte
}

// Signer signs heads of one repository's log. It may be used by several goroutines at once.
type Signer struct {
	seed     vault.Value
	key      string
	verifier note.Verifier
}

// NewSigner returns the signer of the repository with that id. The seed is that of an Ed25519 key, 32 bytes.
func NewSigner(repository string, seed vault.Value) (*Signer, error) {
	if repository == "" || strings.ContainsFunc(repository, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '+' }) {
		return nil, fault.New(fault.Invalid, "the repository id cannot be part of a key name")
	}
	s := &Signer{seed: seed}
	err := seed.Expose(func(b []byte) error {
		if len(b) != ed25519.SeedSize {
			return fault.New(fault.Invalid, "the seed of the audit key is not %d bytes long", ed25519.SeedSize)
		}
		private := ed25519.NewKeyFromSeed(b)
		defer clear(private)
		var err error
		s.key, err = note.NewEd25519VerifierKey(originPrefix+repository, private.Public().(ed25519.PublicKey))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: signing key: %w", err)
	}
	if s.verifier, err = parseKey(s.key); err != nil {
		return nil, err
	}
	return s, nil
}

// Key returns the public key, to be kept by those who verify: "keyturn/audit/<repository id>+<hash>+<key>".
func (s *Signer) Key() string { return s.key }

// Sign returns the head of a log of that size and hash, signed at that time.
func (s *Signer) Sign(size int64, hash tlog.Hash, at time.Time) (Head, error) {
	at = at.UTC().Truncate(time.Microsecond)
	text := fmt.Sprintf("%s\n%d\n%s\n%d\n", s.verifier.Name(), size, hash, at.UnixMicro())
	signed, err := note.Sign(&note.Note{Text: text}, noteSigner{s})
	if err != nil {
		return Head{}, fmt.Errorf("audit: sign head: %w", err)
	}
	return Head{Size: size, Hash: hash, At: at, Signed: signed}, nil
}

// noteSigner is what note.Sign asks for. The private key exists only while it signs.
type noteSigner struct{ s *Signer }

func (n noteSigner) Name() string    { return n.s.verifier.Name() }
func (n noteSigner) KeyHash() uint32 { return n.s.verifier.KeyHash() }
func (n noteSigner) Sign(msg []byte) (sig []byte, err error) {
	err = n.s.seed.Expose(func(b []byte) error {
		if len(b) != ed25519.SeedSize {
			return fault.New(fault.Sealed, "the audit key is gone")
		}
		private := ed25519.NewKeyFromSeed(b)
		defer clear(private)
		sig = ed25519.Sign(private, msg)
		return nil
	})
	return sig, err
}

// parseKey reads a public key as Signer.Key wrote it.
func parseKey(key string) (note.Verifier, error) {
	v, err := note.NewVerifier(key)
	if err != nil || !strings.HasPrefix(v.Name(), originPrefix) {
		return nil, fault.New(fault.Invalid, "this is not the public key of an audit log").
			WithCure("use the line that starts with %q", originPrefix)
	}
	return v, nil
}

// OpenHead checks a signed head against a public key, as Signer.Key wrote it, and returns what it says. A head that the
// key did not sign, or of another log, is fault.Denied.
func OpenHead(signed []byte, key string) (Head, error) {
	v, err := parseKey(key)
	if err != nil {
		return Head{}, err
	}
	return openHead(signed, v)
}

func openHead(signed []byte, v note.Verifier) (Head, error) {
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Head{}, fault.New(fault.Denied, "the head of the audit log is not signed by key %s", v.Name())
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 || lines[0] != v.Name() || lines[4] != "" {
		return Head{}, fault.New(fault.Denied, "the signed head is not one of %s", v.Name())
	}
	size, err1 := strconv.ParseInt(lines[1], 10, 64)
	hash, err2 := tlog.ParseHash(lines[2])
	at, err3 := strconv.ParseInt(lines[3], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || size < 1 {
		return Head{}, fault.New(fault.Denied, "the signed head of %s cannot be read", v.Name())
	}
	return Head{Size: size, Hash: hash, At: time.UnixMicro(at).UTC(), Signed: signed}, nil
}
