package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// TestG7_SimulatorsCertificatesAreRefused: a production app takes no certificate that the
// simulator's authority made, wherever it is put and whatever stands around it.
func TestG7_SimulatorsCertificatesAreRefused(t *testing.T) {
	keys := filepath.Join(outFolder(t), "keys")
	dir := t.TempDir()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(keys, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ setting, from string }{
		{"app_cert_file", "app.crt"},
		{"alipay_cert_file", "alipay.crt"},
		{"alipay_cert_file", "alipay-next.crt"},
		{"alipay_root_cert_file", "root.crt"},
		{"ca_file", "tls.crt"},
	} {
		if strings.Contains(read(tt.from), config.SimulatorMark) {
			t.Fatalf("%s has its mark in the text: this test would prove nothing", tt.from)
		}
		for form, text := range map[string]string{
			"as made":             read(tt.from),
			"without line ends":   strings.ReplaceAll(read(tt.from), "\n", " "),
			"behind another text": "Subject: O = Ant Financial\n" + read(tt.from),
		} {
			app := map[string]any{
				"kind": "openapi", "environment": "production", "url": "https://openapi.alipay.com/gateway.do", "app_id": "1",
				"mode": "certificate", "private_key_file": "ours",
			}
			for _, name := range []string{"app_cert_file", "alipay_cert_file", "alipay_root_cert_file", "ca_file"} {
				write(name, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
				app[name] = name
			}
			write("ours", "a key that no one knows")
			write(tt.setting, text)
			settings, err := yaml.Marshal(map[string]any{
				"kafka": map[string]any{"brokers": []string{"127.0.0.1:9092"}, "cluster_id": "c1"}, "registry": map[string]any{"url": "http://127.0.0.1:8081"},
				"topics": map[string]any{"inputs": []any{map[string]any{"accounts": []string{"shop"}}}},
				"apps":   map[string]any{"main": app}, "accounts": map[string]any{"shop": map[string]any{"app": "main", "channel": "TRADE"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			write(standalone.BridgeFile, string(settings))
			_, err = config.Load(filepath.Join(dir, standalone.BridgeFile), os.LookupEnv)
			var faults fault.Faults
			if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Path != "apps.main."+tt.setting || !strings.Contains(faults[0].Msg, "a key of the simulator") {
				t.Errorf("%s as %s, %s: err = %v", tt.from, tt.setting, form, err)
			}
		}
	}
}
