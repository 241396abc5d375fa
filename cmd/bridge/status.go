package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/explain"
	"alipay-kafka-bridge/internal/output"
)

func statusCommand() *cobra.Command {
	var from asked
	var out command.Answer
	c := &cobra.Command{
		Use:   "status [-c FILE] [-a HOST:PORT]",
		Short: "Say what running instances do, and what is wrong",
		Long: `Status asks the admin ports of running instances. For each it prints a sentence
that sums it up, what to do, and whose turn it is. On a pipe it prints one line
of columns for each instead; -o table prints the sentence there, too.

It exits with 0 if all is well, with 3 if an instance says that something is
wrong, and with 4 if an instance cannot be asked.`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, addresses, err := from.client()
			if err != nil {
				return err
			}
			answers := client.Ask(c.Context(), addresses, 0)
			if err := printStatus(c, &out, answers); err != nil {
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
	out.Flag(c, "status", output.Lists(), statusColumns...)
	return c
}

// levelColour is the colour of a level of a verdict.
func levelColour(level string) output.Colour {
	switch level {
	case admin.LevelFine:
		return output.Green
	case admin.LevelRisk, admin.LevelStopped:
		return output.Red
	}
	return output.Yellow
}

var statusColumns = []output.Heading{
	{Name: "instance", Whole: true, About: "kafka.slot of the instance"},
	{Name: "level", Whole: true, About: "fine, starting, slow, provider, stopped or risk: from good to bad", Paint: levelColour},
	{Name: "owner", Whole: true, About: "whose turn it is"},
	{Name: "under way", Right: true, Spare: true, About: "events that are being handled"},
	{Name: "waiting", Right: true, About: "events that wait for something else"},
	{Name: "not committed", Right: true, Wide: true, About: "outcomes that are not in Kafka yet"},
	{Name: "finished", Right: true, Spare: true, About: "events since the start of the process"},
	{Name: "up", Right: true, About: "time since the start of the process"},
	{Name: "version", Wide: true, About: "of the program"},
	{Name: "settings", Wide: true, About: "SHA-256 of the settings file, its begin"},
	{Name: "address", Wide: true, About: "admin port that answered"},
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

func printStatus(c *cobra.Command, a *command.Answer, answers []admin.Answer) error {
	p := a.Printer(c)
	rows, objects := [][]string{}, []admin.Status{}
	for _, a := range answers {
		if a.Err != nil {
			continue
		}
		s := a.Status
		running, unsettled, finished := 0, 0, uint64(0)
		for _, p := range s.Pipelines {
			running, unsettled, finished = running+p.Running, unsettled+p.Unsettled, finished+p.Finished
		}
		rows = append(rows, []string{
			s.Instance.Slot, s.Verdict.Level, s.Verdict.Owner, strconv.Itoa(running), strconv.FormatInt(s.WaitingEvents(), 10), strconv.Itoa(unsettled),
			strconv.FormatUint(finished, 10), admin.Span(s.AsOf.Sub(s.Instance.Started)), s.Instance.Version, fmt.Sprintf("%.16s", s.Instance.Settings), a.Address,
		})
		objects = append(objects, s)
	}
	if len(rows) == 0 && p.People() {
		return nil
	}
	if err := output.List(p, a.Columns, rows, objects); err != nil || !p.People() {
		return err
	}
	for _, s := range objects {
		if err := printVerdict(p, s); err != nil {
			return err
		}
		for _, line := range s.Lines() {
			if err := p.Paragraph(line); err != nil {
				return err
			}
		}
		if v := s.Verdict; !v.SafeToRestart {
			if err := p.Paragraph("Not safe to restart yet: " + v.RestartNote + "."); err != nil {
				return err
			}
		}
	}
	return nil
}

// printVerdict says what an instance says about itself.
func printVerdict(p output.Printer, s admin.Status) error {
	err := errors.Join(p.Line(), p.Paragraph(s.Instance.Slot+": "+s.Verdict.Text), p.Paragraph("Do: "+s.Verdict.Do+"."))
	for _, also := range s.Verdict.Also {
		err = errors.Join(err, p.Paragraph("Also: "+also))
	}
	return err
}

func stuckCommand() *cobra.Command {
	var from asked
	var out command.Answer
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
  own_order    an earlier event of its order (counted as behind it)
  stopped      its partition is stopped until an operator decides
  unread       its record cannot be read yet, for instance without the registry

In doubt means that it is not known whether the call took effect: the bridge
asks Alipay. Never send such an order again by hand.

It exits with 0 if nothing waits for more than a minute, with 3 if something
does, and with 4 if an instance cannot be asked.`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return command.Usage(fmt.Errorf("--limit is %d; use 1 to 10000", limit))
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
			if err := knowAccount(answers, account); err != nil {
				return command.Usage(err)
			}
			waiting := waitingOf(answers, account)
			p := out.Printer(c)
			if err := printWaiting(p, out.Columns, waiting[:min(limit, len(waiting))]); err != nil {
				return err
			}
			if p.People() {
				said := output.New(c.ErrOrStderr(), output.Text, false)
				printMeanings(said, waiting[:min(limit, len(waiting))])
				summarize(said, answers, len(waiting), limit)
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
	out.Flag(c, "stuck", output.Lists(), stuckColumns...)
	c.Flags().IntVarP(&limit, "limit", "n", 20, "at most so many `orders`")
	c.Flags().StringVar(&account, "account", "", "only those of this `account`")
	_ = c.RegisterFlagCompletionFunc("account", command.CompleteAccounts(&from.file))
	return c
}

// knowAccount refuses an account that no instance has, if any instance says which it has.
func knowAccount(answers []admin.Answer, account string) error {
	var known []string
	for _, a := range answers {
		for _, has := range a.Status.Accounts {
			known = append(known, has.Name)
		}
	}
	if account == "" || len(known) == 0 || slices.Contains(known, account) {
		return nil
	}
	slices.Sort(known)
	known = slices.Compact(known)
	return fmt.Errorf("--account %s: no instance has it; they have %s%s", account, strings.Join(known, ", "), fault.DidYouMean(account, known))
}

// causeColour is the colour of what an event waits for.
func causeColour(cause string) output.Colour {
	switch {
	case strings.HasPrefix(cause, "person"), strings.HasSuffix(cause, inDoubt):
		return output.Red
	case cause == "calling", cause == "settling":
		return output.Dim
	}
	return output.Yellow
}

// inDoubt follows the cause of an event of which it is not known whether its call took effect.
const inDoubt = ", in doubt"

var stuckColumns = []output.Heading{
	{Name: "account", About: "of the event"},
	{Name: "order", Whole: true, About: "order number"},
	{Name: "waits for", Whole: true, About: "cause; bridge explain knows it. In doubt: it is not known whether the call took effect", Paint: causeColour},
	{Name: "since", Right: true, Whole: true, About: "how long it has waited"},
	{Name: "tries", Right: true, Spare: true, About: "calls that were made"},
	{Name: "answer", Spare: true, About: "code or class of the last answer"},
	{Name: "next", Right: true, Whole: true, About: "time until the next attempt"},
	{Name: "behind", Right: true, Wide: true, About: "later events of the same order"},
	{Name: "method", Wide: true, About: "of Alipay's"},
	{Name: "record", Wide: true, About: "topic/partition@offset of the event"},
	{Name: "instance", Wide: true, About: "kafka.slot of the instance that has it"},
}

// stuckRow is an event that waits, with the instance that has it.
type stuckRow struct {
	Instance string    `json:"instance"` // kafka.slot
	AsOf     time.Time `json:"as_of"`    // time of the answer
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

func printWaiting(p output.Printer, columns []output.Heading, all []stuckRow) error {
	rows := [][]string{}
	for _, r := range all {
		cause := r.Cause
		if !r.Doubt.IsZero() {
			cause += inDoubt
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
	if len(rows) == 0 && p.People() {
		return nil
	}
	return output.List(p, columns, rows, all)
}

// printMeanings says what the last answers mean.
func printMeanings(p output.Printer, all []stuckRow) {
	var answers [][2]string
	for _, r := range all {
		answers = append(answers, [2]string{r.Code, r.Class})
	}
	if lines := explain.Legend(answers); len(lines) > 0 {
		_ = p.Paragraph("\n" + strings.Join(lines, "\n"))
	}
}

// summarize says what the list does not. What cannot be written has no remedy.
func summarize(p output.Printer, answers []admin.Answer, found, limit int) {
	switch {
	case found == 0 && slices.ContainsFunc(answers, func(a admin.Answer) bool { return a.Err != nil }):
	case found == 0: // a stopped partition is not read, nor is any without brokers
		_ = p.Paragraph(map[bool]string{false: "No event waits.", true: "No event that was read waits."}[troubled(answers) > 0])
	case found > limit:
		_ = p.Paragraph(fmt.Sprintf("\nThese wait longest; there are more: --limit %d", 10_000))
	}
	for _, a := range answers {
		if a.Err == nil && a.Status.Verdict.Level != admin.LevelFine {
			_ = printVerdict(p, a.Status)
		}
	}
}
