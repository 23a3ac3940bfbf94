package api

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the API's document anew")

// The console's types are generated from this file, so it has to be what the server says.
func TestDocumentIsFresh(t *testing.T) {
	got, err := New(Config{Log: slog.New(slog.DiscardHandler), Version: "1", Events: NewEvents()}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "console", "schema", "openapi.json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(bytes.TrimSpace(want), got) {
		t.Errorf("%s is not what the server says (%v): go test ./internal/api -run Document -update, then npm run schema", path, err)
	}
}
