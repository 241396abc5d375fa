package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

// TestN1_KeylessReadsNoKeys: a process that never calls Alipay starts and goes on where none of our keys and tokens at
// Alipay exist, and where the settings name none. It needs all other files.
func TestN1_KeylessReadsNoKeys(t *testing.T) {
	minimal := file(t, "minimal.yaml")
	for name, text := range map[string]string{
		"named, but not there": strings.Replace(minimal, "    alipay_public_key_file", "    aes_key_file: token\n    next_private_key_file: private.pem\n    alipay_public_key_file", 1),
		"not named":            strings.ReplaceAll(minimal, "    private_key_file: private.pem\n", ""),
		"in Vault":             strings.Replace(minimal, "private_key_file: private.pem", "private_key_uri: vault://vault.example:8200/transit/app", 1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			for _, secret := range []string{"private.pem", "token"} {
				if err := os.Remove(filepath.Join(dir, secret)); err != nil {
					t.Fatal(err)
				}
			}
			path := settings(t, dir, text)
			if _, _, err := config.Open(path, environment(dir)); err == nil {
				t.Fatal("a process that calls Alipay starts without keys")
			}
			src, c, err := config.OpenKeyless(path, environment(dir))
			if err != nil {
				t.Fatal(err)
			}
			if again, err := src.Reread(); err != nil || again.Apps["main"].AlipayPublicKeyFile.Text != c.Apps["main"].AlipayPublicKeyFile.Text || c.Apps["main"].AlipayPublicKeyFile.Text == "" {
				t.Errorf("read again: %v", err)
			}
			if err := os.Remove(filepath.Join(dir, "public.pem")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := config.OpenKeyless(path, environment(dir)); err == nil {
				t.Error("Alipay's public key is not needed")
			}
		})
	}
}
