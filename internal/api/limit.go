package api

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

// Rate is how many requests are answered: so many a second, and Burst at once after a rest. The zero Rate does not limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Limits are how much one of those who ask may ask for. Requests of pages and for the server's health are not counted.
type Limits struct {
	// Actor is for one user in all sessions, or one token.
	Actor Rate
	// Anonymous is for what nobody has signed, from one IPv4 address or one IPv6 network of 64 bits.
	Anonymous Rate
	// Compare is for comparisons of a key with an account, by one actor: each answers whether two values are the same.
	Compare Rate
}

// DefaultLimits are those of a server that nobody has told otherwise. A signed-in actor is known and can be shut out, so
// its limit only stops a program that runs wild from filling the audit log as fast as the disk takes it. Nobody has a
// reason to be refused twenty times a second.
func DefaultLimits() Limits {
	return Limits{Actor: Rate{20_000, 20_000}, Anonymous: Rate{20, 200}, Compare: Rate{1, 60}}
}

const (
	mostBuckets = 4096 // who is counted apart; the rest share one bucket
	tidyEvery   = time.Second
	everyone    = "others" // the bucket of those who found no room
)

// bucket counts for one of those who ask.
type bucket struct {
	*rate.Limiter
	name    string         // in the audit log, of what the limit is
	actor   identity.Actor // who was refused first since the last report
	dry     bool           // it was recorded that it ran dry, and not yet that it is full again
	dropped int64          // since the last report
}

// buckets keeps one bucket for each key, at most mostBuckets of them. It is safe for concurrent use.
type buckets struct {
	rate Rate
	kind string // of what is limited, in the audit log
	mu   sync.Mutex
	by   map[string]*bucket
	tidy time.Time // when those that are full were dropped last
}

func newBuckets(kind string, r Rate) *buckets {
	return &buckets{rate: r, kind: kind, by: map[string]*bucket{}}
}

// take takes n requests of key, 1 or 0, out of its bucket. If that is empty it returns how long to wait, and ranDry is true
// when nobody was told of it yet.
func (b *buckets) take(key string, n int, actor identity.Actor, now time.Time) (wait time.Duration, ranDry bool) {
	if b.rate == (Rate{}) {
		return 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.of(key, now)
	have := one.TokensAt(now)
	if have >= 1 {
		one.AllowN(now, n)
		return 0, false
	}
	one.dropped++
	ranDry = !one.dry
	if ranDry {
		one.dry, one.actor = true, actor
	}
	return time.Duration((1 - have) / b.rate.PerSecond * float64(time.Second)), ranDry
}

// of returns the bucket of a key. b.mu is held.
func (b *buckets) of(key string, now time.Time) *bucket {
	if one, ok := b.by[key]; ok {
		return one
	}
	if len(b.by) >= mostBuckets && now.Sub(b.tidy) >= tidyEvery {
		b.tidy = now
		for k, one := range b.by {
			if !one.dry && b.full(one, now) {
				delete(b.by, k) // a new one is the same
			}
		}
	}
	if len(b.by) >= mostBuckets && key != everyone {
		return b.of(everyone, now)
	}
	one := &bucket{Limiter: rate.NewLimiter(rate.Limit(b.rate.PerSecond), b.rate.Burst), name: key}
	b.by[key] = one
	return one
}

func (b *buckets) full(one *bucket, now time.Time) bool {
	return one.TokensAt(now) >= float64(b.rate.Burst)
}

// dropped returns the buckets that refused something since the last call, with how much, and forgets it.
func (b *buckets) dropped(now time.Time) []bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []bucket
	for _, one := range b.by {
		if one.dropped > 0 {
			out = append(out, *one)
			one.dropped = 0
		}
		one.dry = one.dry && !b.full(one, now)
	}
	return out
}

// limits are the buckets of a server.
type limits struct{ actor, anonymous, compare *buckets }

func newLimits(l Limits) limits {
	return limits{newBuckets("requests", l.Actor), newBuckets("anonymous requests", l.Anonymous), newBuckets("comparisons", l.Compare)}
}

// bucketKey says whose bucket a request is taken from. A token has one of its own, so that a program that runs wild does
// not shut out the person whose token it is.
func bucketKey(a identity.Actor) string {
	switch a.Kind {
	case identity.KindAnonymous:
		return "address " + identity.AddressClass(a.Address)
	case identity.KindToken:
		return "token " + a.Via
	}
	return string(a.Kind) + " " + a.ID
}

// limit fails with fault.Throttled when actor asks too often. The first refusal is recorded before it is answered; those
// that follow are counted, and recorded together by [Server.ReportDropped].
func (s *Server) limit(ctx context.Context, b *buckets, actor identity.Actor) error {
	return s.draw(ctx, b, 1, actor)
}

// draw is limit for a request that may turn out not to count: with n = 0 it only looks whether there is one left.
func (s *Server) draw(ctx context.Context, b *buckets, n int, actor identity.Actor) error {
	wait, ranDry := b.take(bucketKey(actor), n, actor, time.Now())
	if wait == 0 {
		return nil
	}
	if ranDry {
		if err := s.record(context.WithoutCancel(ctx), dropEvent(actor, b, bucketKey(actor), "refused from now on until there are fewer")); err != nil {
			return err
		}
	}
	return fault.New(fault.Throttled, "there are too many requests").WithCode("too-many-requests").WithRetryAfter(max(wait, time.Second)).
		WithCure("wait, and send fewer at once").WithUnchanged("nothing was read or changed")
}

// ReportDropped records how many requests each limit has refused since the last call. It is called once a minute, and when
// the server stops; what was counted is lost if the process is killed in between.
func (s *Server) ReportDropped(ctx context.Context) {
	for _, b := range []*buckets{s.limits.actor, s.limits.anonymous, s.limits.compare} {
		for _, one := range b.dropped(time.Now()) {
			ev := dropEvent(one.actor, b, one.name, "refused without a record of each").With("dropped", strconv.FormatInt(one.dropped, 10)).WithRequest("")
			if err := s.record(ctx, ev); err != nil {
				s.Log.Warn("refused requests were not recorded", "limit", b.kind, "dropped", one.dropped, "err", err)
			}
		}
	}
}

func dropEvent(actor identity.Actor, b *buckets, name, reason string) audit.Event {
	return audit.New(actor, "request.limit", audit.Object{Kind: "limit", Name: b.kind + " of " + name}).Refused("too many requests: " + reason)
}

// record records an event of this package. While the server is sealed there is nothing to record with, and the log has it.
func (s *Server) record(ctx context.Context, ev audit.Event) error {
	if s.Seal.Health().Sealed { // all that can be asked for then is to unseal it, too often
		s.Log.Warn("refused while the server is sealed", "what", ev.Object.Name)
		return nil
	}
	if err := s.Audit.Events.Record(ctx, ev); err != nil {
		return fault.New(fault.Unavailable, "it could not be recorded: %w", err).WithCode("audit-unavailable").WithCure("try again in a moment")
	}
	return nil
}
