package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/output"
)

func auditCommand() *cobra.Command {
	var t target
	var since string
	var out command.Answer
	c := &cobra.Command{
		Use:   "audit [-c FILE] [--since TIME]",
		Short: "Prove from the topics that each event has one outcome",
		Long: `Audit compares the committed offsets of the bridge's groups with the results, the
journal and the dead letters, as any consumer would read them. Each event that a
group has passed must have exactly one outcome. It changes nothing, and the bridge
may run meanwhile: it audits itself in the same way, see bridge status.

The output topics must still have what was written since the time, and an hour
before it. Audit reads all of that.

It exits with 0 if all events are accounted for, and with 3 if they are not, or if
some had to be left out because too much was finished out of order.`,
		Example: `  bridge audit -c bridge.yaml
  bridge audit -c bridge.yaml --since 2026-01-31T00:00:00+08:00`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			from, err := timeBefore("--since", since, time.Now())
			if err != nil {
				return command.Usage(err)
			}
			return t.explain(audit(c.Context(), &out, out.Printer(c), &t, from))
		},
	}
	t.flags(c)
	out.Flag(c, "audit", output.Lists(), auditColumns...)
	c.Flags().StringVar(&since, "since", "24h", "audit events that were produced since this `time`: a duration such as 90m or 24h before now, or 2026-01-31T08:00:00+08:00")
	return c
}

// timeBefore reads a time, or a duration before now.
func timeBefore(flag, text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %s: use a duration such as 90m or 24h, or a time such as 2026-01-31T08:00:00+08:00", flag, text)
	}
	return at, nil
}

// auditAnswer is what audit prints as JSON.
type auditAnswer struct {
	Found admin.Audit  `json:"audit"` // what was found since the time
	Lost  []lostEvents `json:"lost"`  // the first thousand runs of events without an outcome
}

type lostEvents struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first"` // offset
	Last      int64  `json:"last"`  // offset, itself included
}

func audit(ctx context.Context, out *command.Answer, p output.Printer, t *target, since time.Time) error {
	cfg, err := t.load()
	if err != nil {
		return err
	}
	report, lost, err := app.Audit(ctx, cfg, app.Options{Log: slog.Default()}, since)
	if err != nil {
		return err
	}
	answer := auditAnswer{Found: report, Lost: []lostEvents{}}
	for _, l := range lost {
		answer.Lost = append(answer.Lost, lostEvents(l))
	}
	if err := answer.print(p, out.Columns); err != nil {
		return err
	}
	if n := report.Wrong() + report.LeftOut; n > 0 { // what was left out is not proved
		return output.Found(int(n))
	}
	return nil
}

// shownLost is how many runs of lost events people are shown.
const shownLost = 20

var auditColumns = []output.Heading{
	{Name: "events", Right: true, Whole: true, About: "events whose offsets are committed"},
	{Name: "results", Right: true, Whole: true, About: "of them, those that ended with a result"},
	{Name: "skips", Right: true, Whole: true, Spare: true, About: "those that the journal has as skipped"},
	{Name: "dead letters", Right: true, Whole: true, Spare: true, About: "those that a person must look at"},
	{Name: "unaccounted", Right: true, Whole: true, About: "those without an outcome"},
	{Name: "repeated", Right: true, Whole: true, About: "results of events that had one"},
	{Name: "letters missing", Right: true, Whole: true, About: "results that speak of a dead letter where there is none"},
	{Name: "left out", Right: true, Whole: true, About: "offsets that were not audited"},
}

func (a *auditAnswer) print(p output.Printer, columns []output.Heading) error {
	f, row := &a.Found, []string{}
	for _, n := range []int64{f.Events, f.Results, f.Skips, f.DeadLetters, f.Unaccounted, f.Repeated, f.LettersMissing, f.LeftOut} {
		row = append(row, strconv.FormatInt(n, 10))
	}
	if err := output.List(p, columns, [][]string{row}, []auditAnswer{*a}); err != nil || !p.People() {
		return err
	}
	text := []string{f.Sentence(f.AsOf)}
	for i, l := range a.Lost {
		if i == shownLost {
			text = append(text, "More of them: -o json.")
			break
		}
		text = append(text, fmt.Sprintf("No outcome: %s/%d, offsets %d to %d.", l.Topic, l.Partition, l.First, l.Last))
	}
	if len(a.Lost) > 0 {
		text = append(text, "Do: bridge explain BridgeUnaccounted.")
	}
	for _, line := range text {
		if err := p.Paragraph(line); err != nil {
			return err
		}
	}
	return nil
}
