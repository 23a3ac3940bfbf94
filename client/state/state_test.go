package state_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client/state"
)

func TestEveryRowIsComplete(t *testing.T) {
	api := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	icon := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, s := range state.All() {
		name := string(s.Object) + " " + string(s.Word)
		if !api.MatchString(s.Object.API()) || !api.MatchString(s.Word.API()) {
			t.Errorf("%s: API form is %q, %q", name, s.Object.API(), s.Word.API())
		}
		if !icon.MatchString(string(s.Icon)) {
			t.Errorf("%s: icon %q is not a Tabler name", name, s.Icon)
		}
		if !strings.HasSuffix(s.Meaning, ".") {
			t.Errorf("%s: meaning is not a sentence: %q", name, s.Meaning)
		}
		known := false
		for _, tone := range state.Tones() {
			known = known || tone == s.Tone
		}
		if !known {
			t.Errorf("%s: tone %q is not one of the tones", name, s.Tone)
		}
	}
}

func TestNoWordTwiceForAnObject(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range state.All() {
		key := s.Object.API() + "/" + s.Word.API()
		if seen[key] {
			t.Errorf("%s is in the list twice", key)
		}
		seen[key] = true
	}
}

// Colour is never the only difference, so one object's states of different
// tone have icons of different shape.
func TestTonesOfAnObjectDoNotShareAnIcon(t *testing.T) {
	for _, object := range state.Objects() {
		tones := map[state.Icon]state.Tone{}
		for _, s := range state.Of(object) {
			if other, ok := tones[s.Icon]; ok && other != s.Tone {
				t.Errorf("%s: icon %s is both %s and %s", object, s.Icon, other, s.Tone)
			}
			tones[s.Icon] = s.Tone
		}
	}
}

func TestFind(t *testing.T) {
	if s, ok := state.Find(state.Account, "out of sync"); !ok || s.Tone != state.Danger {
		t.Errorf("Find(account, out of sync) = %+v, %v", s, ok)
	}
	if s, ok := state.Parse("account", "out_of_sync"); !ok || s.Word != "out of sync" {
		t.Errorf("Parse(account, out_of_sync) = %+v, %v", s, ok)
	}
	if s, ok := state.Parse("audit_log", "intact"); !ok || s.Object != state.AuditLog {
		t.Errorf("Parse(audit_log, intact) = %+v, %v", s, ok)
	}
	for _, bad := range [][2]string{{"account", "out of sync"}, {"account", "success"}, {"", ""}} {
		if s, ok := state.Parse(bad[0], bad[1]); ok {
			t.Errorf("Parse(%q, %q) = %+v, want none", bad[0], bad[1], s)
		}
	}
	if s, ok := state.Find(state.Cluster, "verified"); ok {
		t.Errorf("a cluster is said to be %+v", s)
	}
}

func TestParseFindsEveryState(t *testing.T) {
	for _, want := range state.All() {
		if got, ok := state.Parse(want.Object.API(), want.Word.API()); !ok || got != want {
			t.Errorf("Parse(%s, %s) = %+v, %v", want.Object.API(), want.Word.API(), got, ok)
		}
	}
}

func TestAll_CallerOwnsTheSlice(t *testing.T) {
	all := state.All()
	all[0].Word = "changed"
	if state.All()[0].Word == "changed" {
		t.Error("changing the slice changed the list")
	}
}

func TestToneBySeverity(t *testing.T) {
	open, _ := state.Find(state.Finding, "open")
	for severity, want := range map[state.Severity]state.Tone{
		state.Low: state.Neutral, state.Medium: state.Warn, state.High: state.Danger, "?": state.Danger,
	} {
		if got := open.At(severity); got != want {
			t.Errorf("open finding of severity %s is %s, want %s", severity, got, want)
		}
	}
	fixed, _ := state.Find(state.Finding, "fixed")
	if got := fixed.At(state.High); got != state.OK {
		t.Errorf("fixed finding is %s", got)
	}
}
