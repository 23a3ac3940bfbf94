package schedule

import (
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

const (
	day = 24 * time.Hour
	// longest is the most that a span of a schedule may last.
	longest = 3660 * day
)

// ParseSpan reads a length of time such as "30d", "1d12h" or "90m". A day has 24 hours. Empty is zero. It fails with
// fault.Invalid, naming field, when it cannot be read, is negative or longer than ten years.
func ParseSpan(text, field string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	bad := fault.New(fault.Invalid, "that is no length of time").WithField(field).WithCure("write it as 30d, 12h, 1d12h or 90m, up to ten years")
	rest, days := text, 0
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.Atoi(before)
		if err != nil || n < 0 || n > int(longest/day) {
			return 0, bad
		}
		days, rest = n, after
	}
	var d time.Duration
	if rest != "" {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || d < 0 {
			return 0, bad
		}
	}
	if d > longest-time.Duration(days)*day {
		return 0, bad
	}
	return time.Duration(days)*day + d.Truncate(time.Microsecond), nil
}

// FormatSpan writes d as [ParseSpan] reads it, as short as it can.
func FormatSpan(d time.Duration) string {
	var b strings.Builder
	if days := d / day; days > 0 {
		b.WriteString(strconv.Itoa(int(days)) + "d")
		d -= days * day
	}
	if d > 0 || b.Len() == 0 {
		text := d.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		b.WriteString(text)
	}
	return b.String()
}
