package linux_test

import (
	"os"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// TestStrictFIPS runs once more in a process in the strict mode of FIPS 140, against the server of the first.
func TestStrictFIPS(t *testing.T) {
	if port := os.Getenv("KEYTURN_TEST_PORT"); port != "" {
		s := server{port: port, hostKey: os.Getenv("KEYTURN_TEST_HOST_KEY")}
		l := login(os.Getenv("KEYTURN_TEST_USER"), "value-1-is-long")
		check(t, "verify", "", own.Verify(t.Context(), s.at(), l))
		check(t, "change", "", own.Change(t.Context(), s.at(), change(t, l, l.User, "value-2-is-long")))
		check(t, "key", target.Refused, keys.Verify(t.Context(), s.at(), login(l.User, newKey())))
		return
	}
	s := start(t, passwords)
	l := s.create(t, random("kt-app-"), "value-1-is-long")
	targettest.Again(t, "TestStrictFIPS", "GODEBUG=fips140=only", "KEYTURN_TEST_PORT="+s.port, "KEYTURN_TEST_HOST_KEY="+s.hostKey, "KEYTURN_TEST_USER="+l.User)
}
