package linux

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
)

const (
	exitOvertaken = 96 // the file is not as it was read
	exitSymlink   = 97
)

// Both scripts run as the account; $1 is its name. Before the file's text comes a line that tells it from what the
// account's own shell greets with.
const (
	fileStart  = scriptStart + `set -eu; d=$(getent passwd "$1" | cut -d: -f6); cd "$d"; f=.ssh/authorized_keys; [ ! -L "$f" ] || exit 97; `
	readScript = fileStart + `echo ` + fileMark + `; if [ -e "$f" ]; then cat "$f"; fi`
	fileMark   = "keyturn-authorized-keys"

	// The first lines of the input are the sums of the old file and of the new: one that has changed since, or that does
	// not come whole, is not replaced.
	writeScript = fileStart + `IFS= read -r old || exit 95; IFS= read -r new || exit 95; mkdir -p .ssh; ` +
		`t=$(mktemp .ssh/.authorized_keys.XXXXXX); trap "rm -f \"$t\"" EXIT; cat >"$t"; ` +
		`sum() { if [ -e "$1" ]; then cat "$1"; fi | sha256sum | cut -c1-64; }; ` +
		`[ "$(sum "$t")" = "$new" ] || exit 95; [ "$(sum "$f")" = "$old" ] || exit 96; mv -f "$t" "$f"`
)

// These run a script, $2, as the account $1.
const (
	asRoot = findAccount + `[ "$(id -u)" -eq 0 ] || exit 94; exec runuser -u "$1" -- /bin/sh -c "$2" sh "$1"`
	asSudo = findAccount + `sudo -n -l -u "$1" /bin/sh >/dev/null 2>&1 || exit 94; exec sudo -n -u "$1" -- /bin/sh -c "$2" sh "$1"`
	asSelf = scriptStart + `[ "$(id -un)" = "$1" ] || exit 94; exec /bin/sh -c "$2" sh "$1"`
)

// Change implements target.Changer. The new key gets the options of the one that it replaces; it replaces every key of
// the account or, where others are kept, the one that By logs in with and those that Keyturn installed.
func (k *Key) Change(ctx context.Context, c target.Connection, ch target.Change) error {
	if err := checkUser(ch.Account); err != nil {
		return err
	}
	next, err := nextKey(target.Prepared{Value: ch.Value, Text: ch.Prepared})
	if err != nil {
		return err
	}
	own := ""
	if ch.Self() {
		signer, err := parseKey(ch.By.Password)
		if err != nil {
			return misconfigured("the stored value is no private key", "store the account's private key, without a passphrase")
		}
		own = publicLine(signer)
	}
	return k.edit(ctx, c, ch.By, ch.Account, func(f keyFile) (keyFile, error) { return f.replace(own, next) })
}

// Add implements target.Overlapper. The new key gets the options of the present one.
func (k *Key) Add(ctx context.Context, c target.Connection, o target.Overlap) error {
	return k.overlap(ctx, c, o, keyFile.add)
}

// Retire implements target.Overlapper.
func (k *Key) Retire(ctx context.Context, c target.Connection, o target.Overlap) error {
	return k.overlap(ctx, c, o, keyFile.retire)
}

func (k *Key) overlap(ctx context.Context, c target.Connection, o target.Overlap, decide func(f keyFile, current, next string) (keyFile, error)) error {
	if err := checkUser(o.Account); err != nil {
		return err
	}
	next, err := nextKey(o.Next)
	if err != nil {
		return err
	}
	signer, err := parseKey(o.Current.Value)
	if err != nil {
		return misconfigured("the stored value is no private key", "store the account's private key, without a passphrase")
	}
	return k.edit(ctx, c, o.By, o.Account, func(f keyFile) (keyFile, error) { return decide(f, publicLine(signer), next) })
}

// edit reads the account's keys, has decide change them, and writes them back unless somebody else has changed them since.
func (k *Key) edit(ctx context.Context, c target.Connection, by target.Login, account string, decide func(keyFile) (keyFile, error)) error {
	as, err := k.as(c, by.User == account)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	s, err := k.login(ctx, c, by)
	if err != nil {
		return err
	}
	defer s.close()
	text, err := s.keys(as, account)
	if err != nil {
		return err
	}
	next, err := decide(parseKeys(text, c.Get(keyFields(), fieldOthers) == "keep"))
	if err != nil || next.text() == text {
		return err
	}
	got, err := s.run(shell(as, account, writeScript), []byte(checksum(text)+"\n"+checksum(next.text())+"\n"+next.text()))
	if err != nil {
		return err
	}
	if got.status != 0 {
		return keyError(got)
	}
	return nil
}

// keys reads the account's authorized_keys.
func (s *session) keys(as, account string) (string, error) {
	got, err := s.run(shell(as, account, readScript), nil)
	if err != nil { // it changes nothing, so that nothing is left open
		return "", unreachable(s.ctx, err)
	}
	_, text, marked := strings.Cut(got.stdout, fileMark+"\n")
	if got.status != 0 || !marked {
		return "", keyError(got)
	}
	return text, nil
}

// as is the script that runs another one as the account.
func (k *Key) as(c target.Connection, self bool) (string, error) {
	switch method := c.Get(keyFields(), fieldMethod); {
	case self:
		return asSelf, nil
	case method == methodSelf:
		return "", misconfigured("on this resource each account changes itself, and this is another's login", "choose how a reconcile login changes accounts, in the resource's settings, or give it none")
	case method == methodRoot:
		return asRoot, nil
	}
	return asSudo, nil
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// keyError says what the end of a script means that did not write a file.
func keyError(got result) error {
	e := &target.Error{Code: exitCode(got.status)}
	switch got.status {
	case exitMissing, exitNoLogin, exitNoRight:
		return hashError(got)
	case exitOvertaken:
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "somebody else changed the account's keys at the same moment", "try again"
	case exitSymlink:
		e.Outcome, e.Msg, e.Cure = target.NotPermitted, "the account's authorized_keys is a symbolic link", "make it a file"
	case exitCutShort:
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the keys did not arrive whole, and the old ones stayed", "try again"
	default:
		if strings.Contains(got.stderr, "assword has expired") || strings.Contains(got.stderr, "not available") {
			return noCommands(got)
		}
		e.Outcome, e.Msg, e.Cure = target.Unreachable, "the account's authorized_keys could not be read or written", "look whether its home and .ssh are there, belong to it, and can be written to"
	}
	return e
}
