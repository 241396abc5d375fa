package command

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/progress"
)

// word is the value of a flag that has one of a few words.
type word struct {
	to    *string
	words []string
}

func (w word) String() string { return *w.to }

// Type is the kind of the value as usage texts show it.
func (word) Type() string { return "string" }

func (w word) Set(s string) error {
	if !slices.Contains(w.words, s) {
		return fmt.Errorf("want one of %s%s", strings.Join(w.words, ", "), fault.DidYouMean(s, w.words))
	}
	*w.to = s
	return nil
}

// WordFlag adds a flag that has one of a few words.
func WordFlag(c *cobra.Command, to *string, name, value, usage string, words ...string) {
	*to = value
	c.Flags().Var(word{to, words}, name, usage)
	CompleteWords(c, name, words)
}

func CompleteWords(c *cobra.Command, flag string, words []string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// TerminalFlags are the flags of all commands about what people see.
func TerminalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	for _, w := range []struct {
		name, usage string
		words       []string
	}{
		{"color", "`when` tables have colours: auto, always or never", output.ColourModes()},
		{"progress", "`how` progress is shown: auto, tty, plain or none", progress.Modes()},
	} {
		value := "auto"
		f.Var(word{&value, w.words}, w.name, w.usage)
		f.Lookup(w.name).DefValue = "" // the usage text of each command has it
		CompleteWords(root, w.name, w.words)
	}
	f.BoolP("quiet", "q", false, "show no progress and no summary")
}

func flagText(c *cobra.Command, name string) string {
	if f := c.Flag(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// quiet says whether standard error is for errors only: also where a program reads JSON from it.
func quiet(c *cobra.Command) bool {
	return flagText(c, "quiet") == "true" || printsJSON(flagText(c, "output")) && !output.IsTerminal(c.ErrOrStderr())
}

// StartProgress shows how far a command is, on standard error. It returns nil if there is nothing to show it on.
func StartProgress(c *cobra.Command, what, thing string) *progress.Bar {
	w := c.ErrOrStderr()
	if quiet(c) {
		return nil
	}
	return progress.Start(w, progress.Options{
		Mode: progress.Mode(flagText(c, "progress")), Terminal: output.IsTerminal(w), Width: output.WidthOf(w), What: what, Thing: thing,
	})
}

// Summary says at the end what was done, skipped and failed.
func Summary(c *cobra.Command, format string, args ...any) {
	if !quiet(c) {
		fmt.Fprintf(output.SafeWriter(c.ErrOrStderr()), format+"\n", args...)
	}
}

// Answer is how a command prints its answer: the flag -o.
type Answer struct {
	Layout  output.Layout
	schema  string           // its name in docs/reference/cli
	Columns []output.Heading // of a list
}

// Flag adds the flag -o to a command, with these layouts. With -o help the command only says what its
// fields mean.
func (a *Answer) Flag(c *cobra.Command, schema string, words []string, columns ...output.Heading) {
	a.schema, a.Columns = schema, columns
	usage := "`layout`: " + strings.Join(words[:len(words)-1], ", ") + ", or help for what the fields mean"
	if words[0] == string(output.Text) {
		a.Layout = output.Text
	} else {
		usage += " (default: table on a terminal, tsv elsewhere)"
	}
	c.Flags().VarP(word{(*string)(&a.Layout), words}, "output", "o", usage)
	CompleteWords(c, "output", words)
	check, run := c.Args, c.RunE
	c.Args = func(c *cobra.Command, args []string) error {
		if a.Layout == output.Help || check == nil {
			return nil
		}
		return check(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.Layout == output.Help {
			return a.help(c)
		}
		return run(c, args)
	}
}

// Printer prints to standard output.
func (a *Answer) Printer(c *cobra.Command) output.Printer { return printer(c, a.Layout) }

func printer(c *cobra.Command, l output.Layout) output.Printer {
	w := c.OutOrStdout()
	return output.New(w, l, output.Coloured(flagText(c, "color"), os.Getenv, output.IsTerminal(w)))
}

// help lists the fields with what they mean: of a table, and of JSON, whose schema has them.
func (a *Answer) help(c *cobra.Command) error {
	columns := []output.Heading{{Name: "field", Whole: true}, {Name: "in", Whole: true}, {Name: "meaning", Wrap: true}}
	rows := [][]string{}
	for _, h := range a.Columns {
		in := "table"
		if h.Wide {
			in = "wide"
		}
		rows = append(rows, []string{strings.ToUpper(h.Name), in, h.About})
	}
	fields, err := fieldsOf(a.schema)
	if err != nil {
		return err
	}
	for _, f := range fields {
		rows = append(rows, []string{f.Path, "json", strings.TrimPrefix(f.Type+"; "+f.About, "; ")})
	}
	return output.List(printer(c, output.Auto), columns, rows, fields)
}
