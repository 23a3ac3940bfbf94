package schedule_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
)

func parse(t interface{ Fatal(...any) }, rules schedule.Rules) schedule.Schedule {
	s, err := schedule.Parse(rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNext(t *testing.T) {
	holidays := []schedule.Blackout{{From: at(t, "2026-12-20T00:00:00Z"), To: at(t, "2027-01-03T00:00:00Z"), Why: "holidays"}}
	for name, tt := range map[string]struct {
		rules            schedule.Rules
		last, asked, now string // retry is set apart
		retry            string
		want, why        string
		overdue          bool
	}{
		"nothing is asked for":   {last: "2026-01-01T00:00:00Z", now: "2026-06-01T00:00:00Z"},
		"an interval":            {rules: schedule.Rules{Every: "30d"}, last: "2026-01-01T00:00:00Z", now: "2026-01-02T00:00:00Z", want: "2026-01-31T00:00:00Z", why: "every 30d"},
		"an interval that is up": {rules: schedule.Rules{Every: "1h"}, last: "2026-01-01T00:00:00Z", now: "2026-06-01T00:00:00Z", want: "2026-01-01T01:00:00Z", why: "every 1h"},
		"a clock that went back": {rules: schedule.Rules{Every: "1h"}, last: "2026-01-01T02:00:00Z", now: "2026-01-01T01:00:00Z", want: "2026-01-01T03:00:00Z", why: "every 1h"},
		"a cron line": {rules: schedule.Rules{Cron: "30 3 * * sun", Zone: "Europe/Berlin"}, last: "2026-11-24T00:00:00Z", now: "2026-11-24T00:00:00Z",
			want: "2026-11-29T02:30:00Z", why: "cron 30 3 * * sun (Europe/Berlin)"},
		"an hour that is left out in spring": {rules: schedule.Rules{Cron: "30 2 * * *", Zone: "Europe/Berlin"}, last: "2026-03-28T12:00:00Z", now: "2026-03-28T12:00:00Z",
			want: "2026-03-29T01:00:00Z", why: "cron 30 2 * * * (Europe/Berlin)"},
		"an hour that comes twice in autumn": {rules: schedule.Rules{Cron: "30 2 * * *", Zone: "Europe/Berlin"}, last: "2026-10-24T12:00:00Z", now: "2026-10-24T12:00:00Z",
			want: "2026-10-25T00:30:00Z", why: "cron 30 2 * * * (Europe/Berlin)"},
		"is used once": {rules: schedule.Rules{Cron: "30 2 * * *", Zone: "Europe/Berlin"}, last: "2026-10-25T00:30:01Z", now: "2026-10-25T00:31:00Z",
			want: "2026-10-26T01:30:00Z", why: "cron 30 2 * * * (Europe/Berlin)"},
		"a window": {rules: schedule.Rules{Every: "7d", Windows: []string{"Fri 20:00-Sat 04:00"}}, last: "2026-11-24T00:00:00Z", now: "2026-11-24T00:00:00Z",
			want: "2026-12-04T20:00:00Z", why: "every 7d; it waits for its window"},
		"a window that was missed": {rules: schedule.Rules{Every: "1d", Windows: []string{"Fri 20:00-Sat 04:00"}}, last: "2026-11-24T00:00:00Z", now: "2026-12-01T00:00:00Z",
			want: "2026-12-04T20:00:00Z", why: "every 1d; it waits for its window"},
		"missed for a year": {rules: schedule.Rules{Every: "1d", Windows: []string{"22:00-04:00"}}, last: "2025-11-24T00:00:00Z", now: "2026-12-01T12:00:00Z",
			want: "2026-12-01T22:00:00Z", why: "every 1d; it waits for its window"},
		"a window in a zone": {rules: schedule.Rules{Every: "1d", Zone: "America/New_York", Windows: []string{"Saturday 22:00–Sunday 24:00"}}, last: "2026-11-24T00:00:00Z", now: "2026-11-24T00:00:00Z",
			want: "2026-11-29T03:00:00Z", why: "every 1d; it waits for its window"},
		"a blackout": {rules: schedule.Rules{Every: "30d", Blackouts: holidays}, last: "2026-11-24T00:00:00Z", now: "2026-12-27T00:00:00Z",
			want: "2027-01-03T00:00:00Z", why: "every 30d; a blackout holds it (holidays)"},
		"a window after a blackout": {rules: schedule.Rules{Every: "30d", Blackouts: holidays, Windows: []string{"Fri 20:00-22:00"}}, last: "2026-11-24T00:00:00Z", now: "2026-12-27T00:00:00Z"},
		"the maximum age":           {rules: schedule.Rules{Cron: "0 0 1 1 *", MaxAge: "90d"}, last: "2026-01-01T00:00:00Z", now: "2026-02-01T00:00:00Z", want: "2026-04-01T00:00:00Z", why: "a value may be 90d old"},
		"older than that": {rules: schedule.Rules{MaxAge: "1d", Windows: []string{"Fri 20:00-Sat 04:00"}}, last: "2026-11-24T00:00:00Z", now: "2026-11-26T00:00:00Z",
			want: "2026-11-27T20:00:00Z", why: "a value may be 1d old; it waits for its window", overdue: true},
		"a reveal":          {rules: schedule.Rules{Every: "30d"}, last: "2026-01-01T00:00:00Z", asked: "2026-01-02T00:00:00Z", now: "2026-01-01T12:00:00Z", want: "2026-01-02T00:00:00Z", why: "the value was revealed"},
		"a try that failed": {rules: schedule.Rules{Every: "1h"}, last: "2026-01-01T00:00:00Z", retry: "2026-01-01T05:00:00Z", now: "2026-01-01T04:00:00Z", want: "2026-01-01T05:00:00Z", why: "every 1h; tried again after a failure"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schedule.Parse(tt.rules)
			if name == "a window after a blackout" {
				if fault.KindOf(err) != fault.Invalid {
					t.Fatalf("a window that names one day only: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := s.Next(schedule.Facts{Last: at(t, tt.last), Asked: at(t, tt.asked), Retry: at(t, tt.retry), Now: at(t, tt.now)})
			if !got.At.Equal(at(t, tt.want)) || got.Why != tt.why || got.Overdue != tt.overdue {
				t.Errorf("got %+v, want %s %q overdue=%v", got, tt.want, tt.why, tt.overdue)
			}
		})
	}
}

func TestRulesThatCannotBeFollowed(t *testing.T) {
	now := time.Now()
	for field, rules := range map[string]schedule.Rules{
		"every":     {Every: "soon"},
		"jitter":    {Jitter: "-1h"},
		"maxAge":    {MaxAge: "4000d"},
		"zone":      {Zone: "Local"},
		"cron":      {Cron: "* * *"},
		"windows":   {Windows: []string{"Fri 20:00"}},
		"blackouts": {Blackouts: []schedule.Blackout{{From: now, To: now}}},
	} {
		_, err := schedule.Parse(rules)
		if f, ok := err.(*fault.Error); !ok || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, rules := range []schedule.Rules{{Cron: "0 0 30 2 *"}, {Cron: "@daily"}, {Cron: "TZ=UTC 0 0 * * *"}, {Cron: "0 0 * * *", Every: "1d"}, {Every: "0s"},
		{Zone: "Nowhere/Never"}, {Windows: []string{"Fry 20:00-Sat 04:00"}}, {Windows: []string{"20:00-20:00"}}, {Windows: []string{"25:00-26:00"}}} {
		if _, err := schedule.Parse(rules); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", rules, err)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute, "10s": 10 * time.Second} {
		got, err := schedule.ParseSpan(text, "every")
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if again, err := schedule.ParseSpan(schedule.FormatSpan(got), "every"); err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %v, %v", text, schedule.FormatSpan(got), again, err)
		}
	}
}
