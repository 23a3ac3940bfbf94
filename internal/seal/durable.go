package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/keyturn/keyturn/internal/fault"
)

// maxFile is more than any file that this package writes.
const maxFile = 4096

// readPrivate returns the content of a regular file that only its owner can read or write. What is checked is the open
// file, not the name, so nobody can put another one in its place in between.
func readPrivate(path string) ([]byte, error) {
	// O_NONBLOCK: opening a pipe that someone put there must not hang the start.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, notRead(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, notRead(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, malformed(path, "not a regular file")
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return nil, fault.New(fault.Sealed, "%s has mode %04o: others could read or change it", path, mode).
			WithCode(codeExposed).
			WithCure("make sure that nobody has read it, then run chmod 0600 on it")
	}
	// Root owns what a service manager or a mounted volume hands out, and could read everything anyway.
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || (int(st.Uid) != os.Geteuid() && st.Uid != 0) {
		return nil, fault.New(fault.Sealed, "%s belongs to another user, who could change it", path).
			WithCode(codeExposed).
			WithCure("make sure that it is the right file, then give it to the user that runs Keyturn with chown")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, notRead(path, err)
	}
	if len(b) > maxFile {
		return nil, malformed(path, "too long")
	}
	return b, nil
}

func notRead(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Sealed, "there is no root key: %s does not exist", path).
			WithCode(codeMissing).
			WithCure("put the root key of this repository back from its backup").
			WithUnchanged("the repository was not touched")
	}
	return fault.New(fault.Sealed, "the root key cannot be read: %w", err).
		WithCode(codeUnreadable).
		WithCure("let the user that runs Keyturn read %s", path)
}

func malformed(path, why string) error {
	return fault.New(fault.Sealed, "%s holds no root key: %s", path, why).
		WithCode(codeMalformed).
		WithCure("put the root key of this repository back from its backup").
		WithUnchanged("the repository was not touched")
}

// createPrivate writes a new file with mode 0600 that is there, whole, after a power cut once it returns nil. It fails
// with fault.Conflict, code "root-key-exists", when there is something at path.
//
// The calls: open(O_EXCL) and write a temporary file in the same folder, fsync it, link it to its name (which, unlike
// rename, replaces nothing), unlink the temporary name, fsync the folder. A crash may leave the temporary file behind,
// with mode 0600.
func createPrivate(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".root-key-*")
	if err != nil {
		return fmt.Errorf("create root key: %w", err)
	}
	defer func() { err = errors.Join(err, tmp.Close()) }()
	linked := false
	defer func() {
		if !linked {
			_ = os.Remove(tmp.Name())
		}
	}()
	if err := tmp.Chmod(0o600); err != nil {
		return fmt.Errorf("create root key: %w", err)
	}
	if _, err := tmp.Write(content); err != nil {
		return fmt.Errorf("create root key: %w", err)
	}
	if err := tmp.Sync(); err != nil {
		return fmt.Errorf("create root key: %w", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fault.New(fault.Conflict, "%s exists already and is not replaced", path).
				WithCode(codeExists).
				WithCure("move it away if it is of no use any more")
		}
		return fmt.Errorf("create root key: %w", err)
	}
	linked = true
	if err := os.Remove(tmp.Name()); err != nil {
		return fmt.Errorf("create root key: %w", err)
	}
	return syncDir(dir)
}

func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("create root key: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("create root key: fsync of its folder: %w", err)
	}
	return nil
}
