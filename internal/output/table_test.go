package output_test

import (
	"bytes"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/output"
)

var headings = []output.Heading{{Name: "account"}, {Name: "order", Whole: true}, {Name: "n", Right: true}, {Name: "record", Wide: true}}

func list(t *testing.T, l output.Layout, rows [][]string) string {
	t.Helper()
	var b bytes.Buffer
	if err := output.List(&b, l, headings, rows, rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTables(t *testing.T) {
	rows := [][]string{{"店铺", "T1", "7", "in/0@1"}, {"a\tb\n\x1b[2J", "", "1234", "in/1@2"}}
	for l, want := range map[output.Layout]string{
		output.Table: "ACCOUNT                  ORDER     N\n店铺                     T1        7\na\\u0009b\\u000a\\u001b[2J  -      1234\n",
		output.Wide:  "ACCOUNT                  ORDER     N  RECORD\n店铺                     T1        7  in/0@1\na\\u0009b\\u000a\\u001b[2J  -      1234  in/1@2\n",
		output.TSV:   "店铺\tT1\t7\tin/0@1\na\\u0009b\\u000a\\u001b[2J\t\t1234\tin/1@2\n",
		output.Auto:  "店铺\tT1\t7\tin/0@1\na\\u0009b\\u000a\\u001b[2J\t\t1234\tin/1@2\n", // not a terminal
	} {
		if got := list(t, l, rows); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", l, got, want)
		}
	}
	for _, l := range []output.Layout{output.Array, output.Lines} {
		if got := list(t, l, rows); strings.Contains(got, "\x1b") || !strings.Contains(got, "店铺") {
			t.Errorf("%s: %s", l, got)
		}
	}
}

// A table fits into 80 columns where it can; what people copy is never cut.
func TestTablesFit(t *testing.T) {
	got := list(t, output.Table, [][]string{{strings.Repeat("店", 60), strings.Repeat("9", 64), "1", ""}})
	lines := strings.Split(got, "\n")
	if !strings.Contains(lines[1], strings.Repeat("9", 64)) || !strings.HasPrefix(lines[1], "店店店店店~  9") {
		t.Errorf("got\n%s", got)
	}
	if got := list(t, output.Wide, [][]string{{strings.Repeat("店", 60), "1", "1", "r"}}); !strings.Contains(got, strings.Repeat("店", 60)) {
		t.Errorf("wide is cut:\n%s", got)
	}
}

func TestLayouts(t *testing.T) {
	var l output.Layout
	for _, word := range output.Layouts() {
		if err := l.Set(word); err != nil || l.String() != word {
			t.Errorf("%s: %v", word, err)
		}
	}
	if err := l.Set("xml"); err == nil || !strings.Contains(err.Error(), "table, wide, tsv, json, jsonl") {
		t.Errorf("xml: %v", err)
	}
}
