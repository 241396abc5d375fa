package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

// TestFilesAreReadAgain: a new file counts, a bad one keeps what it held, each by itself; the
// settings file is not looked at.
func TestFilesAreReadAgain(t *testing.T) {
	dir := folder(t)
	text := strings.ReplaceAll(file(t, "minimal.yaml"), "    private_key_file: private.pem\n    platform", "    private_key_file: hk.pem\n    platform")
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("hk.pem", "first", 0o600)
	path := settings(t, dir, text)
	src, first, err := config.Open(path, environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	write("bridge.yaml", "nonsense", 0o600)
	for _, tt := range []struct {
		name, private string
		mode          os.FileMode
		want, fault   string
	}{
		{"nothing new", block("PRIVATE KEY"), 0o600, block("PRIVATE KEY"), ""},
		{"a new key", "second", 0o600, "second", ""},
		{"open to others", "third", 0o644, "second", "apps.main.private_key_file: DIR/private.pem can be read by others"},
		{"the other half", block("PUBLIC KEY"), 0o600, "second", "apps.main.private_key_file: DIR/private.pem has a public key"},
		{"empty", "", 0o600, "second", "is empty"},
		{"fixed", "fourth", 0o600, "fourth", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write("private.pem", tt.private, tt.mode)
			write("hk.pem", tt.name, 0o600) // the other app's is not held up
			again, err := src.Reread()
			if got := again.Apps["main"].PrivateKeyFile.Text.Reveal(); got != strings.TrimSpace(tt.want) {
				t.Errorf("%s: the key is %q", tt.name, got)
			}
			if got := again.Apps["hk"].PrivateKeyFile.Text.Reveal(); got != tt.name {
				t.Errorf("%s: the other app's key is %q", tt.name, got)
			}
			if said := strings.ReplaceAll(fmt.Sprint(err), dir, "DIR"); (err != nil) != (tt.fault != "") || !strings.Contains(said, tt.fault) || strings.Contains(said, canary) {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
	again, _ := src.Reread()
	if got := changes(config.Config{Apps: first.Apps}, config.Config{Apps: again.Apps}); got != "apps.hk.private_key_file* apps.main.private_key_file*" {
		t.Errorf("changes: %s", got)
	}
}

// changes lists changed settings; * marks those whose file holds something else.
func changes(before, after config.Config) string {
	var out []string
	for _, c := range config.Changes(before, after) {
		out = append(out, c.Path+map[bool]string{true: "*"}[c.Content])
	}
	return strings.Join(out, " ")
}

// TestChangesAreNamed: every kind of setting, by its path.
func TestChangesAreNamed(t *testing.T) {
	dir := folder(t)
	load := func(text string) config.Config {
		t.Helper()
		c, err := config.Load(settings(t, dir, text), environment(dir))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	text := file(t, "minimal.yaml")
	before := load(text)
	for edit, want := range map[string]string{
		"app: hk}|app: hk}": "",
		"app: main, channel: TRADE}|app: main, channel: CREDIT}":   "accounts.shop.channel",
		"app: hk}|app: hk}\n  more: {app: hk}":                     "accounts.more",
		"[shop, shop-hk]|[shop-hk, shop]":                          "topics.inputs[0].accounts[0] topics.inputs[0].accounts[1]",
		"[shop, shop-hk]|[shop]":                                   "topics.inputs[0].accounts",
		"private_key_file: private.pem|private_key_file: password": "apps.hk.private_key_file apps.main.private_key_file",
		"\"1\": public.pem|\"1\": roots.pem":                       "apps.hk.platform_keys.1",
		"client_id: C1|client_id: C1\n    rate: 5":                 "apps.hk.rate",
		"app: hk}|app: hk, payees: {merchant_id: [\"1\"]}}":        "accounts.shop-hk.payees.merchant_id",
	} {
		t.Run(edit, func(t *testing.T) {
			from, to, _ := strings.Cut(edit, "|")
			if got := changes(before, load(strings.ReplaceAll(text, from, to))); got != want {
				t.Errorf("%s: %q, want %q", to, got, want)
			}
		})
	}
}
