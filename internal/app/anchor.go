package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// anchor keeps the newest signed head of the audit log in a file beside the database, so that a database that was cut, or
// put back to an older state, is noticed: by whoever verifies, and by the server itself. What it replaces is for epoch to say.
type anchor struct{ path string }

func newAnchor(dir string) anchor { return anchor{filepath.Join(dir, "audit.head")} }

// put replaces the file as a whole, durably.
func (a anchor) put(_ context.Context, signed []byte) error {
	f, err := os.CreateTemp(filepath.Dir(a.path), ".audit.head-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	_, err = f.Write(signed)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), a.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("anchor: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// heads returns what is kept: one signed head, or none yet.
func (a anchor) heads(context.Context) ([][]byte, error) {
	b, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	return [][]byte{b}, nil
}
