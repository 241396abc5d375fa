package output_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/output"
)

var headings = []output.Heading{
	{Name: "account"}, {Name: "order", Whole: true}, {Name: "n", Right: true}, {Name: "record", Wide: true},
}

func list(t *testing.T, l output.Layout, width int, rows [][]string) string {
	t.Helper()
	var b bytes.Buffer
	if err := output.List(output.New(&b, l, false).Cut(width), headings, rows, rows); err != nil {
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
		if got := list(t, l, 0, rows); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", l, got, want)
		}
	}
	for _, l := range []output.Layout{output.JSON, output.JSONL, output.YAML} {
		got := list(t, l, 0, rows)
		var back any
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(got, "\n[", "\n---\n[")), &back); err != nil || strings.Contains(got, "\x1b") || !strings.Contains(got, "店铺") {
			t.Errorf("%s: %v\n%s", l, err, got)
		}
	}
}

// A table fits into 80 columns where it can; what people copy is never cut. Where there is no terminal,
// nothing is.
func TestTablesFit(t *testing.T) {
	long := [][]string{{strings.Repeat("店", 60), strings.Repeat("9", 64), "1", ""}}
	lines := strings.Split(list(t, output.Table, 80, long), "\n")
	if !strings.Contains(lines[1], strings.Repeat("9", 64)) || !strings.HasPrefix(lines[1], "店店店店店~  9") {
		t.Errorf("got\n%s", lines[1])
	}
	for l, width := range map[output.Layout]int{output.Wide: 80, output.Table: 0, output.TSV: 80} {
		if got := list(t, l, width, long); !strings.Contains(got, strings.Repeat("店", 60)) {
			t.Errorf("%s is cut:\n%s", l, got)
		}
	}
}

// Where a terminal is too narrow for what is whole, columns are left out, and numbers are never cut.
func TestNarrowTerminals(t *testing.T) {
	columns := []output.Heading{{Name: "order", Whole: true}, {Name: "tries", Right: true, Spare: true}, {Name: "answer", Spare: true}, {Name: "next", Right: true}}
	rows := [][]string{{"123456789012", "1234567890", "ACQ.SYSTEM_ERROR", "30 s"}}
	for width, want := range map[int]string{
		60: "ORDER              TRIES  ANSWER            NEXT\n123456789012  1234567890  ACQ.SYSTEM_ERROR  30 s\n",
		40: "ORDER              TRIES  ANSWER    NEXT\n123456789012  1234567890  ACQ.SYS~  30 s\n",
		39: "ORDER              TRIES  NEXT\n123456789012  1234567890  30 s\n",
		20: "ORDER         NEXT\n123456789012  30 s\n",
		5:  "ORDER         NEXT\n123456789012  30 s\n",
	} {
		var b bytes.Buffer
		if err := output.List(output.New(&b, output.Table, false).Cut(width), columns, rows, rows); err != nil || b.String() != want {
			t.Errorf("%d: %v\n%s\nwant\n%s", width, err, b.String(), want)
		}
	}
	var b bytes.Buffer
	p := output.New(&b, output.Text, false)
	if err := errors.Join(p.Cut(12).Paragraph("Waiting for 店铺.\x1b"), p.Paragraph("All is well, and no line ends.")); err != nil || b.String() != "Waiting for\n店铺.\\u001b\nAll is well, and no line ends.\n" {
		t.Errorf("%v: %q", err, b.String())
	}
}

