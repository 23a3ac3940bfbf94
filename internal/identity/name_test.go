package identity

import "testing"

func FuzzCanonicalName(f *testing.F) {
	for _, s := range []string{"Anna", " bob@x.org ", "K", "a b", "-x", "", "ADMIN\x00", "ａdmin"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := CanonicalName(s)
		if err != nil {
			return
		}
		if again, err := CanonicalName(n); err != nil || again != n {
			t.Errorf("not stable")
		}
	})
}

func TestScopes(t *testing.T) {
	if !Covers([]string{"a.*"}, "a.b", true) || Covers([]string{"*"}, "a.b", true) || !Covers([]string{"*"}, "a.b", false) || Covers(nil, "a.b", false) {
		t.Error("Covers is wrong")
	}
	if Narrower([]string{"*"}, []string{"a.*"}) || !Narrower([]string{"a.b"}, []string{"a.*"}) {
		t.Error("Narrower is wrong")
	}
	for s, want := range map[string]bool{"*": true, "a.b": true, "a.*": true, "a": false, "*.*": false, "": false} {
		if _, err := ParseScopes([]string{s}); (err == nil) != want {
			t.Errorf("%q: %v", s, err)
		}
	}
}
