package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// hidden is printed in place of a secret.
const hidden = "<hidden>"

// Secret is a text that is never printed: not by fmt, slog, JSON or YAML, and not as a part of a
// structure. Only Reveal returns it.
type Secret struct {
	text *string // a pointer: fmt prints unexported fields without asking, and this one as an address
}

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text; "" of the zero Secret.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format hides the text from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, hidden) }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the text from all encoders of text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides the text from JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// MarshalYAML hides the text from YAML.
func (s Secret) MarshalYAML() (any, error) { return hidden, nil }

// SecretFile is a setting that names a file with a secret: a private key, a token, a password.
// Only its owner may read the file.
type SecretFile struct {
	Path string // absolute, or relative to the working directory as the settings file's path is
	Text Secret // its contents when the settings were loaded, without white space around them
}

// IsZero reports whether no file was named.
func (f SecretFile) IsZero() bool { return f.Path == "" }

// Read reads the file again, with the same limits as Load.
func (f SecretFile) Read() (Secret, error) {
	text, err := readFile(f.Path, true)
	return NewSecret(text), named(err, f.Path)
}

// MarshalYAML prints the file's name.
func (f SecretFile) MarshalYAML() (any, error) { return f.Path, nil }

// File is a setting that names a file with a public key or certificates.
type File struct {
	Path string
	Text string // its contents when the settings were loaded
}

// IsZero reports whether no file was named.
func (f File) IsZero() bool { return f.Path == "" }

// Read reads the file again, with the same limits as Load.
func (f File) Read() (string, error) {
	text, err := readFile(f.Path, false)
	return text, named(err, f.Path)
}

// MarshalYAML prints the file's name.
func (f File) MarshalYAML() (any, error) { return f.Path, nil }
