package story

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

func startServer(ctx context.Context, s *Stage) error {
	if err := s.server.start(ctx); err != nil {
		return err
	}
	return s.server.awaitCode(ctx)
}

// provedStart relies on start, which speaks TLS only with the certificate whose SHA-256 was printed.
func provedStart(_ context.Context, s *Stage) (string, error) {
	err := errors.Join(private(s.server.data()), private(filepath.Join(s.server.data(), "root.key")))
	return "TLS shows the printed certificate; the root key is private", err
}

func setUp(ctx context.Context, s *Stage) error {
	_, err := s.keyturn(ctx, s.anna, s.server.code+"\n", "setup", "--code-file", "-", "--ca-sha256", s.server.fingerprint,
		"--username", s.anna.name, "--password-file", s.anna.passwordFile())
	s.secrets = append(s.secrets, s.server.code)
	return err
}

func provedSetUp(ctx context.Context, s *Stage) (string, error) {
	again := fmt.Sprintf(`{"code": %q, "name": "mallory", "password": %q}`, s.server.code, s.nobody.password)
	status, _, err := s.server.call(ctx, "", http.MethodPost, "/setup", again)
	if err == nil && status < 400 {
		err = fmt.Errorf("the code worked twice: HTTPS answers %d", status)
	}
	return fmt.Sprintf("HTTPS: %d for the code's second use", status), errors.Join(err, private(s.anna.sessionFile()))
}

// private fails if others than the owner may read the file or enter the folder.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to others: %v", path, info.Mode())
	}
	return nil
}

func signIn(ctx context.Context, s *Stage) error {
	var err error
	if s.ended, err = s.anna.token(); err != nil {
		return err
	}
	s.secrets = append(s.secrets, s.ended)
	if _, err := s.admin(ctx, "logout"); err != nil {
		return err
	}
	return s.login(ctx, s.anna)
}

func (s *Stage) login(ctx context.Context, p person) error {
	_, err := s.keyturn(ctx, p, "", "login", "--ca-sha256", s.server.fingerprint, "--username", p.name, "--password-file", p.passwordFile())
	return err
}

// provedSignIn uses the session that has ended, as whoever kept a copy of it would, the new one, and a wrong password.
func provedSignIn(ctx context.Context, s *Stage) (string, error) {
	now, err := s.anna.token()
	if err != nil {
		return "", err
	}
	wrong := fmt.Sprintf(`{"name": %q, "password": %q}`, s.anna.name, s.nobody.password)
	return "HTTPS: 401 for the ended session and for a wrong password", errors.Join(
		s.answers(ctx, http.StatusUnauthorized, s.ended, http.MethodGet, "/session", ""),
		s.answers(ctx, http.StatusOK, now, http.MethodGet, "/session", ""),
		s.answers(ctx, http.StatusUnauthorized, "", http.MethodPost, "/session", wrong),
	)
}

// answers fails unless the API answers with this status, and without any value of the story.
func (s *Stage) answers(ctx context.Context, want int, token, method, path, body string) error {
	status, answer, err := s.server.call(ctx, token, method, path, body)
	if err == nil && status != want {
		err = fmt.Errorf("%s %s answers %d, not %d", method, path, status, want)
	}
	return errors.Join(err, absent(answer, "the answer of "+path, s.secrets))
}
