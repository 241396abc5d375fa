package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

// Whoever can change a key of Alipay's, a root certificate or the settings can forge that something was
// paid: in production, files that every user can change are refused.
func TestWritableFilesAreRefusedInProduction(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		mode       os.FileMode
		text       string // settings
		want       string // setting of the fault; empty: none
	}{
		{"as it should be", "public.pem", 0o644, "good.yaml", ""},
		{"writable by a group", "public.pem", 0o664, "good.yaml", ""},
		{"Alipay's key", "public.pem", 0o666, "good.yaml", "apps.main.alipay_public_key_file"},
		{"a platform key of Hong Kong", "public.pem", 0o602, "good.yaml", "platform_keys"},
		{"certificates of brokers", "roots.pem", 0o666, "good.yaml", "kafka.tls.ca_file"},
		{"certificates of the registry", "roots.pem", 0o666, "good.yaml", "registry.ca_file"},
		{"the settings", "bridge.yaml", 0o646, "good.yaml", "the settings file can be changed by every user (mode 0646"},
		{"a folder, where files can be replaced", ".", 0o777, "good.yaml", "the settings file can be changed by every user (mode 0777"},
		{"a folder where only owners replace files", ".", 0o777 | os.ModeSticky, "good.yaml", ""},
		{"outside production", "public.pem", 0o666, "minimal.yaml", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t)
			path := settings(t, dir, file(t, tt.text))
			name := filepath.Join(dir, tt.file)
			if tt.file == "bridge.yaml" {
				name = path
			}
			if err := os.Chmod(name, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := config.Load(path, environment(dir))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "chmod o-w")):
				t.Errorf("err = %v, want a fault of %s", err, tt.want)
			}
		})
	}
}

// A key whose file becomes writable while the bridge runs is not taken over.
func TestAFileThatBecomesWritableIsNotReread(t *testing.T) {
	dir := folder(t)
	src, before, err := config.Open(settings(t, dir, file(t, "good.yaml")), environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "public.pem")
	if err := os.WriteFile(key, []byte(block("PUBLIC KEY")+"\n"+block("PUBLIC KEY")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o666); err != nil {
		t.Fatal(err)
	}
	after, err := src.Reread()
	if err == nil || !strings.Contains(err.Error(), "apps.main.alipay_public_key_file") {
		t.Errorf("err = %v", err)
	}
	if got, want := after.Apps["main"].AlipayPublicKeyFile, before.Apps["main"].AlipayPublicKeyFile; got != want {
		t.Errorf("the file of another is in use: %q, want %q", got.Text, want.Text)
	}
}

// Brokers in clear are accepted on this machine only, also those that another broker names.
func TestKafkaInClearStaysOnThisMachine(t *testing.T) {
	for name, production := range map[string]bool{"production": true, "simulator": false} {
		dir := folder(t)
		text := file(t, "minimal.yaml")
		if production {
			text = strings.NewReplacer("environment: simulator\n    url: http://127.0.0.1:8090\n    app_id", "environment: production\n    url: https://openapi.alipay.com/gateway.do\n    app_id",
				"start: earliest", "start: earliest\n  cluster_id: abc").Replace(text)
		}
		c, err := config.Load(settings(t, dir, text), environment(dir))
		if err != nil || c.Kafka.LoopbackOnly() != production {
			t.Errorf("%s: only this machine: %v (%v)", name, c.Kafka.LoopbackOnly(), err)
		}
	}
}

// Editors write byte order marks in front of UTF-8; they change nothing.
func TestByteOrderMarks(t *testing.T) {
	dir := folder(t)
	path := settings(t, dir, file(t, "good.yaml"))
	want, err := config.Load(path, environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append([]byte("\ufeff"), text...), info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := config.Load(path, environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	if changes := config.Changes(want, got); len(changes) > 0 {
		t.Errorf("changed by marks: %v", changes)
	}
}
