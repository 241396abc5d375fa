package command

import (
	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/output"
)

// Findings is what a check found.
type Findings interface {
	Text() string // one finding a line
	Count() int
}

// Report prints what a check found: as sentences, as rows or as data. If it found anything, the error
// says so.
func Report(c *cobra.Command, a *Answer, found Findings, rows [][]string) error {
	p := a.Printer(c)
	var err error
	switch {
	case p.Layout() == output.Text:
		err = p.Prose(found.Text())
	case p.Data():
		err = p.Object(found)
	case len(rows) > 0:
		err = output.List(p, a.Columns, rows, rows)
	default:
		Summary(c, "nothing found")
	}
	if err == nil && found.Count() > 0 {
		err = output.Found(found.Count())
	}
	return err
}
