package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Options are what a key's URI does not say. It prints without its token.
type Options struct {
	VaultToken string // for vault: URIs
}

// Format, LogValue and MarshalText hide the token from fmt, slog, JSON and YAML.
func (o Options) Format(f fmt.State, _ rune)   { fmt.Fprint(f, Hidden) }
func (o Options) LogValue() slog.Value         { return slog.StringValue(Hidden) }
func (o Options) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// ErrURI marks an address of a key that cannot be used.
var ErrURI = errors.New("not a usable key URI")

// errNoVault is the error of a binary without Vault.
var errNoVault = fmt.Errorf("this binary was built without the tag vault: %w", ErrURI)

// OpenSigner opens the private key that a URI names:
//
//	file:/path/key.pem           a key in a file, in any form of ParsePrivate or ParseECPrivate
//	vault://host:8200/mount/key  HashiCorp Vault's transit engine, in binaries built with the tag vault
//
// It may ask a remote key for its public half; [CheckSigner] makes it sign.
func OpenSigner(ctx context.Context, uri string, o Options) (Signer, error) {
	scheme, rest, ok := strings.Cut(uri, ":")
	switch {
	case ok && scheme == "file":
		return openFileSigner(rest)
	case ok && scheme == "vault":
		return openVault(ctx, uri, o.VaultToken)
	case ok && isWord(scheme):
		return nil, fmt.Errorf("no provider for %s: keys; use file: or vault:: %w", scheme, ErrURI)
	}
	return nil, fmt.Errorf("it has no scheme, as in file:/path: %w", ErrURI)
}

// OpenDecrypter opens an RSA private key that decrypts AlipayHK's answers: file: URIs.
func OpenDecrypter(uri string) (crypto.Decrypter, error) {
	path, ok := strings.CutPrefix(uri, "file:")
	if !ok {
		return nil, fmt.Errorf("a key to decrypt with is a file: %w", ErrURI)
	}
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	return ParsePrivate(text)
}

func openFileSigner(path string) (Signer, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	key, err := ParsePrivate(text)
	if err == nil {
		return NewRSASigner(key), nil
	}
	if ec, ecErr := ParseECPrivate(text); ecErr == nil {
		return NewSigner(ec)
	}
	return nil, err
}

// readKeyFile reads a key's text, bounded. The settings check who may read the file.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(strings.TrimPrefix(path, "//"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURI, err)
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(io.LimitReader(f, maxKeyText+1))
}

// isWord reports whether a text may be shown in an error: a scheme, and not a key that was given
// in place of its address.
func isWord(s string) bool {
	return s != "" && len(s) <= 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
