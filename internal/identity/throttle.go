package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// The limits on tries.
const (
	TryWindow   = 15 * time.Minute // how long a failed try counts
	BlockMemory = 24 * time.Hour   // how long after its end a block makes the next one longer

	triesEach    = 5   // of one subject, from one known address or from everywhere else together
	triesAll     = 300 // of all subjects together, from addresses that are not known
	triesSetup   = 30  // a setup code has 130 random bits; this only bounds the work
	firstBlock   = 15 * time.Minute
	longestBlock = time.Hour
)

// Try is one attempt to prove who one is.
type Try struct {
	ID      string
	Subject string // a user's id, or what stands for a name that nobody has
	Address string // what AddressClass returns
	At      time.Time
}

// TryState is what is known when a try begins. Tries are counted over the last TryWindow.
type TryState struct {
	Known        bool // the user has signed in from this address before, so it has a count and a block of its own
	Count        int
	CountAll     int       // of all subjects, from addresses that are not known
	OldestAll    time.Time // the oldest of CountAll
	Blocks       int       // how many in a row
	BlockedUntil time.Time
}

// TryAnswer says whether a try may go on, and what to remember.
type TryAnswer struct {
	Wait         time.Duration // zero: it may go on, and is counted
	Blocks       int
	BlockedUntil time.Time
}

type tryLimits struct {
	each, all int // all 0: no limit
}

// decideTry is the whole rule. A try that has to wait is not counted, so that waiting always ends.
func decideTry(st TryState, l tryLimits, now time.Time) TryAnswer {
	a := TryAnswer{Blocks: st.Blocks, BlockedUntil: st.BlockedUntil}
	if now.Before(st.BlockedUntil) {
		a.Wait = st.BlockedUntil.Sub(now)
		return a
	}
	if now.Sub(st.BlockedUntil) >= BlockMemory {
		a.Blocks = 0
	}
	if st.Count >= l.each {
		a.Wait = firstBlock
		for range a.Blocks {
			a.Wait = min(2*a.Wait, longestBlock)
		}
		a.Blocks, a.BlockedUntil = a.Blocks+1, now.Add(a.Wait)
		return a
	}
	if l.all > 0 && !st.Known && st.CountAll >= l.all {
		a.Wait = max(st.OldestAll.Add(TryWindow).Sub(now), time.Second)
	}
	return a
}

// charge counts a try before anything is hashed for it, and returns its id. It fails with fault.Throttled, which is
// recorded as refused, when the try has to wait.
func (s *Service) charge(ctx context.Context, subject, address string, l tryLimits, ev Evidence) (string, error) {
	now := s.now()
	t := Try{ID: newID(), Subject: subject, Address: AddressClass(address), At: now}
	ev.Refused = "too many failed tries"
	if err := s.charging.take(ctx); err != nil {
		return "", err
	}
	defer s.charging.leave()
	a, err := s.Store.ChargeTry(ctx, t, func(st TryState) TryAnswer { return decideTry(st, l, now) }, ev)
	if err != nil {
		return "", err
	}
	if a.Wait > 0 {
		return "", fault.New(fault.Throttled, "too many failed tries").WithCode("login-throttled").WithRetryAfter(a.Wait).
			WithCure("try again in %s", inWords(a.Wait))
	}
	return t.ID, nil
}

// inWords is a wait as people say it, never too short.
func inWords(d time.Duration) string {
	n, unit := int64((d+time.Second-1)/time.Second), "second"
	if n > 90 {
		n, unit = (n+59)/60, "minute"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// turn lets one in at a time. Each count of tries reads what the others write, so on a database that runs transactions
// side by side a flood of them would only clash.
type turn struct {
	once  sync.Once
	place chan struct{}
}

func (t *turn) take(ctx context.Context) error {
	t.once.Do(func() { t.place = make(chan struct{}, 1) })
	select {
	case t.place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turn) leave() { <-t.place }

// refund takes back a try that told nobody whether the password was right.
func (s *Service) refund(ctx context.Context, try string) {
	if err := s.Store.RefundTry(context.WithoutCancel(ctx), try); err != nil {
		s.warn(ctx, "a try to sign in was not taken back", err)
	}
}

// AddressClass returns the part of a remote address, with or without a port, that stands for one place: an IPv4 address,
// or the first 64 bits of an IPv6 one, since whoever has one of those has them all. Anything else stands for nowhere.
func AddressClass(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return ""
		}
		a = ap.Addr()
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return ""
	}
	return p.String()
}

// subjectOf returns under what the tries on a name that nobody has are counted. What cannot be a name is counted
// together: people type passwords into the wrong field, and no hash of one should be kept.
func subjectOf(canonical string) string {
	if canonical == "" {
		return "no-name"
	}
	sum := sha256.Sum256([]byte(canonical))
	return "name:" + hex.EncodeToString(sum[:])
}
