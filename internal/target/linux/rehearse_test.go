package linux_test

import (
	"os"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/linux"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// rehearsals meets accounts whose passwords cannot be changed, and machines that do not let it be done.
func rehearsals(t *testing.T, s *server, rec map[string]target.Login) {
	ctx := t.Context()
	account := func(how ...string) target.Login {
		l := s.create(t, random("kt-app-"), "value-1")
		if len(how) > 0 {
			command(t, "", how[0], append(how[1:], l.User)...)
		}
		return l
	}
	fresh, young, locked, barred := account(), account("chage", "-m", "5"), account("usermod", "-L"), account("usermod", "-s", "/usr/sbin/nologin")
	expired, bare := account("chage", "-d", "0"), s.create(t, random("kt-app-"), "")
	rehearse := func(name, reason string, want target.Outcome, at target.Connection, by target.Login, account string) {
		t.Helper()
		_, err := own.Rehearse(ctx, at, by, account)
		says(t, name, want, reason, err)
	}
	before := s.dump(t)
	rehearse("itself", "", "", s.at(), fresh, fresh.User)
	rehearse("itself, too soon", "too short a time", target.NotPermitted, s.at(), young, young.User)
	rehearse("itself, no shell", "runs no commands", target.NotPermitted, s.at(), barred, barred.User)
	rehearse("itself, expired", "has expired", target.NotPermitted, s.at(), expired, expired.User)
	rehearse("another's, each changes itself", "each account changes itself", target.Misconfigured, s.at("method", "self"), rec["root"], fresh.User)
	for method, by := range rec {
		at := s.at("method", method, "helper", s.Dir+"/keyturn-setpw")
		rehearse(method, "", "", at, by, fresh.User)
		rehearse(method+", too soon", "", "", at, by, young.User)
		rehearse(method+", expired", "", "", at, by, expired.User)
		rehearse(method+", no shell", "shell", target.NotPermitted, at, by, barred.User)
		if method == "root" { // the others cannot see it
			rehearse(method+", locked", "locked", target.NotPermitted, at, by, locked.User)
			rehearse(method+", no password", "locked", target.NotPermitted, at, by, bare.User)
		}
	}
	keyed := rec["sudo"]
	keyed.Password = targettest.Value(newKey())
	rehearse("by a key that is not there", "", target.Refused, s.at(), keyed, fresh.User)
	if after := s.dump(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	check(t, "as it was", "", own.Verify(ctx, s.at(), fresh))
	s.authorize(t, keyed.User, public(t, exposed(keyed))+"\n")
	rehearse("by a key", "", "", s.at(), keyed, fresh.User)

	sftp := start(t, passwords+"\nForceCommand internal-sftp")
	_, err := own.Rehearse(ctx, sftp.at(), fresh, fresh.User)
	if o := target.OutcomeOf(err); o == "" || o == target.Unknown {
		t.Errorf("without commands: %q, %v", o, err)
	}
	greedy := start(t, passwords+"\nForceCommand cat >/dev/null; echo New password: >&2; exit 0")
	rehearse("a passwd that says yes", "does not say", target.Unsupported, greedy.at(), fresh, fresh.User)
}

// keyRehearsals meets files of keys that no change would get past.
func keyRehearsals(t *testing.T, s *server, rec map[string]target.Login) {
	ctx, at := t.Context(), s.at("method", "root")
	rehearse := func(name, reason string, want target.Outcome, at target.Connection, by target.Login, account string) {
		t.Helper()
		_, err := keys.Rehearse(ctx, at, by, account)
		says(t, name, want, reason, err)
	}
	l := s.keyed(t, random("kt-app-"), "", "\n")
	rehearse("itself", "", "", at, l, l.User)
	rehearse("by root", "", "", at, rec["root"], l.User)
	rehearse("another's, each changes itself", "each account changes itself", target.Misconfigured, s.at("method", "self"), rec["root"], l.User)
	must(t, os.Chmod(s.Dir+"/home/"+l.User+"/.ssh", 0o500))
	rehearse("read-only", "cannot be written to", target.NotPermitted, at, l, l.User)
	rehearse("read-only, by root", "cannot be written to", target.NotPermitted, at, rec["root"], l.User)
	must(t, os.Chmod(s.Dir+"/home/"+l.User+"/.ssh", 0o700))
	rehearse("writable again", "", "", at, l, l.User)
	empty := s.create(t, random("kt-app-"), "value-1")
	rehearse("no key", "no key that the new one could replace", target.NotPermitted, at, rec["root"], empty.User)
	if _, err := os.Stat(s.Dir + "/home/" + empty.User + "/.ssh"); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	must(t, os.Rename(s.file(l.User), s.file(l.User)+".real"))
	must(t, os.Symlink(s.file(l.User)+".real", s.file(l.User)))
	rehearse("symbolic link", "symbolic link", target.NotPermitted, at, rec["root"], l.User)
}

var _, _ target.Rehearser = own, linux.NewKey(linux.Config{})
