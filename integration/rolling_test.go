//go:build integration

package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// previous is the commit of the last version. It changes with each release.
const previous = "9e7988d1161398ec3754ce5f6e2d6478a4fa7340"

// previousBinary builds the last version from the history of the checkout.
func previousBinary(t *testing.T) string {
	t.Helper()
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", ".."}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := git("cat-file", "-e", previous+"^{commit}"); err != nil {
		t.Skipf("the checkout has no history down to the last version, %s: %s", previous, out)
	}
	tree := filepath.Join(t.TempDir(), "tree")
	if out, err := git("worktree", "add", "--detach", tree, previous); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	defer func() {
		if out, err := git("worktree", "remove", "--force", tree); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}()
	path := filepath.Join(t.TempDir(), "bridge")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/bridge")
	build.Dir = tree
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestRolling: two instances are replaced by this version, one after the other, and then by the last version again,
// under load. Nothing is lost, doubled or out of order, and no request is repeated.
func TestRolling(t *testing.T) {
	t.Parallel()
	old := previousBinary(t)
	e := withoutTopics(t, 8, 200*time.Millisecond)
	settings, err := os.ReadFile(e.settings)
	must(t, err)
	own, err := binary()
	must(t, err)
	use := func(path string) { // writes the settings that a version knows
		text := string(settings)
		if path == old {
			text = regexp.MustCompile(`(?m)^  (notifications|status|sweep): .*\n`).ReplaceAllString(strings.Replace(text, auditSettings, "", 1), "")
		}
		must(t, os.WriteFile(e.settings, []byte(text), 0o600))
	}
	use(old)
	e.commandOf(old, "topics", "create", "--yes", "-c", e.settings)
	events := orders(8000)
	sent := 4000
	e.send(events[:sent])
	running := map[string]*process{"a": e.runBinary(old, "a"), "b": e.runBinary(old, "b")}
	progress := func() {
		t.Helper()
		e.work(300, sent)
	}
	progress()
	use(own)
	e.commandOf(own, "topics", "create", "--yes", "-c", e.settings) // as the upgrade notes say: before the first new instance
	replace := func(path string) {
		t.Helper()
		use(path)
		for _, slot := range []string{"a", "b"} {
			running[slot].stop(t)
			running[slot] = e.runBinary(path, slot)
			progress()
		}
	}
	replace(own)
	e.send(events[sent:])
	sent = len(events)
	replace(old)
	checkEachOnce(t, events, e.results(len(events)))
	for _, p := range running {
		p.stop(t)
	}
	if n := e.checkExecutions(); n != 0 {
		t.Errorf("replacing instances repeated %d requests", n)
	}
	e.checkAudit(len(events))
}
