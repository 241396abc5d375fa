package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

// FuzzLoad: whatever the file holds, Load returns settings or faults.
func FuzzLoad(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.yaml")
	bad, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, name := range append(names, bad...) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	path := filepath.Join(f.TempDir(), "bridge.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = config.LoadPublic(path, func(string) (string, bool) { return "", false })
	})
}
