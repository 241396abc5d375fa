package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/kafka"
)

// exactly requires the arguments with these names.
func exactly(names ...string) cobra.PositionalArgs {
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

// oneOf is for a command that has only commands of its own.
func oneOf(c *cobra.Command, args []string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s has no command %q; it has %s", c.CommandPath(), args[0], strings.Join(names, ", "))}
	}
	return c.Help()
}

// noArguments accepts flags only.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q: this command has no arguments, only flags", args[0])
	}
	return nil
}

// anyArguments leaves it to the command to explain arguments.
func anyArguments(*cobra.Command, []string) error { return nil }

// completeTopics offers the roles and names of the topics.
func completeTopics(t *target) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return topicWords(t), cobra.ShellCompDirectiveNoFileComp
	}
}

func topicWords(t *target) []string {
	cfg, err := t.load()
	if err != nil {
		return nil
	}
	var words []string
	for _, m := range kafka.Topics(cfg.Topics) {
		words = append(words, m.Role, m.Name)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

var errNotConfirmed = errors.New("not confirmed; nothing was changed")
