package kube

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/vault"
)

// An answer that breaks off is the caller's error; what client-go says of it beside that is for those who debug.
func TestWhatTheClientSaysOfItselfIsForDebugging(t *testing.T) {
	t.Cleanup(func() { LogTo(slog.New(slog.DiscardHandler)) })
	p := newRecorder(t)
	p.answering(func(w http.ResponseWriter, r *http.Request) bool {
		hostilities()["a body that drips"](w, r)
		return true
	})
	conn, err := Dial(Config{Server: p.web.URL, CAPEM: p.ca(), AllowLoopback: true,
		Token: vault.NewValue([]byte("a-token-of-some-length")), answerWait: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		var out bytes.Buffer
		LogTo(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level})))
		if _, err := conn.GetSecret(t.Context(), "a", "b"); err == nil {
			t.Fatal("an answer that drips was taken")
		}
		if got := strings.Contains(out.String(), `"level":"DEBUG"`); got != want || strings.Contains(out.String(), "ERROR") {
			t.Errorf("a server that logs from %v on wrote %q", level, out.String())
		}
	}
}
