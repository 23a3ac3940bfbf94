package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The root key is replaced with a second file beside the present one, so that at each moment one of the two opens the
// repository:
//
//	root.key  root.key.next        the repository is wrapped by the first: it is as before
//	root.key  root.key.next        it is wrapped by the second: a start tries both, and puts the second in its place
//	root.key  root.key.old-DATE    the second was put in its place; the first opens backups made until then

// Next is where the root key waits that is to take the place of the one at path. It has the form of that one: a key, or
// the parameters of a passphrase.
func Next(path string) string { return path + ".next" }

// Sync makes sure that the file at path is there after a power cut, whoever wrote it.
func Sync(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("root key: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, sync := range []func() error{f.Sync, func() error { return syncDir(filepath.Dir(path)) }} {
		if err := sync(); err != nil && !errors.Is(err, syscall.EROFS) && !errors.Is(err, syscall.EINVAL) { // what cannot be written is there already
			return fmt.Errorf("root key: %w", err)
		}
	}
	return nil
}

// Promote puts the next root key in the place of the one at path, which is kept under the name that is returned; empty
// when there was none. A crash leaves both, under their old names or their new ones.
func Promote(path string, now time.Time) (old string, err error) {
	old = path + ".old-" + now.UTC().Format("20060102T150405Z")
	switch err := os.Link(path, old); {
	case errors.Is(err, fs.ErrNotExist):
		old = ""
	case err != nil && !errors.Is(err, fs.ErrExist): // a try that broke off has kept it
		return "", fmt.Errorf("keep the root key that was: %w", err)
	default:
		if err := syncDir(filepath.Dir(path)); err != nil {
			return "", err
		}
	}
	if err := os.Rename(Next(path), path); err != nil {
		return "", fmt.Errorf("put the next root key in its place: %w", err)
	}
	return old, syncDir(filepath.Dir(path))
}
