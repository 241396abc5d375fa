package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Format is what a command prints: text or JSON. It is the value of the flag -o and accepts
// nothing else.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

func (f *Format) String() string { return string(*f) }

// Set accepts text and json.
func (f *Format) Set(word string) error {
	if word != string(Text) && word != string(JSON) {
		return errors.New("want text or json")
	}
	*f = Format(word)
	return nil
}

// Type is the kind of the value as usage texts show it.
func (*Format) Type() string { return "string" }

// Printer prints what a command answers, in one format.
type Printer struct {
	w      io.Writer
	format Format
}

// New returns a printer to w.
func New(w io.Writer, f Format) Printer { return Printer{SafeWriter(w), f} }

// Text says whether people read what is printed, and not programs.
func (p Printer) Text() bool { return p.format != JSON }

// Line prints texts with tabs between them. A text may have several lines.
func (p Printer) Line(texts ...string) error {
	_, err := fmt.Fprintln(p.w, strings.Join(texts, "\t"))
	return err
}

// Columns prints a line whose columns never break it.
func (p Printer) Columns(columns ...string) error {
	safe := make([]string, len(columns))
	for i, c := range columns {
		safe[i] = Column(c)
	}
	return p.Line(safe...)
}

// Object prints a value as one line of JSON.
func (p Printer) Object(v any) error {
	var b strings.Builder // one Write has whole characters
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}

// Report is what a check found.
type Report interface {
	Text() string // one finding a line
	Count() int
}

// Report prints all findings: one a line, or as one JSON object. If there are any, it returns a
// [Found].
func (p Printer) Report(r Report) error {
	var err error
	if p.Text() {
		_, err = io.WriteString(p.w, r.Text())
	} else {
		err = p.Object(r)
	}
	if err != nil {
		return err
	}
	if n := r.Count(); n > 0 {
		return Found(n)
	}
	return nil
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
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Count writes a number of things: 1 day, 2 days.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
