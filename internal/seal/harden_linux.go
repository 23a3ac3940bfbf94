package seal

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden keeps the memory of this process out of core dumps and out of reach of other processes of the same user
// (ptrace, /proc/PID/mem). It holds until the process ends; a program that it executes starts without it, but cannot
// raise the limit on core dumps again unless it is root. Call it before the root key is read. It fails with the
// system's error; then the process is not protected.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("harden: no core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("harden: not dumpable: %w", err)
	}
	return nil
}
