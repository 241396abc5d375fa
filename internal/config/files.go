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
)

// Bounds of a key or certificate text, checked before anybody decodes it: decoders of PEM may
// take the square of its length (security Y7; CVE-2024-12401).
const (
	maxText   = 64 << 10
	maxBlocks = 16
)

// pemBegin starts a block of PEM.
const pemBegin = "-----BEGIN "

// resolve makes a file's name relative to the settings file's folder.
func resolve(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// readFile reads a key or token file within its bounds. Its errors say FILE where a person
// wants to see the name; they never hold what is in the file.
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
		return "", errors.New("FILE is no regular file; name one")
	}
	if secret && !private(info) {
		return "", fmt.Errorf("FILE can be read by others (mode %04o); chmod 600 FILE", info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return "", fileError(err)
	}
	text := strings.TrimSpace(string(b))
	switch {
	case len(b) > maxText:
		return "", errors.New("FILE is longer than 64 KiB; no key, token or certificate is")
	case text == "":
		return "", errors.New("FILE is empty; put in what it should hold")
	case strings.Count(text, pemBegin) > maxBlocks:
		return "", fmt.Errorf("FILE holds more than %d PEM blocks; keep those that are used", maxBlocks)
	}
	return text, nil
}

// private says whether only the owner may read a file; root may let a group (security Y1,
// which is PostgreSQL's rule; a Kubernetes secret with fsGroup has 0440 and belongs to root).
func private(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	if mode&^0o600 == 0 {
		return true
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == 0 && mode&^0o640 == 0
}

var errNoFile = errors.New("there is no such file: FILE; mend the name, or put the file there")

func fileError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoFile
	case errors.Is(err, fs.ErrPermission):
		return errors.New("this user may not read FILE; chown it to the user that runs the bridge")
	}
	return errors.New("cannot read FILE; look at its disk")
}

// named puts a file's name into an error of readFile.
func named(err error, name string) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "FILE", name))
}
