package incident

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/output"
)

// File is a file of an archive.
type File struct {
	Name string
	Text []byte
}

// Instance is what one instance answered.
type Instance struct {
	admin.Answer

	Goroutines, Metrics []byte
	Missing             []string // what could not be had, and why
}

// files are the files of one instance. Slots are names of hosts, but an instance may say anything.
func (i *Instance) files() ([]File, error) {
	if i.Err != nil {
		return nil, nil
	}
	text, err := json.MarshalIndent(i.Status, "", "  ")
	if err != nil {
		return nil, err
	}
	dir := fileName(i.Status.Instance.Slot) + "-" + fileName(i.Address)
	out := []File{{path.Join(dir, "status.json"), append(text, '\n')}}
	if len(i.Goroutines) > 0 {
		out = append(out, File{path.Join(dir, "goroutines.txt"), i.Goroutines})
	}
	if len(i.Metrics) > 0 {
		out = append(out, File{path.Join(dir, "metrics.txt"), i.Metrics})
	}
	return out, nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// fileName is a text as one part of a path.
func fileName(s string) string {
	s = strings.Trim(notInNames.ReplaceAllString(s, "-"), "-")
	return s[:min(len(s), 100)]
}

// Files are the files of an archive, with a page that says what they are.
func Files(at time.Time, instances []Instance, more ...File) ([]File, error) {
	var page strings.Builder
	fmt.Fprintf(&page, "Incident of the bridge, collected at %s.\n\nOrder numbers and the names of accounts are in here. Keys and tokens are not.\n", at.UTC().Format(time.RFC3339))
	out := []File{{}}
	for k := range instances {
		i := &instances[k]
		if i.Err != nil {
			fmt.Fprintf(&page, "\n%s could not be asked: %v\n", i.Address, i.Err)
			continue
		}
		s := &i.Status
		fmt.Fprintf(&page, "\n%s (%s, group %s, version %s, up since %s, settings %.16s)\n", s.Instance.Slot, i.Address, s.Instance.Group, s.Instance.Version, s.Instance.Started.UTC().Format(time.RFC3339), s.Instance.Settings)
		fmt.Fprintf(&page, "  %s: %s\n  Do: %s.\n", s.Verdict.Level, s.Verdict.Text, s.Verdict.Do)
		for _, also := range s.Verdict.Also {
			fmt.Fprintf(&page, "  Also: %s\n", also)
		}
		for _, line := range s.Lines() {
			fmt.Fprintf(&page, "  %s\n", line)
		}
		for _, missing := range i.Missing {
			fmt.Fprintf(&page, "  Missing: %s\n", missing)
		}
		files, err := i.files()
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			fmt.Fprintf(&page, "  %s\n", f.Name)
		}
		out = append(out, files...)
	}
	for _, f := range more {
		fmt.Fprintf(&page, "\n%s\n", f.Name)
	}
	out[0] = File{"README.txt", []byte(output.Escape(page.String()))}
	return append(out, more...), nil
}

// Write writes an archive: tar, compressed with gzip, in a folder of this name.
func Write(w io.Writer, folder string, at time.Time, files []File) error {
	zip := gzip.NewWriter(w)
	t := tar.NewWriter(zip)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Name: path.Join(folder, f.Name), Mode: 0o600, Size: int64(len(f.Text)), ModTime: at, Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := t.Write(f.Text); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return zip.Close()
}
