package linux_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/linux"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

var own = linux.New(linux.Config{})

func change(t *testing.T, by target.Login, account, value string) target.Change {
	t.Helper()
	p, err := own.Prepare(account, targettest.Value(value))
	must(t, err)
	return target.Change{By: by, Account: account, Value: targettest.Value(value), Prepared: p}
}

// reconcile makes a login for each way in which one changes accounts, with the rights that the documentation gives it.
func (s *server) reconcile(t *testing.T) map[string]target.Login {
	t.Helper()
	rec := map[string]target.Login{
		"root":   s.create(t, random("kt-root-"), rand.Text(), "-o", "-u", "0"),
		"sudo":   s.create(t, random("kt-sudo-"), rand.Text()),
		"helper": s.create(t, random("kt-helper-"), rand.Text()),
	}
	s.allow(t, rec["sudo"].User, "ALL=(root) NOPASSWD: /usr/sbin/chpasswd -e")
	doc, err := os.ReadFile("../../../docs/targets/linux.md")
	must(t, err)
	_, script, _ := strings.Cut(string(doc), "```sh\n#!/bin/sh")
	script, _, found := strings.Cut(script, "```")
	if !found {
		t.Fatal("the documentation shows no helper script")
	}
	s.Write(t, "keyturn-setpw", "#!/bin/sh"+strings.ReplaceAll(script, "app-", "kt-app-"))
	must(t, os.Chown(s.Dir+"/keyturn-setpw", 0, 0))
	must(t, os.Chmod(s.Dir+"/keyturn-setpw", 0o755))
	s.allow(t, rec["helper"].User, "ALL=(root) NOPASSWD: "+s.Dir+"/keyturn-setpw kt-app-*")
	return rec
}

func TestPasswords(t *testing.T) {
	s := start(t, passwords)
	rec, seen := s.reconcile(t), watch(t)
	named := func(t *testing.T, name string) target.Login { return s.create(t, name, rand.Text()) }
	logs := func(t *testing.T) []byte {
		b := append(seen.all(), s.Read(t, "output")+s.Read(t, "sudo.log")...)
		for _, file := range []string{"/var/log/auth.log", "/var/log/syslog"} { // where the machine has them
			if text, err := os.ReadFile(file); err == nil {
				b = append(b, text...)
			}
		}
		for _, sign := range []string{"debug3: ", "exec /bin/sh -c"} {
			if !bytes.Contains(b, []byte(sign)) {
				t.Fatalf("the logs show no %q", sign)
			}
		}
		return b
	}
	names := []string{"_" + random("kt-"), random("kt-a.b-"), random("kt-A_b-"), (random("kt-") + strings.Repeat("n", 32))[:32], random("kt-") + "-"}
	powerless := named(t, random("kt-app-"))
	for method, by := range rec {
		h := targettest.Harness{
			Dump: s.dump,
			Strip: func(t *testing.T) (target.Login, func()) {
				if method == "root" { // root without its right is another account
					return powerless, func() {}
				}
				return by, forbid(t, by.User)
			},
			Target: own, Connection: s.at("method", method), Plain: s.at("method", method), Reconcile: by, CreateNamed: named, Log: logs,
			Break:         func(t *testing.T) targettest.Breaker { return s.breaking(t, passwords, "*passwd*|*setpw*") },
			Create:        func(t *testing.T) target.Login { return named(t, random("kt-app-")) },
			RejectedValue: func(string) string { return "short" },
			Missing:       "kt-app-missing",
			BadNames:      []string{"", "-x", "1000", "a b", "a:b", "a/b", "a;b", "a'b", "$(id)", "*", "ü", "a\nb", "nul\x00", strings.Repeat("n", 33)},
		}
		if method == "helper" {
			h.Connection["helper"], h.Plain["helper"] = s.Dir+"/keyturn-setpw", s.Dir+"/keyturn-setpw"
			h.Protected = "root"
		} else {
			h.Names = names
		}
		t.Run(method, func(t *testing.T) { targettest.Run(t, h) })
	}
	if all := seen.all(); !bytes.Contains(all, []byte("chpasswd\x00-e")) || !bytes.Contains(all, []byte("passwd\x00")) {
		t.Error("nothing was seen of the programs that change passwords")
	}
	t.Run("states", func(t *testing.T) { states(t, s, rec) })
	t.Run("rehearsals", func(t *testing.T) { rehearsals(t, s, rec) })
	t.Run("host keys", func(t *testing.T) { hostKeys(t, s) })
	t.Run("settings", func(t *testing.T) { settings(t, s, rec) })
	t.Run("input that is cut off", func(t *testing.T) { cutInput(t, s, rec) })
}

