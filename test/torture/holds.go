package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/test/testbed"
)

// askFor is how long a system is asked which passwords it takes.
const askFor = 10 * time.Second

// postgresHolds asks the server, as its owner and over a connection that is kept.
func postgresHolds(p *testbed.Postgres) func() (string, error) {
	var mu sync.Mutex
	var kept *pgx.Conn
	return func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), askFor)
		defer cancel()
		mu.Lock()
		defer mu.Unlock()
		if kept == nil || kept.IsClosed() { // the server was killed
			var err error
			if kept, err = owner(ctx, p); err != nil {
				return "", err
			}
		}
		rows, err := kept.Query(ctx, "SELECT rolname || ' ' || coalesce(rolpassword, '') FROM pg_authid")
		if err != nil {
			return "", err
		}
		held, err := pgx.CollectRows(rows, pgx.RowTo[string])
		return strings.Join(held, "\n"), err
	}
}

// owner logs in as the server's owner.
func owner(ctx context.Context, p *testbed.Postgres) (*pgx.Conn, error) {
	at := url.URL{Scheme: "postgres", User: url.UserPassword(p.SuperUser, p.SuperPassword), Host: fmt.Sprintf("127.0.0.1:%d", p.Port), Path: "/postgres"}
	config, err := pgx.ParseConfig(at.String())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.CAPEM)
	config.TLSConfig, config.Fallbacks = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}, nil
	return pgx.ConnectConfig(ctx, config)
}

// redisHolds asks Redis over connections that c keeps.
func redisHolds(c *redis.Client) func() (string, error) {
	return func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), askFor)
		defer cancel()
		users, err := c.Do(ctx, "ACL", "LIST").StringSlice()
		return strings.Join(users, "\n"), err
	}
}
