package audit_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The whole package again, in a process that refuses everything that FIPS 140-3 does not approve.
func TestUnderFIPSOnly(t *testing.T) {
	if os.Getenv("KEYTURN_TEST_FIPS") != "" {
		return // this is the process in FIPS mode
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(Test|Fuzz)", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "KEYTURN_TEST_FIPS=1")
	out, err := cmd.CombinedOutput()
	for _, name := range []string{"TestTampering", "TestGenuineLogHolds", "TestCrashBetweenBatches"} {
		if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
}
