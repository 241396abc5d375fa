package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/explain"
	"alipay-kafka-bridge/internal/output"
)

func explainCommand() *cobra.Command {
	var out command.Answer
	c := &cobra.Command{
		Use:   "explain [WORD]",
		Short: "Explain an alert, code, reason, cause, finding, state, metric or setting",
		Long: `Explain prints what the documents say about a word: what it means, what the bridge
does by itself, what a person does, and what never to do. It needs no network.

  bridge explain BridgeLate               an alert, with its runbook
  bridge explain ACQ.TRADE_HAS_SUCCESS    a code or sub_code of Alipay's
  bridge explain undecided                a reason of a dead letter or skip
  bridge explain person                   what an order waits for
  bridge explain topic_missing            a finding of bridge check
  bridge explain HELD                     a state of an order
  bridge explain bridge_lag_records       a metric
  bridge explain apps.main.in_flight      a setting

Without a word, it lists the kinds. It exits with 2 if it does not know the word.`,
		Args: command.AnyArguments,
		RunE: func(c *cobra.Command, args []string) error {
			p := out.Printer(c)
			if len(args) == 0 {
				return listKinds(p)
			}
			what := strings.Join(args, " ")
			found := explain.Find(what)
			if len(found) == 0 {
				return command.Usage(unknownWord(what))
			}
			if p.Data() {
				return output.List(p, nil, nil, found)
			}
			return printEntries(output.SafeWriter(c.OutOrStdout()), found)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, k := range explain.Kinds() {
				names = append(names, explain.Names(k)...)
			}
			if len(args) > 0 {
				names = nil
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	out.Flag(c, "explain", output.Prose())
	return c
}

// unknownWord is the error about a word that no page has.
func unknownWord(what string) error {
	what = fmt.Sprintf("%.100q", what)
	if near := explain.Closest(strings.Trim(what, `"`)); len(near) > 0 {
		return fmt.Errorf("%s is not known; did you mean %s?", what, strings.Join(near, ", "))
	}
	return fmt.Errorf("%s is not known; without a word, bridge explain lists what is", what)
}

// kindOf is one line of the list of kinds.
type kindOf struct {
	Kind  explain.Kind `json:"kind"`
	Names []string     `json:"names"`
}

// listKinds prints the kinds with numbers and an example; as data, with all names.
func listKinds(p output.Printer) error {
	all, rows := []kindOf{}, [][]string{}
	for _, k := range explain.Kinds() {
		names := explain.Names(k)
		all = append(all, kindOf{k, names})
		rows = append(rows, []string{string(k), strconv.Itoa(len(names)), names[len(names)/2]})
	}
	return output.List(p, []output.Heading{{Name: "kind"}, {Name: "words", Right: true}, {Name: "such as"}}, rows, all)
}

// printEntries prints entries, and once what belongs to them.
func printEntries(w io.Writer, found []explain.Entry) error {
	printed := map[string]bool{}
	write := func(e explain.Entry) error {
		text := e.String()
		if printed[text] {
			return nil
		}
		if len(printed) > 0 {
			text = "\n" + text
		}
		printed[e.String()] = true
		_, err := io.WriteString(w, text)
		return err
	}
	for _, e := range found {
		if err := write(e); err != nil {
			return err
		}
	}
	for _, e := range found {
		for _, more := range e.See {
			if err := write(more); err != nil {
				return err
			}
		}
	}
	return nil
}
