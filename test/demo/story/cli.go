package story

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The command line's exit codes.
const (
	exitFailed   = 1
	exitRefused  = 3
	exitNotFound = 4
	exitConflict = 5
)

// person uses the command line from a home of their own, where it keeps their session.
type person struct {
	name, password string
	home           string
}

// newPerson invents a password and makes a home.
func newPerson(folder, name string) (person, error) {
	p := person{name: name, password: rand.Text(), home: filepath.Join(folder, name)}
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		return p, err
	}
	return p, os.WriteFile(p.passwordFile(), []byte(p.password+"\n"), 0o600)
}

func (p person) passwordFile() string { return filepath.Join(p.home, "password") }
func (p person) sessionFile() string {
	return filepath.Join(p.home, ".config", "keyturn", "session.json")
}

// token returns the secret of the session that p's last login has kept.
func (p person) token() (string, error) {
	b, err := os.ReadFile(p.sessionFile())
	if err != nil {
		return "", err
	}
	var kept struct{ Token string }
	return kept.Token, json.Unmarshal(b, &kept)
}

// exitError is a command that did not end with 0.
type exitError struct {
	command, said string
	code          int
}

func (e *exitError) Error() string {
	return fmt.Sprintf("%s: exit %d: %s", e.command, e.code, e.said)
}

// execute runs one command of the program as p. Values are in stdin or in files: arguments are seen by the whole machine.
func execute(ctx context.Context, program string, p person, stdin string, args ...string) (string, error) {
	return executeTo(ctx, io.Discard, program, p, stdin, args...)
}

// executeTo is execute that also copies what the command prints, while it runs.
func executeTo(ctx context.Context, out io.Writer, program string, p person, stdin string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"HOME=" + p.home, "PATH=/usr/bin:/bin"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), io.MultiWriter(&stdout, out), &stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("keyturn %s: %w", strings.Join(args, " "), context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return stdout.String(), &exitError{"keyturn " + strings.Join(args, " "), oneLine(stderr.String()), exit.ExitCode()}
	}
	return stdout.String(), err
}

// keyturn is execute for somebody who is at the stage's server.
func (s *Stage) keyturn(ctx context.Context, p person, stdin string, args ...string) (string, error) {
	return execute(ctx, s.cfg.Program, p, stdin, append(args, "--server", s.server.url)...)
}

// stream runs a command as the administrator and hands on each line that it prints, as it comes.
func (s *Stage) stream(ctx context.Context, line func(string), args ...string) error {
	out, printed := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line(lines.Text())
		}
	}()
	_, err := executeTo(ctx, printed, s.cfg.Program, s.anna, "", append(args, "--server", s.server.url)...)
	_ = printed.Close()
	<-done
	return err
}

// admin runs a command as the administrator.
func (s *Stage) admin(ctx context.Context, args ...string) (string, error) {
	return s.keyturn(ctx, s.anna, "", args...)
}

// all runs commands as the administrator, one after the other, and stops at the first that fails.
func (s *Stage) all(ctx context.Context, commands ...[]string) error {
	for _, args := range commands {
		if _, err := s.admin(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// ask runs a command and decodes the JSON that it prints.
func ask[T any](ctx context.Context, s *Stage, p person, args ...string) (T, error) {
	var answer T
	out, err := s.keyturn(ctx, p, "", append(args, "-o", "json")...)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		return answer, fmt.Errorf("keyturn %s: no JSON as expected: %w", strings.Join(args, " "), err)
	}
	return answer, nil
}

// list is what lists print as JSON.
type list[T any] struct {
	Items []T
	Total int64
}

// refused fails unless the command ended with this exit code.
func (s *Stage) refused(ctx context.Context, code int, p person, args ...string) error {
	return s.refusedWith(ctx, code, p, "", args...)
}

func (s *Stage) refusedWith(ctx context.Context, code int, p person, stdin string, args ...string) error {
	_, err := s.keyturn(ctx, p, stdin, args...)
	exit, ok := errors.AsType[*exitError](err)
	switch {
	case err == nil:
		return fmt.Errorf("keyturn %s: done, and should end with %d", strings.Join(args, " "), code)
	case !ok:
		return err
	case exit.code != code:
		return fmt.Errorf("should end with %d: %w", code, exit)
	}
	return nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
