package rabbitmq

import (
	"context"
	"slices"

	"github.com/keyturn/keyturn/internal/target"
)

// administrator is the tag that lets a user change users, and no other does.
const administrator = "administrator"

// Rehearse implements target.Rehearser, by reading alone: the server lets an administrator change each user and lets nobody
// else even look at one.
func (t *Target) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	if err := checkUser(account); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	a, err := t.open(c, by)
	if err != nil {
		return "", err
	}
	defer a.close()
	u, err := a.user(ctx, account)
	if err != nil {
		return "", err
	}
	if u.Hash == "" {
		return "", noPassword()
	}
	tags, err := a.tags(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Contains(tags, administrator) {
		return "", &target.Error{Outcome: target.NotPermitted, Msg: "the login has not the tag administrator", Cure: "give it the tag, or use a reconcile login that has it"}
	}
	return "the server showed the user to the login, which has the tag administrator and so may change each user", nil
}
