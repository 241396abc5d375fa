package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/explain"
)

func explained(args ...string) (string, error) {
	var out bytes.Buffer
	root := rootCommand()
	root.SetOut(&out)
	root.SetArgs(append([]string{"explain"}, args...))
	err := root.Execute()
	return out.String(), err
}

// TestExplain: what people read is reviewed like code. The list of kinds has counts that change, so it is
// not here.
func TestExplain(t *testing.T) {
	var b strings.Builder
	for _, args := range [][]string{{"BridgeUnknownOutcome"}, {"ACQ.TRADE_HAS_SUCCESS"}, {"payee_not_allowed"}, {"window_full"}, {"bridge_stalled"}, {"apps.main.queries.rate"}} {
		text, err := explained(args...)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("$ bridge explain " + strings.Join(args, " ") + "\n" + text + "\n")
	}
	const golden = "testdata/explain.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("differs from %s; look, then go test ./cmd/bridge -run TestExplain -update:\n%s", golden, b.String())
	}
}

func TestExplainUnknownWord(t *testing.T) {
	for word, want := range map[string]string{
		"BridgeLat":     "did you mean BridgeLate?",
		"nothing-alike": "lists what is",
		"\x1b[31mred":   `"\x1b[31mred" is not known`,
	} {
		text, err := explained(word)
		if command.ExitCode(err) != command.ExitUsage || !strings.Contains(err.Error(), want) || text != "" {
			t.Errorf("%q: %q, %v; want a wrong usage with %q", word, text, err, want)
		}
	}
}

func TestExplainJSON(t *testing.T) {
	text, err := explained("-o", "json", "rejected")
	var found []explain.Entry
	if err != nil || json.Unmarshal([]byte(text), &found) != nil || len(found) != 2 || found[0].Kind != explain.Class || found[1].Kind != explain.Outcome {
		t.Errorf("%s, %v", text, err)
	}
	text, err = explained()
	if lines := strings.Split(strings.TrimSpace(text), "\n"); err != nil || len(lines) != 1+len(explain.Kinds()) || !strings.HasPrefix(lines[1], "alert ") {
		t.Errorf("%s, %v", text, err)
	}
	text, err = explained("-o", "json")
	var kinds []kindOf
	if err != nil || json.Unmarshal([]byte(text), &kinds) != nil || len(kinds) != len(explain.Kinds()) {
		t.Errorf("%s, %v", text, err)
	}
}
