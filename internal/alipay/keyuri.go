package alipay

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

// KeyOptions are what a key's URI does not say. It prints without its token.
type KeyOptions struct {
	VaultToken string // for vault: URIs
}

// Format, LogValue and MarshalText hide the token from fmt, slog, JSON and YAML.
func (o KeyOptions) Format(f fmt.State, _ rune)   { fmt.Fprint(f, hidden) }
func (o KeyOptions) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (o KeyOptions) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// ErrKeyURI marks an address of a key that cannot be used.
var ErrKeyURI = errors.New("not a usable key URI")

// errNoVault is the error of a binary without Vault.
var errNoVault = fmt.Errorf("this binary was built without the tag vault: %w", ErrKeyURI)

// OpenSigner opens the private key that a URI names:
//
//	file:/path/key.pem           a key in a file, in any form of ParsePrivateKey or ParseECPrivateKey
//	vault://host:8200/mount/key  HashiCorp Vault's transit engine, in binaries built with the tag vault
//
// A key that is elsewhere may be asked for its public half now; [CheckSigner] lets it sign.
func OpenSigner(ctx context.Context, uri string, o KeyOptions) (Signer, error) {
	scheme, rest, ok := strings.Cut(uri, ":")
	switch {
	case ok && scheme == "file":
		return openFileSigner(rest)
	case ok && scheme == "vault":
		return openVault(ctx, uri, o.VaultToken)
	case ok && isWord(scheme):
		return nil, fmt.Errorf("no provider for %s: keys: %w", scheme, ErrKeyURI)
	}
	return nil, fmt.Errorf("it has no scheme, as in file:/path: %w", ErrKeyURI)
}

// OpenDecrypter opens an RSA private key that decrypts AlipayHK's answers: file: URIs.
func OpenDecrypter(uri string) (crypto.Decrypter, error) {
	path, ok := strings.CutPrefix(uri, "file:")
	if !ok {
		return nil, fmt.Errorf("a key to decrypt with is a file: %w", ErrKeyURI)
	}
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	return ParsePrivateKey(text)
}

func openFileSigner(path string) (Signer, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	key, err := ParsePrivateKey(text)
	if err == nil {
		return NewRSASigner(key), nil
	}
	if ec, ecErr := ParseECPrivateKey(text); ecErr == nil {
		return NewSigner(ec)
	}
	return nil, err
}

// readKeyFile reads a key's text, bounded. Who may read the file is judged by the settings.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(strings.TrimPrefix(path, "//"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyURI, err)
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(io.LimitReader(f, maxKeyText+1))
}

// isWord says whether a text may stand in an error: a scheme, and not a key that was given in
// place of its address.
func isWord(s string) bool {
	return s != "" && len(s) <= 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
