package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"alipay-kafka-bridge/internal/config/published"
)

// Limits of the text of a key or certificate. They are checked before it is decoded, because decoding
// PEM may take time that grows with the square of its length (security Y7; CVE-2024-12401).
const (
	maxText   = 64 << 10
	maxBlocks = 16
)

// Starts of the first and last line of a block of PEM.
const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
)

// resolve makes a file's name relative to the settings file's folder.
func resolve(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// readFile reads a key or token file within the limits. Its errors have FILE in place of the name,
// and never show the contents.
func readFile(name string, secret bool) (string, error) {
	// Without O_NONBLOCK opening a named pipe would wait for its writer.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator names his own files
	if err != nil {
		return "", fileError(err)
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return "", fileError(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("FILE is not a regular file; use the name of a regular file")
	}
	if secret && !private(info) {
		return "", fmt.Errorf("FILE can be read by others (mode %04o); run chmod 600 FILE", info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return "", fileError(err)
	}
	text := tidyPEM(strings.TrimSpace(strings.ReplaceAll(string(b), "\ufeff", "")))
	switch {
	case len(b) > maxText:
		return "", errors.New("FILE is larger than 64 KiB, unlike any key, token or certificate; use the right file")
	case text == "":
		return "", errors.New("FILE is empty; write the key, token or certificate into it")
	case strings.Count(text, pemBegin) != strings.Count(text, pemEnd):
		return "", fmt.Errorf("FILE has %d BEGIN lines and %d END lines of PEM; copy it again", strings.Count(text, pemBegin), strings.Count(text, pemEnd))
	case strings.Count(text, pemBegin) > maxBlocks:
		return "", fmt.Errorf("FILE has more than %d PEM blocks; keep those that are used", maxBlocks)
	}
	return text, nil
}

// private reports whether only the owner may read a file. If root is the owner, a group may read it,
// too (security Y1; this is the rule of PostgreSQL, and a Kubernetes secret with fsGroup has mode
// 0440 and belongs to root).
func private(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	if mode&^0o600 == 0 {
		return true
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == 0 && mode&^0o640 == 0
}

// tidyPEM returns PEM as encoding/pem reads it: readers of it leave out, in silence, blocks that
// are indented or follow another one on the same line.
func tidyPEM(text string) string {
	if !strings.Contains(text, pemBegin) {
		return text
	}
	lines := strings.Split(strings.ReplaceAll(text, "-----"+pemBegin, "-----\n"+pemBegin), "\n") // files that were joined
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

// writableByAll reports whether every user may change a file, or put another in its place, and the
// mode that allows it. In a folder with the sticky bit only owners may replace files.
func writableByAll(name string) (fs.FileMode, bool) {
	if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o002 != 0 {
		return info.Mode().Perm(), true
	}
	info, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return 0, false
	}
	return info.Mode().Perm(), info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0
}

var errNoFile = errors.New("there is no such file: FILE; correct the name, or create the file")

func fileError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoFile
	case errors.Is(err, fs.ErrPermission):
		return errors.New("this user may not read FILE; change its owner to the user that runs the bridge")
	}
	return errors.New("cannot read FILE; check its disk")
}

// named puts the name of the file into an error of readFile.
func named(err error, name string) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "FILE", name))
}

// SimulatorMark is in each key that `bridge simulate` makes.
const SimulatorMark = published.SimulatorMark
