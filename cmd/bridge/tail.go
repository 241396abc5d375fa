package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/records"
)

type tailOptions struct {
	target
	from       string
	since      string
	sinceTime  time.Time // of since
	key        string
	keyGiven   bool
	partitions []int
	count      int
	toEnd      bool
	format     output.Format
}

func tailCommand() *cobra.Command {
	var o tailOptions
	c := &cobra.Command{
		Use:   "tail TOPIC",
		Short: "Show decoded records of a topic",
		Long: `Tail reads a topic from its start and follows it until it is stopped. TOPIC is a
role (results, snapshots, observations, journal, dead-letters, events or
queries) or the name of a topic. Only committed records are shown. Those that
the topic has at the beginning are in the order of time, over all partitions.

It prints tab-separated columns, on a terminal with a header line. For results:
time of the outcome, key, event type, outcome, class, code, reason or sub code,
trade number, attempts. For dead letters: time, key, reason, error, place of the
original, and the record as JSON. For other topics: time, key, and the record as
JSON without empty fields.`,
		Example: `  bridge tail results --since 1h --to-end
  bridge tail results --key ORDER-NUMBER --to-end    # one order
  bridge tail dead-letters -n 10 -o json`,
		Args:              exactly("TOPIC"),
		ValidArgsFunction: completeTopics(&o.target),
		RunE: o.explained(func(c *cobra.Command, args []string) error {
			o.keyGiven = c.Flags().Changed("key")
			if err := o.check(c.Flags().Changed("count"), c.Flags().Changed("from"), time.Now()); err != nil {
				return usageError{err}
			}
			return tail(c.Context(), c.OutOrStdout(), o, args[0])
		}),
	}
	o.flags(c)
	c.Flags().StringVar(&o.from, "from", "earliest", "`position` to begin at: earliest or latest")
	c.Flags().StringVar(&o.since, "since", "", "begin at this `time`: a duration such as 90m or 24h before now, or 2026-01-31T08:00:00+08:00")
	c.Flags().StringVar(&o.key, "key", "", "show only records with this `key`, usually an order number")
	c.Flags().IntSliceVar(&o.partitions, "partition", nil, "read only these `partitions`")
	c.Flags().IntVarP(&o.count, "count", "n", 0, "stop after this `number` of records")
	c.Flags().BoolVar(&o.toEnd, "to-end", false, "stop at the current end of the topic")
	formatFlag(c, &o.format, "text or json (one object per line)")
	_ = c.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]string{"earliest", "latest"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// check reads the flags that are texts, and refuses what makes no sense.
func (o *tailOptions) check(counted, fromGiven bool, now time.Time) error {
	switch {
	case o.from != "earliest" && o.from != "latest":
		return fmt.Errorf("--from %s: use earliest or latest", o.from)
	case counted && o.count < 1:
		return fmt.Errorf("-n %d: use a number of 1 or more", o.count)
	case o.since == "":
		return nil
	case fromGiven:
		return errors.New("--since and --from exclude each other")
	}
	if d, err := time.ParseDuration(o.since); err == nil && d > 0 {
		o.sinceTime = now.Add(-d)
		return nil
	}
	t, err := time.Parse(time.RFC3339, o.since)
	if err != nil {
		return fmt.Errorf("--since %s: use a duration such as 90m or 24h, or a time such as 2026-01-31T08:00:00+08:00", o.since)
	}
	o.sinceTime = t
	return nil
}

func tail(ctx context.Context, out io.Writer, o tailOptions, name string) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	deadLetters := false
	for _, t := range kafka.Topics(cfg.Topics) {
		if t.Role == name || t.Name == name {
			name, deadLetters = t.Name, strings.HasPrefix(t.Role, "dead-")
			break
		}
	}
	registry, err := app.OpenTopics(cfg, 4<<20, app.Options{})
	if err != nil {
		return err
	}
	defer registry.Close()
	cl, err := o.open(ctx, cfg, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.RequireTopic(ctx, cl, cfg, name); err != nil {
		return err
	}
	p := recordPrinter{Printer: output.New(out, o.format), codec: order.NewCodec(registry), results: name == cfg.Topics.Results}
	if output.IsTerminal(out) && p.Text() {
		if err := p.header(deadLetters); err != nil {
			return err
		}
	}
	return p.follow(ctx, cl, name, o)
}

// recordPrinter prints decoded records.
type recordPrinter struct {
	output.Printer

	codec   *order.Codec
	results bool // of a topic of results
}

// header names the columns.
func (p *recordPrinter) header(deadLetters bool) error {
	switch {
	case p.results:
		return p.Columns("TIME", "KEY", "EVENT", "OUTCOME", "CLASS", "CODE", "REASON", "TRADE_NO", "ATTEMPTS")
	case deadLetters:
		return p.Columns("TIME", "KEY", "REASON", "ERROR", "ORIGINAL", "RECORD")
	}
	return p.Columns("TIME", "KEY", "RECORD")
}

// follow prints until ctx ends, the count is reached or, with toEnd, the end of the topic. To stop
// following is not an error.
func (p *recordPrinter) follow(ctx context.Context, cl *kgo.Client, name string, o tailOptions) error {
	r, err := newTopicReader(ctx, cl, name, o)
	if err != nil {
		return err
	}
	shown := 0
	err = r.run(ctx, o.toEnd, func(rec *kgo.Record) error {
		if o.keyGiven && string(rec.Key) != o.key || rec.Timestamp.Before(o.sinceTime) { // a batch may begin earlier
			return nil
		}
		if err := p.print(ctx, rec); err != nil {
			return err
		}
		if shown++; shown == o.count {
			return errReadEnough
		}
		return nil
	})
	if errors.Is(err, errReadEnough) || !o.toEnd && ctx.Err() != nil {
		return nil
	}
	return err
}

func (p *recordPrinter) print(ctx context.Context, r *kgo.Record) error {
	name, text, err := p.decode(ctx, r)
	if !p.Text() {
		return p.printObject(r, name, text, err)
	}
	if reason := header(r, records.HeaderDeadReason); reason != "" {
		return p.deadLetter(r, reason, text, err)
	}
	if err != nil {
		return p.Columns(formatTime(r.Timestamp), string(r.Key), position(r), "not decoded: "+err.Error())
	}
	if p.results {
		if res, err := p.codec.DecodeResult(ctx, r.Topic, r.Value); err == nil {
			return p.result(r, res)
		}
	}
	return p.Columns(formatTime(r.Timestamp), string(r.Key), omitEmpty(text))
}

// deadLetter prints what the headers say; the original may be anything.
func (p *recordPrinter) deadLetter(r *kgo.Record, reason string, text []byte, err error) error {
	original := fmt.Sprintf("%s/%s@%s", header(r, records.HeaderDeadTopic), header(r, records.HeaderDeadPartition), header(r, records.HeaderDeadOffset))
	record := omitEmpty(text)
	switch length := header(r, records.HeaderDeadLength); {
	case length != "":
		record = fmt.Sprintf("not kept: %s bytes, sha256 %s", length, header(r, records.HeaderDeadSHA256))
	case r.Value == nil:
		record = "no value"
	case err != nil:
		record = fmt.Sprintf("%d bytes, not decoded: %v", len(r.Value), err)
	}
	return p.Columns(formatTime(r.Timestamp), string(r.Key), reason, output.Dash(header(r, records.HeaderDeadError)), original, record)
}

// omitEmpty leaves out empty members. A text that is not an object stays as it is.
func omitEmpty(text []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return string(text)
	}
	for name, v := range members {
		switch string(v) {
		case `""`, "null", "[]", "{}", "false": // 0 may be an offset, a partition or an amount
			delete(members, name)
		}
	}
	short, err := json.Marshal(members)
	if err != nil {
		return string(text)
	}
	return string(short)
}

