package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

// Certificates for TLS: what encoding/pem would leave out in silence is read, or refused.
func TestPEMFilesOfEditors(t *testing.T) {
	one := strings.TrimSpace(block("CERTIFICATE"))
	for name, tt := range map[string]struct{ text, fault string }{
		"joined without a line feed": {one + one, ""},
		"indented":                   {"  " + strings.ReplaceAll(one, "\n", "\n\t ") + "\n" + one, ""},
		"a mark in the middle":       {one + "\n\ufeff" + one, ""},
		"no END line":                {strings.TrimSuffix(one, "-----END CERTIFICATE-----") + one, "has 2 BEGIN lines and 1 END lines"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			if err := os.WriteFile(filepath.Join(dir, "roots.pem"), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(settings(t, dir, file(t, "good.yaml")), environment(dir))
			switch {
			case tt.fault == "" && (err != nil || c.Kafka.TLS.CAFile.Text != one+"\n"+one):
				t.Errorf("%q, %v", c.Kafka.TLS.CAFile.Text, err)
			case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("err = %v, want %s", err, tt.fault)
			}
		})
	}
}
