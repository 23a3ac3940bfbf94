package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
)

func golden() audit.Event {
	return audit.Event{
		ID: "01932f6e-8d2a-7c3e-9b1f-0123456789ab", At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Actor: audit.Actor{ID: "u1", Name: "zoë", Kind: identity.KindUser}, Via: "s1", Address: "192.0.2.1", RequestID: "r1",
		Action: "account.reveal", Object: audit.Object{Kind: "account", ID: "a1", Name: "db", Parent: "p1"},
		Outcome: audit.Refused, Reason: "no grant", Run: "run1", Details: map[string]string{"b": "2", "a": "1"},
	}
}

// This text is stored and hashed: it must never change for an event that exists.
func TestCanonicalFormIsFixed(t *testing.T) {
	want := `{"v":1,"id":"01932f6e-8d2a-7c3e-9b1f-0123456789ab","at":"2026-01-02T03:04:05.000006Z",` +
		`"actor":{"id":"u1","name":"zo\u00eb","kind":"user"},"via":"s1","address":"192.0.2.1","request_id":"r1",` +
		`"action":"account.reveal","object":{"kind":"account","id":"a1","name":"db","parent":"p1"},` +
		`"outcome":"refused","reason":"no grant","run":"run1","details":{"a":"1","b":"2"}}`
	if diff := cmp.Diff(want, string(golden().Canonical())); diff != "" {
		t.Error(diff)
	}
}

func TestInjectionStaysInItsField(t *testing.T) {
	for _, evil := range []string{
		"a\nlevel=INFO msg=ok", "a\r\n{}", `","outcome":"allowed`, `\u0022`, "\x00", "\x1b[2J\x1b[1;1H", "\x7f\u0085\u009b31m",
		"\u2028\u2029", "\u202egnp.exe", "\u200b\ufeff", "</script><script>", "\xff\xfe", "\xed\xa0\x80", "😀", strings.Repeat("é", 5000), "%s%n${jndi:x}",
	} {
		e := golden().With("k"+evil, evil).Failed(evil)
		e.Actor.Name, e.Object.Name, e.Address = evil, evil, evil
		line := e.Canonical()
		for _, c := range line {
			if c < 0x20 || c > 0x7e {
				t.Fatalf("%q: byte %#x is in the line", evil, c)
			}
		}
		if !json.Valid(line) {
			t.Errorf("%q: not JSON", evil)
		}
		got, err := audit.Parse(line)
		if err != nil {
			t.Errorf("%q: %v", evil, err)
		}
		if got.Outcome != audit.Failed || len(got.Details) != 3 || len(got.Reason) > audit.MaxText {
			t.Errorf("%q became %+v", evil, got)
		}
	}
}

func TestParseIsStrict(t *testing.T) {
	good := string(golden().Canonical())
	for name, bad := range map[string]string{
		"empty": "", "null": "null", "space": good + " ", "newline": good + "\n", "inner space": strings.Replace(good, ":1,", ": 1,", 1),
		"unknown field": strings.Replace(good, `{"v":1`, `{"v":1,"x":1`, 1), "repeated": strings.Replace(good, `"via":"s1"`, `"via":"s0","via":"s1"`, 1),
		"case": strings.Replace(good, `"via"`, `"Via"`, 1), "version": strings.Replace(good, `"v":1`, `"v":2`, 1),
		"outcome": strings.Replace(good, "refused", "maybe", 1), "id": strings.Replace(good, "7c3e", "4c3e", 1),
		"escape": strings.Replace(good, `\u00eb`, "ë", 1), "order": strings.Replace(good, `"a":"1","b":"2"`, `"b":"2","a":"1"`, 1),
	} {
		if _, err := audit.Parse([]byte(bad)); err == nil {
			t.Errorf("%s: accepted %s", name, bad)
		}
	}
}

func TestBuildersLeaveTheOriginalAlone(t *testing.T) {
	e := audit.New(identity.Anonymous("192.0.2.1"), "session.login", audit.Object{Kind: "session"}).With("a", "1")
	_ = e.With("b", "2").Refused("no")
	if len(e.Details) != 1 || e.Outcome != audit.Allowed {
		t.Errorf("changed: %+v", e)
	}
	got, err := audit.Parse(e.Canonical())
	if diff := cmp.Diff(e, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("zoë", "a\n\x1b", "k", "v")
	f.Add("\xff", "</", "", "\u202e")
	f.Fuzz(func(t *testing.T, name, reason, key, val string) {
		e := golden().With(key, val).Failed(reason)
		e.Actor.Name = name
		line := e.Canonical()
		got, err := audit.Parse(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if string(got.Canonical()) != string(line) {
			t.Fatalf("%s was read as %s", line, got.Canonical())
		}
		if utf8.ValidString(name) && len(name) <= audit.MaxText && got.Actor.Name != name {
			t.Fatalf("name %q became %q", name, got.Actor.Name)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(golden().Canonical())
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := audit.Parse(b); err == nil && string(e.Canonical()) != string(b) {
			t.Fatalf("accepted %q, writes %q", b, e.Canonical())
		}
	})
}
