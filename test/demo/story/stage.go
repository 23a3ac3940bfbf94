package story

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/test/testbed"
)

// Config says with what and where the story is played.
type Config struct {
	// Program is the path of the keyturn binary.
	Program string
	// OnPostgres keeps Keyturn's repository in the PostgreSQL server instead of in SQLite.
	OnPostgres bool
	// Out takes one line for each step. Terminal is true if it understands colours and carriage returns; Width is then the
	// number of its columns, 0 if lines may have any length.
	Out      io.Writer
	Terminal bool
	Width    int
}

// site is a cluster of the story.
type site struct {
	name  string // in Keyturn
	plane *testbed.ControlPlane
	token string // the connector's, in base64 as kubectl prints it
}

// Stage is everything that runs for the story. It must be closed. Its methods are for one goroutine.
type Stage struct {
	cfg      Config
	folder   string
	show     show
	clusters *testbed.Clusters
	postgres *testbed.Postgres
	server   *server
	sites    []*site

	anna, bob   person // an administrator and a plain user
	nobody      person // somebody who never signs in
	first       string // password of the role app_rw before the story
	current     string // and the one that was proved last
	reconcile   string // password of the role keyturn_reconcile
	secrets     []string
	before      []map[string]any             // the mapped Secrets as they were before the first reset
	pods        map[string]pod               // of the workloads that read them, by uid, as they were last looked at
	lastRun     string                       // the reset that was proved last
	ended       string                       // secret of a session that was signed out of
	downloads   map[string][]json.RawMessage // by site
	auditKey    string
	exportFile  string
	forgedSeq   int64  // the entry that was tampered with
	smtp        string // what kubectl changed a password to
	interrupted string // the run that a kill -9 broke off
}

// Open starts two control planes, PostgreSQL and nothing of Keyturn, and fills them. If it fails nothing is left running.
func Open(ctx context.Context, cfg Config) (*Stage, error) {
	folder, err := os.MkdirTemp("/tmp", "keyturn-story-")
	if err != nil {
		return nil, err
	}
	s := &Stage{cfg: cfg, folder: folder, show: show{out: cfg.Out, terminal: cfg.Terminal, width: cfg.Width}}
	err = s.show.during("", "Two Kubernetes control planes and PostgreSQL start", func() (string, error) { return "", s.start(ctx) })
	if err == nil {
		err = s.show.during("", "Secrets of every type, two workloads, a database role", func() (string, error) { return s.fill(ctx) })
	}
	if err == nil {
		err = s.people()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close(), s.Forget())
	}
	return s, nil
}

// start starts the real servers, at the same time.
func (s *Stage) start(ctx context.Context) error {
	var clustersErr, postgresErr error
	var wg sync.WaitGroup
	wg.Go(func() { s.clusters, clustersErr = testbed.StartClustersWithNodes(ctx, 2, 1) })
	wg.Go(func() { s.postgres, postgresErr = testbed.StartPostgres(ctx, testbed.PostgresOptions{}) })
	wg.Wait()
	if err := errors.Join(clustersErr, postgresErr); err != nil {
		return err
	}
	for i, name := range []string{"east", "west"} {
		s.sites = append(s.sites, &site{name: name, plane: s.clusters.Planes[i]})
	}
	database, err := s.repository(ctx)
	if err != nil {
		return err
	}
	s.server, err = newServer(s.cfg.Program, s.folder, database)
	return err
}

