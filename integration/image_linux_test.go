//go:build integration

package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// buildLine is how the image builds the binary.
var buildLine = regexp.MustCompile(`(?m)^RUN CGO_ENABLED=0 (go build .*)-o /bridge \./cmd/bridge$`)

// TestImage: what the image would have is enough. The binary, built as in the Dockerfile, runs the whole demo
// alone in an empty root, as user 65534, with nothing that it may write to.
func TestImage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the root needs root")
	}
	dockerfile, err := os.ReadFile("../deploy/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	m := buildLine.FindSubmatch(dockerfile)
	if m == nil {
		t.Fatal("the Dockerfile does not build the binary as expected")
	}
	root := t.TempDir()
	binary := filepath.Join(root, "bridge")
	build := exec.Command("sh", "-c", string(m[1])+`-o "$0" ../cmd/bridge`, binary)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range []string{root, binary} {
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	demo := exec.CommandContext(t.Context(), "/bridge", "demo")
	demo.Dir, demo.Env = "/", []string{}
	demo.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := demo.CombinedOutput()
	if err != nil || strings.Count(string(out), "proved  ") != 7 {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.Chmod(root, 0o700); err != nil { // so that it can be deleted
		t.Fatal(err)
	}
}
