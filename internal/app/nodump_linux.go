package app

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ForbidMemoryDumps protects the memory of this process, which has keys, from core dumps and from
// other processes of the same user (security Y4): prctl(2), PR_SET_DUMPABLE. Root can still read it.
func ForbidMemoryDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("protect memory from other processes: %w", err)
	}
	return nil
}
