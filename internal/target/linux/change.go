package linux

import (
	"path"
	"regexp"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// How the scripts below end when they have found a reason to change nothing. Other numbers are those of the programs that
// they call.
const (
	exitUnasked  = 90 // the list of accounts could not be read
	exitMissing  = 91
	exitNoLogin  = 92 // the account's shell lets nobody in
	exitLocked   = 93
	exitNoRight  = 94
	exitCutShort = 95 // the input did not come to the end of its line
)

const scriptStart = `PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; export PATH LC_ALL; umask 077; `

// findAccount stands at the start of the scripts that change another account; $1 is its name.
const findAccount = scriptStart + `e=$(getent passwd "$1") || { [ $? -eq 2 ] && exit 91; exit 90; }; ` +
	`case ${e##*:} in */nologin|*/false) exit 92 ;; esac; `

// Each script reads its line to the end before it uses it: a part of a hash would be stored as a whole one. The line goes
// on through printf, which is a part of the shell and so in no list of processes.
const (
	rootScript = findAccount + `[ "$(id -u)" -eq 0 ] || exit 94; ` +
		`s=$(getent shadow "$1") || exit 90; s=${s#*:}; case $s in [*!]*) exit 93 ;; esac; ` +
		`IFS= read -r l || exit 95; printf "%s\n" "$l" | chpasswd -e`
	sudoScript = findAccount + `sudo -n -l /usr/sbin/chpasswd -e >/dev/null 2>&1 || exit 94; ` +
		`IFS= read -r l || exit 95; printf "%s\n" "$l" | sudo -n /usr/sbin/chpasswd -e`
	// passwd without a name is for the first account of the number that runs it. It asks root for no password of now.
	passwdScript = scriptStart + `if [ "$(id -u)" -eq 0 ]; then IFS= read -r l || exit 95; exec passwd "$1"; fi; ` +
		`[ "$(id -un)" = "$1" ] || exit 94; exec passwd`
	helperScript = scriptStart + `sudo -n -l "$2" "$1" >/dev/null 2>&1 || exit 94; exec sudo -n "$2" "$1"`
)

// shell is the command that runs a script with arguments, whatever shell the account has. None of them contains a single
// quote.
func shell(script string, args ...string) string {
	return "exec /bin/sh -c '" + script + "' sh '" + strings.Join(args, "' '") + "'"
}

var helperPath = regexp.MustCompile(`^/[A-Za-z0-9_./-]+$`)

// way is how one change is made.
type way struct {
	command string
	// input is what goes to the command's standard input.
	input func(target.Change, vault.Value) []byte
	// judge says what its end means.
	judge func(result) error
}

// changeBy chooses the way.
func changeBy(c target.Connection, ch target.Change) (way, error) {
	method := c.Get(passwordFields(), fieldMethod)
	line := way{input: nameAndHash, judge: hashError}
	switch {
	case !ch.Self() && method == methodSelf:
		return way{}, misconfigured("on this resource each account changes itself, and this is another's login", "choose how a reconcile login changes accounts, in the resource's settings, or give it none")
	case ch.Self():
		return way{command: shell(passwdScript, ch.Account), input: oldAndNew, judge: passwdError}, nil
	case method == methodRoot:
		line.command = shell(rootScript, ch.Account)
		return line, nil
	case method == methodHelper:
		helper := c.Get(passwordFields(), fieldHelper)
		if !helperPath.MatchString(helper) || path.Clean(helper) != helper {
			return way{}, misconfigured("the helper script's path is none", "give its whole path, of letters, digits, dots, hyphens, underscores and slashes")
		}
		return way{command: shell(helperScript, ch.Account, helper), input: onlyHash, judge: hashError}, nil
	}
	line.command = shell(sudoScript, ch.Account)
	return line, nil
}

// join puts texts and values one after the other.
func join(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case vault.Value:
			_ = p.Expose(func(b []byte) error { out = append(out, b...); return nil })
		}
	}
	return out
}

func nameAndHash(ch target.Change, hash vault.Value) []byte {
	return join(ch.Account, ":", hash, "\n")
}

func onlyHash(_ target.Change, hash vault.Value) []byte { return join(hash, "\n") }

// oldAndNew answers the three questions of passwd.
func oldAndNew(ch target.Change, _ vault.Value) []byte {
	return join(ch.By.Password, "\n", ch.Value, "\n", ch.Value, "\n")
}
