package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	memoryOf   = "BRIDGE_TEST_MEMORY_OF"   // the process whose memory the child tries to open
	memoryKept = "BRIDGE_TEST_MEMORY_KEPT" // the child keeps its own and waits
)

// TestY4_Child is what the two processes of the next test do; by itself it does nothing.
func TestY4_Child(t *testing.T) {
	switch {
	case os.Getenv(memoryOf) != "":
		f, err := os.Open("/proc/" + os.Getenv(memoryOf) + "/mem")
		if err == nil {
			_ = f.Close()
		}
		fmt.Printf("refused=%t\n", errors.Is(err, fs.ErrPermission))
	case os.Getenv(memoryKept) != "":
		if os.Getenv(memoryKept) == "true" {
			if err := ForbidMemoryDumps(); err != nil {
				t.Fatal(err)
			}
		}
		var core unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("core=%d\n", core.Cur)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

// TestY4_MemoryIsKept: another process of the same user opens neither memory nor a core dump.
func TestY4_MemoryIsKept(t *testing.T) {
	for _, kept := range []bool{false, true} {
		victim := sameUser(t, fmt.Sprintf("%s=%t", memoryKept, kept))
		stdin, err := victim.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		var core, refused string
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		_, _ = fmt.Sscanf(line, "core=%s", &core)
		out, err := sameUser(t, fmt.Sprintf("%s=%d", memoryOf, victim.Process.Pid)).Output()
		_ = stdin.Close()
		_ = victim.Wait()
		if _, scan := fmt.Sscanf(string(out), "refused=%s", &refused); err != nil || scan != nil {
			t.Fatalf("%v, %v: %s", err, scan, out)
		}
		if kept && (refused != "true" || core != "0") {
			t.Errorf("memory refused: %s, core limit %s", refused, core)
		}
		if !kept && refused != "false" {
			t.Skip("this system lets no process open the memory of another")
		}
	}
}

// sameUser is this test's binary as an ordinary user: root may open everything.
func sameUser(t *testing.T, env string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestY4_Child$")
	cmd.Env = append(os.Environ(), env)
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.Path = readable(t)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// readable is a copy of this binary where every user finds it.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bridge-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // it holds a test binary
		t.Fatal(err)
	}
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bridge.test")
	if err := os.WriteFile(path, binary, 0o755); err != nil { //nolint:gosec // so does this
		t.Fatal(err)
	}
	return path
}
