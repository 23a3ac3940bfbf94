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

// downtime turns an account of Redis that takes both values for a time 100 times, while a program logs in every few
// milliseconds with whatever its Secret says, and counts the logins that are refused.
func (f *fleet) downtime(ctx context.Context) (figure, error) {
	at := turnPlaces(ours, 0)[0]
	account, err := f.cache(ctx, at)
	if err != nil {
		return figure{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type count struct{ logins, refused int }
	counted := make(chan count)
	go func() {
		var n count
		for ; ctx.Err() == nil; _ = sleep(ctx, logInEvery) {
			s, err := f.bare[at.plane].kube.CoreV1().Secrets(at.namespace).Get(ctx, at.name, metav1.GetOptions{})
			if err != nil {
				continue // the API server is not what is looked at here
			}
			err = f.redis.Login(ctx, "shop", string(s.Data["config"]))
			if ctx.Err() != nil {
				break
			}
			if n.logins++; err != nil {
				n.refused++
			}
		}
		counted <- n
	}()
	begun := time.Now()
	for range turnsUnderLoad {
		run, err := f.client.Reset(ctx, account, client.Reset{})
		if err != nil {
			return figure{}, err
		}
		if err := f.ended(ctx, run.ID); err != nil {
			return figure{}, err
		}
	}
	took := time.Since(begun)
	stop()
	n := <-counted
	if n.logins < turnsUnderLoad {
		return figure{}, fmt.Errorf("only %d logins were tried", n.logins)
	}
	say("zero_downtime: %d of %d logins were refused during %d turns in %.1f s", n.refused, n.logins, turnsUnderLoad, took.Seconds())
	return newFigure("zero_downtime", float64(n.refused), "logins", float64(n.logins), 0), nil
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
	run, err := f.client.Reset(ctx, a.ID, client.Reset{}) // before it nobody could log in with what the key holds
	if err != nil {
		return "", err
	}
	return a.ID, f.ended(ctx, run.ID)
}
