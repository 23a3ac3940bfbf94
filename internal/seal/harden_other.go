//go:build unix && !linux

package seal

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden turns core dumps off. Only Linux can also keep other processes of the same user out of this one's memory.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("harden: no core dumps: %w", err)
	}
	return nil
}
