package output_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"alipay-kafka-bridge/internal/output"
)

// attacks are order texts that a terminal would obey or a reader misread.
var attacks = []struct{ name, text string }{
	{"sets the clipboard", "\x1b]52;c;cm0gLXJmIH4=\x07"},
	{"clears the screen", "\x1b[2J\x1b[H"},
	{"overwrites the line", "outcome=APPLIED\rREJECTED"},
	{"one byte CSI", "\u009b31mred"},
	{"backspaces", "100\b\b\b1"},
	{"delete", "a\x7fb"},
	{"nul", "a\x00b"},
	{"right to left", "\u202e88.88\u202c"},
	{"isolates", "\u2066a\u2069"},
	{"marks", "\u200ea\u200f\u061c"},
	{"zero width", "a\u200b\u200c\u200d\u2060\ufeffb"},
	{"fillers that no one sees", "a\u115f\u3164\u034f\ufe0fb"},
	{"line and paragraph separators", "a\u2028b\u2029c"},
	{"tags", "a\U000e0041b"},
	{"private use", "a\ue000b"},
	{"not UTF-8", "a\xffb\xc0\xaf"},
	{"harmless", "\u4e2d\u6587 caf\u00e9 \U0001f600 \\u001b \ufffd\ttab"},
	{"its own lines", "first\nsecond"},
}

func TestO4_OneWriterThatEscapes(t *testing.T) {
	const golden = "testdata/escaped.golden"
	var got bytes.Buffer
	w := output.SafeWriter(&got)
	for _, a := range attacks {
		if _, err := fmt.Fprintf(w, "%s: %s\n", a.name, a.text); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%q\nwant\n%q", got.Bytes(), want)
	}
	for i, b := range got.Bytes() {
		if b < ' ' && b != '\n' && b != '\t' || b == 0x7f {
			t.Errorf("byte %d is %#x", i, b)
		}
	}
}

// JSON stays JSON, with the same text in it.
func TestO4_EscapedJSONIsTheSameJSON(t *testing.T) {
	for _, a := range attacks {
		text, err := json.Marshal(a.text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(output.Escape(string(text))), &got); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", a.name, got, err, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, a := range attacks {
		f.Add(a.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := output.Escape(s)
		if twice := output.Escape(once); twice != once {
			t.Errorf("%q is escaped again to %q", once, twice)
		}
	})
}

func TestO4_OneLineStaysOneLine(t *testing.T) {
	if got, want := output.Column("a\nb\tc\r\x1b"), `a\u000ab\u0009c\u000d\u001b`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
