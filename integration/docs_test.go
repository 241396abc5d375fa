//go:build integration

package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// notRun are the commands of the documents that this test does not run, with the reason.
var notRun = map[string]string{
	"go test ./...\n": "it would run other tests, not show what a document says",
}

// TestReadmeAndTutorial: the commands of README.md and of the tutorial, exactly as they are written and in their
// order, do what the documents say. Each document has a network of its own, where all default ports are free, and
// a copy of the checkout to write to.
func TestReadmeAndTutorial(t *testing.T) {
	for _, page := range []string{"README.md", "docs/tutorial/first-order.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			for _, s := range stepsOf(t, page) {
				m.follow(s)
			}
		})
	}
}

// step is a block of commands of a document, and what the document says that they print.
type step struct {
	at, commands, output string
}

var fenced = regexp.MustCompile("(?ms)^```(\\w+)[^\n]*\n(.*?)^```$")

func stepsOf(t *testing.T, page string) []step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	must(t, err)
	var all []step
	for _, m := range fenced.FindAllSubmatchIndex(text, -1) {
		kind, body := string(text[m[2]:m[3]]), string(text[m[4]:m[5]])
		switch {
		case kind == "sh":
			all = append(all, step{fmt.Sprintf("%s:%d", page, 1+bytes.Count(text[:m[0]], []byte("\n"))), body, ""})
		case kind == "text" && len(all) > 0 && all[len(all)-1].output == "":
			all[len(all)-1].output = body
		}
	}
	if len(all) < 5 {
		t.Fatalf("%s has %d blocks of commands", page, len(all))
	}
	return all
}

// machine is that of a user: with a network and a name of its own, and a checkout in which nothing was done yet.
type machine struct {
	t       *testing.T
	dir     string
	env     []string
	inside  []string // the command that runs another one on the machine
	jaeger  bool     // is built
	running map[string]*program
}

// program is a command that runs until it is interrupted.
type program struct {
	cmd *exec.Cmd
	out *lockedBuffer
}

// outfit makes the machine. What is written to the checkout stays in memory.
const outfit = `set -e
ip link set lo up
hostname laptop
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$2"
cd "$2"
rm -rf try bridge
echo ready
exec cat # until the test ends`

func newMachine(t *testing.T) *machine {
	t.Helper()
	root, err := filepath.Abs("..")
	must(t, err)
	m := &machine{t: t, dir: t.TempDir(), running: map[string]*program{}}
	m.downloads()
	holder := program{exec.Command("unshare", "-rnmu", "bash", "-c", outfit, "outfit", t.TempDir(), root), &lockedBuffer{}}
	holder.cmd.Stdout, holder.cmd.Stderr = holder.out, holder.out
	stdin, err := holder.cmd.StdinPipe()
	must(t, err)
	if err := holder.cmd.Start(); err != nil {
		t.Skipf("no network of its own: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- holder.cmd.Wait() }()
	await(t, "a network and a checkout of its own", patience, func() bool {
		select {
		case err := <-ended:
			t.Skipf("no network or checkout of its own: %v: %s", err, holder.out)
		default:
		}
		return strings.Contains(holder.out.String(), "ready")
	})
	m.inside = []string{"--target", strconv.Itoa(holder.cmd.Process.Pid), "--user", "--net", "--mount", "--uts", "--preserve-credentials", "bash", "-c", `cd "$0" && exec "$@"`, root}
	t.Cleanup(func() {
		for _, p := range m.running {
			m.interrupt(p)
		}
		for _, stop := range []string{"kafka-stop", "jaeger-stop"} {
			if out, err := m.command("make", stop).CombinedOutput(); err != nil {
				t.Errorf("make %s: %v\n%s", stop, err, out)
			}
		}
		_ = stdin.Close()
		<-ended
	})
	return m
}

// downloads lets the machine have what the scripts have downloaded and built, but not the state of other servers.
func (m *machine) downloads() {
	m.t.Helper()
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	must(m.t, err)
	m.env = append(os.Environ(), "NO_COLOR=1", "XDG_CACHE_HOME="+m.dir, "GOCACHE="+strings.TrimSpace(string(goCache)), "KAFKA_PORT=", "REGISTRY_PORT=")
	home, err := os.UserCacheDir()
	must(m.t, err)
	all, err := filepath.Glob(filepath.Join(home, "alipay-kafka-bridge", "*"))
	must(m.t, err)
	here := filepath.Join(m.dir, "alipay-kafka-bridge")
	must(m.t, os.Mkdir(here, 0o700))
	for _, path := range all {
		name := filepath.Base(path)
		m.jaeger = m.jaeger || strings.HasPrefix(name, "jaeger-")
		if !strings.HasPrefix(name, "run-") && !strings.HasPrefix(name, "fresh.") {
			must(m.t, os.Symlink(path, filepath.Join(here, name)))
		}
	}
}

// command is a command on the machine.
func (m *machine) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append(append([]string{}, m.inside...), args...)...) // without a context: cleanups use it, too
	cmd.Env = m.env
	return cmd
}

var (
	endless  = regexp.MustCompile(`^\./bridge (run|simulate|tail)\b`)
	ends     = regexp.MustCompile(`--to-end|-n \d|--no-serve`)
	readOnly = regexp.MustCompile(`^(\./bridge (status|stuck|tail|audit|check|explain)\b|curl -sG)`)
)

