package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/internal/target"
)

// Rehearse implements target.Rehearser: the server is handed the transaction of a change and told to discard it. It judges
// the right to each command when it takes it in, and carries none of them out; a connection that breaks discards them too.
// What they say would change nothing either: they take away a password that the user does not have.
func (t *Target) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	if err := checkUser(account); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, by)
	if err != nil {
		return "", err
	}
	defer s.close()
	u, err := s.user(ctx, account)
	if err != nil {
		return "", err
	}
	if err := u.editable(); err != nil {
		return "", err
	}
	save, err := s.saving(ctx)
	if err != nil {
		return "", err
	}
	change := setUser(account, []string{hash(wrongPassword())}, nil)
	for _, step := range []struct {
		command         []any
		forbidden, cure string
	}{
		{[]any{"EXEC"}, "the login may not end a transaction", "give it +exec"}, // there is none to carry out
		{[]any{"MULTI"}, "the login may not begin a transaction", "give it +multi"},
		{change, "the login may not change users", "give it +acl|setuser, or use a reconcile login"},
		{save, "the login may not save the users", "give it +acl|save, and +config|rewrite where the server has no aclfile"},
	} {
		err := s.conn.Do(ctx, step.command...).Err()
		if err == nil || answered(err) && strings.Contains(err.Error(), "EXEC without MULTI") {
			continue
		}
		return "", queryError(err, step.forbidden, step.cure)
	}
	_ = s.conn.Do(ctx, "DISCARD").Err() // a login that may not is logged out, which does the same
	return fmt.Sprintf("the server took ACL SETUSER and %s %s of this login into a transaction, which was discarded", save...), nil
}

// saving returns the command by which the server saves its users, from its settings: the command itself would save what
// somebody else has changed in memory alone.
func (s *session) saving(ctx context.Context) ([]any, error) {
	const cure = "give it +config|get, and +info where the server has no aclfile"
	setting, err := s.conn.Do(ctx, "CONFIG", "GET", "aclfile").Slice()
	if err != nil {
		return nil, untold(err, cure)
	}
	if file := texts(setting); len(file) == 2 && file[1] != "" {
		return []any{"ACL", "SAVE"}, nil
	}
	info, err := s.conn.Do(ctx, "INFO", "server").Text()
	if err != nil {
		return nil, untold(err, cure)
	}
	for line := range strings.Lines(info) {
		if file, ok := strings.CutPrefix(line, "config_file:"); ok && strings.TrimSpace(file) != "" {
			return []any{"CONFIG", "REWRITE"}, nil
		}
	}
	return nil, &target.Error{Outcome: target.NotPermitted, Msg: "the server has neither an aclfile nor a redis.conf, so that a restart would bring the old value back", Cure: "start it with one"}
}

// untold says that a login that may change users may not ask where the server saves them.
func untold(err error, cure string) error {
	if answered(err) && redis.IsPermissionError(err) {
		return &target.Error{Outcome: target.Unsupported, Code: code(err), Msg: "the login may not ask where the server saves its users", Cure: cure}
	}
	return queryError(err, "", "")
}
