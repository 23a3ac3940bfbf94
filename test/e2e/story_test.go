package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyturn/keyturn/test/demo/story"
)

// TestStory plays what the demo plays, with the repository in SQLite and in PostgreSQL.
func TestStory(t *testing.T) {
	program := filepath.Join(t.TempDir(), "keyturn")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/keyturn")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, repository := range repositories {
		t.Run(repository, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			var told bytes.Buffer
			err := story.Play(ctx, story.Config{Program: program, OnPostgres: repository == "postgres", Out: &told})
			t.Log("\n" + told.String())
			if err != nil {
				t.Error(err)
			}
		})
	}
}
