package identity

import (
	"context"
	"crypto/fips140"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"runtime"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// hashWait is how long a sign-in queues for a free place: longer than a few hashes take, shorter than a person's patience.
const hashWait = 3 * time.Second

// Hasher hashes passwords with argon2id (19 MiB, 2 passes, 1 lane), or with PBKDF2-HMAC-SHA-256 (600,000 iterations)
// when the process runs in FIPS 140 mode. At most GOMAXPROCS hashes run at once, so that a flood of sign-ins costs a
// bounded amount of memory; whoever waits longer than 3 seconds for a place gets fault.Throttled with RetryAfter.
// It may be used by several goroutines at once.
type Hasher struct {
	cost   cost
	places chan struct{}
	wait   time.Duration
	nobody string
}

// NewHasher returns a Hasher with today's costs. Share one per process: each bounds only its own hashes.
func NewHasher() *Hasher {
	c := argon2Cost
	if fips140.Enabled() {
		c = pbkdf2Cost
	}
	return newHasher(c, runtime.GOMAXPROCS(0), hashWait)
}

func newHasher(c cost, places int, wait time.Duration) *Hasher {
	nobody := encoded{cost: c, salt: make([]byte, saltSize), sum: make([]byte, sumSize)}
	_, _ = rand.Read(nobody.salt) // never fails: it ends the process instead
	_, _ = rand.Read(nobody.sum)
	return &Hasher{cost: c, places: make(chan struct{}, places), wait: wait, nobody: nobody.String()}
}

// Hash returns the PHC string of password under a fresh salt. It fails with fault.Throttled when no place comes free in
// time, and with the context's error when that ends first.
func (h *Hasher) Hash(ctx context.Context, password vault.Value) (string, error) {
	e := encoded{cost: h.cost, salt: make([]byte, saltSize)}
	_, _ = rand.Read(e.salt)
	var err error
	if e.sum, err = h.derive(ctx, e.cost, password, e.salt); err != nil {
		return "", err
	}
	return e.String(), nil
}

// Verify reports whether hash is that of password. If ok and rehash are both true the hash was made at another cost than
// today's: store Hash of the same password in its place. Errors are those of Hash, and one that is no fault for a hash
// that cannot be read. A hash made before FIPS 140 mode was switched on still verifies, and asks for a rehash.
func (h *Hasher) Verify(ctx context.Context, hash string, password vault.Value) (ok, rehash bool, err error) {
	e, err := parseHash(hash)
	if err != nil {
		return false, false, err
	}
	sum, err := h.derive(ctx, e.cost, password, e.salt)
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(sum, e.sum) == 1, e.cost != h.cost, nil
}

// VerifyNobody takes as long as Verify and never finds a match. Call it where no user of the name exists, so that the
// time of the answer does not tell who does. Errors are those of Hash.
func (h *Hasher) VerifyNobody(ctx context.Context, password vault.Value) error {
	_, _, err := h.Verify(ctx, h.nobody, password)
	return err
}

// derive waits for a place and computes the hash in it.
func (h *Hasher) derive(ctx context.Context, c cost, password vault.Value, salt []byte) (sum []byte, err error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-h.places }()
	err = password.Expose(func(b []byte) error {
		if len(b) > maxPassword {
			return errTooLong()
		}
		// One keyboard sends "é" as one rune, another as two: both are the same password.
		text := norm.NFC.Append(nil, b...)
		defer clear(text)
		sum, err = c.derive(text, salt)
		return err
	})
	return sum, err
}

func (h *Hasher) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, h.wait, errBusy)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.places <- struct{}{}:
		return nil
	case <-ctx.Done():
	}
	if !errors.Is(context.Cause(ctx), errBusy) {
		return ctx.Err()
	}
	return fault.New(fault.Throttled, "too many people sign in at this moment").WithCode("hasher-busy").
		WithCure("try again in a few seconds").WithRetryAfter(h.wait)
}

var errBusy = errors.New("no place to hash came free")
