package main

import (
	"math"
	"slices"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/kafka"
)

// anyNumber is for commands with any number of arguments.
const anyNumber = math.MaxInt

// completeTopics offers the roles and names of the topics that are not named yet, up to a number of
// arguments.
func completeTopics(t *target, most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words := slices.DeleteFunc(topicWords(t), func(w string) bool { return slices.Contains(args, w) })
		return words, cobra.ShellCompDirectiveNoFileComp
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
