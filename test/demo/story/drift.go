package story

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	changed = "shop-east/smtp"
	deleted = "shop-east/feature-flags"
)

func changeSecret(ctx context.Context, s *Stage) error {
	s.smtp = rand.Text()
	s.secrets = append(s.secrets, s.smtp)
	b, err := json.Marshal(secret("shop", "smtp", basicType, data{"username": []byte("mailer"), "password": []byte(s.smtp)}))
	if err != nil {
		return err
	}
	if _, err := s.sites[0].kubectl(ctx, string(b), "replace", "-f", "-"); err != nil {
		return err
	}
	return s.followed(ctx, func() (bool, error) {
		got, err := s.admin(ctx, "account", "reveal", changed, "--key", "password")
		return got == s.smtp, err
	})
}

// followed waits until Keyturn, which nobody asks to, has seen for itself what was changed in a cluster.
func (s *Stage) followed(ctx context.Context, seen func() (bool, error)) error {
	for end := time.Now().Add(10 * time.Second); ; {
		ok, err := seen()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("Keyturn has not seen the change in ten seconds")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func provedChange(ctx context.Context, s *Stage) (string, error) {
	o, err := s.sites[0].secret(ctx, "shop", "smtp")
	if err != nil {
		return "", err
	}
	want, err := value(o, "password")
	if err != nil {
		return "", err
	}
	got, err := s.admin(ctx, "account", "reveal", changed, "--key", "password")
	if err != nil {
		return "", err
	}
	if got != want || want != s.smtp {
		return "", errors.New("the repository does not have what kubectl reads")
	}
	old, err := s.admin(ctx, "account", "reveal", changed, "--key", "password", "--version", "1")
	if err == nil && old == want {
		err = errors.New("version 1 is not the old value")
	}
	return "kubectl reads what is revealed; the old value is version 1", err
}

// healSecret changes a mapped key with kubectl, where Keyturn was told that the vault is right, and waits for it to be put back.
func healSecret(ctx context.Context, s *Stage) error {
	if _, err := s.admin(ctx, "conflict", "policy", "east/shop/db", "vault-wins"); err != nil {
		return err
	}
	wrong := rand.Text()
	s.secrets = append(s.secrets, wrong)
	patch := fmt.Sprintf(`{"stringData":{"password":%q}}`, wrong)
	if _, err := s.sites[0].kubectl(ctx, "", "-n", "shop", "patch", "secret", "db", "--type", "merge", "-p", patch); err != nil {
		return err
	}
	return s.followed(ctx, func() (bool, error) {
		o, err := s.sites[0].secret(ctx, "shop", "db")
		if err != nil {
			return false, err
		}
		got, err := value(o, "password")
		return got != wrong, err
	})
}

// provedHeal compares what kubectl reads with the account's password, and looks for who had changed it.
func provedHeal(ctx context.Context, s *Stage) (string, error) {
	o, err := s.sites[0].secret(ctx, "shop", "db")
	if err != nil {
		return "", err
	}
	got, err := value(o, "password")
	if err != nil {
		return "", err
	}
	want, err := s.admin(ctx, "account", "reveal", appAccount)
	if err != nil {
		return "", err
	}
	if got != want {
		return "", errors.New("kubectl reads another password than the account's")
	}
	said, err := s.admin(ctx, "audit", "list", "--action", "secret.heal", "-o", "json")
	if err == nil && !strings.Contains(said, "kubectl-patch") {
		err = errors.New("the audit log does not say who had changed it")
	}
	return "kubectl reads the account's password; the log names kubectl-patch", err
}

func deleteSecret(ctx context.Context, s *Stage) error {
	if _, err := s.sites[0].kubectl(ctx, "", "-n", "shop", "delete", "secret", "feature-flags"); err != nil {
		return err
	}
	return s.followed(ctx, func() (bool, error) {
		gone, err := s.secretAccounts(ctx, s.anna, nil, "--state", "tombstone")
		return len(gone) > 0, err
	})
}

// provedTombstone looks for exactly one tombstone, and lets the API server judge whether its value can be restored.
func provedTombstone(ctx context.Context, s *Stage) (string, error) {
	gone, err := s.secretAccounts(ctx, s.anna, nil, "--state", "tombstone")
	if err != nil {
		return "", err
	}
	if len(gone) != 1 || gone[0].ResourceName+"/"+gone[0].Name != deleted {
		return "", fmt.Errorf("%d tombstones, of which %s should be the only one", len(gone), deleted)
	}
	if _, err := s.sites[0].secret(ctx, "shop", "feature-flags"); err == nil || !strings.Contains(err.Error(), "NotFound") {
		return "", fmt.Errorf("kubectl: the Secret is still there (%w)", err)
	}
	manifest, err := s.admin(ctx, "account", "download", gone[0].ID)
	if err != nil {
		return "", err
	}
	out, err := s.sites[0].kubectl(ctx, manifest, "create", "--dry-run=server", "-f", "-", "-o", `jsonpath={.data.flags\.json}`)
	if err != nil {
		return "", err
	}
	if out == "" {
		return "", errors.New("kubectl: the restored Secret would be empty")
	}
	return "kubectl: it is gone there, and would take the kept value back", nil
}
