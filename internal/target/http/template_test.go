package http

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/vault"
)

// FuzzEncodings writes a value with each encoding and reads it back as a server does.
func FuzzEncodings(f *testing.F) {
	for _, v := range []string{"a", "{{value|json}}", `"\`, "</script>", "a b+c%2B", "ü\u2028", "..", "%", "\x7f"} {
		f.Add(v)
	}
	parsed, err := parseTemplate(`{"v":"{{value|json}}"}` + "\n{{value|form}}\n{{value|base64}}\n{{value|percent}}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if !utf8.ValidString(v) || strings.ContainsAny(v, "\x00\r\n") || v == "" || v == "." || v == ".." {
			t.Skip()
		}
		out, err := parsed.render(values{value: vault.NewValue([]byte(v))})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(out), "\n")
		if len(lines) != 4 {
			t.Fatalf("%d lines: %q", len(lines), out)
		}
		var object struct{ V string }
		if err := json.Unmarshal([]byte(lines[0]), &object); err != nil || object.V != v {
			t.Errorf("json: %q, %v", lines[0], err)
		}
		form, formErr := url.ParseQuery("v=" + lines[1])
		if formErr != nil || form.Get("v") != v {
			t.Errorf("form: %q", lines[1])
		}
		if b, err := base64.StdEncoding.DecodeString(lines[2]); err != nil || string(b) != v {
			t.Errorf("base64: %q", lines[2])
		}
		if s, err := url.PathUnescape(lines[3]); err != nil || s != v || strings.ContainsAny(lines[3], "/?# ") {
			t.Errorf("percent: %q", lines[3])
		}
	})
}
