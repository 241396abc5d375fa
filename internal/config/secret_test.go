package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/config"
)

// TestSecretNeverPrints: by itself, in a structure, behind a pointer, and where fmt does not
// ask because the field is unexported.
func TestSecretNeverPrints(t *testing.T) {
	type holder struct {
		Exported config.Secret
		inner    config.Secret
		File     config.SecretFile
	}
	s := config.NewSecret(canary)
	h := holder{s, s, config.SecretFile{Path: "p", Text: s}}
	var out bytes.Buffer
	for _, v := range []any{s, &s, h, &h, []config.Secret{s}, map[string]config.Secret{"k": s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("m", "v", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		if b, err := yaml.Marshal(v); err == nil {
			out.Write(b)
		}
	}
	fmt.Fprintln(&out, fmt.Errorf("with %v: %w", s, os.ErrInvalid), h.inner)
	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("a secret is printed:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "<hidden>") || s.Reveal() != canary {
		t.Error("want <hidden>, and the text by Reveal")
	}
	if (config.Secret{}).Reveal() != "" {
		t.Error("the zero Secret reveals something")
	}
}
