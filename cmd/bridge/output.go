package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// safeWriter is where output for people goes through: order texts come from strangers, and a
// terminal obeys what it reads (security.md O4; CVE-2021-25743). Each Write holds whole
// characters.
func safeWriter(w io.Writer) io.Writer { return escapingWriter{w} }

type escapingWriter struct{ w io.Writer }

func (e escapingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.w, escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// unsafeCharacters are characters that a terminal obeys, that turn the direction of text, or that no
// one sees.
var unsafeCharacters = []*unicode.RangeTable{
	unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp,
	unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
}

// escape shows such characters as \u escapes, in JSON's form, and what is not UTF-8 as \x
// escapes. Line feed and tab pass.
func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.In(r, unsafeCharacters...):
			b.WriteRune(r)
		case r > 0xffff: // a pair of surrogates
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// escapeLine is [escape] for a text that must stay one column of one line.
func escapeLine(s string) string {
	return strings.NewReplacer("\n", `\u000a`, "\t", `\u0009`).Replace(escape(s))
}

// exitFound is the code of a command that ran and found something.
const exitFound = 3

// foundError says that a check found something.
type foundError struct{ n int }

func (e foundError) Error() string {
	if e.n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", e.n)
}

func (foundError) ExitCode() int { return exitFound }

// output is the format of what a command prints: text or json.
type output string

func (o *output) flag(c *cobra.Command) { o.flagFor(c, "text or json") }

func (o *output) flagFor(c *cobra.Command, usage string) {
	c.Flags().StringVarP((*string)(o), "output", "o", "text", usage)
}

func (o output) check() error {
	if o != "text" && o != "json" {
		return usageError{fmt.Errorf("-o %s: want text or json", string(o))}
	}
	return nil
}

// foundReport is what a check found.
type foundReport interface {
	Text() string // one finding a line
	Count() int
}

// printReport writes one finding a line, or all as one JSON object. Its error asks for [exitFound].
func (o output) printReport(w io.Writer, r foundReport) error {
	var err error
	w = safeWriter(w)
	if o == "json" {
		err = json.NewEncoder(w).Encode(r)
	} else {
		_, err = io.WriteString(w, r.Text())
	}
	if err != nil {
		return err
	}
	if n := r.Count(); n > 0 {
		return foundError{n}
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
