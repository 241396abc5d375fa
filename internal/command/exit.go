package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/output"
)

// Exit codes, for scripts; bridge help exit-codes explains them. See also [output.ExitFound].
const (
	ExitFailed      = 1
	ExitUsage       = 2
	ExitUnreachable = 4
	ExitInterrupted = 130 // by Ctrl-C, as for a shell: 128 and the number of the signal
	ExitTerminated  = 143 // by SIGTERM
)

// ExitCode returns the exit code for an error.
func ExitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return ExitFailed
}

// codeWords are the exit codes in errors as JSON.
var codeWords = map[int]string{
	ExitFailed: "failed", ExitUsage: "usage", output.ExitFound: "found", ExitUnreachable: "unreachable", ExitInterrupted: "interrupted", ExitTerminated: "interrupted",
}

// Failure is an error as JSON.
type Failure struct {
	Error string `json:"error"` // what failed
	Code  string `json:"code"`  // failed, usage, found, unreachable or interrupted
	Hint  string `json:"hint"`  // what to do; may be empty
	Exit  int    `json:"exit"`  // the exit code
}

// ReportError prints the error of a command on standard error: as JSON if the answer is JSON.
func ReportError(w io.Writer, c *cobra.Command, args []string, err error) int {
	f := Failure{Error: err.Error(), Exit: ExitCode(err)}
	f.Code = codeWords[f.Exit]
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		f.Hint = hinted.Hint()
	}
	if f.Exit == ExitUsage {
		f.Hint = "see " + c.CommandPath() + " --help"
	}
	if wantsJSON(c, args) {
		f.Error = strings.TrimRight(strings.TrimSuffix(f.Error, f.Hint), ";\n ") // a sentence has both
		if text, err := json.Marshal(f); err == nil {
			fmt.Fprintln(output.SafeWriter(w), string(text))
		}
		return f.Exit
	}
	text := "bridge: " + f.Error
	if f.Exit == ExitUsage {
		text += "\n" + f.Hint
	}
	fmt.Fprintln(output.SafeWriter(w), text)
	return f.Exit
}

// wantsJSON also finds the flag behind another one that cannot be read.
func wantsJSON(c *cobra.Command, args []string) bool {
	if c.Flags().Lookup("output") == nil {
		return false
	}
	words := []string{flagText(c, "output")}
	for i, a := range args {
		if value, ok := strings.CutPrefix(a, "--output="); ok {
			words = append(words, value)
		} else if value, ok := strings.CutPrefix(a, "-o"); ok && value != "" {
			words = append(words, strings.TrimPrefix(value, "="))
		} else if (a == "-o" || a == "--output") && i+1 < len(args) {
			words = append(words, args[i+1])
		}
	}
	return slices.ContainsFunc(words, printsJSON)
}

// printsJSON says whether errors are JSON with this layout.
func printsJSON(layout string) bool {
	return layout == string(output.JSON) || layout == string(output.JSONL)
}

// Usage is the error of a mistake on the command line.
func Usage(err error) error { return usage{err} }

type usage struct{ err error }

func (e usage) Error() string { return e.err.Error() }

func (e usage) Unwrap() error { return e.err }

func (e usage) ExitCode() int { return ExitUsage }

// FlagError is the error of a flag.
func FlagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return usage{err}
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if hint := fault.DidYouMean(unknown.GetSpecifiedName(), names); hint != "" {
		err = fmt.Errorf("%w%s", err, strings.Replace(hint, "mean ", "mean --", 1))
	}
	return usage{err}
}

// Missing is the error of a command that ran and did not find what it looked for.
func Missing(err error) error { return missing{err} }

type missing struct{ error }

// ExitCode is that of a command that ran and found something.
func (missing) ExitCode() int { return output.ExitFound }

// Interrupted is why a context ended: a signal.
type Interrupted struct{ Signal os.Signal }

func (e Interrupted) Error() string { return "interrupted" }

// Is makes it the end of a context, for those who ask.
func (e Interrupted) Is(target error) bool { return target == context.Canceled }

func (e Interrupted) ExitCode() int {
	if e.Signal == syscall.SIGTERM {
		return ExitTerminated
	}
	return ExitInterrupted
}

// Interruptible returns a context that the first signal ends. A second signal ends the process at once.
func Interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(Interrupted{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
