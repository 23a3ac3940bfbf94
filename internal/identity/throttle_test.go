package identity

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecideTry(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	limits := tryLimits{each: 5, all: 300}
	min := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }
	for name, c := range map[string]struct {
		st   TryState
		want TryAnswer
	}{
		"first":                      {TryState{}, TryAnswer{}},
		"fifth":                      {TryState{Count: 4}, TryAnswer{}},
		"sixth":                      {TryState{Count: 5}, TryAnswer{15 * time.Minute, 1, min(15)}},
		"blocked is not made longer": {TryState{Count: 5, Blocks: 1, BlockedUntil: min(3)}, TryAnswer{3 * time.Minute, 1, min(3)}},
		"block over":                 {TryState{Blocks: 1, BlockedUntil: now}, TryAnswer{0, 1, now}},
		"second block":               {TryState{Count: 5, Blocks: 1, BlockedUntil: min(-5)}, TryAnswer{30 * time.Minute, 2, min(30)}},
		"third block":                {TryState{Count: 5, Blocks: 2, BlockedUntil: min(-5)}, TryAnswer{time.Hour, 3, min(60)}},
		"never beyond an hour":       {TryState{Count: 9, Blocks: 70, BlockedUntil: min(-5)}, TryAnswer{time.Hour, 71, min(60)}},
		"a day heals":                {TryState{Count: 5, Blocks: 3, BlockedUntil: min(-24 * 60)}, TryAnswer{15 * time.Minute, 1, min(15)}},
		"all together":               {TryState{CountAll: 300, OldestAll: min(-10)}, TryAnswer{5 * time.Minute, 0, time.Time{}}},
		"all but one":                {TryState{CountAll: 299, OldestAll: min(-10)}, TryAnswer{}},
		"known address is exempt":    {TryState{Known: true, CountAll: 9000, OldestAll: min(-10)}, TryAnswer{}},
		"known address has its own":  {TryState{Known: true, Count: 5}, TryAnswer{15 * time.Minute, 1, min(15)}},
		"waits at least a second":    {TryState{CountAll: 300, OldestAll: min(-15)}, TryAnswer{time.Second, 0, time.Time{}}},
	} {
		if d := cmp.Diff(c.want, decideTry(c.st, limits, now)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	if a := decideTry(TryState{CountAll: 9000, OldestAll: now}, tryLimits{each: 30}, now); a.Wait != 0 {
		t.Error("a limit that is not there was met")
	}
}

func TestAddressClass(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "192.0.2.7:1234": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:443": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
		"": "", "unix": "", "192.0.2.7.8": "",
	} {
		if got := AddressClass(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTriesOnWhatIsNoNameAreCountedTogether(t *testing.T) {
	if subjectOf("") == subjectOf("anna") || subjectOf("anna") == subjectOf("bob") || subjectOf("") != "no-name" {
		t.Error("names share a subject")
	}
}
