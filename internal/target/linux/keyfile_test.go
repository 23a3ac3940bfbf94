package linux

import (
	"strings"
	"testing"
)

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEIbIUkEX9UGMhmU0rk2xOTCpxfbhv2uAJsJlRyYFcDN"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKSb1zBKC2fVCsIoxBsTdvNT2TMsVG1dwGpJqN7JJZrc"
	keyC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEH5zHaRNGcHTDIfr0AVlF+BgVo6nVGEhyRQ6ylAOVm9"
)

// FuzzKeyFile turns a key in a file that holds anything else: every other line stays byte for byte, in its place.
func FuzzKeyFile(f *testing.F) {
	for _, around := range []string{"", "# comment\n", "\n\n", "x\r\n", "restrict,command=\"a b\" ssh-rsa AAAA x\n", "cert-authority " + keyC + "\n", "no end", "\x00\xff\n", "\"", "ssh-ed25519 "} {
		f.Add(around, around, "no-pty ", " comment")
	}
	f.Fuzz(func(t *testing.T, before, after, options, comment string) {
		if before != "" && !strings.HasSuffix(before, "\n") {
			before += "\n"
		}
		if strings.ContainsAny(options+comment, "\r\n") {
			t.Skip()
		}
		text := before + options + keyA + " " + comment + "\n" + after
		file := parseKeys(text, true)
		if file.text() != text {
			t.Fatalf("read and written: %q, want %q", file.text(), text)
		}
		if strings.Contains(before+after, keyA) || strings.Contains(before+after, keyB) || len(file.held(keyA)) != 1 {
			t.Skip() // not the file that is meant
		}
		both, err := file.add(keyA, keyB)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := both.add(keyA, keyB); err != nil || again.text() != both.text() {
			t.Fatalf("adding again: %v", err)
		}
		only, err := parseKeys(both.text(), true).retire(keyA, keyB)
		if err != nil {
			t.Fatal(err)
		}
		rest := before + after
		if rest != "" && !strings.HasSuffix(rest, "\n") {
			rest += "\n"
		}
		got, ok := strings.CutPrefix(only.text(), rest)
		if line := parseKeys(got, false); !ok || len(line.lines) != 1 || line.lines[0].key != keyB || line.lines[0].options != file.lines[strings.Count(before, "\n")].options {
			t.Fatalf("in the end %q, want %q and the new key", only.text(), rest)
		}
	})
}
