package schedule

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/keyturn/keyturn/internal/fault"
)

// The most that a schedule may list.
const (
	MaxWindows   = 50
	MaxBlackouts = 100
)

// Rules is a schedule as people write it. The zero Rules are never due.
type Rules struct {
	// Every is how long a value is kept, such as "30d"; Cron a line of five fields that a time has to match. At most one
	// of them is given.
	Every string `json:"every,omitempty"`
	Cron  string `json:"cron,omitempty"`
	// Zone is the IANA name of the zone of Cron and Windows; empty is UTC.
	Zone string `json:"zone,omitempty"`
	// Windows are when a value may be changed, such as "Fri 20:00-Sat 04:00"; none means at any time.
	Windows []string `json:"windows,omitempty"`
	// Blackouts are when it may not, whatever else says.
	Blackouts []Blackout `json:"blackouts,omitempty"`
	// Jitter is the most by which accounts are spread after the time at which all of them are due.
	Jitter string `json:"jitter,omitempty"`
	// MaxAge is how old a value may become. It makes a value due that nothing else does, and is not spread.
	MaxAge string `json:"maxAge,omitempty"`
}

// Blackout is a time in which nothing is changed: From ≤ t < To.
type Blackout struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why,omitempty"`
}

// Schedule is a checked schedule. It is immutable and may be used by several goroutines at once.
type Schedule struct {
	rules                 Rules
	every, jitter, maxAge time.Duration
	cron                  cron.Schedule
	zone                  *time.Location
	windows               []window
	blackouts             []Blackout
}

// Parse checks rules. It fails with fault.Invalid, naming the field, when one of them cannot be followed.
func Parse(rules Rules) (Schedule, error) {
	s := Schedule{rules: rules, zone: time.UTC}
	var err error
	if s.every, err = ParseSpan(rules.Every, "every"); err != nil {
		return s, err
	}
	if s.jitter, err = ParseSpan(rules.Jitter, "jitter"); err != nil {
		return s, err
	}
	if s.maxAge, err = ParseSpan(rules.MaxAge, "maxAge"); err != nil {
		return s, err
	}
	for _, span := range []struct {
		field, text string
		d           time.Duration
	}{{"every", rules.Every, s.every}, {"maxAge", rules.MaxAge, s.maxAge}} {
		if span.text != "" && span.d < time.Second {
			return s, invalid(span.field, "it must be a second at least", "leave it out if it is not wanted")
		}
	}
	if rules.Zone != "" {
		if s.zone, err = time.LoadLocation(rules.Zone); err != nil || rules.Zone == "Local" {
			return s, invalid("zone", "there is no such time zone", "use an IANA name such as Europe/Berlin")
		}
	}
	if s.cron, err = parseCron(rules); err != nil {
		return s, err
	}
	if len(rules.Windows) > MaxWindows || len(rules.Blackouts) > MaxBlackouts {
		return s, invalid("windows", "there are too many windows or blackouts", "merge some of them")
	}
	for _, text := range rules.Windows {
		w, err := parseWindow(text)
		if err != nil {
			return s, err
		}
		s.windows = append(s.windows, w...)
	}
	for _, b := range rules.Blackouts {
		if !b.From.Before(b.To) {
			return s, invalid("blackouts", "a blackout ends before it begins", "give from and to in that order")
		}
		s.blackouts = append(s.blackouts, b)
	}
	return s, nil
}

func parseCron(rules Rules) (cron.Schedule, error) {
	switch {
	case rules.Cron == "":
		return nil, nil
	case rules.Every != "":
		return nil, invalid("cron", "an interval and a cron line exclude each other", "leave one of them out")
	case strings.Contains(rules.Cron, "="):
		return nil, invalid("cron", "a cron line names no zone", "put the zone into the field zone")
	}
	c, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(rules.Cron)
	if err != nil {
		return nil, invalid("cron", "the cron line cannot be read", "write minute, hour, day of month, month and day of week, such as 30 3 * * sun")
	}
	if c.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, invalid("cron", "the cron line never comes to pass", "choose a day that its months have")
	}
	return c, nil
}

func invalid(field, msg, cure string) error {
	return fault.New(fault.Invalid, "%s", msg).WithField(field).WithCode("schedule").WithCure("%s", cure)
}

// Open returns the first instant from t on at which something may be changed, which is t itself where it may at once, and
// why it has to wait.
func (s Schedule) Open(t time.Time) (time.Time, string) {
	start, _, why := s.open(t)
	return start, why
}

// open is Open with the end of what is open then; the zero time is no end.
func (s Schedule) open(t time.Time) (start, end time.Time, why string) {
	start = t
	for {
		begin, over := s.window(start)
		if begin.After(start) {
			start, why = begin, "it waits for its window"
		}
		b := s.blackout(start)
		if b == nil {
			end = over
			break
		}
		start, why = b.To, "a blackout holds it"
		if b.Why != "" {
			why += " (" + b.Why + ")"
		}
	}
	for _, b := range s.blackouts {
		if b.From.After(start) && (end.IsZero() || b.From.Before(end)) {
			end = b.From
		}
	}
	return start, end, why
}

// blackout returns the blackout that holds at t and ends last, nil if there is none.
func (s Schedule) blackout(t time.Time) *Blackout {
	var found *Blackout
	for i, b := range s.blackouts {
		if !t.Before(b.From) && t.Before(b.To) && (found == nil || b.To.After(found.To)) {
			found = &s.blackouts[i]
		}
	}
	return found
}

// window returns the first instant from t on that lies in a window, and the end of that window.
func (s Schedule) window(t time.Time) (start, end time.Time) {
	if len(s.windows) == 0 {
		return t, time.Time{}
	}
	begin := monday(wallOf(t, s.zone)).Add(-week)
	for {
		for n := range 3 {
			for _, w := range s.windows {
				from, to := w.inWeek(begin.Add(time.Duration(n)*week), s.zone)
				if !to.After(t) || !to.After(from) {
					continue
				}
				if from.Before(t) {
					from = t
				}
				if end.IsZero() || from.Before(start) || from.Equal(start) && to.After(end) {
					start, end = from, to
				}
			}
		}
		if !end.IsZero() {
			return start, end
		}
		begin = begin.Add(week) // summer time took the only window of these weeks
	}
}
