package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/keyturn/keyturn/internal/fault"
)

const lockName = "keyturn.lock"

// guard makes dir and the database file if they are not there, refuses modes that let others in, and takes the lock
// that keeps a second server out. Closing the file that it returns gives the lock back.
//
// Nothing may open the database file here once SQLite has it: closing it again would drop SQLite's own locks.
func guard(dir, path string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if err := private(dir, true); err != nil {
		return nil, err
	}
	lock, err := takeLock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	if err := makeFile(path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return errors.Join(f.Close(), syncDir(filepath.Dir(path)))
	}
	if !errors.Is(err, fs.ErrExist) {
		return translate(fmt.Errorf("make the repository's file: %w", err))
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := private(path+suffix, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// private refuses what others could read, and what is no plain file or folder.
func private(path string, dir bool) error {
	info, err := os.Lstat(path)
	if err == nil && dir && info.Mode()&fs.ModeSymlink != 0 {
		info, err = os.Stat(path) // a folder may be a link; what counts is where it leads
	}
	if err != nil {
		return fmt.Errorf("look at the repository's files: %w", err)
	}
	if info.IsDir() != dir || !dir && !info.Mode().IsRegular() {
		return fault.New(fault.Conflict, "%s is not what it should be: a %s", path, map[bool]string{true: "folder", false: "plain file"}[dir]).
			WithCode(CodeLoose)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	want := map[bool]string{true: "700", false: "600"}[dir]
	return fault.New(fault.Conflict, "other users of this machine may use %s (mode %04o)", path, info.Mode().Perm()).
		WithCode(CodeLoose).WithCure("run: chmod %s %s", want, path)
}

func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, translate(fmt.Errorf("open the lock of the data folder: %w", err))
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		held, _ := io.ReadAll(io.LimitReader(f, 20))
		_ = f.Close()
		return nil, fault.New(fault.Conflict, "another server uses this data folder: process %s", holder(held)).WithCode(CodeLocked).
			WithCure("stop it first, or use a folder of its own; several servers on one repository need PostgreSQL")
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(translate(fmt.Errorf("lock the data folder: %w", err)), f.Close())
	}
	return f, nil
}

// holder returns the process id in a lock file, as far as there is one.
func holder(text []byte) string {
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return "unknown"
	}
	return strconv.Itoa(pid)
}

// syncDir makes a new name in dir survive a power cut: open, fsync, close.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync the data folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
