package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/target/dial"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/vault"
)

// turn is one role of PostgreSQL whose password the bare calls change.
type turn struct {
	role, password string
	places         []place
}

// rotations measures how long it takes a policy to turn 100 accounts of PostgreSQL with three keys each that become due at
// one instant, from the first run's beginning to the last one's end. The limit is the bare calls of the same number of
// changes, as many at a time: a login, ALTER ROLE, a login, three patches, three reads.
func (f *fleet) rotations(ctx context.Context) (figure, error) {
	bares, err := f.roles(ctx)
	if err != nil {
		return figure{}, err
	}
	policy, err := f.client.AddPolicy(ctx, client.NewPolicy{Name: "bench", Rotation: client.PolicyRotation{Heartbeat: "off"}})
	if err != nil {
		return figure{}, err
	}
	if _, err := f.client.AssignPolicy(ctx, policy.ID, client.NewPolicyAssignment{By: "resource", Pattern: "db"}); err != nil {
		return figure{}, err
	}
	bare := func() error {
		return each(ctx, runsAtOnce, bares, func(ctx context.Context, t *turn) error { return f.bareTurn(ctx, t) })
	}
	if err := bare(); err != nil {
		return figure{}, err
	}
	if _, err := f.due(ctx); err != nil {
		return figure{}, err
	}
	var turns, calls []float64
	for round := range f.rounds {
		if err := timed(&calls, bare); err != nil {
			return figure{}, err
		}
		before := f.server.cpu()
		took, err := f.due(ctx)
		if err != nil {
			return figure{}, err
		}
		turns = append(turns, took.Seconds())
		used := f.server.cpu() - before
		if err := timed(&calls, bare); err != nil {
			return figure{}, err
		}
		say("rotations: %.2f s (%.2f s of it on the server's CPU), bare calls %.2f s (load %s)", turns[round], used, calls[2*round:], load())
	}
	return newFigure("rotations_100", median(turns), "s", median(calls), 1.5), nil
}

// roles makes a role and an account for each that is to be turned, and a role for each bare one.
func (f *fleet) roles(ctx context.Context) ([]*turn, error) {
	r, err := f.database(ctx, "db")
	if err != nil {
		return nil, err
	}
	var sql strings.Builder
	var bares []*turn
	for i := range turnAccounts {
		our, their := &turn{"app_" + strconv.Itoa(i), rand.Text(), turnPlaces(ours, i)}, &turn{"bare_" + strconv.Itoa(i), rand.Text(), turnPlaces(theirs, i)}
		for _, t := range []*turn{our, their} {
			fmt.Fprintf(&sql, "CREATE ROLE %s LOGIN PASSWORD '%s';\n", t.role, t.password)
		}
		a, err := f.client.AddAccount(ctx, r.ID, client.NewAccount{Name: our.role, Value: client.NewValue(our.password)})
		if err != nil {
			return nil, err
		}
		if err := f.mapAll(ctx, a.ID, our.places); err != nil {
			return nil, err
		}
		bares = append(bares, their)
	}
	_, err = f.postgres.Psql(ctx, f.postgres.SuperUser, f.postgres.SuperPassword, sql.String())
	return bares, err
}

// database makes a resource for the PostgreSQL server.
func (f *fleet) database(ctx context.Context, name string) (client.Resource, error) {
	return f.client.AddResource(ctx, client.NewResource{Name: name, Type: "postgresql",
		Settings: map[string]string{"host": f.postgres.Host, "port": strconv.Itoa(f.postgres.Port), "tls_ca": string(f.postgres.CAPEM)}})
}

// due lets every account become due at the next full minute, and returns how long turning them all took.
func (f *fleet) due(ctx context.Context) (time.Duration, error) {
	at := time.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	if time.Until(at) < 5*time.Second {
		at = at.Add(time.Minute)
	}
	if err := f.rule(ctx, client.PolicyRotation{Heartbeat: "off", Cron: fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())}); err != nil {
		return 0, err
	}
	if err := sleep(ctx, time.Until(at)); err != nil {
		return 0, err
	}
	var first, last time.Time
	err := eventually(ctx, 5*lookEvery, func() (bool, error) {
		page, err := f.client.Runs(ctx, client.RunFilter{ListOptions: client.ListOptions{Limit: turnAccounts, Sort: "-created"}})
		if err != nil {
			return false, err
		}
		done := 0
		first, last = time.Time{}, time.Time{}
		for _, run := range page.Items {
			if run.CreatedAt.Before(at) || run.ResourceName != "db" {
				continue
			}
			switch run.State {
			case "done":
				done++
				if first.IsZero() || run.CreatedAt.Before(first) {
					first = run.CreatedAt
				}
				if run.EndedAt.After(last) {
					last = *run.EndedAt
				}
			case "needs_attention", "rolled_back", "cancelled":
				return false, fmt.Errorf("a run is %s: %s", run.State, run.Reason)
			}
		}
		return done == turnAccounts, nil
	})
	if err != nil {
		return 0, err
	}
	return last.Sub(first), f.rule(ctx, client.PolicyRotation{Heartbeat: "off"})
}

func (f *fleet) rule(ctx context.Context, r client.PolicyRotation) error {
	p, err := f.client.Policy(ctx, "bench")
	if err != nil {
		return err
	}
	_, err = f.client.UpdatePolicy(ctx, p.ID, p.Rev, client.PolicyChange{Rotation: &r})
	return err
}

// bareTurn changes one password with the fewest calls that can: it logs in, sends the verifier of a new password, logs in
// with that, and writes and reads three Secrets.
func (f *fleet) bareTurn(ctx context.Context, t *turn) error {
	next := rand.Text()
	verifier, err := postgresql.New(dial.Config{}).Prepare(t.role, vault.NewValue([]byte(next)))
	if err != nil {
		return err
	}
	conn, err := f.logIn(ctx, t.role, t.password)
	if err != nil {
		return err
	}
	err = verifier.Expose(func(b []byte) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", t.role, b), pgx.QueryExecModeExec)
		return err
	})
	_ = conn.Close(ctx)
	if err != nil {
		return err
	}
	t.password = next
	if conn, err = f.logIn(ctx, t.role, t.password); err != nil {
		return err
	}
	_ = conn.Close(ctx)
	for _, p := range t.places {
		if err := f.patch(ctx, p, next); err != nil {
			return err
		}
	}
	for _, p := range t.places {
		if _, err := f.bare[p.plane].kube.CoreV1().Secrets(p.namespace).Get(ctx, p.name, metav1.GetOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) logIn(ctx context.Context, role, password string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=postgres sslmode=verify-full sslrootcert=%s", f.postgres.Host, f.postgres.Port, f.postgres.CAFile))
	if err != nil {
		return nil, err
	}
	cfg.User, cfg.Password = role, password
	return pgx.ConnectConfig(ctx, cfg)
}
