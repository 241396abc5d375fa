package output

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Layout is how an answer is printed.
type Layout string

// The layouts.
const (
	Auto  Layout = ""      // a table on a terminal, TSV elsewhere
	Text  Layout = "text"  // sentences
	Table Layout = "table" // cut to the width of a terminal
	Wide  Layout = "wide"  // with all columns, not cut
	TSV   Layout = "tsv"   // without a header, for other programs; nothing is cut
	JSON  Layout = "json"  // one JSON value
	JSONL Layout = "jsonl" // one JSON object in each line
	YAML  Layout = "yaml"  // the same value as JSON
	Help  Layout = "help"  // no answer, but what its fields mean
)

// Lists are the words for an answer that is a list.
func Lists() []string {
	return []string{string(Table), string(Wide), string(TSV), string(JSON), string(JSONL), string(YAML), string(Help)}
}

// Prose are the words for an answer in sentences.
func Prose() []string {
	return []string{string(Text), string(JSON), string(JSONL), string(YAML), string(Help)}
}

// Reports are the words for findings: sentences, or a list of them.
func Reports() []string { return append([]string{string(Text)}, Lists()...) }

// Printer prints what a command answers, in one layout, so that nothing in it controls a terminal.
type Printer struct {
	w      io.Writer
	layout Layout // not Auto
	colour bool
	width  int // of the terminal; 0: nothing is cut
}

// New returns a printer to w. Only what people read has colours.
func New(w io.Writer, l Layout, colour bool) Printer {
	p := Printer{w: w, layout: l, colour: colour, width: WidthOf(w)}
	switch {
	case l == Auto && IsTerminal(w):
		p.layout = Table
	case l == Auto:
		p.layout = TSV
	}
	return p
}

// Cut returns a printer for a terminal of this width.
func (p Printer) Cut(width int) Printer {
	p.width = width
	return p
}

// Through returns a printer to another writer of the same terminal.
func (p Printer) Through(w io.Writer) Printer {
	p.w = w
	return p
}

// Layout is the layout in use.
func (p Printer) Layout() Layout { return p.layout }

// People says whether people read what is printed, and not programs.
func (p Printer) People() bool { return p.layout == Table || p.layout == Wide || p.layout == Text }

// Data says whether a whole value is printed, and not its most important fields.
func (p Printer) Data() bool { return p.layout == JSON || p.layout == JSONL || p.layout == YAML }

// Line prints texts with tabs between them. A text may have several lines.
func (p Printer) Line(texts ...string) error {
	_, err := io.WriteString(p.w, Escape(strings.Join(texts, "\t"))+"\n")
	return err
}

// Paragraph prints a sentence, in lines that fit on the terminal.
func (p Printer) Paragraph(sentence string) error {
	sentence = Escape(sentence)
	if p.width > 0 {
		lines := strings.Split(text.WrapSoft(sentence, p.width), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		sentence = strings.Join(lines, "\n")
	}
	_, err := io.WriteString(p.w, sentence+"\n")
	return err
}

// Prose prints a text that ends with a line feed.
func (p Printer) Prose(text string) error {
	_, err := io.WriteString(p.w, Escape(text))
	return err
}

// Object prints a value as JSON or YAML.
func (p Printer) Object(v any) error {
	switch p.layout {
	case YAML:
		return writeYAML(p.w, v)
	case JSONL:
		return writeJSON(p.w, v, "")
	}
	return writeJSON(p.w, v, "  ")
}

// writeJSON writes a value with a line feed. What a terminal would act on is escaped, as in all output.
func writeJSON(w io.Writer, v any, indent string) error {
	var b strings.Builder // one Write has whole characters
	e := json.NewEncoder(&b)
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, Escape(b.String()))
	return err
}

// ExitFound is the exit code of a command that ran and found something.
const ExitFound = 3

// Found is the error of a command that found so many faults.
type Found int

func (n Found) Error() string { return Count(int(n), "finding") }

// ExitCode is [ExitFound].
func (Found) ExitCode() int { return ExitFound }

// Dash returns a dash for an empty text, so that columns stay in their places.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// IsTerminal reports whether people read w at once.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// WidthOf is the width of a terminal; 0 elsewhere.
func WidthOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 0
}

// Count writes a number of things: 1 day, 2 days.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
