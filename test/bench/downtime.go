package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyturn/keyturn/client"
)

const (
	turnsUnderLoad = 100
	logInEvery     = 10 * time.Millisecond
)

// attempts are the logins of a program, and those of them that were refused.
type attempts struct{ logins, refused int }

// downtime turns an account of Redis that takes both values for a time, and a pair of PostgreSQL's that takes turns, 100
// times each, while a program logs in every few milliseconds with whatever its Secret says, and counts the logins that are
// refused.
func (f *fleet) downtime(ctx context.Context) (figure, error) {
	var all attempts
	for i, one := range []struct {
		strategy string
		account  func(context.Context, place) (string, error)
		login    func(context.Context, map[string][]byte) error
	}{
		{"overlap", f.cache, func(ctx context.Context, data map[string][]byte) error {
			return f.redis.Login(ctx, "shop", string(data["config"]))
		}},
		{"alternating", f.pair, func(ctx context.Context, data map[string][]byte) error {
			conn, err := f.logIn(ctx, string(data["config"]), string(data[valueKey]))
			if err == nil {
				err = conn.Close(ctx)
			}
			return err
		}},
	} {
		at := turnPlaces(theirs, i)[0]
		account, err := one.account(ctx, at)
		if err != nil {
			return figure{}, fmt.Errorf("%s: %w", one.strategy, err)
		}
		begun := time.Now()
		n, err := f.underLoad(ctx, at, account, one.strategy, one.login)
		if err != nil {
			return figure{}, fmt.Errorf("%s: %w", one.strategy, err)
		}
		say("zero_downtime: %d of %d logins were refused during %d turns (%s) in %.1f s", n.refused, n.logins, turnsUnderLoad, one.strategy, time.Since(begun).Seconds())
		all.logins, all.refused = all.logins+n.logins, all.refused+n.refused
	}
	return newFigure("zero_downtime", float64(all.refused), "logins", float64(all.logins), 0), nil
}

// underLoad turns an account again and again while a program logs in.
func (f *fleet) underLoad(ctx context.Context, at place, account, strategy string, login func(context.Context, map[string][]byte) error) (attempts, error) {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	counted := make(chan attempts, 1)
	go func() { counted <- f.program(loading, at, login) }()
	for range turnsUnderLoad {
		run, err := f.client.Reset(ctx, account, client.Reset{})
		if err != nil {
			return attempts{}, err
		}
		if run.Strategy != strategy {
			return attempts{}, fmt.Errorf("the run's strategy is %s", run.Strategy)
		}
		if err := f.ended(ctx, run.ID); err != nil {
			return attempts{}, err
		}
	}
	stop()
	n := <-counted
	if n.logins < turnsUnderLoad {
		return n, fmt.Errorf("only %d logins were tried", n.logins)
	}
	return n, nil
}

// program logs in with what a Secret says until ctx ends.
func (f *fleet) program(ctx context.Context, at place, login func(context.Context, map[string][]byte) error) (n attempts) {
	for ; ctx.Err() == nil; _ = sleep(ctx, logInEvery) {
		s, err := f.bare[at.plane].kube.CoreV1().Secrets(at.namespace).Get(ctx, at.name, metav1.GetOptions{})
		if err != nil {
			continue // the API server is not what is looked at here
		}
		err = login(ctx, s.Data)
		if ctx.Err() != nil {
			break
		}
		if n.logins++; err != nil {
			n.refused++
		}
	}
	return n
}

// pair makes two roles as one account, whose user name stands in the key "config" of a Secret and whose password in another.
func (f *fleet) pair(ctx context.Context, at place) (account string, err error) {
	values := map[string]string{"pair_a": rand.Text(), "pair_b": rand.Text()}
	for role, password := range values {
		if _, err := f.postgres.Psql(ctx, f.postgres.SuperUser, f.postgres.SuperPassword, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, password)); err != nil {
			return "", err
		}
	}
	r, err := f.database(ctx, "pairs")
	if err != nil {
		return "", err
	}
	a, err := f.client.AddAccount(ctx, r.ID, client.NewAccount{Name: "pair_a", Pair: "pair_b", Value: client.NewValue(values["pair_a"])})
	if err != nil {
		return "", err
	}
	if _, err := f.client.UpdateAccount(ctx, a.ID, a.Rev, client.AccountChange{PairValue: client.NewValue(values["pair_b"])}); err != nil {
		return "", err
	}
	for key, holds := range map[string]string{"config": "username", valueKey: "password"} {
		if _, err := f.client.AddMapping(ctx, client.NewMapping{AccountID: a.ID, SecretID: f.id(at), Key: key, Holds: holds, Keep: "vault"}); err != nil {
			return "", err
		}
	}
	return a.ID, f.turned(ctx, a.ID)
}

// turned resets an account once, so that what its Secret holds is its own.
func (f *fleet) turned(ctx context.Context, account string) error {
	run, err := f.client.Reset(ctx, account, client.Reset{})
	if err != nil {
		return err
	}
	return f.ended(ctx, run.ID)
}

// cache makes the Redis user "shop", whose password stands in the key "config" of a Secret, with an account for it.
func (f *fleet) cache(ctx context.Context, at place) (account string, err error) {
	password, keeping := rand.Text(), rand.Text()
	hash := func(s string) string { return fmt.Sprintf("#%x", sha256.Sum256([]byte(s))) }
	for _, command := range [][]any{
		{"ACL", "SETUSER", "shop", "on", hash(password), "-@all", "+ping", "+acl|whoami"},
		{"ACL", "SETUSER", "keeper", "on", hash(keeping), "resetchannels", "-@all", "+acl|setuser", "+acl|getuser", "+acl|save", "+acl|whoami", "+multi", "+exec"},
	} {
		if err := f.redis.Do(ctx, command...); err != nil {
			return "", err
		}
	}
	r, err := f.client.AddResource(ctx, client.NewResource{Name: "cache", Type: "redis", Settings: map[string]string{"host": "127.0.0.1", "port": strconv.Itoa(f.redis.Port), "tls": "off"}})
	if err != nil {
		return "", err
	}
	keeper, err := f.client.AddAccount(ctx, r.ID, client.NewAccount{Name: "keeper", Value: client.NewValue(keeping)})
	if err != nil {
		return "", err
	}
	if r, err = f.client.Resource(ctx, r.ID); err != nil {
		return "", err
	}
	if _, err := f.client.UpdateResource(ctx, r.ID, r.Rev, client.ResourceChange{ReconcileAccountID: &keeper.ID}); err != nil {
		return "", err
	}
	a, err := f.client.AddAccount(ctx, r.ID, client.NewAccount{Name: "shop", Value: client.NewValue(password)})
	if err != nil {
		return "", err
	}
	_, err = f.client.AddMapping(ctx, client.NewMapping{AccountID: a.ID, SecretID: f.id(at), Key: "config", Keep: "vault"})
	if err != nil {
		return "", err
	}
	return a.ID, f.turned(ctx, a.ID)
}
