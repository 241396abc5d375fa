package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/output"
)

// layoutFlag adds the flag -o to a command that lists things.
func layoutFlag(c *cobra.Command, l *output.Layout) {
	c.Flags().VarP(l, "output", "o", "`layout`: "+strings.Join(output.Layouts(), ", ")+" (default: table on a terminal, tsv elsewhere)")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(output.Layouts(), cobra.ShellCompDirectiveNoFileComp))
}

func statusCommand() *cobra.Command {
	var from asked
	var layout output.Layout
	c := &cobra.Command{
		Use:   "status [-c FILE] [-a HOST:PORT]",
		Short: "Say what running instances do, and what is wrong",
		Long: `Status asks the admin ports of running instances. For each it prints a sentence
that sums it up, what to do, and whose turn it is.

It exits with 0 if all is well, with 3 if an instance says that something is
wrong, and with 4 if an instance cannot be asked.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, addresses, err := from.client()
			if err != nil {
				return err
			}
			answers := client.Ask(c.Context(), addresses, 0)
			if err := printStatus(c.OutOrStdout(), layout, answers); err != nil {
				return err
			}
			if err := failed(answers); err != nil {
				return err
			}
			if n := troubled(answers); n > 0 {
				return output.Found(n)
			}
			return nil
		},
	}
	from.flags(c)
	layoutFlag(c, &layout)
	return c
}

// troubled is how many instances are not well.
func troubled(answers []admin.Answer) int {
	n := 0
	for _, a := range answers {
		if level := a.Status.Verdict.Level; a.Err == nil && level != admin.LevelFine && level != admin.LevelStarting {
			n++
		}
	}
	return n
}

func printStatus(w io.Writer, layout output.Layout, answers []admin.Answer) error {
	columns := []output.Heading{
		{Name: "instance", Whole: true}, {Name: "level", Whole: true}, {Name: "owner", Whole: true}, {Name: "under way", Right: true}, {Name: "waiting", Right: true}, {Name: "not committed", Right: true, Wide: true},
		{Name: "finished", Right: true}, {Name: "up", Right: true}, {Name: "version", Wide: true}, {Name: "settings", Wide: true}, {Name: "address", Wide: true},
	}
	rows, objects := [][]string{}, []admin.Status{}
	for _, a := range answers {
		if a.Err != nil {
			continue
		}
		s := a.Status
		running, unsettled, finished, waiting := 0, 0, uint64(0), int64(0)
		for _, p := range s.Pipelines {
			running, unsettled, finished = running+p.Running, unsettled+p.Unsettled, finished+p.Finished
		}
		for _, t := range s.Topics {
			for cause, n := range t.Lag {
				if cause != "calling" && cause != "settling" {
					waiting += n
				}
			}
		}
		rows = append(rows, []string{
			s.Instance.Slot, s.Verdict.Level, s.Verdict.Owner, strconv.Itoa(running), strconv.FormatInt(waiting, 10), strconv.Itoa(unsettled),
			strconv.FormatUint(finished, 10), admin.Span(s.AsOf.Sub(s.Instance.Started)), s.Instance.Version, fmt.Sprintf("%.16s", s.Instance.Settings), a.Address,
		})
		objects = append(objects, s)
	}
	if len(rows) == 0 && layout.People(w) {
		return nil
	}
	if err := output.List(w, layout, columns, rows, objects); err != nil || !layout.People(w) {
		return err
	}
	out := output.SafeWriter(w)
	for _, s := range objects {
		v := s.Verdict
		fmt.Fprintf(out, "\n%s: %s\nDo: %s.\n", s.Instance.Slot, v.Text, v.Do)
		if !v.SafeToRestart {
			fmt.Fprintf(out, "Not safe to restart yet: %s.\n", v.RestartNote)
		}
	}
	return nil
}

func stuckCommand() *cobra.Command {
	var from asked
	var layout output.Layout
	var limit int
	var account string
	c := &cobra.Command{
		Use:   "stuck [-c FILE] [-a HOST:PORT]",
		Short: "List the orders that wait: for what, since when, and when they are tried next",
		Long: `Stuck asks running instances for the events that have no outcome yet, those that
wait longest first. Each stands for the later events of its order, too.

  ready        would be handled if there were room
  calling      its call is made now, or asks what became of one
  breaker      a circuit breaker is open
  rate_limit   the rate limit of the app
  retry        the pause before another attempt
  person       someone must correct a key, token or permission
  settling     finished; the transaction is under way
  unread       its record cannot be read yet, for instance without the registry

In doubt means that it is not known whether the call took effect: the bridge
asks Alipay. Never send such an order again by hand.

It exits with 0 if nothing waits for more than a minute, with 3 if something
does, and with 4 if an instance cannot be asked.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return usageError{fmt.Errorf("--limit is %d; use 1 to 10000", limit)}
			}
			client, addresses, err := from.client()
			if err != nil {
				return err
			}
			ask := min(limit+1, 10_000) // one more says whether there are more
			if account != "" {
				ask = 10_000 // others may wait longer
			}
			answers := client.Ask(c.Context(), addresses, ask)
			waiting := waitingOf(answers, account)
			if err := printWaiting(c.OutOrStdout(), layout, waiting[:min(limit, len(waiting))]); err != nil {
				return err
			}
			if layout.People(c.OutOrStdout()) {
				summarize(c.ErrOrStderr(), answers, len(waiting), limit)
			}
			if err := failed(answers); err != nil {
				return err
			}
			if n := stuck(waiting); n > 0 {
				return output.Found(n)
			}
			return nil
		},
	}
	from.flags(c)
	layoutFlag(c, &layout)
	c.Flags().IntVarP(&limit, "limit", "n", 20, "at most so many `orders`")
	c.Flags().StringVar(&account, "account", "", "only those of this `account`")
	return c
}

