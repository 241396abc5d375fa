package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // formats of packages
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// file is a file of an archive.
type file struct {
	name string
	text []byte
	mode fs.FileMode
}

// share is what goes with each binary: licence, manual pages, completions.
func (r *release) share() ([]file, error) {
	all, err := tree(filepath.Join(r.work, "share"), "")
	if err != nil {
		return nil, err
	}
	licence, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	return append(all, file{"LICENSE", licence, 0o644}), err
}

// tree reads a folder; under is put before the names.
func tree(folder, under string) ([]file, error) {
	var out []file
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(folder, name)
		out = append(out, file{path.Join(under, filepath.ToSlash(inside)), text, 0o644})
		return err
	})
	return out, err
}

// data packs what operators load into other programs.
func (r *release) data() error {
	number := strings.TrimPrefix(r.version, "v")
	var observability []file
	for _, part := range []string{"prometheus", "grafana", "otel"} {
		some, err := tree(filepath.Join(r.root, "deploy", part), part)
		if err != nil {
			return err
		}
		observability = append(observability, some...)
	}
	schemas, err := tree(filepath.Join(r.root, "schemas"), "")
	if err != nil {
		return err
	}
	schemas = slices.DeleteFunc(schemas, func(f file) bool { return strings.HasPrefix(f.name, "testdata/") })
	for name, all := range map[string][]file{"bridge-observability_" + number: observability, "bridge-schemas_" + number: schemas} {
		if r.files[name+".tar.gz"], err = r.archive(name, all); err != nil {
			return err
		}
	}
	return nil
}

// archive packs files into a folder. The same files give the same bytes.
func (r *release) archive(folder string, all []file) ([]byte, error) {
	slices.SortFunc(all, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	t := tar.NewWriter(zip)
	for _, f := range all {
		h := &tar.Header{Name: path.Join(folder, f.name), Mode: int64(f.mode), Size: int64(len(f.text)), ModTime: r.at, Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.text); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// places are where packages put files, by the first part of their names.
var places = map[string]string{"man": "/usr/share/man/man1", "completions": "", "LICENSE": "/usr/share/doc/bridge"}

// installed is where a package puts a file.
func installed(name string) string {
	part, base, _ := strings.Cut(name, "/")
	switch {
	case name == "bridge":
		return "/usr/bin/bridge"
	case part != "completions":
		return path.Join(places[part], path.Base(name))
	case strings.HasSuffix(base, ".bash"):
		return "/usr/share/bash-completion/completions/bridge"
	case strings.HasSuffix(base, ".zsh"):
		return "/usr/share/zsh/site-functions/_bridge"
	}
	return "/usr/share/fish/vendor_completions.d/bridge.fish"
}

// packages makes packages with the unit for systemd, which nothing starts by itself.
func (r *release) packages(p platform, name string, all []file) error {
	unit, err := os.ReadFile(filepath.Join(r.root, "deploy", "systemd", "bridge.service"))
	if err != nil {
		return err
	}
	unit = bytes.ReplaceAll(unit, []byte("/usr/local/bin/"), []byte("/usr/bin/"))
	staged := filepath.Join(r.work, "package")
	defer func() { _ = os.RemoveAll(staged) }()
	info := &nfpm.Info{
		Name: "alipay-kafka-bridge", Arch: p.arch, Platform: "linux", Version: r.version, Section: "net", Priority: "optional", License: "Apache-2.0",
		Maintainer: "the engineers of alipay-kafka-bridge <bridge@localhost>", Description: "Bridge between Kafka and Alipay", MTime: r.at,
	}
	info.RPM.BuildHost = "localhost" // not the name of this machine
	add := func(f file, place string) error {
		from := filepath.Join(staged, fmt.Sprint(len(info.Contents)))
		if err := os.MkdirAll(staged, 0o755); err != nil {
			return err
		}
		info.Contents = append(info.Contents, &files.Content{Source: from, Destination: place, FileInfo: &files.ContentFileInfo{Mode: f.mode, MTime: r.at, Owner: "root", Group: "root"}})
		return os.WriteFile(from, f.text, 0o644)
	}
	for _, f := range all {
		if err := add(f, installed(f.name)); err != nil {
			return err
		}
	}
	if err := add(file{"bridge.service", unit, 0o644}, "/usr/lib/systemd/system/bridge.service"); err != nil {
		return err
	}
	for _, format := range []string{"deb", "rpm"} {
		packer, err := nfpm.Get(format)
		if err != nil {
			return err
		}
		copied := *nfpm.WithDefaults(info)
		copied.Contents = slices.Clone(info.Contents)
		if err := nfpm.PrepareForPackager(&copied, format); err != nil {
			return err
		}
		var out bytes.Buffer
		if err := packer.Package(&copied, &out); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
		r.files[name+"."+format] = out.Bytes()
	}
	return nil
}

// sums are the checksums as sha256sum writes them.
func (r *release) sums() []byte {
	var lines []string
	for name, text := range r.files {
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(text), name))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	return []byte(strings.Join(lines, ""))
}
