package output

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Heading is one column of a list.
type Heading struct {
	Name  string
	About string              // what it means
	Right bool                // numbers
	Wide  bool                // only in the layouts wide and tsv
	Whole bool                // never cut: what people copy
	Wrap  bool                // goes on in further lines instead of being cut
	Spare bool                // left out, the last one first, where a terminal is too narrow for what is whole
	Width int                 // of a stream, which cannot know it
	Paint func(string) Colour // of a cell; nil: no colour
}

// colour is the colour of a cell.
func (h Heading) colour(cell string) Colour {
	if h.Paint == nil || cell == "" {
		return Plain
	}
	return h.Paint(cell)
}

// List prints rows. objects are what JSON has for the same rows.
func List[T any](p Printer, columns []Heading, rows [][]string, objects []T) error {
	switch p.layout {
	case JSON, YAML:
		return p.Object(objects)
	case JSONL:
		for _, o := range objects {
			if err := p.Object(o); err != nil {
				return err
			}
		}
		return nil
	case TSV:
		return writeTSV(p.w, rows)
	}
	return p.table(columns, rows)
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

// shown are the columns of the layout.
func (p Printer) shown(columns []Heading) []int {
	var shown []int
	for i, c := range columns {
		if !c.Wide || p.layout != Table && p.layout != Text {
			shown = append(shown, i)
		}
	}
	return shown
}

// gap is between two columns.
const gap = 2

// table writes a table without lines, cut to the width of the terminal unless it is wide.
func (p Printer) table(columns []Heading, rows [][]string) error {
	shown := p.shown(columns)
	if p.layout != Wide && p.width > 0 {
		shown = spare(columns, shown, rows, p.width)
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", gap)
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	var header table.Row
	configs := make([]table.ColumnConfig, len(shown))
	for k, i := range shown {
		header, configs[k].Number = append(header, columns[i].Name), k+1
		if columns[i].Right {
			configs[k].Align, configs[k].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	cells := make([][]string, len(rows))
	for r, row := range rows {
		for _, i := range shown {
			cells[r] = append(cells[r], Dash(Column(row[i])))
		}
	}
	if p.layout != Wide && p.width > 0 {
		fit(columns, shown, cells, p.width)
	}
	for r, line := range cells {
		row := make(table.Row, len(line))
		for k, cell := range line {
			row[k] = cell
			if p.colour {
				row[k] = columns[shown[k]].colour(rows[r][shown[k]]).paint(cell)
			}
		}
		t.AppendRow(row)
	}
	for line := range strings.Lines(t.Render() + "\n") {
		if _, err := io.WriteString(p.w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// minColumn is the narrowest that a column is cut to.
const minColumn = 8

// mayCut says whether a cell may lose its end. The end of a number decides what it is.
func (h Heading) mayCut() bool { return !h.Whole && !h.Right }

// least is the narrowest that a column is cut to.
func (h Heading) least() int { return max(minColumn, len(h.Name)) }

// spare leaves out columns until the others fit, if they are cut as far as possible.
func spare(columns []Heading, shown []int, rows [][]string, width int) []int {
	needs := func(i int) int {
		n := len(columns[i].Name)
		for _, row := range rows {
			n = max(n, text.StringWidth(Column(row[i])))
		}
		if columns[i].mayCut() {
			n = min(n, columns[i].least())
		}
		return n
	}
	total := -gap
	for _, i := range shown {
		total += needs(i) + gap
	}
	for k := len(shown) - 1; k >= 0 && total > width; k-- {
		if columns[shown[k]].Spare {
			total -= needs(shown[k]) + gap
			shown = slices.Delete(shown, k, k+1)
		}
	}
	return shown
}

// fit cuts the widest columns that may be cut until a line has at most so many columns of a terminal.
func fit(columns []Heading, shown []int, cells [][]string, width int) {
	widths := make([]int, len(shown))
	total := gap * (len(shown) - 1)
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
			if columns[i].mayCut() && widths[k] > columns[i].least() && (widest < 0 || widths[k] > widths[widest]) {
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
		for k, i := range shown {
			line[k] = columns[i].within(line[k], widths[k])
		}
	}
}

// within is a cell in so many columns of a terminal.
func (h Heading) within(cell string, width int) string {
	switch {
	case text.StringWidth(cell) <= width:
		return cell
	case h.Wrap:
		return text.WrapSoft(cell, width)
	}
	return text.Snip(cell, width, "~")
}
