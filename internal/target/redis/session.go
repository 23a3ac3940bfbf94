package redis

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/internal/target"
)

// session is one connection that has logged in.
type session struct {
	client *redis.Client
	conn   *redis.Conn
}

func (s *session) close() {
	_ = s.conn.Close()
	_ = s.client.Close()
}

// getUser returns the server's own answer about an account: names, each followed by what it has.
func (s *session) getUser(ctx context.Context, account string) ([]any, error) {
	reply, err := s.conn.Do(ctx, "ACL", "GETUSER", account).Slice()
	if errors.Is(err, redis.Nil) {
		return nil, &target.Error{Outcome: target.NoSuchAccount, Msg: "the server has no user of this name", Cure: "create the user, or correct the account's name"}
	}
	if err != nil {
		return nil, queryError(err, "the login may not look at users", "give it +acl|getuser, or use a reconcile login")
	}
	return reply, nil
}

// user reads what a change has to know of an account.
func (s *session) user(ctx context.Context, account string) (user, error) {
	reply, err := s.getUser(ctx, account)
	if err != nil {
		return user{}, err
	}
	var u user
	for i := 0; i+1 < len(reply); i += 2 {
		switch reply[i] {
		case "flags":
			u.flags = texts(reply[i+1])
		case "passwords":
			u.passwords = texts(reply[i+1])
		}
	}
	return u, nil
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// save writes the server's users to disk, to where they were read from, and returns the command that does it.
func (s *session) save(ctx context.Context) ([]any, error) {
	command := []any{"ACL", "SAVE"}
	err := s.conn.Do(ctx, command...).Err()
	if noACLFile(err) {
		command = []any{"CONFIG", "REWRITE"}
		err = s.conn.Do(ctx, command...).Err()
	}
	if err == nil {
		return command, nil
	}
	e := queryError(err, "the login may not save the users", "give it +acl|save, and +config|rewrite where the server has no aclfile")
	if e.Outcome == target.Unreachable && answered(err) {
		e.Msg, e.Cure = "the server cannot save its users, so that a restart would bring the old value back", "make its aclfile, or else its redis.conf, a file in a folder that it may write to"
	}
	return nil, e
}

// set replaces held by want in one transaction with the saving. Each of held is removed by name, even those that stay:
// that fails as a whole when the user is not as it was read, and so cannot create a user or lose a password that
// somebody else has just added.
func (s *session) set(ctx context.Context, account string, held, want []string, save []any) error {
	var change, saved *redis.Cmd
	_, err := s.conn.TxPipelined(ctx, func(p redis.Pipeliner) error {
		change = p.Do(ctx, setUser(account, held, want)...)
		saved = p.Do(ctx, save...)
		return nil
	})
	switch {
	case err == nil:
		return nil
	case !answered(err):
		return &target.Error{Outcome: target.Unknown, Msg: "the connection ended before the server answered the change", Cure: "log in with the new value, then with the old one, to see which holds"}
	case redis.IsPermissionError(err) || redis.IsExecAbortError(err):
		return queryError(err, "the login may not change users, or not in a transaction", "give it +acl|setuser +multi +exec, or use a reconcile login")
	case change.Err() != nil:
		return changeError(change.Err())
	case saved.Err() != nil:
		return s.takeBack(ctx, account, held, want)
	}
	return queryError(err, "", "")
}

// takeBack undoes a change that the server could not save: as long as it is only in memory, a restart of the server would
// bring the old value back without anybody noticing.
func (s *session) takeBack(ctx context.Context, account string, held, want []string) error {
	if err := s.conn.Do(ctx, setUser(account, want, held)...).Err(); err != nil {
		return &target.Error{Outcome: target.Unknown, Msg: "the server took the change, could not save it, and it could not be taken back", Cure: "look at the server's disk, then try again: until it is saved, a restart of the server undoes the change"}
	}
	return &target.Error{Outcome: target.Unreachable, Msg: "the server could not save the change, so it was taken back", Cure: "look at the server's disk, then try again"}
}

// setUser is the command that replaces one list of hashes by another.
func setUser(account string, held, want []string) []any {
	command := []any{"ACL", "SETUSER", account}
	for _, h := range held {
		command = append(command, "!"+h)
	}
	for _, h := range want {
		command = append(command, "#"+h)
	}
	return command
}

// whoami carries out one harmless command as the account. An account that may not even ask for its name has shown by
// being told so that the server knows it: the login named it.
func (s *session) whoami(ctx context.Context, name string) error {
	got, err := s.conn.Do(ctx, "ACL", "WHOAMI").Text()
	switch {
	case err == nil && got != name:
		return &target.Error{Outcome: target.Unproven, Msg: "the server let the login in as another user", Cure: "look at proxies on the way"}
	case err == nil, redis.IsPermissionError(err):
		return nil
	}
	return queryError(err, "", "")
}
