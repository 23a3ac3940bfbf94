package schedule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

// begin is some months before both changes of the clock of 2026.
var begin = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func moments(until time.Duration) *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		return begin.Add(time.Duration(rapid.Int64Range(0, int64(until/time.Second)).Draw(t, "seconds")) * time.Second)
	})
}

// changes are around the times at which the clocks of the zones below are put on or back.
func changes() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		around := rapid.SampledFrom([]string{"2026-03-08T07:00:00Z", "2026-03-29T01:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z", "2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z"}).Draw(t, "change")
		at, err := time.Parse(time.RFC3339, around)
		if err != nil {
			t.Fatal(err)
		}
		return at.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "minutes")) * time.Minute)
	})
}

func clocks(name string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, name), rapid.IntRange(0, 59).Draw(t, name))
	})
}

func windows() *rapid.Generator[string] {
	days := rapid.SampledFrom([]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"})
	return rapid.Custom(func(t *rapid.T) string {
		from, to := clocks("from").Draw(t, "from"), clocks("to").Draw(t, "to")
		if from == to {
			to = "24:00"
		}
		if rapid.Bool().Draw(t, "daily") {
			return from + "-" + to
		}
		return days.Draw(t, "first") + " " + from + "-" + days.Draw(t, "last") + " " + to
	})
}

func rules() *rapid.Generator[schedule.Rules] {
	return rapid.Custom(func(t *rapid.T) schedule.Rules {
		r := schedule.Rules{
			Zone:    rapid.SampledFrom([]string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}).Draw(t, "zone"),
			Windows: rapid.SliceOfN(windows(), 0, 3).Draw(t, "windows"),
			Jitter:  rapid.SampledFrom([]string{"", "10s", "30m", "6h", "10d"}).Draw(t, "jitter"),
			MaxAge:  rapid.SampledFrom([]string{"", "", "1h", "40d"}).Draw(t, "maxAge"),
		}
		if rapid.Bool().Draw(t, "interval") {
			r.Every = rapid.SampledFrom([]string{"1s", "90m", "1d", "30d", "200d"}).Draw(t, "every")
		} else {
			r.Cron = rapid.SampledFrom([]string{"* * * * *", "30 2 * * *", "0 3 * * sun", "*/7 1-3 * * *", "0 0 1 * *"}).Draw(t, "cron")
		}
		for range rapid.IntRange(0, 3).Draw(t, "blackouts") {
			from := rapid.OneOf(moments(300*24*time.Hour), changes()).Draw(t, "from")
			r.Blackouts = append(r.Blackouts, schedule.Blackout{From: from, To: from.Add(time.Duration(rapid.IntRange(1, 40*24*60).Draw(t, "minutes")) * time.Minute)})
		}
		return r
	})
}

func facts() *rapid.Generator[schedule.Facts] {
	times := rapid.OneOf(moments(300*24*time.Hour), changes())
	return rapid.Custom(func(t *rapid.T) schedule.Facts {
		f := schedule.Facts{Account: rapid.StringN(1, 8, 16).Draw(t, "account"), Last: times.Draw(t, "last"), Now: times.Draw(t, "now")}
		if rapid.Bool().Draw(t, "asked") {
			f.Asked = times.Draw(t, "asked")
		}
		if rapid.Bool().Draw(t, "retry") {
			f.Retry = times.Draw(t, "retry")
		}
		return f
	})
}

// shows reports whether the clock on the wall at is inside one of the windows, read from their text alone.
func shows(r schedule.Rules, at time.Time) bool {
	zone, _ := time.LoadLocation(r.Zone)
	local := at.In(zone)
	minute := (int(local.Weekday())*24+local.Hour())*60 + local.Minute()
	const day, week = 24 * 60, 7 * 24 * 60
	of := func(text string) int {
		var h, m int
		_, _ = fmt.Sscanf(text, "%d:%d", &h, &m)
		return h*60 + m
	}
	for _, w := range r.Windows {
		from, to, _ := strings.Cut(w, "-")
		within := func(from, to int) bool {
			if to <= from {
				return minute >= from || minute < to
			}
			return minute >= from && minute < to || to > week && minute < to-week
		}
		if !strings.Contains(from, " ") {
			for d := range 7 {
				f, end := d*day+of(from), d*day+of(to)
				if end <= f {
					end += day
				}
				if within(f, end) {
					return true
				}
			}
			continue
		}
		number := func(text string) int { return strings.Index("SunMonTueWedThuFriSat", text[:3]) / 3 * day }
		f, end := number(from)+of(from[4:]), number(to)+of(to[4:])
		if end == week && f == 0 || within(f, end) {
			return true
		}
	}
	return len(r.Windows) == 0
}

func TestEveryAnswerCanBeUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, f := rules().Draw(t, "rules"), facts().Draw(t, "facts")
		s, err := schedule.Parse(r)
		if err != nil {
			t.Skip() // a window of a whole week
		}
		got := s.Next(f)
		if got.At.IsZero() || got.At.Before(f.Last) || got.Why == "" {
			t.Fatalf("%+v", got)
		}
		for _, b := range r.Blackouts {
			if !got.At.Before(b.From) && got.At.Before(b.To) {
				t.Fatalf("%s is in the blackout from %s", got.At, b.From)
			}
		}
		if !shows(r, got.At) {
			t.Fatalf("%s is in none of %q (%s)", got.At, r.Windows, r.Zone)
		}
		if again := parse(t, r).Next(f); again != got {
			t.Fatalf("%+v, then %+v", got, again)
		}
		if open, _ := s.Open(got.At); !open.Equal(got.At) {
			t.Fatalf("%s is not open before %s", got.At, open)
		}
		if max, _ := schedule.ParseSpan(r.MaxAge, ""); got.Overdue != (max > 0 && f.Now.Sub(f.Last) > max) {
			t.Fatalf("overdue: %v", got.Overdue)
		}
	})
}

func TestALaterValueIsNotDueEarlier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, f := rules().Draw(t, "rules"), facts().Draw(t, "facts")
		s, err := schedule.Parse(r)
		if err != nil {
			t.Skip()
		}
		later := f
		later.Last = f.Last.Add(time.Duration(rapid.IntRange(0, 30*24*3600).Draw(t, "later")) * time.Second)
		if a, b := s.Next(f).At, s.Next(later).At; b.Before(a) {
			t.Fatalf("made at %s it is due at %s, made at %s at %s", f.Last, a, later.Last, b)
		}
		later = f
		later.Now = f.Now.Add(time.Duration(rapid.IntRange(0, 60*24*3600).Draw(t, "passed")) * time.Second)
		if a, b := s.Next(f).At, s.Next(later).At; b.Before(a) {
			t.Fatalf("asked at %s it is due at %s, asked at %s at %s", f.Now, a, later.Now, b)
		}
	})
}

// TestAClockThatJumpsTurnsNothingTwice sets the clock an hour on or back after a change.
func TestAClockThatJumpsTurnsNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, f := rules().Draw(t, "rules"), facts().Draw(t, "facts")
		r.MaxAge, f.Asked, f.Retry = "", time.Time{}, time.Time{}
		s, err := schedule.Parse(r)
		if err != nil {
			t.Skip()
		}
		due := s.Next(f).At
		for _, jump := range []time.Duration{-time.Hour, time.Hour} {
			turned := schedule.Facts{Account: f.Account, Last: due, Now: due.Add(jump)}
			if next := s.Next(turned).At; !next.After(due) {
				t.Fatalf("turned at %s, due again at %s", due, next)
			}
		}
	})
}