// follow does what a block says.
func (m *machine) follow(s step) {
	m.t.Helper()
	if why := notRun[s.commands]; why != "" {
		m.t.Logf("%s is not run: %s", s.at, why)
		return
	}
	if !m.jaeger && regexp.MustCompile(`make jaeger\n|:16686`).MatchString(s.commands) {
		m.t.Logf("%s is not run: Jaeger is not built", s.at)
		return
	}
	commands := strings.TrimSpace(s.commands)
	last := commands[strings.LastIndex(commands, "\n")+1:]
	if endless.MatchString(last) && !ends.MatchString(last) {
		if before := strings.TrimSuffix(commands, last); before != "" {
			m.once(step{s.at, before, ""})
		}
		m.start(step{s.at, last, s.output})
		return
	}
	m.once(s)
}

// once runs commands on a terminal. If they only read, they are repeated until they print what the document says.
func (m *machine) once(s step) {
	m.t.Helper()
	file := filepath.Join(m.dir, "block.sh")
	must(m.t, os.WriteFile(file, []byte("set -e\nstty cols 120 rows 50\n"+s.commands), 0o600))
	var text string
	begin := time.Now()
	for {
		out, err := m.command("script", "-qec", "bash "+file, "/dev/null").CombinedOutput()
		text = string(out)
		if code := exitCode(err); code != 0 && code != 3 { // 3: found something
			m.t.Fatalf("%s: %v\n%s\n%s", s.at, err, s.commands, text)
		}
		if s.output == "" || says(s.output, text) {
			m.t.Logf("%s: %v", s.at, time.Since(begin).Round(time.Millisecond))
			return
		}
		if !readOnly.MatchString(s.commands) || time.Since(begin) > 2*time.Minute {
			m.t.Fatalf("%s prints\n%s\nThe document says\n%s", s.at, text, s.output)
		}
		select {
		case <-m.t.Context().Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode()
	}
	return -1
}

// start starts a program in another terminal, after it has interrupted the one of the same command. A tail is
// interrupted when it has shown a record.
func (m *machine) start(s step) {
	m.t.Helper()
	if before := m.running[s.commands]; before != nil {
		m.interrupt(before)
	}
	p := &program{m.command("bash", "-c", "exec "+s.commands), &lockedBuffer{}}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	must(m.t, p.cmd.Start())
	m.running[s.commands] = p
	begun := map[string]string{"run": "ready=true", "simulate": "admin at", "tail": "APPLIED"}[endless.FindStringSubmatch(s.commands)[1]]
	await(m.t, s.at+": "+s.commands+" prints "+begun, patience, func() bool { return strings.Contains(p.out.String(), begun) })
	if s.output != "" {
		await(m.t, s.at+": "+s.commands+" prints what the document says", patience, func() bool { return says(s.output, p.out.String()) })
	}
	if begun == "APPLIED" {
		m.interrupt(p)
		delete(m.running, s.commands)
	}
}

// interrupt is Ctrl-C.
func (m *machine) interrupt(p *program) {
	m.t.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	if err := p.cmd.Wait(); err != nil {
		m.t.Errorf("after Ctrl-C: %v\n%s", err, p.out)
	}
}

var (
	progress = regexp.MustCompile(`(?m)^.*\x1b\[K`)
	spans    = regexp.MustCompile(`\b(\d+ h \d+ min|\d+ (s|min|days))\b`) // as admin.Span writes them
	numbers  = regexp.MustCompile(`\b[0-9a-f]{16,}\b|\d+`)
	names    = regexp.MustCompile(`\b([A-Z]+0|shop-[a-z]+)\b`)
)

// alike is a text without what differs between two runs: white space, numbers, which of the orders and accounts it is.
// A time that passed may have another unit.
func alike(text string) string {
	text = spans.ReplaceAllString(progress.ReplaceAllString(text, ""), "0 s")
	return strings.Join(strings.Fields(names.ReplaceAllString(numbers.ReplaceAllString(text, "0"), "N0")), " ")
}

// says reports whether a text is what a document says. … stands for what was left out.
func says(document, text string) bool {
	var parts []string
	for part := range strings.SplitSeq(alike(document), "…") {
		parts = append(parts, regexp.QuoteMeta(strings.TrimSpace(part)))
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(alike(text))
}

func TestSays(t *testing.T) {
	for _, c := range []struct {
		document, text string
		want           bool
	}{
		{"NAME  N\nA1  7\n", "wait\x1b[KNAME N\r\nB22   15\r\n", true},
		{"NAME  N\n…\nall 3", "NAME N\nA1 7\nA2 8\nall 2", true},
		{"NAME  N\nA1  7\n", "NAME  N\nA1  7\nA2  8\n", false},
		{"PAID  UP\n50  15 s (as of 0 s ago)", "PAID  UP\n7  1 h 5 min (as of 2 days ago)", true},
		{"UP\n15 s\n", "UP\n15 m\n", false},
		{"… waits (…\nDo: nothing", "x waits (for\nlong)\nDo: something", false},
	} {
		if got := says(c.document, c.text); got != c.want {
			t.Errorf("%q says %q: %v", c.document, c.text, got)
		}
	}
}
