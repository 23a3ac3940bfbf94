package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// SR-80: the bill names every module that go itself says is in the program, with its checksum, and every package of the
// console's lock file that is no tool, with its SHA-512; and it is the same each time.
func TestTheBillNamesEverything(t *testing.T) {
	info := built(t)
	lock, err := os.ReadFile("../../console/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := bill(info, lock)
	if err != nil {
		t.Fatal(err)
	}
	again, err := bill(info, lock)
	if err != nil || !bytes.Equal(doc, again) {
		t.Errorf("two bills of one program differ, or %v", err)
	}
	var got document
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	have := map[string]component{}
	for _, c := range got.Components {
		have[c.PURL] = c
	}
	for _, want := range modules(t) {
		path, version, _ := strings.Cut(want, " ")
		c, ok := have["pkg:golang/"+path+"@"+strings.ReplaceAll(version, "+", "%2B")]
		if !ok || len(c.Properties) != 1 || !strings.HasPrefix(c.Properties[0].Value, "h1:") {
			t.Errorf("%s: %+v", want, c)
		}
	}
	for _, want := range []string{"pkg:golang/std@", "pkg:npm/react@19", "pkg:npm/%40mantine/core@9"} {
		if !bytes.Contains(doc, []byte(`"purl": "`+want)) {
			t.Errorf("no %s", want)
		}
	}
	for purl, c := range have {
		if strings.HasPrefix(purl, "pkg:npm/") && (len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 128) {
			t.Errorf("%s has the hashes %v", purl, c.Hashes)
		}
	}
	if bytes.Contains(doc, []byte("pkg:npm/vitest@")) {
		t.Error("a tool of the build is in the bill")
	}
}

func TestALockFileWithoutChecksumsIsRefused(t *testing.T) {
	for _, lock := range []string{``, `{}`, `{"packages": {"node_modules/a": {"version": "1.0.0"}}}`, `{"packages": {"node_modules/a": {"version": "1.0.0", "integrity": "sha512-YQ=="}}}`} {
		if doc, err := consolePackages([]byte(lock)); err == nil {
			t.Errorf("%q gave %+v", lock, doc)
		}
	}
}

// built builds the program, without the console's files, which are no modules, and returns what it says of itself.
func built(t *testing.T) *buildinfo.BuildInfo {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "keyturn")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/keyturn")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// modules returns the modules of the packages that the program is made of, as go lists them.
func modules(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "../../cmd/keyturn")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	if len(found) < 20 {
		t.Fatalf("go lists %d modules", len(found))
	}
	return found
}
