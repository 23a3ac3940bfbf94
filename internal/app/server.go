package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/console"
	"github.com/keyturn/keyturn/internal/api"
	"github.com/keyturn/keyturn/internal/config"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/seal"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// Serve runs a server until ctx ends, and returns when everything that was under way has stopped. What a person at the
// terminal should read goes to out: the address, and the one-time link for the first administrator.
func Serve(ctx context.Context, cfg config.Server, out io.Writer, log *slog.Logger) (err error) {
	if cfg, err = cfg.Complete(); err != nil {
		return err
	}
	kube.LogTo(log)
	if err := seal.Harden(); err != nil {
		log.Warn("this process could not be protected from being read by others of the same user", "err", err)
	}
	if err := privateDir(cfg.Data); err != nil {
		return err
	}
	events, ring, conflicts := api.NewEvents(), &news{kind: "ring"}, &news{kind: "conflict"}
	st, err := store.Open(ctx, store.Config{DSN: cfg.Database, Dir: cfg.Data, Log: log,
		Changed: func(changes []store.Change) {
			events.Publish(changes)
			ring.changed(changes)
			conflicts.changed(changes)
		},
		Missed: func() { events.Forget(); ring.missed(); conflicts.missed() }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	cert, err := loadCertificate(cfg.TLSCert, cfg.TLSKey, cfg.Data, certificateNames(cfg.Listen, cfg.PublicURL))
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fault.New(fault.Unavailable, "the server cannot listen on %s: %w", cfg.Listen, err).WithCure("%s", listenCure(err)).
			WithUnchanged("the server has not started")
	}
	s := &server{cfg: cfg, log: log, out: out, store: st, cert: cert, url: cfg.URL(listener.Addr().String()), ring: ring, conflicts: conflicts}
	return s.serve(ctx, listener, events)
}

// server is one running server.
type server struct {
	cfg   config.Server
	log   *slog.Logger
	out   io.Writer
	store *store.Store
	cert  certificate
	url   string

	api             *api.Server
	loops           *errgroup.Group // every long loop, so that the server stops when one fails and waits for all
	people          *identity.Service
	keeper          *keyring.Keeper
	ring, conflicts *news
}

// The time-outs of a connection: whoever sends slowly is cut off.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = 10 * time.Minute // an export of the audit log
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 10 * time.Second
)

func (s *server) serve(ctx context.Context, listener net.Listener, events *api.Events) error {
	var loopCtx context.Context
	s.loops, loopCtx = errgroup.WithContext(ctx)
	sealed := &sealing{store: s.store, file: s.cfg.RootKeyFile, passphrase: s.cfg.Passphrase, version: s.cfg.Version, log: s.log}
	sealed.opened = func(ctx context.Context, ring *vault.Ring) error { return s.open(ctx, loopCtx, sealed, ring) }
	numbers := newMetrics(s.store, sealed.Health)
	s.api = api.New(api.Config{Log: s.log, Version: s.cfg.Version, Seal: sealed, Events: events, Limits: limits(s.cfg), Observe: numbers.observe, Console: console.Handler})
	sealed.start(ctx)
	if s.cfg.MetricsListen != "" {
		s.loops.Go(func() error { return numbers.serve(loopCtx, s.cfg.MetricsListen) })
	}
	web := &http.Server{
		Handler:           s.api.Handler(),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{s.cert.Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}},
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return loopCtx },
	}
	s.loops.Go(func() error {
		if err := web.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	s.loops.Go(func() error {
		<-loopCtx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(loopCtx), stopTimeout)
		defer cancel()
		if err := web.Shutdown(stopping); err != nil {
			return web.Close() // streams do not end by themselves
		}
		return nil
	})
	s.greet(ctx, sealed)
	return s.loops.Wait()
}

// limits are the API's own, with what the configuration says instead. A burst is what gathers in a second of one actor, and
// in ten of an address: a page of the console asks for much at once.
func limits(cfg config.Server) api.Limits {
	l := api.DefaultLimits()
	if n := cfg.ActorRate; n > 0 {
		l.Actor = api.Rate{PerSecond: float64(n), Burst: n}
	}
	if n := cfg.AnonymousRate; n > 0 {
		l.Anonymous = api.Rate{PerSecond: float64(n), Burst: 10 * n}
	}
	return l
}

// greet tells the person at the terminal where the server is and what to do next.
func (s *server) greet(ctx context.Context, sealed *sealing) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }
	say("Keyturn %s listens on %s", s.cfg.Version, s.url)
	if s.cert.Own {
		say("  its own certificate: %s\n  SHA-256 %s", s.cert.Path, s.cert.SHA256)
	}
	switch h := sealed.Health(); {
	case h.Sealed:
		say("It is sealed: %s.\n  %s", h.Cause, h.Cure)
	case h.Setup:
		if err := s.offerSetup(ctx); err != nil {
			s.log.Error("no setup link could be made", "err", err)
		}
	case h.Restored:
		say("It was restored from a backup that is older than what it had done. Nothing is rotated or written until that is ended.\n  See: keyturn restore status")
	}
}

// offerSetup prints the one-time link if there is no user yet.
func (s *server) offerSetup(ctx context.Context) error {
	code, needed, err := s.people.SetupCode(ctx)
	if err != nil || !needed {
		return err
	}
	return code.Expose(func(b []byte) error {
		_, err := fmt.Fprintf(s.out, "There is no user yet. This link makes the first administrator; it works once, within an hour:\n  %s/setup#%s\n", s.url, b)
		return err
	})
}

// privateDir makes the folder if it is not there, and refuses one that others may enter.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.Unavailable, "the folder %s cannot be made: %w", dir, err).WithField("data").
			WithCure("choose a folder with --data in which this user may write").WithUnchanged("the server has not started")
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fault.New(fault.Conflict, "the folder %s can be entered by others", filepath.Clean(dir)).WithField("data").
			WithCure("chmod 700 %s", filepath.Clean(dir))
	}
	probe, err := os.CreateTemp(dir, ".keyturn-*")
	if err != nil {
		return fault.New(fault.Unavailable, "this user may not write in the folder %s", filepath.Clean(dir)).WithField("data").
			WithCure("run the server as the folder's owner, or choose another with --data").WithUnchanged("the server has not started")
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// listenCure says what helps when an address cannot be listened on.
func listenCure(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop what listens there, which may be another Keyturn, or choose another address with --listen"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "give --listen an address of this machine, or 0.0.0.0 for all of them"
	case errors.Is(err, syscall.EACCES):
		return "choose a port from 1024 on with --listen, or allow this user the lower ones"
	}
	return "give --listen as HOST:PORT, with an address of this machine and a port number"
}
