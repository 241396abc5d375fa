package command

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/config"
)

// Exactly requires the arguments with these names.
func Exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", names[len(args)])
		case len(args) > len(names):
			return fmt.Errorf("%q is one argument too many", args[len(names)])
		}
		return nil
	}
}

// OneOf is for a command that has only commands of its own.
func OneOf(c *cobra.Command, args []string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if len(args) > 0 {
		c.SuggestionsMinimumDistance = 2 // in letters
		hint := "; it has " + strings.Join(names, ", ")
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return Usage(fmt.Errorf("%s has no command %q%s", c.CommandPath(), args[0], hint))
	}
	return c.Help()
}

// NoArguments accepts flags only.
func NoArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q: this command has no arguments, only flags", args[0])
	}
	return nil
}

// AnyArguments leaves it to the command to explain arguments.
func AnyArguments(*cobra.Command, []string) error { return nil }

// CompleteAccounts offers the accounts of a settings file.
func CompleteAccounts(file *string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		cfg, err := config.LoadPublic(*file, os.LookupEnv)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.Sorted(maps.Keys(cfg.Accounts)), cobra.ShellCompDirectiveNoFileComp
	}
}
