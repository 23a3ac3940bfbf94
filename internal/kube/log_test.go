package kube

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"k8s.io/klog/v2"

	"github.com/keyturn/keyturn/internal/vault"
)

// What client-go says of its own accord is for those who debug: whoever made the call is told as well.
func TestWhatTheClientSaysOfItselfIsForDebugging(t *testing.T) {
	t.Cleanup(func() { LogTo(slog.New(slog.DiscardHandler)) })
	for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		var out bytes.Buffer
		LogTo(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level})))
		klog.FromContext(t.Context()).Error(errors.New("cut off"), "an answer broke off")
		klog.FromContext(t.Context()).V(8).Info("Response Body", "body", "a value")
		if got := strings.Contains(out.String(), `"level":"DEBUG","msg":"an answer broke off"`); got != want || strings.Contains(out.String(), "ERROR") || strings.Contains(out.String(), "value") {
			t.Errorf("a server that logs from %v on wrote %q", level, out.String())
		}
	}
}

// At its higher levels client-go writes the bodies of requests and answers: the values of Secrets. None of that is taken,
// however much the server logs.
func TestNoValueIsInTheClientsLog(t *testing.T) {
	t.Cleanup(func() { LogTo(slog.New(slog.DiscardHandler)) })
	var out bytes.Buffer
	LogTo(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.Level(-100)})))
	for level := range klog.Level(20) {
		if level > 0 && (klog.FromContext(t.Context()).V(int(level)).Enabled() || klog.V(level).Enabled()) {
			t.Errorf("client-go may write its lines of level %d", level)
		}
	}
	cfg := connector(t, Scope{WholeCluster: true, ReadWrite: true})
	var err error
	if cfg.Token, err = NormaliseToken(cfg.Token); err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	canary := "canary-" + rand.Text()
	kubectl(t, "", "create", "namespace", "loud")
	kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"loud"},"stringData":{"key":%q}}`, canary), "-n", "loud", "create", "-f", "-")
	s, err := conn.GetSecret(t.Context(), "loud", "loud")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Data["key"].Equal(vault.NewValue([]byte(canary))) {
		t.Fatal("the value was not read, so that this proves nothing")
	}
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), "Body"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the log holds a value or a body, in %d bytes", out.Len())
		}
	}
}
