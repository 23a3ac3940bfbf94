package http_test

import (
	"os"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// TestStrictFIPS runs once more in a process in the strict mode of FIPS 140, in which a short key signs nothing.
func TestStrictFIPS(t *testing.T) {
	s := start(t)
	if os.Getenv("KEYTURN_TEST_FIPS") == "" {
		targettest.Again(t, "TestStrictFIPS", "GODEBUG=fips140=only", "KEYTURN_TEST_FIPS=1")
		return
	}
	c := join(webhook, s.overTLS())
	rec := s.create("keyturn", "a key of 14 ch")
	l := s.create("app", "a value that is long")
	check(t, "change", "", own.Change(t.Context(), c, change(rec, l.User, "another long value")))
	check(t, "verify", "", own.Verify(t.Context(), c, login(l.User, "another long value")))
	check(t, "a short key", target.Misconfigured, own.Change(t.Context(), c, change(s.create("keyturn", "short"), l.User, "another long value")))
}
