package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/config"
)

// TestY7_JunkIsRefusedAtOnce: whatever 64 KiB in place of a key look like, no one spends
// the square of their length on them. They take a millisecond; the bound is a busy machine's.
func TestY7_JunkIsRefusedAtOnce(t *testing.T) {
	fill := func(unit string) string { return strings.Repeat(unit, 64<<10/len(unit)) }
	begin := "-----BEGIN PUBLIC KEY-----\n"
	for name, text := range map[string]string{
		"beginnings":                fill("-----BEGIN "),
		"beginnings of lines":       fill("-----BEGIN \n"),
		"dashes":                    fill("-"),
		"a block without end":       begin + fill("AAAA")[:64<<10-len(begin)],
		"headers inside a block":    begin + fill("a: b\n")[:60<<10],
		"sixteen blocks and dashes": strings.Repeat(begin, 16) + fill("-----\n")[:60<<10],
		"base64":                    fill("MIIB"),
		"endings":                   begin + fill("-----END PUBLIC KEY\n")[:60<<10],
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			if err := os.WriteFile(filepath.Join(dir, "public.pem"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			path := settings(t, dir, strings.Replace(file(t, "minimal.yaml"), "environment: simulator\n    url: http://127.0.0.1:8090", "environment: sandbox\n    url: https://openapi-sandbox.dl.alipaydev.com/gateway.do", 1))
			took := time.Hour
			for range 5 { // a busy machine is not busy for ever
				start := time.Now()
				_, _ = config.Load(path, environment(dir)) // what is no key, the client says
				if took = min(took, time.Since(start)); took < 200*time.Millisecond {
					return
				}
			}
			t.Errorf("%s: %v", name, took)
		})
	}
}