// Sentences go on in further lines.
func TestSentencesWrap(t *testing.T) {
	var b bytes.Buffer
	columns := []output.Heading{{Name: "level", Whole: true}, {Name: "finding", Wrap: true}}
	if err := output.List(output.New(&b, output.Table, false).Cut(30), columns, [][]string{{"fail", "店铺 has no key; write one into apps.main"}}, []int{1}); err != nil {
		t.Fatal(err)
	}
	want := "LEVEL  FINDING\nfail   店铺 has no key; write\n       one into apps.main\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Colours move no column, and are only for people.
func TestColours(t *testing.T) {
	columns := []output.Heading{{Name: "level", Paint: func(s string) output.Colour {
		if s == "fail" {
			return output.Red
		}
		return output.Plain
	}}, {Name: "n", Right: true}}
	rows := [][]string{{"fail", "1"}, {"fine", "22"}}
	for l, want := range map[output.Layout]string{
		output.Table: "LEVEL   N\n\x1b[31mfail\x1b[0m    1\nfine   22\n",
		output.TSV:   "fail\t1\nfine\t22\n",
		output.JSONL: "[\"fail\",\"1\"]\n[\"fine\",\"22\"]\n",
	} {
		var b bytes.Buffer
		if err := output.List(output.New(&b, l, true), columns, rows, rows); err != nil || b.String() != want {
			t.Errorf("%s: %v\n%q, want\n%q", l, err, b.String(), want)
		}
	}
}

func TestWhoDecidesAboutColours(t *testing.T) {
	for _, tt := range []struct {
		mode, no, force, term string
		terminal, want        bool
	}{
		{"auto", "", "", "xterm", true, true},
		{"auto", "", "", "xterm", false, false},
		{"auto", "", "", "dumb", true, false},
		{"auto", "", "1", "dumb", false, true},
		{"auto", "1", "1", "xterm", true, false},
		{"always", "1", "", "dumb", false, true},
		{"never", "", "1", "xterm", true, false},
	} {
		environment := map[string]string{"NO_COLOR": tt.no, "FORCE_COLOR": tt.force, "TERM": tt.term}
		if got := output.Coloured(tt.mode, func(k string) string { return environment[k] }, tt.terminal); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// A stream has its header first, and no row waits for another one.
func TestStreams(t *testing.T) {
	columns := []output.Heading{{Name: "key", Whole: true, Width: 6}, {Name: "code", Width: 4}, {Name: "more", Wide: true}, {Name: "text"}}
	rows := [][]string{{"订单1", "10000", "m", "a long text 店铺店铺"}, {"a-long-key", "", "", "b"}, {"k", "1", "", "c"}}
	for l, want := range map[output.Layout]string{
		output.Table: "KEY     CODE  TEXT\n订单1   100~  a long ~\na-long-key  -     b\nk           1     c\n",
		output.Wide:  "KEY     CODE  MORE  TEXT\n订单1   10000  m     a long text 店铺店铺\na-long-key  -      -     b\nk           1      -     c\n",
		output.TSV:   "订单1\t10000\tm\ta long text 店铺店铺\na-long-key\t\t\tb\nk\t1\t\tc\n",
		output.JSON:  "[1]\n[1]\n[1]\n",
		output.YAML:  "---\n- 1\n---\n- 1\n---\n- 1\n",
	} {
		var b bytes.Buffer
		s, err := output.New(&b, l, false).Cut(22).Stream(columns)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := s.Row(row, []int{1}); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", l, b.String(), want)
		}
	}
}

// YAML has the same value as JSON, whatever is in it, and does not control a terminal.
func TestYAMLIsTheSameValue(t *testing.T) {
	for _, a := range attacks {
		var b bytes.Buffer
		in := map[string]any{"text": a.text, "none": nil, "list": []any{}, "number": "123", "yes": "yes", "when": "2026-01-31T08:00:00Z", "n": 12.5}
		if err := output.New(&b, output.YAML, false).Object(in); err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := yaml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Errorf("%s: %v\n%s", a.name, err, b.String())
			continue
		}
		text, _ := json.Marshal(in)
		_ = json.Unmarshal(text, &want)
		back, _ := json.Marshal(got)
		expected, _ := json.Marshal(want)
		if string(back) != string(expected) || output.Escape(b.String()) != b.String() {
			t.Errorf("%s: got %s, want %s\n%q", a.name, back, expected, b.String())
		}
	}
}
