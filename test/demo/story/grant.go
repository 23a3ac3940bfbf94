package story

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

func grantView(ctx context.Context, s *Stage) error {
	err := s.all(ctx,
		[]string{"user", "create", s.bob.name, "--role", "user", "--password-file", s.bob.passwordFile()},
		[]string{"group", "create", "orders-team", "--member", s.bob.name},
	)
	if err != nil {
		return err
	}
	if err := s.login(ctx, s.bob); err != nil {
		return err
	}
	if n, err := s.visible(ctx, s.bob); err != nil || n != 0 {
		return fmt.Errorf("before the grant he sees %d accounts (%w)", n, err)
	}
	return s.all(ctx, []string{"grant", "create", "--group", "orders-team", "--account", appAccount, "--level", "view"})
}

// visible counts the accounts that p sees, Secrets included.
func (s *Stage) visible(ctx context.Context, p person) (int, error) {
	l, err := ask[list[account]](ctx, s, p, "account", "list")
	if err == nil && int(l.Total) != len(l.Items) {
		err = fmt.Errorf("the list has %d rows and counts %d", len(l.Items), l.Total)
	}
	return len(l.Items), err
}

// provedGrant asks past the command line too: what he may not do is refused by the server.
func provedGrant(ctx context.Context, s *Stage) (string, error) {
	n, err := s.visible(ctx, s.bob)
	if err != nil {
		return "", err
	}
	everything, err := s.visible(ctx, s.anna)
	if err != nil {
		return "", err
	}
	if n != 1 || everything < 20 {
		return "", fmt.Errorf("he sees %d of %d accounts", n, everything)
	}
	token, err := s.bob.token()
	if err != nil {
		return "", err
	}
	his, err := ask[account](ctx, s, s.bob, "account", "get", appAccount)
	if err != nil {
		return "", err
	}
	others, err := ask[account](ctx, s, s.anna, "account", "get", "shop-east/tls")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("HTTPS: 403 for reveal and reset; he sees 1 of %d accounts", everything), errors.Join(
		s.refused(ctx, exitRefused, s.bob, "account", "reveal", appAccount),
		s.refused(ctx, exitNotFound, s.bob, "account", "get", "shop-east/tls"),
		s.answers(ctx, http.StatusOK, token, http.MethodGet, "/accounts/"+his.ID, ""),
		s.answers(ctx, http.StatusForbidden, token, http.MethodPost, "/accounts/"+his.ID+"/reveal", "{}"),
		s.answers(ctx, http.StatusForbidden, token, http.MethodPost, "/accounts/"+his.ID+"/reset", "{}"),
		s.answers(ctx, http.StatusNotFound, token, http.MethodGet, "/secrets/"+others.ID, ""),
		s.answers(ctx, http.StatusForbidden, token, http.MethodGet, "/audit", ""),
	)
}
