//go:build vault

package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Bounds of a request to Vault.
const (
	vaultTimeout = 5 * time.Second
	maxVault     = 64 << 10
	maxVaultText = 256 // of an error, in characters

	vaultIdleConns = 256 // as many as an app's calls in flight by default
)

// vaultSigner signs with a key of Vault's transit engine, which never leaves it (HashiCorp
// Vault, HTTP API, "Transit secrets engine", "Sign data"). It uses the version of the key
// that was the latest when it was opened, whose public half it knows.
type vaultSigner struct {
	base    string // https://host/v1/mount
	key     string
	version int
	token   string
	public  *rsa.PublicKey
	http    *http.Client
}

// openVault asks Vault for the public half of the key. It uses plain HTTP only to this machine,
// where Vault's agent listens.
func openVault(ctx context.Context, uri, token string) (Signer, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("the form is vault://host:port/mount/key: %w", ErrURI)
	}
	mount, key, ok := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if !ok || strings.Contains(key, "/") {
		return nil, fmt.Errorf("the form is vault://host:port/mount/key: %w", ErrURI)
	}
	scheme := "https"
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		scheme = "http"
	}
	s := &vaultSigner{
		base: scheme + "://" + u.Host + "/v1/" + url.PathEscape(mount), key: url.PathEscape(key), token: token,
		http: &http.Client{
			Timeout:       vaultTimeout,
			Transport:     &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: vaultIdleConns},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	return s, s.readPublic(ctx)
}

func (s *vaultSigner) readPublic(ctx context.Context) error {
	var answer struct {
		Data struct {
			Latest int `json:"latest_version"`
			Keys   map[string]struct {
				Public string `json:"public_key"`
			}
		}
	}
	if err := s.ask(ctx, http.MethodGet, "/keys/"+s.key, nil, &answer); err != nil {
		return err
	}
	s.version = answer.Data.Latest
	var err error
	s.public, err = ParsePublic([]byte(answer.Data.Keys[strconv.Itoa(s.version)].Public))
	return err
}

// Sign asks Vault for a signature over a digest.
func (s *vaultSigner) Sign(ctx context.Context, digest []byte) ([]byte, error) {
	hash := map[crypto.Hash]string{crypto.SHA256: "sha2-256", crypto.SHA1: "sha1"}[hashOf(digest)]
	if hash == "" {
		return nil, errors.New("vault signs SHA-256 and SHA-1 digests only")
	}
	question := map[string]any{
		"input": base64.StdEncoding.EncodeToString(digest), "prehashed": true, "signature_algorithm": "pkcs1v15", "key_version": s.version,
	}
	var answer struct {
		Data struct{ Signature string }
	}
	if err := s.ask(ctx, http.MethodPost, "/sign/"+s.key+"/"+hash, question, &answer); err != nil {
		return nil, err
	}
	text, ok := strings.CutPrefix(answer.Data.Signature, fmt.Sprintf("vault:v%d:", s.version))
	if !ok {
		return nil, errors.New("vault returned a signature of another form or version")
	}
	return base64.StdEncoding.DecodeString(text)
}

// ask makes one exchange. No error holds what was sent or received.
func (s *vaultSigner) ask(ctx context.Context, method, path string, question, answer any) error {
	var body bytes.Buffer
	if question != nil {
		if err := json.NewEncoder(&body).Encode(question); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, &body)
	if err != nil {
		return fmt.Errorf("vault: %w", ErrURI)
	}
	req.Header.Set("X-Vault-Token", s.token)
	req.Header.Set("X-Vault-Request", "true")
	res, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("vault: %w", s.withoutURL(err))
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxVault))
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("vault returned HTTP status %d", res.StatusCode)
	}
	if json.Unmarshal(text, answer) != nil {
		return errors.New("vault did not return JSON")
	}
	return nil
}

// withoutURL unwraps an error from its url.Error and bounds its text, which may quote what the
// peer sent: no token, no character that controls a terminal.
func (s *vaultSigner) withoutURL(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	text := []rune(err.Error())
	if s.token != "" && strings.Contains(string(text), s.token) {
		return &vaultError{err, "withheld"}
	}
	for i, c := range text {
		if !unicode.IsPrint(c) {
			text[i] = '?'
		}
	}
	return &vaultError{err, string(text[:min(len(text), maxVaultText)])}
}

// vaultError is an error whose text may be shown.
type vaultError struct {
	err  error
	text string
}

func (e *vaultError) Error() string { return e.text }
func (e *vaultError) Unwrap() error { return e.err }

// Public returns the public half of the key.
func (s *vaultSigner) Public() crypto.PublicKey { return s.public }

// Format, LogValue and MarshalText hide the token.
func (s *vaultSigner) Format(f fmt.State, _ rune)   { fmt.Fprint(f, Hidden) }
func (s *vaultSigner) LogValue() slog.Value         { return slog.StringValue(Hidden) }
func (s *vaultSigner) MarshalText() ([]byte, error) { return []byte(Hidden), nil }
