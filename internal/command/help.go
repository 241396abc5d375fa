package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

// HelpTopics are the pages of bridge help that are about no command.
func HelpTopics() []*cobra.Command {
	var all []*cobra.Command
	for _, t := range []struct{ name, short, long string }{
		{"exit-codes", "What the exit codes mean", `Exit codes of bridge, for scripts:

  0    done, and nothing found
  1    failed; the last line on standard error says why
  2    wrong usage; nothing was done
  3    ran, and found something: check and schemas check have findings, status
       knows of trouble, stuck lists an event that waits for more than a minute,
       inspect does not believe the message, tail --key --to-end has no record,
       order finds nothing, accept and erase changed nothing
  4    cannot reach Kafka, the schema registry, an admin port or the probes.
       status and stuck print what the other instances say
  130  interrupted with Ctrl-C before the end
  143  ended by SIGTERM before the end

To stop run, simulate, demo --serve or a tail that follows is no interruption:
they exit with 0. Treat each code that you do not know as a failure.

If the answer is JSON, an error is one JSON object on standard error:
  {"error": "what failed", "code": "usage", "hint": "what to do", "exit": 2}
code is failed, usage, found, unreachable or interrupted.`},
		{"environment", "Environment variables that bridge reads", `Environment variables:

  NO_COLOR       any value: no colours, unless --color always
  FORCE_COLOR    any value: colours also where there is no terminal
  TERM           dumb: no colours
  GOMEMLIMIT     the memory limit of Go; if it is not set, run derives one from
                 the settings
  HTTPS_PROXY, NO_PROXY
                 are not read: the bridge uses no proxy

In the settings file, ${NAME} is replaced by the environment variable NAME. This
is not for secrets: they are in files that the settings name.`},
		{"formatting", "Layouts of answers: -o, colours, progress", `Answers go to standard output; progress, warnings and summaries to standard
error. -o chooses the layout of an answer:

  table    columns, cut to the width of the terminal, but never order numbers
  wide     all columns, with nothing cut
  tsv      all columns with tabs between them, without a header, nothing cut
  json     one JSON value; docs/reference/cli has a schema for each command
  jsonl    one JSON object in each line, if the answer is a list
  yaml     the same value as json
  text     sentences, for answers that are not lists
  help     no answer, but what its fields mean

A list is a table on a terminal and tsv elsewhere. A topic is a stream: tail
prints one JSON object in each line with json too, and YAML documents with yaml.
In JSON, fields are only ever added. Times are RFC 3339.

In tables, - stands for an empty field, which is empty in tsv. Ages are like
11 min. ~ marks a field that was cut. Characters that a terminal would obey are
shown as escapes such as \u001b.

--color auto|always|never; auto follows NO_COLOR, FORCE_COLOR and TERM, and uses
colours on terminals only. A colour never means more than the word that has it.

--progress auto|tty|plain|none. What takes longer than a second shows how far it
is: on a terminal in one line that goes away, elsewhere in a line each 5 seconds
or 5 percent. -q shows neither progress nor the summary at the end.`},
	} {
		all = append(all, &cobra.Command{Use: t.name, Short: t.short, Long: t.long})
	}
	for _, c := range all { // a page has no usage
		c.SetHelpFunc(func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), c.Long) })
	}
	return all
}
