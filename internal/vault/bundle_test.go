package vault

import (
	"bytes"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

func val(s string) Value { return NewValue([]byte(s)) }

func plain(t testing.TB, v Value) (b []byte) {
	t.Helper()
	if err := v.Expose(func(p []byte) error { b = bytes.Clone(p); return nil }); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBundleComesBack(t *testing.T) {
	for name, data := range map[string]map[string]Value{
		"no keys":     {},
		"nil":         nil,
		"empty value": {"a": val("")},
		"empty name":  {"": val("x"), "a": {}},
		"binary":      {"a": val("\x00\xff\n"), "b\x00c": val(strings.Repeat("\x01", 300))},
		"1 MiB":       {"big": val(strings.Repeat("x", 1<<20)), "small": val("y")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Unbundle(Bundle(data))
			if err != nil || len(got) != len(data) {
				t.Fatalf("%d of %d keys, %v", len(got), len(data), err)
			}
			for k, v := range data {
				if w, ok := got[k]; !ok || !w.Equal(v) {
					t.Errorf("key %q did not come back", k)
				}
			}
		})
	}
}

func TestBundleIsTheSameForTheSameData(t *testing.T) {
	a := map[string]Value{"a": val("1"), "b": val("2"), "c": val("3")}
	first := plain(t, Bundle(a))
	for range 20 {
		if !bytes.Equal(first, plain(t, Bundle(a))) {
			t.Fatal("two bundles of the same data differ")
		}
	}
	if want := "\x01\x00\x00\x00\x01\x00\x00\x00\x01k\x00\x00\x00\x02vv"; string(plain(t, Bundle(map[string]Value{"k": val("vv")}))) != want {
		t.Error("the format changed: stored versions could not be read any more")
	}
	if Bundle(map[string]Value{"ab": val("c")}).Equal(Bundle(map[string]Value{"a": val("bc")})) {
		t.Error("different data has the same bundle")
	}
}

func TestUnbundleRefusesEverythingElse(t *testing.T) {
	good := string(plain(t, Bundle(map[string]Value{"a": val("1"), "b": val("2")})))
	swapped := "\x01\x00\x00\x00\x02" + "\x00\x00\x00\x01b\x00\x00\x00\x00" + "\x00\x00\x00\x01a\x00\x00\x00\x00"
	for name, s := range map[string]string{
		"empty": "", "json": "{}", "other format": "\x02" + good[1:], "longer": good + "x", "shorter": good[:len(good)-1],
		"a huge count": "\x01\xff\xff\xff\xff", "a huge length": "\x01\x00\x00\x00\x01\xff\xff\xff\xffabcd", "not in order": swapped,
	} {
		if _, err := Unbundle(val(s)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func FuzzUnbundle(f *testing.F) {
	f.Add([]byte{})
	f.Add(plain(f, Bundle(map[string]Value{"a": val("1"), "b": val("")})))
	f.Add([]byte("\x01\x00\x00\x00\x01\x00\x00\x00\x01k\x00\x00\x00\x02vv"))
	f.Fuzz(func(t *testing.T, b []byte) {
		data, err := Unbundle(NewValue(bytes.Clone(b)))
		if err == nil && !bytes.Equal(plain(t, Bundle(data)), b) {
			t.Error("two texts stand for the same data")
		}
	})
}
