package linux_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/linux"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

var keys = linux.NewKey(linux.Config{})

var _ target.Generator = keys

// newKey makes a value as Keyturn does.
func newKey() string {
	v, err := keys.Generate()
	if err != nil {
		panic(err)
	}
	return exposed(target.Login{Password: v})
}

func public(t *testing.T, private string) string {
	t.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(private))
	must(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// keyed makes an account that one key lets in, with this before the key and this after it.
func (s *server) keyed(t *testing.T, name, before, after string, options ...string) target.Login {
	t.Helper()
	l := s.create(t, name, "", options...)
	l.Password = targettest.Value(newKey())
	s.authorize(t, name, before+public(t, exposed(l))+after)
	return l
}

func (s *server) file(name string) string { return s.Dir + "/home/" + name + "/.ssh/authorized_keys" }

// authorize writes the file as the account would.
func (s *server) authorize(t *testing.T, name, text string) {
	t.Helper()
	command(t, text, "runuser", "-u", name, "--", "/bin/sh", "-c", `umask 077; cd "$1"; mkdir -p .ssh; cat >.ssh/authorized_keys`, "sh", s.Dir+"/home/"+name)
}

func (s *server) authorized(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(s.file(name))
	must(t, err)
	return string(b)
}

func changeKey(t *testing.T, by target.Login, account, value string) target.Change {
	t.Helper()
	p, err := keys.Prepare(account, targettest.Value(value))
	must(t, err)
	return target.Change{By: by, Account: account, Value: targettest.Value(value), Prepared: p}
}

func overlap(t *testing.T, by target.Login, account, current, next string) target.Overlap {
	t.Helper()
	ch := changeKey(t, by, account, next)
	return target.Overlap{By: by, Account: account, Current: target.Prepared{Value: targettest.Value(current)}, Next: target.Prepared{Value: ch.Value, Text: ch.Prepared}}
}

const keysAlone = "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes yes"

func TestKeys(t *testing.T) {
	s := start(t, strings.Replace(keysAlone, "UsePAM no", "UsePAM yes", 1)) // without PAM an account without a password is locked
	group := random("kt-")
	command(t, "", "groupadd", group)
	t.Cleanup(func() { command(t, "", "groupdel", group) })
	rec := map[string]target.Login{
		"root": s.keyed(t, random("kt-root-"), "", "\n", "-o", "-u", "0"),
		"sudo": s.keyed(t, random("kt-sudo-"), "", "\n"),
	}
	s.allow(t, rec["sudo"].User, "ALL=(%"+group+") NOPASSWD: /bin/sh")
	powerless := s.keyed(t, random("kt-app-"), "", "\n")
	for method, by := range rec {
		named := func(t *testing.T, name string) target.Login { return s.keyed(t, name, "", "", "-G", group) }
		h := targettest.Harness{
			Dump: s.dump,
			Strip: func(t *testing.T) (target.Login, func()) {
				if method == "root" { // root without its right is another account
					return powerless, func() {}
				}
				return by, forbid(t, by.User)
			},
			Target: keys, Connection: s.at("method", method), Plain: s.at("method", method), Reconcile: by, CreateNamed: named, NewValue: newKey,
			Break: func(t *testing.T) targettest.Breaker {
				return s.breaking(t, strings.Replace(keysAlone, "UsePAM no", "UsePAM yes", 1), "*mktemp*")
			},
			Create: func(t *testing.T) target.Login { return named(t, random("kt-app-")) },
			AddValue: func(t *testing.T, account, value string) {
				s.authorize(t, account, s.authorized(t, account)+"\n"+public(t, value)+"\n")
			},
			Log:      func(t *testing.T) []byte { return []byte(s.Read(t, "output") + s.Read(t, "sudo.log")) },
			Missing:  "kt-app-missing",
			Names:    []string{"_" + random("kt-"), random("kt-a.b-"), (random("kt-") + strings.Repeat("n", 32))[:32]},
			BadNames: []string{"", "-x", "1000", "a b", "a:b", "a/b", "a;b", "a'b", "$(id)", "*", "ü", "a\nb", "nul\x00", strings.Repeat("n", 33)},
		}
		t.Run(method, func(t *testing.T) { targettest.Run(t, h) })
	}
	t.Run("the rest of the file", func(t *testing.T) { restOfFile(t, s, rec) })
	t.Run("several keys", func(t *testing.T) { several(t, s, rec) })
	t.Run("files and settings", func(t *testing.T) { files(t, s, rec) })
	t.Run("rehearsals", func(t *testing.T) { keyRehearsals(t, s, rec) })
	t.Run("kinds of keys", func(t *testing.T) { kinds(t, s) })
}

// restOfFile turns a key by its own login and looks at what else stands in the file.
func restOfFile(t *testing.T, s *server, _ map[string]target.Login) {
	ctx, at := t.Context(), s.at()
	const options = `no-pty,from="127.0.0.1,192.0.2.0/24",environment="A=b c" `
	around := "# a comment\n\n  \ncert-authority " + public(t, newKey()) + " ca\nnot a key\n"
	l := s.keyed(t, random("kt-app-"), around+options, " who@where") // without a line feed at the end
	next := newKey()
	old := s.authorized(t, l.User)
	o := overlap(t, l, l.User, exposed(l), next)
	check(t, "add", "", keys.Add(ctx, at, o))
	installed := options + public(t, next) + " keyturn\n"
	if got := s.authorized(t, l.User); got != old+"\n"+installed {
		t.Errorf("after the adding:\n%s", got)
	}
	o.By = login(l.User, next)
	check(t, "retire", "", keys.Retire(ctx, at, o))
	check(t, "retire again", "", keys.Retire(ctx, at, o))
	if got := s.authorized(t, l.User); got != around+installed {
		t.Errorf("after the retiring:\n%s", got)
	}
	check(t, "old", target.Refused, keys.Verify(ctx, at, l))
	check(t, "new", "", keys.Verify(ctx, at, o.By))
	last := newKey()
	check(t, "change", "", keys.Change(ctx, at, changeKey(t, o.By, l.User, last)))
	if got := s.authorized(t, l.User); got != around+options+public(t, last)+" keyturn\n" {
		t.Errorf("after the change:\n%s", got)
	}
	info, err := os.Stat(s.file(l.User))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// several looks at accounts with more keys than one.
func several(t *testing.T, s *server, rec map[string]target.Login) {
	ctx, refuse, keep, next := t.Context(), s.at("method", "root"), s.at("method", "root", "other_keys", "keep"), newKey()
	person := public(t, newKey()) + " a person\n"
	l := s.keyed(t, random("kt-app-"), person, " first\n")
	o := overlap(t, l, l.User, exposed(l), next)
	check(t, "another's key", target.NotPermitted, keys.Add(ctx, refuse, o))
	check(t, "add", "", keys.Add(ctx, keep, o))
	check(t, "retire", "", keys.Retire(ctx, keep, o))
	if got := s.authorized(t, l.User); got != person+public(t, next)+" keyturn\n" {
		t.Errorf("the other's key is gone, or the old one is not:\n%s", got)
	}
	last := newKey()
	check(t, "reconcile what Keyturn installed", "", keys.Change(ctx, keep, changeKey(t, rec["root"], l.User, last)))
	if got := s.authorized(t, l.User); got != person+public(t, last)+" keyturn\n" {
		t.Errorf("after the reconciling:\n%s", got)
	}
	alien := s.keyed(t, random("kt-app-"), "", "\n")
	check(t, "reconcile what Keyturn does not know", target.NotPermitted, keys.Change(ctx, keep, changeKey(t, rec["root"], alien.User, next)))
	check(t, "by itself", "", keys.Change(ctx, keep, changeKey(t, alien, alien.User, next)))
	s.authorize(t, alien.User, "restrict "+person+public(t, next)+"\n")
	says(t, "which options", target.NotPermitted, "different options", keys.Change(ctx, refuse, changeKey(t, rec["root"], alien.User, last)))
	check(t, "its own options", "", keys.Change(ctx, refuse, changeKey(t, login(alien.User, next), alien.User, last)))
	if got := s.authorized(t, alien.User); got != public(t, last)+" keyturn\n" {
		t.Errorf("after its own change:\n%s", got)
	}
	s.authorize(t, alien.User, "")
	says(t, "no key", target.NotPermitted, "no key", keys.Change(ctx, refuse, changeKey(t, rec["root"], alien.User, next)))
	must(t, os.RemoveAll(s.Dir+"/home/"+alien.User+"/.ssh"))
	says(t, "no file", target.NotPermitted, "no key", keys.Change(ctx, refuse, changeKey(t, rec["root"], alien.User, next)))
}

// files looks at files that cannot be changed, and at settings.
func files(t *testing.T, s *server, rec map[string]target.Login) {
	ctx, at, next := t.Context(), s.at("method", "root"), newKey()
	l := s.keyed(t, random("kt-app-"), "", "\n")
	sum := strings.Fields(command(t, "", "sha256sum", s.file(l.User)))[0]
	for input, exit := range map[string]string{sum + "\n" + sum: "95", sum + "\n" + sum + "\nssh-ed255": "95", strings.Repeat("0", 64) + "\n" + sum + "\n" + s.authorized(t, l.User): "96"} {
		command(t, input, "runuser", "-u", l.User, "--", "/bin/sh", "-c", `/bin/sh -c "$1" sh "$2"; [ $? -eq `+exit+" ]", "sh", linux.WriteScript, l.User)
	}
	check(t, "as it was", "", keys.Verify(ctx, at, l))
	must(t, os.Chmod(s.Dir+"/home/"+l.User, 0o707))
	check(t, "a home that anybody writes to", target.Refused, keys.Verify(ctx, at, l))
	must(t, os.Chmod(s.Dir+"/home/"+l.User, 0o700))
	must(t, os.Rename(s.file(l.User), s.file(l.User)+".real"))
	must(t, os.Symlink(s.file(l.User)+".real", s.file(l.User)))
	check(t, "a link", target.NotPermitted, keys.Change(ctx, at, changeKey(t, l, l.User, next)))
	must(t, os.Remove(s.file(l.User)))
	must(t, os.Rename(s.file(l.User)+".real", s.file(l.User)))
	must(t, os.Chown(s.Dir+"/home/"+l.User+"/.ssh", 0, 0))
	must(t, os.Chmod(s.Dir+"/home/"+l.User+"/.ssh", 0o755))
	check(t, "a folder of root's", target.Unreachable, keys.Change(ctx, at, changeKey(t, l, l.User, next)))
	check(t, "as it was", "", keys.Verify(ctx, at, l))

	check(t, "not by itself", target.Misconfigured, keys.Change(ctx, s.at("method", "self"), changeKey(t, rec["sudo"], l.User, next)))
	check(t, "outside of its group", target.NotPermitted, keys.Change(ctx, s.at(), changeKey(t, rec["sudo"], l.User, next)))
	check(t, "not root", target.NotPermitted, keys.Change(ctx, at, changeKey(t, rec["sudo"], l.User, next)))
	check(t, "a password", target.Misconfigured, keys.Verify(ctx, at, login(l.User, "password")))
	noKeys := start(t, passwords+"\nPubkeyAuthentication no")
	check(t, "passwords only", target.NotPermitted, keys.Verify(ctx, noKeys.at(), l))
	command(t, "", "chage", "-d", "0", l.User)
	says(t, "password expired", target.NotPermitted, "expired", keys.Verify(ctx, at, l))
	check(t, "password expired, change", target.NotPermitted, keys.Change(ctx, at, changeKey(t, l, l.User, next)))
}

// kinds takes keys that people have, and refuses what is none.
func kinds(t *testing.T, s *server) {
	ctx, at := t.Context(), s.at()
	for name, args := range map[string][]string{"ed25519": {"-t", "ed25519"}, "rsa": {"-t", "rsa", "-b", "2048"}, "ecdsa": {"-t", "ecdsa"}, "pem": {"-t", "rsa", "-b", "2048", "-m", "PEM"}} {
		command(t, "", "ssh-keygen", append(args, "-q", "-N", "", "-C", "", "-f", s.Dir+"/value-"+name)...)
		l := s.keyed(t, random("kt-app-"), "", "\n")
		value := s.Read(t, "value-"+name)
		check(t, name, "", keys.Change(ctx, at, changeKey(t, l, l.User, value)))
		check(t, name, "", keys.Verify(ctx, at, login(l.User, value)))
	}
	command(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", s.Dir+"/value-locked")
	for name, value := range map[string]string{"passphrase": s.Read(t, "value-locked"), "public": s.Read(t, "value-rsa.pub"), "two": newKey() + newKey(), "before": "x\n" + newKey(), "after": newKey() + "x"} {
		_, err := keys.Prepare("kt-app", targettest.Value(value))
		check(t, name, target.Rejected, err)
	}
}