// states looks at accounts that are not as they should be.
func states(t *testing.T, s *server, rec map[string]target.Login) {
	ctx, at := t.Context(), s.at()
	account := func(how ...string) target.Login {
		l := s.create(t, random("kt-app-"), "value-1")
		if len(how) > 0 {
			command(t, "", how[0], append(how[1:], l.User)...)
		}
		return l
	}
	locked, expired, bare := account("usermod", "-L"), account("chage", "-d", "0"), s.create(t, random("kt-app-"), "")
	check(t, "locked", target.Refused, own.Verify(ctx, at, locked))
	check(t, "account expired", target.Refused, own.Verify(ctx, at, account("chage", "-E", "0")))
	says(t, "password expired", target.NotPermitted, "has expired", own.Verify(ctx, at, expired))
	says(t, "password expired, wrong", target.Refused, "refused", own.Verify(ctx, at, login(expired.User, "wrong")))
	says(t, "password expired, self", target.NotPermitted, "has expired", own.Change(ctx, at, change(t, expired, expired.User, "value-2-is-long")))
	l := account("chage", "-m", "5")
	says(t, "too soon", target.NotPermitted, "too short a time", own.Change(ctx, at, change(t, l, l.User, "value-2-is-long")))
	l = account()
	says(t, "too short", target.Rejected, "it is too short", own.Change(ctx, at, change(t, l, l.User, "v")))
	for _, shell := range []string{"/usr/sbin/nologin", "/bin/false"} {
		l = account("usermod", "-s", shell)
		says(t, shell, target.NotPermitted, "runs no commands", own.Verify(ctx, at, l))
		check(t, "self "+shell, target.NotPermitted, own.Change(ctx, at, change(t, l, l.User, "value-2-is-long")))
		for method, by := range rec {
			at := s.at("method", method, "helper", s.Dir+"/keyturn-setpw")
			says(t, method+" "+shell, target.NotPermitted, "shell", own.Change(ctx, at, change(t, by, l.User, "value-2")))
		}
	}
	for method, by := range rec {
		at := s.at("method", method, "helper", s.Dir+"/keyturn-setpw")
		command(t, "", "chage", "-d", "0", expired.User)
		check(t, method+", password expired", "", own.Change(ctx, at, change(t, by, expired.User, "value-2")))
		check(t, "password renewed", "", own.Verify(ctx, at, login(expired.User, "value-2")))
		if method != "sudo" { // which sees neither
			says(t, method+", locked", target.NotPermitted, "locked", own.Change(ctx, at, change(t, by, locked.User, "value-2")))
			says(t, method+", no password", target.NotPermitted, "locked", own.Change(ctx, at, change(t, by, bare.User, "value-2")))
		}
	}
	l, keyed := account(), rec["root"]
	keyed.Password = targettest.Value(newKey())
	check(t, "by a key that is not there", target.Refused, own.Change(ctx, s.at("method", "root"), change(t, keyed, l.User, "value-2")))
	s.authorize(t, keyed.User, public(t, exposed(keyed))+"\n")
	check(t, "by a key", "", own.Change(ctx, s.at("method", "root"), change(t, keyed, l.User, "value-2")))
	check(t, "by a key", "", own.Verify(ctx, at, login(l.User, "value-2")))
	check(t, "by a key itself", target.Misconfigured, own.Change(ctx, at, change(t, keyed, keyed.User, "value-2")))
	rootly := rec["root"]
	check(t, "root by itself", "", own.Change(ctx, s.at("method", "root"), change(t, rootly, rootly.User, "value-2-is-long")))
	says(t, "runs as another", target.Unproven, "as this account", own.Verify(ctx, s.at(), login(rootly.User, "value-2-is-long")))
	setPassword(t, rootly.User, exposed(rootly))
}

