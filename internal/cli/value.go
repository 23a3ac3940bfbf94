package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/keyturn/keyturn/client"
)

// maxValue bounds what is read as a value: a Secret's data is 1 MiB at most.
const maxValue = 1 << 20

// value reads a plaintext from the file that a flag names, or from standard input for "-". Without a flag it asks, where
// there is a terminal to ask at. One newline at the end is not part of it.
func (k *command) value(flag, path, prompt string) (client.Value, error) {
	if path == "" {
		return k.ask(flag, prompt)
	}
	var in io.Reader = k.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return client.Value{}, unreadable(flag, err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxValue+3))
	if err != nil {
		return client.Value{}, unreadable(flag, err)
	}
	text = trimNewline(text)
	if len(text) > maxValue {
		return client.Value{}, &usageError{fmt.Sprintf("what --%s gives is longer than 1 MiB (1048576 bytes), the most that a value may have", flag),
			"check that it is the right file; what is longer fits no Secret"}
	}
	if !utf8.Valid(text) { // JSON would carry other bytes than these
		return client.Value{}, &usageError{fmt.Sprintf("what --%s gives is binary: only UTF-8 text can be typed in", flag),
			"check that it is the right file, or give its base64 if the system takes that"}
	}
	return client.NewValue(string(text)), nil
}

func trimNewline(b []byte) []byte {
	if rest, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		return bytes.TrimSuffix(rest, []byte("\r"))
	}
	return b
}

// unreadable leaves the path out: it may be a value that was given in place of a file's name.
func unreadable(flag string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return usage("the file that --%s names cannot be read: %v", flag, err)
}

// ask reads a value from the terminal without showing it.
func (k *command) ask(flag, prompt string) (client.Value, error) {
	fd, ok := terminal(k.In)
	if !ok {
		return client.Value{}, usage("--%s is needed: the name of a file, or - for standard input", flag)
	}
	_, _ = fmt.Fprintf(k.Err, "%s: ", prompt)
	text, err := term.ReadPassword(fd)
	_, _ = fmt.Fprintln(k.Err)
	if err != nil {
		return client.Value{}, fmt.Errorf("read from the terminal: %w", err)
	}
	return client.NewValue(string(text)), nil
}

// newPassword is value for a password that is being made: at a terminal it is asked for twice.
func (k *command) newPassword(flag, path, prompt string) (client.Value, error) {
	first, err := k.value(flag, path, prompt)
	if err != nil || path != "" {
		return first, err
	}
	second, err := k.ask(flag, "Once more")
	if err != nil {
		return client.Value{}, err
	}
	if first.Text() != second.Text() {
		return client.Value{}, usage("the two are not equal")
	}
	return first, nil
}

// text reads a file that is no secret, such as a certificate.
func (k *command) text(flag, path string) (string, error) {
	v, err := k.value(flag, path, "")
	if err != nil {
		return "", err
	}
	return v.Text() + "\n", nil
}

// line reads one visible line from the terminal.
func (k *command) line(prompt string) (string, error) {
	_, _ = fmt.Fprintf(k.Err, "%s: ", prompt)
	s, err := bufio.NewReader(k.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read from the terminal: %w", err)
	}
	return strings.TrimSpace(s), nil
}

// confirm asks before something is taken away. exact, unless it is empty, has to be typed.
func (k *command) confirm(yes bool, exact, format string, args ...any) error {
	if yes {
		return nil
	}
	if _, ok := terminal(k.In); !ok {
		return usage("this needs --yes, as there is nobody to ask")
	}
	k.done(format, args...)
	if exact != "" {
		got, err := k.line("Type " + clean(exact) + " to go on")
		if err == nil && got != exact {
			err = usage("not confirmed; nothing was changed")
		}
		return err
	}
	got, err := k.line("Go on? [y/N]")
	if err == nil && !strings.EqualFold(got, "y") && !strings.EqualFold(got, "yes") {
		err = usage("not confirmed; nothing was changed")
	}
	return err
}
