package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every column of bytes is known here: a sealed one is sealed again when its data key is replaced, and another holds
// nothing that a data key opens. A new column has to be put into one of the two, and a sealed one into sealedIn too.
func TestEveryColumnOfBytesIsSealedAgainOrNotSealed(t *testing.T) {
	want := map[string]string{
		"versions.sealed": "sealed", "clusters.token": "sealed", "runs.prepared": "sealed",
		"ring_keys.wrapped":             "wrapped by the root key",
		"ring_keys.tag":                 "an id",
		"audit_tiles.data":              "hashes",
		"audit_checkpoints.hash":        "a hash",
		"secret_keys.fingerprint":       "a fingerprint",
		"secret_keys.part":              "a fingerprint",
		"conflict_keys.fingerprint":     "a fingerprint",
		"past_keys.fingerprint":         "a fingerprint",
		"versions.fingerprint":          "a fingerprint",
		"mappings.fingerprint":          "a fingerprint",
		"sessions.hash":                 "a hash",
		"tokens.hash":                   "a hash",
		"setup_codes.hash":              "a hash",
		"idempotency_keys.request_hash": "a keyed hash",
		"idempotency_keys.body":         "an answer without values",
	}
	files, err := filepath.Glob("migrations/*.sql")
	must(t, err)
	table, column, alter := regexp.MustCompile(`^CREATE TABLE (\w+)`), regexp.MustCompile(`^\s+(\w+)\s+BYTEA`), regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN (\w+) BYTEA`)
	have := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		in := ""
		for line := range strings.Lines(string(text)) {
			if m := table.FindStringSubmatch(line); m != nil {
				in = m[1]
			}
			name := ""
			if m := column.FindStringSubmatch(line); m != nil {
				name = in + "." + m[1]
			} else if m := alter.FindStringSubmatch(line); m != nil {
				name = m[1] + "." + m[2]
			} else if strings.Contains(line, "BYTEA") {
				t.Errorf("%s: this line is not understood: %s", file, line)
			}
			if name != "" {
				have[name] = want[name]
			}
		}
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("columns of bytes (-known +there):\n%s", d)
	}
}