func exposed(l target.Login) (s string) {
	_ = l.Password.Expose(func(b []byte) error { s = string(b); return nil })
	return s
}

// hostKeys pins what the server shows, and what it does not.
func hostKeys(t *testing.T, s *server) {
	ctx, l := t.Context(), s.create(t, random("kt-app-"), "value-1")
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		public := strings.TrimSpace(s.Read(t, kind+".pub"))
		for _, line := range []string{public, "[127.0.0.1]:22 " + public, strings.Fields(command(t, "", "ssh-keygen", "-lf", s.Dir+"/"+kind+".pub"))[1]} {
			check(t, line, "", own.Verify(ctx, s.at("host_key", line), l))
			check(t, line+", wrong", target.Refused, own.Verify(ctx, s.at("host_key", line), login(l.User, "wrong")))
		}
	}
	scanned := command(t, "", "ssh-keyscan", "-t", "ed25519", "-p", s.port, "127.0.0.1")
	for line := range strings.Lines(scanned) {
		if !strings.HasPrefix(line, "#") {
			check(t, "ssh-keyscan", "", own.Verify(ctx, s.at("host_key", strings.TrimSpace(line)), l))
		}
	}

	command(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.Dir+"/other")
	command(t, "", "ssh-keygen", "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-f", s.Dir+"/kind")
	quiet := login(random("kt-quiet-"), "value-1")
	for _, file := range []string{"other", "kind"} {
		public := strings.TrimSpace(s.Read(t, file+".pub"))
		for _, line := range []string{public, strings.Fields(command(t, "", "ssh-keygen", "-lf", s.Dir+"/"+file+".pub"))[1]} {
			says(t, "another key", target.Unreachable, "host key", own.Verify(ctx, s.at("host_key", line), quiet))
			says(t, "another key, change", target.Unreachable, "host key", own.Change(ctx, s.at("host_key", line), change(t, quiet, quiet.User, "value-2")))
		}
	}
	if strings.Contains(s.Read(t, "output"), quiet.User) {
		t.Error("a server with another key was told an account's name")
	}
	for _, line := range []string{"", "ssh-ed25519", "@revoked * " + s.hostKey} {
		check(t, line, target.Misconfigured, own.Verify(ctx, s.at("host_key", line), l))
	}
}

// settings looks at logins without rights, and at servers with other settings.
func settings(t *testing.T, s *server, rec map[string]target.Login) {
	ctx, l := t.Context(), s.create(t, random("kt-app-"), "value-1")
	other := s.create(t, random("kt-"), "value-1")
	check(t, "not by itself", target.Misconfigured, own.Change(ctx, s.at("method", "self"), change(t, rec["sudo"], l.User, "value-2")))
	for _, path := range []string{"keyturn-setpw", "/bin/x y", "/bin/'x", "/bin/../x", "/x/"} {
		check(t, path, target.Misconfigured, own.Change(ctx, s.at("method", "helper", "helper", path), change(t, rec["helper"], l.User, "value-2")))
	}
	check(t, "the helper, another name", target.NotPermitted, own.Change(ctx, s.at("method", "helper", "helper", s.Dir+"/keyturn-setpw"), change(t, rec["helper"], other.User, "value-2")))
	check(t, "not root", target.NotPermitted, own.Change(ctx, s.at("method", "root"), change(t, rec["sudo"], l.User, "value-2")))
	check(t, "not the helper's", target.NotPermitted, own.Change(ctx, s.at(), change(t, rec["helper"], l.User, "value-2")))
	check(t, "no password sent", target.Misconfigured, own.Verify(ctx, s.at(), target.Login{User: l.User}))
	check(t, "no password of anybody", target.Misconfigured, own.Change(ctx, s.at(), change(t, login(l.User, "a\nb"), l.User, "value-2")))
	check(t, "as it was", "", own.Verify(ctx, s.at(), l))

	keysOnly := start(t, "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no")
	says(t, "keys only", target.NotPermitted, "in this way", own.Verify(ctx, keysOnly.at(), l))
	twoSteps := start(t, passwords+"\nAuthenticationMethods password,publickey")
	says(t, "two steps", target.NotPermitted, "more than one", own.Verify(ctx, twoSteps.at(), l))
	once := start(t, passwords+"\nMaxAuthTries 1")
	check(t, "one try", "", own.Verify(ctx, once.at(), l))
	sftp := start(t, passwords+"\nForceCommand internal-sftp")
	says(t, "no commands", target.NotPermitted, "runs no commands", own.Verify(ctx, sftp.at(), l))
	open := start(t, passwords+"\nPermitEmptyPasswords yes")
	command(t, "", "passwd", "-d", other.User)
	check(t, "empty password", target.Unproven, own.Verify(ctx, open.at(), other))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	check(t, "given up", target.Unreachable, own.Verify(gone, s.at(), l))
}

