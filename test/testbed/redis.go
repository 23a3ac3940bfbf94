package testbed

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os/exec"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Redis is a running Redis server with an administrator and no other user. It does not sync to disk. Its methods are safe
// for concurrent use.
type Redis struct {
	// Port is a free one of 127.0.0.1. The server speaks without TLS.
	Port int
	// AdminUser and AdminPassword log in as who may do everything.
	AdminUser, AdminPassword string

	dir  dir
	proc *process
}

// StartRedis starts the installed Redis in a temporary folder, which Stop removes. When it returns the administrator has
// logged in.
func StartRedis(ctx context.Context) (*Redis, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("start Redis: %w: install the package redis-server, or run `make setup`", err)
	}
	d, err := openDir("")
	if err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	r := &Redis{AdminUser: "admin", AdminPassword: rand.Text(), dir: d}
	if err := r.start(ctx, bin); err != nil {
		return nil, errors.Join(fmt.Errorf("start Redis: %w", err), r.Stop())
	}
	return r, nil
}

func (r *Redis) start(ctx context.Context, bin string) error {
	users := fmt.Sprintf("user %s on #%x ~* &* +@all\nuser default off\n", r.AdminUser, sha256.Sum256([]byte(r.AdminPassword)))
	return onFreePorts(1, func(ports []int) error {
		r.Port = ports[0]
		config := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\naclfile %s\nsave \"\"\ndaemonize no\n", r.Port, r.dir.path, r.dir.file("users.acl"))
		if err := writeFiles(r.dir, map[string][]byte{"users.acl": []byte(users), "redis.conf": []byte(config)}); err != nil {
			return err
		}
		var err error
		r.proc, err = start(ctx, spec{
			name: "redis", path: bin, args: []string{r.dir.file("redis.conf")}, dir: r.dir.path, log: r.dir.file("redis.log"),
			ready: func(ctx context.Context) error { return r.Login(ctx, r.AdminUser, r.AdminPassword) },
		})
		return err
	})
}

// Do sends one command as the administrator.
func (r *Redis) Do(ctx context.Context, command ...any) error {
	c := r.client(r.AdminUser, r.AdminPassword)
	defer c.Close()
	return c.Do(ctx, command...).Err()
}

// Login opens a connection of its own, logs in and pings.
func (r *Redis) Login(ctx context.Context, user, password string) error {
	c := r.client(user, password)
	defer c.Close()
	return c.Ping(ctx).Err()
}

func (r *Redis) client(user, password string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(r.Port), Username: user, Password: password, DisableIdentity: true, MaxRetries: -1, PoolSize: 1})
}

// Stop ends the server and removes its folder. Stopping again does nothing.
func (r *Redis) Stop() error {
	var err error
	if r.proc != nil {
		err = r.proc.shutdown()
	}
	return errors.Join(err, r.dir.remove())
}
