package output

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Stream prints rows as they come. Its columns are as wide as they say, or as what was whole so far.
type Stream struct {
	Printer

	columns []Heading
	shown   []int
	widths  []int
}

// Stream begins a list whose end is not known, for people with its header.
func (p Printer) Stream(columns []Heading) (*Stream, error) {
	s := &Stream{Printer: p, columns: columns, shown: p.shown(columns)}
	var names []string
	for _, i := range s.shown {
		s.widths = append(s.widths, max(len(columns[i].Name), columns[i].Width))
		names = append(names, strings.ToUpper(columns[i].Name))
	}
	if !p.People() {
		return s, nil
	}
	return s, s.line(names, nil)
}

// Row prints one row; object is what JSON has for it, in one line, since a stream may never end.
func (s *Stream) Row(row []string, object any) error {
	switch s.layout {
	case JSON, JSONL:
		return writeJSON(s.w, object, "")
	case YAML:
		if _, err := io.WriteString(s.w, "---\n"); err != nil {
			return err
		}
		return writeYAML(s.w, object)
	case TSV:
		return writeTSV(s.w, [][]string{row})
	}
	cells, colours := make([]string, len(s.shown)), make([]Colour, len(s.shown))
	for k, i := range s.shown {
		cells[k] = Dash(Column(row[i]))
		if s.colour {
			colours[k] = s.columns[i].colour(row[i])
		}
	}
	return s.line(cells, colours)
}

// line prints cells in their columns. The last one has the rest of the terminal.
func (s *Stream) line(cells []string, colours []Colour) error {
	var b strings.Builder
	used := 0
	for k, cell := range cells {
		h, last := s.columns[s.shown[k]], k == len(cells)-1
		switch cut := s.layout == Table && s.width > 0 && !h.Whole; {
		case cut && last:
			cell = h.within(cell, max(minColumn, s.width-used))
		case cut && h.Width > 0:
			cell = h.within(cell, s.widths[k])
		}
		width := text.StringWidth(cell)
		s.widths[k] = max(s.widths[k], width)
		used += s.widths[k] + gap
		padding := strings.Repeat(" ", s.widths[k]-width)
		if k < len(colours) {
			cell = colours[k].paint(cell)
		}
		switch {
		case h.Right:
			cell = padding + cell
		case !last:
			cell += padding
		}
		b.WriteString(cell)
		if !last {
			b.WriteString(strings.Repeat(" ", gap))
		}
	}
	_, err := io.WriteString(s.w, b.String()+"\n")
	return err
}
