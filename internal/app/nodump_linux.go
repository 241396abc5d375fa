package app

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ForbidMemoryDumps keeps this process's memory, where keys lie, from core dumps and from other
// processes of the same user (security Y4): prctl(2), PR_SET_DUMPABLE. Root can still read it.
func ForbidMemoryDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide memory from other processes: %w", err)
	}
	return nil
}
