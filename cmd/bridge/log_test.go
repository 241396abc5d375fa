package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/telemetry"
)

// TestO4_LogLinesCannotControlATerminal: run writes its log through the writer of all commands. A line
// of JSON stays JSON with the same texts.
func TestO4_LogLinesCannotControlATerminal(t *testing.T) {
	const text = "a\u009b31mred\u202egnp\x7f\u200b\U000e0041b"
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log, err := telemetry.NewLogger(output.SafeWriter(&b), format, slog.LevelInfo, nil)
		if err != nil {
			t.Fatal(err)
		}
		log.Warn("x", "order_no", text)
		for _, r := range b.String() {
			if r > '~' || r < ' ' && r != '\n' {
				t.Errorf("%s: %q has %U", format, b.String(), r)
			}
		}
		if format == "json" {
			var line map[string]string
			if err := json.Unmarshal([]byte(strings.TrimSpace(b.String())), &line); err != nil || line["order_no"] != text {
				t.Errorf("%v: %q", err, line)
			}
		}
	}
}
