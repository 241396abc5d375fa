// Command release builds what a release has: for each platform a binary, built twice and compared, with manual
// pages and completions, in an archive and in packages for Debian and Red Hat; what the binary is made of; what
// operators load into other programs; and checksums. Everything is a pure function of the commit.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// platform is a pair of GOOS and GOARCH.
type platform struct{ os, arch string }

var platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}}

// release is one run of the command.
type release struct {
	version string // such as v1.2.3, or the commit
	commit  string
	at      time.Time // of the commit: the time of all files
	root    string    // of the checkout
	work    string    // temporary
	out     string
	files   map[string][]byte // of the release, by name
}

func main() {
	version := flag.String("version", "", "`version`, such as v1.2.3 (default: the tag of the commit, or the commit)")
	out := flag.String("out", "dist", "`folder` for the files")
	host := flag.Bool("host", false, "build for this machine only")
	flag.Parse()
	if err := run(*version, *out, *host); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(version, out string, host bool) error {
	r := &release{version: version, files: map[string][]byte{}}
	if err := r.find(out); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(r.work) }()
	if err := r.manuals(); err != nil {
		return err
	}
	for _, p := range platforms {
		if host && p != here() {
			continue
		}
		if err := r.platform(p); err != nil {
			return fmt.Errorf("%s/%s: %w", p.os, p.arch, err)
		}
	}
	if err := r.data(); err != nil {
		return err
	}
	return r.write()
}

var versionForm = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// find finds out what is released, and refuses what cannot be built again from its commit.
func (r *release) find(out string) (err error) {
	if r.root, err = output("", "git", "rev-parse", "--show-toplevel"); err != nil {
		return err
	}
	if changed, err := output(r.root, "git", "status", "--porcelain"); err != nil || changed != "" {
		return errors.Join(err, fmt.Errorf("there are changes that are not committed; commit or remove them:\n%s", changed))
	}
	if r.commit, err = output(r.root, "git", "rev-parse", "HEAD"); err != nil {
		return err
	}
	seconds, err := output(r.root, "git", "show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("time of the commit: %w", err)
	}
	r.at = time.Unix(n, 0).UTC()
	if r.version == "" {
		tag, _ := output(r.root, "git", "describe", "--tags", "--exact-match") // no tag is no error
		r.version = cmp.Or(tag, "v0.0.0-"+r.at.Format("20060102150405")+"-"+r.commit[:12])
	}
	if !versionForm.MatchString(r.version) {
		return fmt.Errorf("version %q is not valid; use one such as v1.2.3", r.version)
	}
	if r.out, err = filepath.Abs(out); err != nil {
		return err
	}
	r.work, err = os.MkdirTemp("", "bridge-release-")
	return err
}

// here is the platform of this machine.
func here() platform {
	goos, _ := output("", "go", "env", "GOHOSTOS")
	arch, _ := output("", "go", "env", "GOHOSTARCH")
	return platform{goos, arch}
}

// manuals lets the program write its manual pages and completions.
func (r *release) manuals() error {
	_, err := output(r.root, "go", "run", "-tags", "man", "./cmd/bridge", "man", filepath.Join(r.work, "share"))
	return err
}

// platform builds and packs for one platform.
func (r *release) platform(p platform) error {
	binary, err := r.buildTwice(p)
	if err != nil {
		return err
	}
	share, err := r.share()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("bridge_%s_%s_%s", strings.TrimPrefix(r.version, "v"), p.os, p.arch)
	bill, err := r.bill(filepath.Join(r.work, "bridge"), binary)
	if err != nil {
		return err
	}
	r.files[name+".cdx.json"] = bill
	all := append([]file{{"bridge", binary, 0o755}, {"bridge.cdx.json", bill, 0o644}}, share...)
	if r.files[name+".tar.gz"], err = r.archive(name, all); err != nil {
		return err
	}
	if p.os != "linux" {
		return nil
	}
	return r.packages(p, name, append([]file{{"bridge", binary, 0o755}}, share...))
}

// buildTwice builds the binary in two folders, without Go's cache the second time, and compares.
func (r *release) buildTwice(p platform) ([]byte, error) {
	var built [][]byte
	for i := range 2 {
		tree := filepath.Join(r.work, fmt.Sprint("tree", i))
		if _, err := output(r.root, "git", "worktree", "add", "--detach", tree, r.commit); err != nil {
			return nil, err
		}
		env := []string{"CGO_ENABLED=0", "GOFLAGS=", "GOOS=" + p.os, "GOARCH=" + p.arch, "GOAMD64=v1", "GOARM64=v8.0"}
		if i == 1 {
			env = append(env, "GOCACHE="+filepath.Join(r.work, "cache"))
		}
		err := r.build(tree, env)
		_, undo := output(r.root, "git", "worktree", "remove", "--force", tree)
		if err := errors.Join(err, undo); err != nil {
			return nil, err
		}
		binary, err := os.ReadFile(filepath.Join(r.work, "bridge"))
		if err != nil {
			return nil, err
		}
		built = append(built, binary)
	}
	if !bytes.Equal(built[0], built[1]) {
		return nil, errors.New("two builds of the same commit differ")
	}
	return built[0], nil
}

func (r *release) build(tree string, env []string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -buildid= -X main.release="+r.version, "-o", filepath.Join(r.work, "bridge"), "./cmd/bridge")
	cmd.Dir, cmd.Env = tree, append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return nil
}

// write writes the files and their checksums.
func (r *release) write() error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	r.files["SHA256SUMS"] = r.sums()
	names := make([]string, 0, len(r.files))
	for name, text := range r.files {
		if err := os.WriteFile(filepath.Join(r.out, name), text, 0o644); err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("%9d  %s\n", len(r.files[name]), name)
	}
	return nil
}

// output runs a command and returns what it prints, without the last line feed.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &stderr
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}
