package linux

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/keyturn/keyturn/internal/target"
)

// keyComment is the comment of the keys that Keyturn has installed.
const keyComment = "keyturn"

// keyFile is the text of an authorized_keys. Its methods return a changed copy, and leave each line that they do not
// change byte for byte.
type keyFile struct {
	lines []keyLine
	// keep says that keys that are none of a change's are left alone.
	keep bool
}

// keyLine is one line. key is empty where a line lets nobody in by a key of its own.
type keyLine struct {
	text         string // with its line feed, where it has one
	key, options string
	comment      string
}

// parseKeys reads a file. A line for the keys of a certificate authority is none of the account's keys.
func parseKeys(text string, keep bool) keyFile {
	f := keyFile{keep: keep}
	for line := range strings.Lines(text) {
		l := keyLine{text: line}
		key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
		if err == nil && len(rest) == 0 && !slices.ContainsFunc(options, func(o string) bool { return strings.EqualFold(o, "cert-authority") }) {
			l.key, l.options, l.comment = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), strings.Join(options, ","), comment
		}
		f.lines = append(f.lines, l)
	}
	return f
}

func (f keyFile) text() string {
	var out strings.Builder
	for _, l := range f.lines {
		out.WriteString(l.text)
	}
	return out.String()
}

// held lists the keys that count: all of them or, where others are kept, those of the change.
func (f keyFile) held(of ...string) []string {
	var keys []string
	for _, l := range f.lines {
		if l.key != "" && (!f.keep || slices.Contains(of, l.key)) {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// add puts next behind the last line, with the options that current has.
func (f keyFile) add(current, next string) (keyFile, error) {
	done, err := target.CheckAdd(f.held(current, next), current, next)
	if err != nil || done {
		return f, err
	}
	i := slices.IndexFunc(f.lines, func(l keyLine) bool { return l.key == current })
	return f.with(next, f.lines[i].options), nil
}

// retire takes current away.
func (f keyFile) retire(current, next string) (keyFile, error) {
	done, err := target.CheckRetire(f.held(current, next), current, next)
	if err != nil || done {
		return f, err
	}
	return f.without(func(l keyLine) bool { return l.key == current }), nil
}

// replace leaves next in the place of own, which may be empty, of the keys that Keyturn installed and, unless others are
// kept, of all others.
func (f keyFile) replace(own, next string) (keyFile, error) {
	var options []string // of those that go, own's first
	var has bool
	goes := func(l keyLine) bool {
		return l.key != "" && l.key != next && (!f.keep || l.key == own || l.comment == keyComment)
	}
	for _, l := range f.lines {
		switch {
		case l.key == next:
			has = true
		case goes(l) && l.key == own:
			options = []string{l.options}
		case goes(l) && !slices.Contains(options, l.options):
			options = append(options, l.options)
		}
	}
	ownThere := slices.ContainsFunc(f.lines, func(l keyLine) bool { return own != "" && l.key == own })
	switch rest := f.without(goes); {
	case has:
		return rest, nil
	case len(options) == 0:
		return f, &target.Error{Outcome: target.NotPermitted, Msg: "the account has no key that the new one could replace", Cure: "install a first one on the machine, or reset the account with its own login"}
	case len(options) > 1 && !ownThere:
		return f, &target.Error{Outcome: target.NotPermitted, Msg: "the keys of the account have different options, and it is not known which the new one should have", Cure: "reset the account with its own login, or leave one key there"}
	default:
		return rest.with(next, options[0]), nil
	}
}

// with ends a last line that has no end, and adds a key.
func (f keyFile) with(key, options string) keyFile {
	text := key + " " + keyComment + "\n"
	if options != "" {
		text = options + " " + text
	}
	lines := slices.Clone(f.lines)
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1].text, "\n") {
		lines[n-1].text += "\n"
	}
	f.lines = append(lines, keyLine{text: text, key: key, options: options, comment: keyComment})
	return f
}

func (f keyFile) without(goes func(keyLine) bool) keyFile {
	f.lines = slices.DeleteFunc(slices.Clone(f.lines), goes)
	return f
}