// cutInput hands over a part of a hash, which chpasswd would store.
func cutInput(t *testing.T, s *server, _ map[string]target.Login) {
	l := s.create(t, random("kt-app-"), "value-1")
	for _, args := range [][]string{{"/bin/sh", "-c", linux.RootScript, "sh", l.User}, {s.Dir + "/keyturn-setpw", l.User}} {
		command(t, l.User+":$6$part", "/bin/sh", append([]string{"-c", `"$@"; [ $? -eq 95 ]`, "sh"}, args...)...)
	}
	for _, line := range []string{"x", "$6$a:b", "$1$aa$bb", "$6$aa bb"} {
		command(t, line+"\n", "/bin/sh", "-c", `"$@"; [ $? -eq 95 ]`, "sh", s.Dir+"/keyturn-setpw", l.User)
	}
	check(t, "as it was", "", own.Verify(t.Context(), s.at(), l))
}

// TestPAM asks a server with PAM, by password and by keyboard-interactive.
func TestPAM(t *testing.T) {
	service := random("sshd-kt-")
	must(t, os.WriteFile("/etc/pam.d/"+service, []byte("auth required pam_unix.so nodelay\naccount required pam_unix.so\npassword required pam_unix.so sha512\nsession required pam_unix.so\n"), 0o644))
	t.Cleanup(func() { _ = os.Remove("/etc/pam.d/" + service) })
	for method, both := range map[string]string{"password": "yes\nKbdInteractiveAuthentication no", "keyboard-interactive": "no\nKbdInteractiveAuthentication yes"} {
		files := targettest.NewServer(t)
		must(t, os.Symlink(binary, files.Dir+"/"+service)) // PAM goes by the program's name
		s := startAs(t, files, files.Dir+"/"+service, "UsePAM yes\nPasswordAuthentication "+both)
		ctx, at := t.Context(), s.at()
		l := s.create(t, random("kt-app-"), "value-1")
		check(t, method, "", own.Verify(ctx, at, l))
		check(t, method+", wrong", target.Refused, own.Verify(ctx, at, login(l.User, "wrong")))
		check(t, method+", change", "", own.Change(ctx, at, change(t, l, l.User, "välue-2 is $long\\")))
		check(t, method+", changed", "", own.Verify(ctx, at, login(l.User, "välue-2 is $long\\")))
		says(t, method+", the same again", target.Rejected, "", own.Change(ctx, at, change(t, login(l.User, "välue-2 is $long\\"), l.User, "välue-2 is $long\\")))
		command(t, "", "chage", "-d", "0", l.User)
		says(t, method+", password expired", target.NotPermitted, "expired", own.Verify(ctx, at, login(l.User, "välue-2 is $long\\")))
		expired := s.create(t, random("kt-app-"), "value-1", "-e", "2020-01-01")
		if method == "password" { // the server breaks off, where by keyboard-interactive it answers
			says(t, method+", account expired", target.Unreachable, "expired", own.Verify(ctx, at, expired))
		} else {
			check(t, method+", account expired", target.Refused, own.Verify(ctx, at, expired))
		}
		check(t, method+", account expired, wrong", target.Refused, own.Verify(ctx, at, login(expired.User, "wrong")))
		if strings.Contains(s.Read(t, "output"), "2 is $long") {
			t.Errorf("%s: the value stands in the server's log", method)
		}
	}
	slow := linux.New(linux.Config{Timeout: time.Nanosecond})
	check(t, "no time", target.Unreachable, slow.Verify(t.Context(), target.Connection{"host": "127.0.0.1", "host_key": "SHA256:" + strings.Repeat("A", 43)}, login("kt-x", "value-1")))
}
