package apptest

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

// Settings of an app, for [LoadSettings].
const (
	OpenAPIApp = "    kind: openapi\n    app_id: '2021000000000001'\n"
	KeyApp     = OpenAPIApp + "    alipay_public_key_file: alipay.pub\n"
	// ClosedPortApp has a gateway where no one listens.
	ClosedPortApp = KeyApp + "    url: http://127.0.0.1:1\n"
)

// LoadSettings loads a settings file whose only app is this one. Its key files lie in the same folder.
func LoadSettings(t testing.TB, app, more string) config.Config {
	t.Helper()
	dir, own, platform := t.TempDir(), NewEllipticKey(), NewEllipticKey()
	if !strings.Contains(more, "kafka:") {
		more += "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s}\n"
	}
	if !strings.Contains(more, "registry:") {
		more += "registry: {folder: .}\n"
	}
	if !strings.Contains(more, "status:") {
		more += "status: {folder: state}\n"
	}
	text := "topics: {inputs: [{accounts: [shop]}]}\naccounts: {shop: {app: main, channel: TRADE}}\n" + more +
		"apps:\n  main:\n    environment: simulator\n" + app
	if !strings.Contains(app, " private_key_") {
		text += "    private_key_file: own.pem\n"
	}
	if strings.Contains(app, "alipayhk") {
		text = strings.Replace(text, "TRADE", "HK", 1)
	}
	for name, text := range map[string]string{
		"bridge.yaml": text, "own.pem": PrivatePEM(OwnKey()), "later.pem": PrivatePEM(LaterKey()), "mask": strings.Repeat("k", 32),
		"ec.pem": PrivatePEM(own), "ec.pub": PublicPEM(platform.Public()),
		"alipay.pub": PublicPEM(PlatformKey().Public()), "later.pub": PublicPEM(LaterKey().Public()),
		"aes": base64.StdEncoding.EncodeToString(make([]byte, 16)), "root.crt": CertificatePEM("", &LaterKey().PublicKey),
		"app.crt": CertificatePEM("our app", &OwnKey().PublicKey), "alipay.crt": CertificatePEM("Alipay", &PlatformKey().PublicKey),
	} {
		WriteSecret(t, dir, name, text)
	}
	c, err := config.Load(filepath.Join(dir, "bridge.yaml"), os.LookupEnv)
	NoError(t, err)
	return c
}

// NoError ends the test if there is an error.
func NoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WriteSecret writes a file that only its owner may read, and returns its path.
func WriteSecret(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// Buffer is a log that is read while it is written.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *Buffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// Take returns what was written since the last call.
func (s *Buffer) Take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.b.String()
	s.b.Reset()
	return text
}