// repository makes an empty database with an owner of its own, if it is to be used, and returns its URL. The password is
// in a file that the URL names: arguments are seen by the whole machine.
func (s *Stage) repository(ctx context.Context) (string, error) {
	if !s.cfg.OnPostgres {
		return "", nil
	}
	p, password := s.postgres, rand.Text()
	for _, sql := range []string{
		quiet + `CREATE ROLE keyturn LOGIN PASSWORD '` + password + `'`,
		`CREATE DATABASE keyturn OWNER keyturn`,
	} {
		if _, err := p.Psql(ctx, p.SuperUser, p.SuperPassword, sql); err != nil {
			return "", err
		}
	}
	passfile := filepath.Join(s.folder, "passfile")
	line := fmt.Sprintf("%s:%d:keyturn:keyturn:%s\n", p.Host, p.Port, password)
	query := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {p.CAFile}, "passfile": {passfile}}
	u := fmt.Sprintf("postgres://keyturn@%s:%d/keyturn?%s", p.Host, p.Port, query.Encode())
	return u, os.WriteFile(passfile, []byte(line), 0o600)
}

func (s *Stage) people() error {
	folder := filepath.Join(s.folder, "people")
	for _, p := range []struct {
		person *person
		name   string
	}{{&s.anna, "anna"}, {&s.bob, "bob"}, {&s.nobody, "nobody"}} {
		var err error
		if *p.person, err = newPerson(folder, p.name); err != nil {
			return err
		}
	}
	return nil
}

// Play plays every step and stops at the first that fails or is not proved. The error names it and the server's log.
func (s *Stage) Play(ctx context.Context) error {
	steps := steps()
	for i, step := range steps {
		err := s.show.during(fmt.Sprint(i+1), step.title, func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, stepTimeout)
			defer cancel()
			if err := step.do(ctx, s); err != nil {
				return "", err
			}
			proof, err := step.proof(ctx, s)
			if err != nil {
				err = fmt.Errorf("not proved: %w", err)
			}
			return proof, err
		})
		if err != nil {
			return fmt.Errorf("step %d of %d (%s): %w\nthe server's log is %s", i+1, len(steps), step.title, err, s.server.log())
		}
	}
	s.show.say("All %d steps were proved.", len(steps))
	return nil
}

// Close ends everything that was started, and leaves the server's data and logs where they are.
func (s *Stage) Close() error {
	s.server.stop()
	var errs []error
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	if s.clusters != nil {
		errs = append(errs, s.clusters.Stop())
	}
	return errors.Join(errs...)
}

// Forget removes what the story left on disk, the server's data and logs. It is for after Close.
func (s *Stage) Forget() error { return os.RemoveAll(s.folder) }

// Visit is what a person needs to look around on the stage.
type Visit struct {
	URL, User, Password string
	CertSHA256          string
	Kubeconfigs         []string
	ServerLog           string
}

// Visit returns how to look around. It may be used after Play and before Close.
func (s *Stage) Visit() Visit {
	v := Visit{URL: s.server.url, User: s.anna.name, Password: s.anna.password, CertSHA256: s.server.fingerprint, ServerLog: s.server.log()}
	for _, site := range s.sites {
		v.Kubeconfigs = append(v.Kubeconfigs, site.plane.Kubeconfig)
	}
	return v
}

// Play opens a stage, plays the story on it and closes it. After a failure the folder with the logs stays.
func Play(ctx context.Context, cfg Config) error {
	s, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	err = errors.Join(s.Play(ctx), s.Close())
	if err == nil {
		err = s.Forget()
	}
	return err
}

// kubectl runs the real kubectl as administrator of the site.
func (s *site) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	return s.plane.Kubectl(ctx, stdin, args...)
}

// psql runs the real psql; the error tells a refused password from the rest.
func (s *Stage) psql(ctx context.Context, user, password, sql string) (string, error) {
	return s.postgres.Psql(ctx, user, password, sql)
}

// locked fails unless PostgreSQL refuses the password, as against not answering.
func (s *Stage) locked(ctx context.Context, user, password string) error {
	_, err := s.psql(ctx, user, password, "SELECT 1")
	if err == nil {
		return fmt.Errorf("psql: %s still gets in with a password that should be dead", user)
	}
	if !strings.Contains(err.Error(), "password authentication failed") {
		return err
	}
	return nil
}
