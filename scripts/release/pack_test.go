package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func names(t *testing.T, archive []byte) (out []string) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h.Name)
	}
}

// The same files give the same archive, in whatever order and whenever it is made.
func TestArchiveIsReproducible(t *testing.T) {
	r := release{at: time.Unix(1_700_000_000, 0)}
	first, err := r.archive("x", []file{{"b", []byte("2"), 0o644}, {"a", []byte("1"), 0o755}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.archive("x", []file{{"a", []byte("1"), 0o755}, {"b", []byte("2"), 0o644}})
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("two archives of the same files differ (%v)", err)
	}
	if got := names(t, first); !slices.Equal(got, []string{"x/a", "x/b"}) {
		t.Errorf("files %v", got)
	}
}

// What operators load into other programs is complete.
func TestData(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r := release{version: "v1.2.3", root: root, files: map[string][]byte{}}
	if err := r.data(); err != nil {
		t.Fatal(err)
	}
	for archive, want := range map[string][]string{
		"bridge-observability_1.2.3.tar.gz": {"prometheus/alerts.yaml", "prometheus/inhibit.yaml", "grafana/overview.json", "otel/collector.yaml"},
		"bridge-schemas_1.2.3.tar.gz":       {"order_event.avsc", "call_result.avsc", "ids.json"},
	} {
		got := names(t, r.files[archive])
		for _, name := range want {
			if !slices.Contains(got, strings.TrimSuffix(archive, ".tar.gz")+"/"+name) {
				t.Errorf("%s has no %s: %v", archive, name, got)
			}
		}
	}
}

// Packages put files where the system looks for them.
func TestPackages(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"bridge": "/usr/bin/bridge", "man/bridge-run.1": "/usr/share/man/man1/bridge-run.1", "LICENSE": "/usr/share/doc/bridge/LICENSE",
		"completions/bridge.bash": "/usr/share/bash-completion/completions/bridge", "completions/bridge.zsh": "/usr/share/zsh/site-functions/_bridge",
		"completions/bridge.fish": "/usr/share/fish/vendor_completions.d/bridge.fish",
	} {
		if got := installed(name); got != want {
			t.Errorf("%s goes to %s, want %s", name, got, want)
		}
	}
	var made [2]map[string][]byte
	for i := range made {
		r := release{version: "v1.2.3", root: root, work: t.TempDir(), at: time.Unix(1_700_000_000, 0), files: map[string][]byte{}}
		if err := r.packages(platform{"linux", "amd64"}, "bridge", []file{{"bridge", []byte("binary"), 0o755}, {"LICENSE", []byte("text"), 0o644}}); err != nil {
			t.Fatal(err)
		}
		made[i] = r.files
	}
	for _, name := range []string{"bridge.deb", "bridge.rpm"} {
		if len(made[0][name]) == 0 || !bytes.Equal(made[0][name], made[1][name]) {
			t.Errorf("%s: two packages of the same files differ, or are empty", name)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "deploy/systemd/bridge.service")); err != nil || !bytes.Contains(text, []byte("/usr/local/bin/bridge run")) {
		t.Errorf("the unit does not name the binary where packages replace it (%v)", err)
	}
}

// A version that is no version is refused.
func TestVersionForm(t *testing.T) {
	for version, ok := range map[string]bool{"v1.2.3": true, "v0.0.0-20260131080000-0123456789ab": true, "v1.2.3-rc.1": true, "1.2.3": false, "v1": false, "v1.2.3 -X main.x=y": false} {
		if versionForm.MatchString(version) != ok {
			t.Errorf("%s: accepted %t, want %t", version, !ok, ok)
		}
	}
}