// stuckRow is an event that waits, with the instance that has it.
type stuckRow struct {
	Instance string    `json:"instance"`
	AsOf     time.Time `json:"as_of"`
	admin.Waiting
}

func waitingOf(answers []admin.Answer, account string) []stuckRow {
	out := []stuckRow{}
	for _, a := range answers {
		for _, w := range a.Status.Waiting {
			if account == "" || w.Account == account {
				out = append(out, stuckRow{a.Status.Instance.Slot, a.Status.AsOf, w})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b stuckRow) int { return a.Since.Compare(b.Since) })
	return out
}

// stuckAfter is from when on an event that waits is worth an exit code.
const stuckAfter = time.Minute

func stuck(all []stuckRow) int {
	n := 0
	for _, w := range all {
		if w.AsOf.Sub(w.Since) > stuckAfter {
			n++
		}
	}
	return n
}

func printWaiting(w io.Writer, layout output.Layout, all []stuckRow) error {
	columns := []output.Heading{
		{Name: "account"}, {Name: "order", Whole: true}, {Name: "waits for", Whole: true}, {Name: "since", Right: true, Whole: true}, {Name: "tries", Right: true},
		{Name: "answer"}, {Name: "next", Right: true, Whole: true}, {Name: "behind", Right: true, Wide: true}, {Name: "method", Wide: true}, {Name: "record", Wide: true}, {Name: "instance", Wide: true},
	}
	rows := [][]string{}
	for _, r := range all {
		cause := r.Cause
		if !r.Doubt.IsZero() {
			cause += ", in doubt"
		}
		next := ""
		if !r.Next.IsZero() {
			next = admin.Span(max(0, r.Next.Sub(r.AsOf)))
		}
		rows = append(rows, []string{
			r.Account, r.OrderNo, cause, admin.Span(r.AsOf.Sub(r.Since)), strconv.Itoa(r.Attempts), cmp.Or(r.Code, r.Class), next,
			strconv.Itoa(r.Behind), r.Method, fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset), r.Instance,
		})
	}
	if len(rows) == 0 && layout.People(w) {
		return nil
	}
	return output.List(w, layout, columns, rows, all)
}

// summarize says what the list does not.
func summarize(w io.Writer, answers []admin.Answer, found, limit int) {
	out := output.SafeWriter(w)
	switch {
	case found == 0 && slices.ContainsFunc(answers, func(a admin.Answer) bool { return a.Err != nil }):
	case found == 0:
		fmt.Fprintln(out, "No event waits.")
	case found > limit:
		fmt.Fprintf(out, "\nThese wait longest; more do. All: --limit %d\n", 10_000)
	}
	for _, a := range answers {
		if v := a.Status.Verdict; a.Err == nil && v.Level != admin.LevelFine {
			fmt.Fprintf(out, "\n%s: %s\nDo: %s.\n", a.Status.Instance.Slot, v.Text, v.Do)
		}
	}
}
