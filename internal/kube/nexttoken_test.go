package kube

import (
	"errors"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestTheConnectorsTokensTakeTurns(t *testing.T) {
	kubectl(t, "", "create", "namespace", "renews")
	scope := Scope{Namespaces: []string{"renews"}, Renew: true}
	kubectl(t, "", "-n", ConnectorNamespace, "delete", "secret", ConnectorToken, ConnectorSecondToken, "--ignore-not-found")
	cfg := connector(t, scope)
	first := dialled(t, cfg)
	present, err := NormaliseToken(cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.NextToken(t.Context(), vault.NewValue([]byte(plane.AdminToken))); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a token of somebody else is renewed: %v", err)
	}
	for turn, secret := range []string{ConnectorSecondToken, ConnectorToken} {
		if turn == 0 { // what a renewal left that was broken off
			kubectl(t, "", "-n", ConnectorNamespace, "create", "secret", "generic", secret)
		}
		conn := dialled(t, Config{Server: cfg.Server, CAPEM: cfg.CAPEM, Token: present, AllowLoopback: true, ShortTokens: true})
		next, err := conn.NextToken(t.Context(), present)
		if err != nil {
			t.Fatal(err)
		}
		if claims, ok := readClaims(next); !ok || claims.Secret != secret {
			t.Errorf("turn %d: the next token is in %q, want %q", turn, claims.Secret, secret)
		}
		cfg.Token = next
		if r := Check(t.Context(), cfg, scope); !r.OK() {
			t.Fatalf("turn %d: the next token: %+v", turn, r)
		}
		conn = dialled(t, Config{Server: cfg.Server, CAPEM: cfg.CAPEM, Token: next, AllowLoopback: true, ShortTokens: true})
		for range 2 {
			if err := conn.RemoveToken(t.Context(), present); err != nil {
				t.Fatal(err)
			}
		}
		refusedInTheEnd(t, Config{Server: cfg.Server, CAPEM: cfg.CAPEM, Token: present, AllowLoopback: true})
		present = next
	}
	dropRights(t, "renews")
	narrow := connector(t, Scope{Namespaces: []string{"renews"}})
	raw, err := NormaliseToken(narrow.Token)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dialled(t, narrow).NextToken(t.Context(), raw)
	isFault(t, err, fault.Denied, codeRight)
}

// refusedInTheEnd waits until the API server has forgotten that a token was good: it remembers for ten seconds.
func refusedInTheEnd(t *testing.T, cfg Config) {
	t.Helper()
	conn := dialled(t, cfg)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if _, err := conn.GetSecret(t.Context(), "renews", "none"); errors.Is(err, fault.Denied) {
			return
		}
	}
	t.Error("a token that was removed is still taken")
}
