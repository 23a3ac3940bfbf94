package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Facts is what decides when an account is due.
type Facts struct {
	// Account spreads accounts by jitter: the same id always comes at the same place.
	Account string
	// Last is when the present value was made.
	Last time.Time
	// Asked is when something other than the clock makes the value due, such as a reveal; zero if nothing does.
	Asked time.Time
	// Retry is before when nothing is tried, after a try that failed; zero if there was none.
	Retry time.Time
	// Now is the time of the question.
	Now time.Time
}

// Due says when an account is due. The zero Due is never.
type Due struct {
	At  time.Time
	Why string // a clause that a page can show, such as "every 30d; it waits for its window"
	// Overdue is set when the value is older than the maximum age, whatever keeps it from being changed.
	Overdue bool
}

// Next returns when the account is due. At is in the past, and inside what is open at Now, when it is due at once. A time
// that passed while nothing could be changed is moved to the next that can be used.
func (s Schedule) Next(f Facts) Due {
	var d Due
	regular, why := s.regular(f.Last)
	d.take(s.place(regular, s.jitter, f), why)
	if s.maxAge > 0 {
		d.take(s.place(f.Last.Add(s.maxAge), 0, f), "a value may be "+FormatSpan(s.maxAge)+" old")
		d.Overdue = f.Now.After(f.Last.Add(s.maxAge))
	}
	if !f.Asked.IsZero() {
		d.take(s.place(f.Asked, 0, f), "the value was revealed")
	}
	return d
}

// take keeps what comes first.
func (d *Due) take(p placed, why string) {
	if p.at.IsZero() || !d.At.IsZero() && !p.at.Before(d.At) {
		return
	}
	d.At, d.Why = p.at, why
	if p.held != "" {
		d.Why += "; " + p.held
	}
}

// regular returns when the interval or the cron line comes to pass after t; zero if there is neither.
func (s Schedule) regular(t time.Time) (time.Time, string) {
	switch {
	case s.every > 0:
		return t.Add(s.every), "every " + FormatSpan(s.every)
	case s.cron == nil:
		return time.Time{}, ""
	}
	why := "cron " + s.rules.Cron
	if s.rules.Zone != "" {
		why += " (" + s.rules.Zone + ")"
	}
	wall := wallOf(t, s.zone)
	for {
		wall = s.cron.Next(wall)
		if wall.IsZero() {
			return time.Time{}, ""
		}
		// An hour that comes twice: the line has come to pass the first time already.
		if at := first(wall, s.zone); at.After(t) {
			return at, why
		}
	}
}

// placed is a time that can be used, and what kept it from being an earlier one.
type placed struct {
	at   time.Time
	held string
}

// place moves base into what is open, and spreads it there by at most jitter. As long as what is open then has not ended
// at f.Now, the answer stays; afterwards it is in the next that is open.
func (s Schedule) place(base time.Time, jitter time.Duration, f Facts) placed {
	if base.IsZero() {
		return placed{}
	}
	if base.Before(f.Last) {
		base = f.Last
	}
	retried := base.Before(f.Retry)
	if retried {
		base = f.Retry
	}
	if f.Now.Sub(base) > 3*week { // the ends of what was open long ago are of no use
		if _, end, _ := s.open(f.Now.Add(-2 * week)); !end.IsZero() && !end.After(f.Now) {
			base = end
		}
	}
	for {
		start, end, held := s.open(base)
		if !end.IsZero() && !end.After(f.Now) {
			base = end
			continue
		}
		if held == "" && retried {
			held = "tried again after a failure"
		}
		room := jitter
		if !end.IsZero() {
			room = min(room, end.Sub(start))
		}
		return placed{start.Add(Share(f.Account, room)), held}
	}
}

// OverdueAt returns when a value that was made at is older than the maximum age; zero if there is none.
func (s Schedule) OverdueAt(made time.Time) time.Time {
	if s.maxAge == 0 {
		return time.Time{}
	}
	return made.Add(s.maxAge)
}

// Share returns the account's own part of room, less than all of it: always the same, and spread evenly over accounts.
func Share(account string, room time.Duration) time.Duration {
	sum := sha256.Sum256([]byte(account))
	part := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	return time.Duration(float64(room) * part).Truncate(time.Microsecond)
}
