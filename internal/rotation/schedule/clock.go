package schedule

import "time"

// A wall time is what a clock on the wall shows, kept as if it were UTC: arithmetic on it knows no summer time.

// wallOf returns what a clock in loc shows at t.
func wallOf(t time.Time, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// first returns the first instant at which a clock in loc shows wall, or, where it never does, at which it first shows a
// later time. last returns the last such instant.
func first(wall time.Time, loc *time.Location) time.Time {
	early, late := around(wall, loc)
	return settle(wall, loc, early, late)
}

func last(wall time.Time, loc *time.Location) time.Time {
	early, late := around(wall, loc)
	return settle(wall, loc, late, early)
}

// around returns how far loc is ahead of UTC a day before and a day after wall.
func around(wall time.Time, loc *time.Location) (early, late time.Duration) {
	at := func(t time.Time) time.Duration {
		_, offset := t.In(loc).Zone()
		return time.Duration(offset) * time.Second
	}
	return at(wall.Add(-day)), at(wall.Add(day))
}

// settle tries the offset that is preferred, then the other. If the clock shows wall with neither, it was left out: the
// instant at which the clock was put on is meant.
func settle(wall time.Time, loc *time.Location, preferred, other time.Duration) time.Time {
	for _, offset := range []time.Duration{preferred, other} {
		if t := wall.Add(-offset); wallOf(t, loc).Equal(wall) {
			return t
		}
	}
	change, _ := wall.Add(-min(preferred, other)).In(loc).ZoneBounds()
	return change.UTC()
}
