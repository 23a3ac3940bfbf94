package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConsoleFileIsUpToDate(t *testing.T) {
	got, err := os.ReadFile(filepath.Join("..", "..", "..", "console", "src", "api", "states.ts"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(typescript()), string(got)); diff != "" {
		t.Errorf("run: go run ./client/state/gen\n(-generated +file)\n%s", diff)
	}
}

func TestRunWritesTheFileItIsTold(t *testing.T) {
	out := filepath.Join(t.TempDir(), "states.ts")
	var stderr bytes.Buffer
	if code := run([]string{"-o", out}, &stderr); code != 0 {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, typescript()) {
		t.Error("the file is not what was generated")
	}
	if code := run([]string{"-o", filepath.Join(t.TempDir(), "none", "x.ts")}, &stderr); code != 1 {
		t.Errorf("a file that cannot be written gave exit %d", code)
	}
}
