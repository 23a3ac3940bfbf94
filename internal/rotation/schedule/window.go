package schedule

import (
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

const week = 7 * day

var weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// window is a stretch of every week on the wall clock, from Monday 00:00 on. It may reach into the next week.
type window struct{ from, length time.Duration }

// parseWindow reads "Fri 20:00-Sat 04:00", or "22:00-04:00" for every day.
func parseWindow(text string) ([]window, error) {
	bad := fault.New(fault.Invalid, "a window cannot be read").WithField("windows").WithCure("write it as Fri 20:00-Sat 04:00, or as 22:00-04:00 for every day")
	begin, end, ok := strings.Cut(strings.ReplaceAll(strings.ToLower(text), "–", "-"), "-")
	if !ok {
		return nil, bad
	}
	fromDay, from, ok1 := parseClock(begin)
	toDay, to, ok2 := parseClock(end)
	if !ok1 || !ok2 || (fromDay < 0) != (toDay < 0) {
		return nil, bad
	}
	if fromDay >= 0 {
		w := window{from: time.Duration(fromDay)*day + from}
		w.length = time.Duration(toDay)*day + to - w.from
		if w.length <= 0 {
			w.length += week
		}
		if w.length == week {
			return nil, bad
		}
		return []window{w}, nil
	}
	length := to - from
	if length == 0 {
		return nil, bad
	}
	if length < 0 {
		length += day
	}
	var all []window
	for d := range weekdays {
		all = append(all, window{from: time.Duration(d)*day + from, length: length})
	}
	return all, nil
}

// parseClock reads "Fri 20:00" or "20:00"; the day is -1 where none is named. 24:00 is the end of a day.
func parseClock(text string) (weekday int, at time.Duration, ok bool) {
	weekday = -1
	fields := strings.Fields(text)
	if len(fields) == 2 {
		for i, name := range weekdays {
			if fields[0] == name || fields[0] == name[:3] {
				weekday = i
			}
		}
		if weekday < 0 {
			return 0, 0, false
		}
		fields = fields[1:]
	}
	if len(fields) != 1 {
		return 0, 0, false
	}
	if fields[0] == "24:00" {
		return weekday, day, true
	}
	t, err := time.Parse("15:04", fields[0])
	return weekday, time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

// inWeek returns the instants of w in the week that begins at monday, a wall time. A window that summer time leaves out
// altogether has no length.
func (w window) inWeek(monday time.Time, loc *time.Location) (from, to time.Time) {
	from, to = last(monday.Add(w.from), loc), first(monday.Add(w.from+w.length), loc)
	if !to.After(from) {
		to = last(monday.Add(w.from+w.length), loc)
	}
	return from, to
}

// monday returns the beginning of the week of a wall time.
func monday(wall time.Time) time.Time {
	back := (int(wall.Weekday()) + 6) % 7
	y, m, d := wall.Date()
	return time.Date(y, m, d-back, 0, 0, 0, 0, time.UTC)
}
