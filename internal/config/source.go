package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// Source is a settings file that was loaded. It keeps the text, so that the files with keys and tokens
// can be read again without the settings file, which someone may be editing.
type Source struct {
	path string
	text []byte
	env  func(string) (string, bool)
	last Config
	held map[string]string // contents of each file when it last had no fault, by setting

	keyless bool // it does not read what only those need who call Alipay
}

// reads says whether the file that a setting names is read.
type reads func(setting string, secret bool) bool

func everything(string, bool) bool { return true }

// noKeys leaves out our keys and tokens at Alipay.
func noKeys(setting string, secret bool) bool { return !secret || !ofApps(setting) }

// Open is [Load] for a process that reads files again.
func Open(path string, env func(string) (string, bool)) (*Source, Config, error) {
	return open(path, env, false)
}

// OpenKeyless is Open for a process that never calls Alipay: it reads none of our private keys, AES keys and tokens,
// and the settings need not name any (security N1).
func OpenKeyless(path string, env func(string) (string, bool)) (*Source, Config, error) {
	return open(path, env, true)
}

func open(path string, env func(string) (string, bool), keyless bool) (*Source, Config, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names his own settings file
	if err != nil {
		return nil, Config{}, fmt.Errorf("read settings: %w", err)
	}
	s := &Source{path: path, text: text, env: env, held: map[string]string{}, keyless: keyless}
	s.last, err = s.load(s.reads, func(setting, name string, secret bool) (string, error) {
		text, err := readFile(name, secret)
		s.held[setting] = text
		return text, err
	})
	return s, s.last, err
}

// reader reads the file that a setting names.
type reader func(setting, name string, secret bool) (string, error)

// load decodes the settings and refuses files that every user can change, if an app is in production.
func (s *Source) load(reads reads, read reader) (Config, error) {
	return s.config(s.decoder(reads, read), (*decoder).checkWriters)
}

func (s *Source) decode(reads reads, read reader) (Config, error) {
	return s.config(s.decoder(reads, read), func(*decoder, string) {})
}

func (s *Source) decoder(reads reads, read reader) *decoder {
	return &decoder{Findings: fault.New(), dir: filepath.Dir(s.path), env: s.env, reads: reads, read: read, files: map[string]string{}, keyless: s.keyless}
}

func (s *Source) config(d *decoder, checkFiles func(d *decoder, settings string)) (Config, error) {
	c := d.config(s.text)
	if c.Kafka.production {
		checkFiles(d, s.path)
	}
	err := d.Err()
	if err != nil {
		return Config{}, fmt.Errorf("settings %s:\n%w", s.path, err)
	}
	return c, nil
}

// Reread reads the files of apps and accounts again. For a file that has a fault, the settings keep its
// previous contents, and the error, which wraps [fault.Faults], says so. Only Apps and Accounts of the
// result are meant to be used. Only one goroutine may call it.
func (s *Source) Reread() (Config, error) {
	now := map[string]string{}
	c, err := s.decode(s.readsAgain, func(setting, name string, secret bool) (string, error) {
		text, err := readFile(name, secret)
		if mode, writable := writableByAll(name); err == nil && writable && s.last.Kafka.production {
			err = fmt.Errorf(writableText, "FILE", mode)
		}
		now[setting] = text
		return text, err
	})
	if err != nil {
		var faults fault.Faults
		errors.As(err, &faults)
		for _, f := range faults {
			now[f.Path] = s.held[f.Path]
		}
		var again error
		c, again = s.decode(s.readsAgain, func(setting, _ string, _ bool) (string, error) { return now[setting], nil })
		if again != nil { // a fault of several files together
			return s.last, err
		}
	}
	s.held, s.last = now, c
	return c, err
}

// reads reports whether this process reads a file.
func (s *Source) reads(setting string, secret bool) bool {
	return !s.keyless || noKeys(setting, secret)
}

// readsAgain reports whether it reads a file again and again.
func (s *Source) readsAgain(setting string, secret bool) bool {
	return ofApps(setting) && s.reads(setting, secret)
}

// Digest is the SHA-256 of the settings file, so that the log shows which settings were in force.
func (s *Source) Digest() string {
	sum := sha256.Sum256(s.text)
	return hex.EncodeToString(sum[:])
}

// ofApps reports whether a setting belongs to an app or an account.
func ofApps(setting string) bool {
	return strings.HasPrefix(setting, "apps.") || strings.HasPrefix(setting, "accounts.")
}
