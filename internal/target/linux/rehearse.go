package linux

import (
	"context"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// exitUnwritable is the end of a script that has found a place that cannot be written to.
const exitUnwritable = 98

// These look at everything that the scripts of a change need, and change nothing. chpasswd knows only accounts that stand in
// /etc/passwd. A helper is not called: what it would make of a call that is none is not known.
const (
	findLocal     = findAccount + `cut -d: -f1 /etc/passwd | grep -qxF -- "$1" || exit 90; `
	tryRoot       = findLocal + `[ "$(id -u)" -eq 0 ] || exit 94; s=$(getent shadow "$1") || exit 90; s=${s#*:}; case $s in [*!]*) exit 93 ;; esac; command -v chpasswd >/dev/null && [ -w /etc ] && [ -w /etc/shadow ] || exit 98`
	trySudo       = findLocal + `sudo -n -l /usr/sbin/chpasswd -e >/dev/null 2>&1 || exit 94`
	tryHelper     = findLocal + `sudo -n -l "$2" "$1" >/dev/null 2>&1 || exit 94`
	tryAuthorized = fileStart + `if [ -e .ssh ]; then d=.ssh; else d=.; fi; [ -d "$d" ] && [ -w "$d" ] && [ -x "$d" ] || exit 98; command -v mktemp >/dev/null && command -v sha256sum >/dev/null || exit 90`
)

// Rehearse implements target.Rehearser. For a reconcile login the right to set a hash is looked at. An account that changes
// itself tells passwd its password of now and no new one: passwd judges the one and whether it may be changed yet, asks for
// the other, and gives up.
func (t *Target) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	if err := checkUser(account); err != nil {
		return "", err
	}
	ch := target.Change{By: by, Account: account}
	w, err := changeBy(c, ch)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	s, err := t.loginBy(ctx, c, ch)
	if err != nil {
		return "", err
	}
	defer s.close()
	if ch.Self() {
		got, err := s.run(w.command, join(by.Password, "\n"))
		if err != nil { // without a new password it changes nothing, so that nothing is left open
			return "", unreachable(ctx, err)
		}
		if err := passwdAsked(got); err != nil {
			return "", err
		}
		return "passwd took the account's password of now, asked for a new one, and was given none", nil
	}
	command, proved := shell(trySudo, account), "sudo lets the login run chpasswd, and the account stands in /etc/passwd"
	switch c.Get(passwordFields(), fieldMethod) {
	case methodRoot:
		command, proved = shell(tryRoot, account), "the login is root, the account stands in /etc/passwd with a password, and /etc/shadow can be written to"
	case methodHelper:
		command, proved = shell(tryHelper, account, c.Get(passwordFields(), fieldHelper)), "sudo lets the login run the helper script for this account, which stands in /etc/passwd"
	}
	got, err := s.run(command, nil)
	if err != nil {
		return "", unreachable(ctx, err)
	}
	if err := hashError(got); err != nil {
		return "", err
	}
	return proved, nil
}

// passwdAsked returns nil if passwd came to ask for a new password.
func passwdAsked(got result) error {
	asked := got.status == 10 && strings.Contains(got.stderr, "ew password:")
	if asked && !strings.Contains(got.stderr, "wait longer") {
		return nil
	}
	err := passwdError(got)
	if o := target.OutcomeOf(err); err == nil || o == target.Rejected {
		return &target.Error{Outcome: target.Unsupported, Code: exitCode(got.status), Msg: "passwd does not say whether it would take a new password", Cure: "reset the account once, in a window, to see that it works"}
	}
	return err
}

// Rehearse implements target.Rehearser: the account's keys are read as for a change, it is decided which would go, and the
// folder that would get the new file is looked at.
func (k *Key) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	if err := checkUser(account); err != nil {
		return "", err
	}
	as, err := k.as(c, by.User == account)
	if err != nil {
		return "", err
	}
	own, next := "", vault.Value{}
	if by.User == account {
		signer, err := parseKey(by.Password)
		if err != nil {
			return "", misconfigured("the stored value is no private key", "store the account's private key, without a passphrase")
		}
		own = publicLine(signer)
	}
	if next, err = k.Generate(); err != nil {
		return "", misconfigured("no random key could be made", "")
	}
	signer, err := parseKey(next)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	s, err := k.login(ctx, c, by)
	if err != nil {
		return "", err
	}
	defer s.close()
	text, err := s.keys(as, account)
	if err != nil {
		return "", err
	}
	if _, err := parseKeys(text, c.Get(keyFields(), fieldOthers) == "keep").replace(own, publicLine(signer)); err != nil {
		return "", err
	}
	got, err := s.run(shell(as, account, tryAuthorized), nil)
	switch {
	case err != nil:
		return "", unreachable(ctx, err)
	case got.status == exitUnwritable:
		return "", &target.Error{Outcome: target.NotPermitted, Code: exitCode(got.status), Msg: "the folder of the account's authorized_keys cannot be written to", Cure: "look whether its home and .ssh belong to it, and at their modes"}
	case got.status != 0:
		return "", keyError(got)
	}
	return "the account's authorized_keys was read with a key that a new one would replace, and its folder can be written to", nil
}
