package apptest

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

const (
	// MaxResident is how many KiB a child may have resident (security K6).
	MaxResident = 200 << 10

	memoryLimit = 256 << 20 // bytes that the kernel gives a child
)

// ChildCommand is a test of this binary as a process of its own. Of its memory limit each thread's
// stack would take 8 MiB that nothing is ever written to, and a busy machine makes more threads.
func ChildCommand(ctx context.Context, test string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", `ulimit -s 256 && exec "$0" "$@"`, os.Args[0], "-test.run=^"+test+"$")
}

// LimitMemory bounds the memory that the kernel gives this process.
func LimitMemory(t testing.TB) {
	t.Helper()
	NoError(t, syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: memoryLimit, Max: memoryLimit}))
}

// PeakResident is the most memory that a process ever had resident, in KiB.
func PeakResident(t testing.TB, process string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + process + "/status")
	NoError(t, err)
	n, _ := strconv.Atoi(string(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)[1]))
	return n
}