// decode reads a record with the schema of its topic, and a dead letter with that of its original topic.
func (p *recordPrinter) decode(ctx context.Context, r *kgo.Record) (string, []byte, error) {
	topic := r.Topic
	if from := header(r, records.HeaderDeadTopic); from != "" {
		topic = from
	}
	return p.codec.JSON(ctx, topic, r.Value)
}

func (p *recordPrinter) result(r *kgo.Record, res order.Result) error {
	reason := cmp.Or(res.Reason, res.SubCode)
	if res.Outcome == order.OutcomeInvalid && res.Message != "" {
		reason += ": " + res.Message
	}
	return p.Columns(
		formatTime(res.FinishedAt), string(r.Key), string(res.EventType), string(res.Outcome), string(res.CallClass),
		output.Dash(res.Code), output.Dash(reason), output.Dash(string(res.TradeNo)), fmt.Sprint(res.Attempts),
	)
}

// printObject prints all parts of a record as one JSON object. A value that cannot be decoded is
// printed in base64.
func (p *recordPrinter) printObject(r *kgo.Record, name string, text []byte, decodeErr error) error {
	o := struct {
		Topic     string            `json:"topic"`
		Partition int32             `json:"partition"`
		Offset    int64             `json:"offset"`
		Timestamp time.Time         `json:"timestamp"`
		Key       string            `json:"key"`
		Headers   map[string]string `json:"headers,omitempty"`
		Schema    string            `json:"schema,omitempty"`
		Record    json.RawMessage   `json:"record,omitempty"`
		Error     string            `json:"error,omitempty"`
		Value     []byte            `json:"value,omitempty"`
	}{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Key: printable(r.Key), Schema: name, Record: text}
	if decodeErr != nil {
		o.Error, o.Value, o.Record = decodeErr.Error(), r.Value, nil
	}
	for _, h := range r.Headers {
		if o.Headers == nil {
			o.Headers = map[string]string{}
		}
		o.Headers[h.Key] = printable(h.Value)
	}
	if err := p.Object(o); err != nil {
		return fmt.Errorf("print %s: %w", position(r), err)
	}
	return nil
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func position(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}
