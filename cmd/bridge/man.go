//go:build man

package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func init() { extraCommands = append(extraCommands, manCommand) }

// manCommand writes the manual pages and completions of a release. It is not in the binary: it is built with
// the tag man alone.
func manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			pages, completions := filepath.Join(args[0], "man"), filepath.Join(args[0], "completions")
			for _, folder := range []string{pages, completions} {
				if err := os.MkdirAll(folder, 0o755); err != nil {
					return err
				}
			}
			root.DisableAutoGenTag = true
			never := time.Unix(0, 0) // no date: a page is a function of the program
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "bridge", Manual: "bridge", Date: &never}, pages); err != nil {
				return err
			}
			for name, generate := range map[string]func(string) error{
				"bridge.bash": func(f string) error { return root.GenBashCompletionFileV2(f, true) },
				"bridge.zsh":  root.GenZshCompletionFile,
				"bridge.fish": func(f string) error { return root.GenFishCompletionFile(f, true) },
			} {
				if err := generate(filepath.Join(completions, name)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
