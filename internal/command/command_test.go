package command_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/command"
)

// worker is a program whose command takes six seconds.
func worker(errs *bytes.Buffer) *cobra.Command {
	root := &cobra.Command{Use: "bridge"}
	command.TerminalFlags(root)
	work := &cobra.Command{Use: "work", RunE: func(c *cobra.Command, _ []string) error {
		bar := command.StartProgress(c, "working", "")
		time.Sleep(6 * time.Second)
		bar.End()
		command.Summary(c, "%d done\x1b", 1)
		return nil
	}}
	root.AddCommand(work)
	root.SetErr(errs)
	return root
}

// What takes long says so on standard error, and ends with what it did; not if it is to be quiet.
func TestProgressAndSummary(t *testing.T) {
	for flag, want := range map[string]string{
		"--progress=auto":  "working, for 5s\n1 done\\u001b\n",
		"--progress=none":  "1 done\\u001b\n",
		"--quiet":          "",
		"--progress=plain": "working, for 5s\n1 done\\u001b\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var errs bytes.Buffer
			root := worker(&errs)
			root.SetArgs([]string{"work", flag})
			if err := root.Execute(); err != nil || errs.String() != want {
				t.Errorf("%s: %v, %q, want %q", flag, err, errs.String(), want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var errs bytes.Buffer
		root := worker(&errs)
		root.SetArgs([]string{"work", "--progress", "tty"})
		if err := root.Execute(); err != nil || !bytes.HasSuffix(errs.Bytes(), []byte("\r\x1b[K1 done\\u001b\n")) {
			t.Errorf("%v, %q", err, errs.String())
		}
	})
}
