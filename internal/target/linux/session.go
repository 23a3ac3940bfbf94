package linux

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/keyturn/keyturn/internal/target"
)

// session is one connection that has logged in. ctx is that of the verb that it serves.
type session struct {
	ctx    context.Context
	client *ssh.Client
}

func (s *session) close() { _ = s.client.Close() }

// result is what a command that came to its end left.
type result struct {
	status         int
	stdout, stderr string
}

// run runs command with input, which is overwritten, on its standard input. An error is Unreachable as long as the input
// has not been sent, without which none of the commands changes anything, and Unknown from then on.
func (s *session) run(command string, input []byte) (result, error) {
	defer clear(input)
	sess, err := s.client.NewSession()
	if err != nil {
		return result{}, unreachable(s.ctx, err)
	}
	defer func() { _ = sess.Close() }()
	var stdout, stderr bytes.Buffer
	sess.Stdin, sess.Stdout, sess.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := sess.Start(command); err != nil {
		return result{}, unreachable(s.ctx, err)
	}
	err = sess.Wait()
	got := result{stdout: stdout.String(), stderr: stderr.String()}
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok && exit.Signal() == "" {
		got.status, err = exit.ExitStatus(), nil
	}
	if err != nil {
		return result{}, &target.Error{Outcome: target.Unknown, Msg: "the session ended before the server told how the command did", Cure: "log in with the new value, then with the old one, to see which holds"}
	}
	return got, nil
}

// whoami asks the machine whom it let in.
func (s *session) whoami(name string) error {
	got, err := s.run("id -un", nil)
	if err != nil { // it changes nothing, so that nothing is left open
		return unreachable(s.ctx, err)
	}
	if got.status != 0 {
		return noCommands(got)
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n") // before it may stand what the account's own shell greets with
	if strings.TrimSpace(lines[len(lines)-1]) != name {
		return &target.Error{Outcome: target.Unproven, Msg: "the server let the login in, and does not run commands as this account", Cure: "look at ForceCommand and at what else stands between a login and its shell"}
	}
	return nil
}
