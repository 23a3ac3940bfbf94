package story

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func mapKeys(ctx context.Context, s *Stage) error {
	for _, at := range mapped {
		args := []string{"mapping", "add", appAccount, s.path(at)}
		if at.format != "" {
			args = append(args, "--format", at.format)
		}
		if _, err := s.admin(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// provedMappings reads the mapped keys with kubectl, and tries keys that must not be mapped.
func provedMappings(ctx context.Context, s *Stage) (string, error) {
	for _, at := range mapped {
		o, err := s.object(ctx, at)
		if err != nil {
			return "", err
		}
		if v, err := at.password(o); err != nil || v != s.first {
			return "", fmt.Errorf("kubectl: %s does not hold the password that was mapped (%w)", s.path(at), err)
		}
	}
	l, err := ask[list[struct{ State string }]](ctx, s, s.anna, "mapping", "list", "--account", appAccount)
	if err != nil {
		return "", err
	}
	if len(l.Items) != len(mapped) {
		return "", fmt.Errorf("%d mappings are listed", len(l.Items))
	}
	for _, m := range l.Items {
		if m.State != "in_sync" {
			return "", fmt.Errorf("a mapping is %s", m.State)
		}
	}
	err = errors.Join(
		s.refused(ctx, exitConflict, s.anna, "mapping", "add", appAccount, "east/shop/smtp/password"),
		s.refused(ctx, exitConflict, s.anna, "mapping", "add", reconcileAccount, s.path(mapped[0])),
	)
	return "kubectl reads the password there; other values are refused", err
}

func resetAccount(ctx context.Context, s *Stage) (err error) {
	s.lastRun, err = s.watched(ctx, "account", "reset", appAccount, "--generate", "--length", "40", "--wait")
	return err
}

const provedTurned = "psql: new in, old refused; kubectl: 4 keys, 6 new pods, nothing else; logs clean"

func provedReset(ctx context.Context, s *Stage) (string, error) {
	return provedTurned, errors.Join(s.turned(ctx), s.restarted(ctx, s.lastRun))
}

func lookAtVersions(ctx context.Context, s *Stage) error {
	type version struct {
		Number        int
		Stage, Source string
		Actor         string
	}
	l, err := ask[list[version]](ctx, s, s.anna, "account", "versions", appAccount)
	if err != nil {
		return err
	}
	for _, v := range l.Items {
		switch {
		case v.Number == 2 && v.Stage == "current" && v.Source == "generated":
		case v.Number == 1 && v.Stage != "current" && v.Stage != "pending" && v.Source == "typed" && v.Actor == s.anna.name:
		default:
			return fmt.Errorf("version %d is %s, %s by %s", v.Number, v.Stage, v.Source, v.Actor)
		}
	}
	if len(l.Items) != 2 {
		return fmt.Errorf("there are %d versions", len(l.Items))
	}
	return nil
}

// provedVersions compares what is revealed with what kubectl read and psql logged in with.
func provedVersions(ctx context.Context, s *Stage) (string, error) {
	now, err := s.admin(ctx, "account", "reveal", appAccount, "--reason", "the story")
	if err != nil {
		return "", err
	}
	old, err := s.admin(ctx, "account", "reveal", appAccount, "--version", "1")
	if err != nil {
		return "", err
	}
	if now != s.current || old != s.first {
		return "", errors.New("what is revealed is not what kubectl read")
	}
	return "both are what kubectl had read before and after", nil
}

type run struct {
	ID, State, Step, Reason string
}

// crash kills the server when PostgreSQL has the new password and one cluster does not answer, so that it cannot have it
// yet, and starts it again.
func crash(ctx context.Context, s *Stage) error {
	west := s.sites[1]
	resume, err := west.plane.PauseAPIServer()
	if err != nil {
		return err
	}
	broken := s.breakOff(ctx)
	if broken == nil {
		broken = s.locked(ctx, role, s.current) // so whoever reads the key in the west is locked out now
	}
	if err := errors.Join(broken, resume()); err != nil {
		return err
	}
	if err := s.server.start(ctx); err != nil {
		return err
	}
	_, err = s.watched(ctx, "rotation", "watch", s.interrupted)
	return err
}

// breakOff starts a reset, waits until the new password was proved on PostgreSQL, and kills the server.
func (s *Stage) breakOff(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := ask[run](ctx, s, s.anna, "account", "reset", appAccount, "--generate")
	if err != nil {
		return err
	}
	s.interrupted = r.ID
	err = poll(ctx, "the new password is proved on PostgreSQL", func() error {
		if r, err = ask[run](ctx, s, s.anna, "rotation", "get", r.ID); err != nil {
			return final(err)
		}
		if r.Step == "verified" {
			return nil
		}
		return fmt.Errorf("the run is %s after %s: %s", r.State, r.Step, r.Reason)
	})
	s.server.kill()
	return err
}

func provedCrash(ctx context.Context, s *Stage) (string, error) {
	return provedTurned, errors.Join(s.turned(ctx), s.restarted(ctx, s.interrupted))
}
