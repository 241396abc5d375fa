package output

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Layout is how a list is printed. It is the value of the flag -o of commands that list things.
type Layout string

// The layouts.
const (
	Auto  Layout = ""      // a table on a terminal, TSV elsewhere
	Table Layout = "table" // cut to the width of a terminal
	Wide  Layout = "wide"  // with all columns, not cut
	TSV   Layout = "tsv"   // without a header, for other programs; nothing is cut
	Array Layout = "json"  // one JSON value
	Lines Layout = "jsonl" // one JSON object in each line
)

// Layouts are the words of the flag.
func Layouts() []string {
	return []string{string(Table), string(Wide), string(TSV), string(Array), string(Lines)}
}

// String is the word of the layout.
func (l *Layout) String() string { return string(*l) }

// Set accepts a word.
func (l *Layout) Set(word string) error {
	if !slices.Contains(Layouts(), word) {
		return fmt.Errorf("want one of %s", strings.Join(Layouts(), ", "))
	}
	*l = Layout(word)
	return nil
}

// Type is the kind of the value as usage texts show it.
func (*Layout) Type() string { return "string" }

// People says whether people read what is printed, on this writer.
func (l Layout) People(w io.Writer) bool {
	return l == Table || l == Wide || l == Auto && IsTerminal(w)
}

// Heading is one column of a list.
type Heading struct {
	Name  string
	Right bool // numbers
	Wide  bool // only in the layout wide, in TSV and in JSON
	Whole bool // never cut: what people copy
}

// List prints rows in a layout. objects are what JSON has for the same rows.
func List[T any](w io.Writer, l Layout, columns []Heading, rows [][]string, objects []T) error {
	switch {
	case l == Array:
		return writeJSON(w, objects, "  ")
	case l == Lines:
		for _, o := range objects {
			if err := writeJSON(w, o, ""); err != nil {
				return err
			}
		}
		return nil
	case !l.People(w):
		return writeTSV(w, rows)
	}
	return writeTable(w, l == Wide, columns, rows)
}

// writeJSON writes a value with a line feed. What a terminal would act on is escaped, as in all output.
func writeJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(SafeWriter(w))
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func writeTSV(w io.Writer, rows [][]string) error {
	b := bufio.NewWriter(w)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				_ = b.WriteByte('\t')
			}
			_, _ = b.WriteString(Column(cell))
		}
		_ = b.WriteByte('\n')
	}
	return b.Flush()
}

// widthOf is the width of a terminal, or of 80 columns where that is not known.
func widthOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// writeTable writes a table without lines, two spaces between columns, cut to the width of the terminal
// unless it is wide.
func writeTable(w io.Writer, wide bool, columns []Heading, rows [][]string) error {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	var header table.Row
	var shown []int
	var configs []table.ColumnConfig
	for i, c := range columns {
		if c.Wide && !wide {
			continue
		}
		config := table.ColumnConfig{Number: len(shown) + 1}
		if c.Right {
			config.Align, config.AlignHeader = text.AlignRight, text.AlignRight
		}
		header, configs, shown = append(header, c.Name), append(configs, config), append(shown, i)
	}
	t.AppendHeader(header)
	var cells [][]string
	for _, row := range rows {
		line := make([]string, len(shown))
		for k, i := range shown {
			line[k] = Dash(Column(row[i]))
		}
		cells = append(cells, line)
	}
	if !wide {
		fit(columns, shown, cells, widthOf(w))
	}
	for _, line := range cells {
		row := make(table.Row, len(line))
		for i, cell := range line {
			row[i] = cell
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs(configs)
	for line := range strings.Lines(t.Render() + "\n") {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// minColumn is the narrowest that a column is cut to.
const minColumn = 8

// fit cuts the widest columns that may be cut until a line has at most so many columns of a terminal.
func fit(columns []Heading, shown []int, cells [][]string, width int) {
	widths := make([]int, len(shown))
	total := 2 * (len(shown) - 1)
	for k, i := range shown {
		widths[k] = len(columns[i].Name)
		for _, line := range cells {
			widths[k] = max(widths[k], text.StringWidth(line[k]))
		}
		total += widths[k]
	}
	for total > width {
		widest := -1
		for k, i := range shown {
			if !columns[i].Whole && widths[k] > max(minColumn, len(columns[i].Name)) && (widest < 0 || widths[k] > widths[widest]) {
				widest = k
			}
		}
		if widest < 0 {
			break // what is left is needed whole; the terminal wraps it
		}
		widths[widest]--
		total--
	}
	for _, line := range cells {
		for k := range line {
			if text.StringWidth(line[k]) > widths[k] {
				line[k] = text.Snip(line[k], widths[k], "~")
			}
		}
	}
}
