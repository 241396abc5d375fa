package metrics_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

const referenceFile = "../../docs/metrics.md"

const referenceHead = `# Metrics

` + "`bridge run`" + ` serves its metrics on ` + "`metrics.listen`" + ` under /metrics, in the text format of Prometheus or, if the client asks for it, OpenMetrics with exemplars that link to traces. The names below are those of a scrape; a histogram has the suffixes _bucket, _sum and _count.

- Every counter is there at 0, with each set of its labels, before the first event: the first dead letter of a kind is an increase.
- The values of labels come from closed sets. What is not in a set, such as an account that the settings do not have, is ` + "`_other`" + `.
- The metrics under http_… and messaging_… follow the semantic conventions of OpenTelemetry, so that its ready-made dashboards show them.
- Figures of Go and of the process are there as well, under the names that Prometheus' clients use (go_…, process_…).

This page is generated from the table in internal/metrics. To change it, change the table and run ` + "`go test ./internal/metrics -run TestReference -update`" + `.
`

// TestReference: docs/metrics.md is what the table says.
func TestReference(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	labels := map[string]metrics.Label{}
	var order []string
	b.WriteString("\n| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n")
	for _, m := range metrics.All() {
		var names []string
		for _, l := range m.Labels {
			names = append(names, "`"+l.Prometheus()+"`")
			key := l.Name + "\x00" + l.Help + "\x00" + strings.Join(l.Values, " ")
			if _, known := labels[key]; !known {
				labels[key] = l
				order = append(order, key)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Prometheus(), m.Kind, strings.Trim(m.Unit, "{}"), strings.Join(names, ", "), m.Help)
	}
	b.WriteString("\n## Labels\n\n| label | values | meaning |\n|---|---|---|\n")
	for _, key := range order {
		l := labels[key]
		values := strings.Join(l.Values, ", ")
		if values == "" {
			values = "from the settings"
			if l.Free {
				values = "as they are"
			}
		}
		if l.Optional {
			values += ", or absent"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.Prometheus(), values, l.Help)
	}
	if *update {
		if err := os.WriteFile(referenceFile, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(referenceFile); err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("docs/metrics.md is not what the table says (%v): look, then go test ./internal/metrics -run TestReference -update", err)
	}
}
