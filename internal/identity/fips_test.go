package identity

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What signs people in, again, in a process that refuses everything that FIPS 140-3 does not approve.
func TestUnderFIPSOnly(t *testing.T) {
	if os.Getenv("KEYTURN_TEST_FIPS") != "" {
		if hash := NewHasher().cost; hash != pbkdf2Cost {
			t.Fatalf("passwords are hashed with %s", hash.algorithm)
		}
		return
	}
	const part = "^(TestUnderFIPSOnly|TestHasher.*|TestSetup|TestLogin.*|TestSessionsEnd|TestTokens|TestSecretComesBack|TestChangingOnesOwnPassword)$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+part, "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "KEYTURN_TEST_FIPS=1")
	out, err := cmd.CombinedOutput()
	for _, name := range []string{"TestUnderFIPSOnly", "TestLoginAndAuthenticate", "TestSecretComesBack"} {
		if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
}
