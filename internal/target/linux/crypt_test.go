package linux

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/vault"
)

// TestCrypt compares with another implementation of the scheme, at lengths around those where its steps change.
func TestCrypt(t *testing.T) {
	for _, n := range []int{1, 2, 3, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255} {
		pw := strings.Repeat("aB3$\\'\"%ü🔑 ", n)[:n]
		salt := newSalt()
		cmd := exec.Command("openssl", "passwd", "-6", "-salt", salt, "-stdin")
		cmd.Stdin = strings.NewReader(pw + "\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := hash(salt, vault.NewValue([]byte(pw))); got != strings.TrimSpace(string(out)) {
			t.Errorf("%d bytes: %s, want %s", n, got, out)
		}
	}
}

func TestPin(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEIbIUkEX9UGMhmU0rk2xOTCpxfbhv2uAJsJlRyYFcDN"
	var want string
	for _, line := range []string{key, key + " root@host", "host " + key, "[host]:2222,192.0.2.1 " + key + " comment", "|1|c2FsdA==|aGFzaA== " + key} {
		p, err := parsePin(line)
		if err != nil || p.key == nil || p.key.Type() != "ssh-ed25519" {
			t.Errorf("%q: %v", line, err)
			continue
		}
		want = p.fingerprint
	}
	for _, line := range []string{want, "256 " + want + " root@host (ED25519)"} {
		if p, err := parsePin(line); err != nil || p.fingerprint != want || p.key != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	for _, line := range []string{"", "host", key[:40], "SHA256:short", "MD5:00:11", "@cert-authority host " + key, "# host:22 SSH-2.0-OpenSSH", "ssh-rsa " + strings.Fields(key)[1], "a b " + key} {
		if p, err := parsePin(line); err == nil {
			t.Errorf("%q was taken for %v", line, p)
		}
	}
}
